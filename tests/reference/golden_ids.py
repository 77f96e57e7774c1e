#!/usr/bin/env python3
"""Ids of 200 awkward prompts from real tokenizers: tests/fixtures/golden_ids.json.

    python tests/reference/golden_ids.py --shared DIR

DIR holds tokenizers/{gemma2,llama3_2,qwen2_5,gpt2,phi2_reconstructed} and models/smollm2-135m-instruct. Each goes
through AutoTokenizer.from_pretrained with its tokenizer_config.json, beside a config.json that names the model_type.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer
from transformers.utils import logging

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
BUDGET = 200_000
FOLDERS = {
    "gemma2": ("tokenizers/gemma2", "gemma2"),
    "llama3_2": ("tokenizers/llama3_2", "llama"),
    "qwen2_5": ("tokenizers/qwen2_5", "qwen2"),
    "gpt2": ("tokenizers/gpt2", "gpt2"),
    "phi2_reconstructed": ("tokenizers/phi2_reconstructed", "phi"),
    "smollm2": ("models/smollm2-135m-instruct", "llama"),
}
SUBJECTS = [
    "Zo\u00eb Kravitz", "Zoe\u0308 Kravitz", "O'Neill", "O\u2019Neill", "\u5317\u4eac", "\u6771\u4eac\u30bf\u30ef\u30fc",
    "\u0e01\u0e23\u0e38\u0e07\u0e40\u0e17\u0e1e", "\u0627\u0644\u0642\u0627\u0647\u0631\u0629", "\u041c\u043e\u0441\u043a\u0432\u0430",
    "M\u00fcnchen", "Mu\u0308nchen", "St. John's", "Jean-Luc Picard", "AT&T", "C++", "Route 66", "1984", "3.14159265",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1eb\U0001f1f7", "\U0001f44d\U0001f3fd", "\u0395\u03bb\u03bb\u03ac\u03b4\u03b1",
    "\u0939\u093f\u0928\u094d\u0926\u0940", "\ud55c\uad6d", "\u1112\u1161\u11ab\u1100\u116e\u11a8", "na\u00efve caf\u00e9", "x\u00b2+y\u00b2",
    "\ufb01nance", "I\u0307stanbul", "Stra\u00dfe", "McDonald's", "U.S.A.", "Donaudampfschifffahrtselektrizit\u00e4tenhauptbetriebswerk",
    "\U0001d518\U0001d52b\U0001d526\U0001d520\U0001d52c\U0001d521\U0001d522", "\u05d9\u05e8\u05d5\u05e9\u05dc\u05d9\u05dd", "iPhone 15",
    "the Eiffel Tower", "Francis", "<|endoftext|>", "<bos>",
]  # fmt: skip
TEMPLATES = [
    "The capital of {} is", "{} was born in", "{}", "\u201c{}\u201d is", "({})", '"{}", said', "'{}' is", "{}'s mother tongue is", " {}",
    "In [{}],", "\u00ab{}\u00bb est", "Q: Where is {}?\nA:", "tab\t{}\tend", "two  spaces  {}  here", "{}\u3002", "\uff08{}\uff09\u662f",
    "new\n\n{}\n\nline", "<{}>", "and/{}/or", "pre{}post", "{}\u2014", "#{} @{}", "   {}   ", "\u2018{}\u2019s", "{}, {} and {}",
    "\r\n{}", "\u00a0{}\u00a0is", "\u3000{}", "Is it {}", "He said: \u201e{}\u201c!", "{}...", "$100 for {} (2024-05-06)", "\u5730\u7406\uff1a{}\u662f",
    "i'm {}, you're", "_{}_ **{}**", "\U0001f642{}\U0001f642", "Mr.{}",
]  # fmt: skip
EXTRA = [
    ("<|begin_of_text|>The capital of France is", "France"), ("<bos>The capital of France is", "France"),
    ("<|im_start|>user\nWhere is Paris?<|im_end|>\n", "Paris"), ("<start_of_turn>user\nWhere is Paris?<end_of_turn>", "Paris"),
    ("Paris<|endoftext|>Paris", "Paris"), ("</s>Paris", "Paris"), ("Parisian Paris", "Paris"), ("a" * 300 + " Paris", "Paris"),
    ("\u4e2d" * 60 + "\u5317\u4eac", "\u5317\u4eac"), ("1234567890 12 123 1,234.5", "12 123"),
]  # fmt: skip


def prompts():
    """Every subject in four templates, the extra ones, and Paris in further templates up to 200."""
    out = []
    for i, subject in enumerate(SUBJECTS):
        for k in range(4):
            template = TEMPLATES[(4 * i + k + i // len(TEMPLATES)) % len(TEMPLATES)]
            out.append((template.replace("{}", subject), subject, len(template.split("{}")[0].encode())))
    for text, subject in EXTRA:
        out.append((text, subject, len(text[: text.rindex(subject)].encode())))
    for template in TEMPLATES:
        if len(out) == 200:
            break
        out.append((template.replace("{}", "Paris"), "Paris", len(template.split("{}")[0].encode())))
    assert len(out) == 200 and len({t for t, _, _ in out}) == 200
    for text, subject, start in out:
        assert text.encode()[start:].startswith(subject.encode())
    return out


def span(offsets, begin, end):
    """First and last token that overlap the characters [begin, end)."""
    hit = [i for i, (x, y) in enumerate(offsets) if y > begin and x < end]
    return [hit[0], hit[-1] + 1] if hit else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shared", type=Path, required=True)
    shared = parser.parse_args().shared
    logging.set_verbosity_error()
    made = prompts()
    out = {}
    for name, (folder, model_type) in FOLDERS.items():
        with tempfile.TemporaryDirectory() as temporary:
            scratch = Path(temporary)
            for file in ("tokenizer.json", "tokenizer_config.json"):
                if (shared / folder / file).exists():
                    shutil.copy(shared / folder / file, scratch)
            (scratch / "config.json").write_text(json.dumps({"model_type": model_type}))
            tokenizer = AutoTokenizer.from_pretrained(scratch, local_files_only=True)
            plain = Tokenizer.from_file(str(scratch / "tokenizer.json"))
        ids, spans, differs = [], [], []
        for i, (text, subject, start) in enumerate(made):
            encoded = tokenizer(text, return_offsets_mapping=True)
            begin = len(text.encode()[:start].decode())
            ids.append(encoded.input_ids)
            spans.append(span(encoded.offset_mapping, begin, begin + len(subject)))
            alone = plain.encode(text)
            if alone.ids != encoded.input_ids or span(alone.offsets, begin, begin + len(subject)) != spans[-1]:
                differs.append(i)
        print(name, type(tokenizer).__name__, sum(map(len, ids)), "tokens; other than tokenizer.json alone:", differs)
        out[name] = {"ids": ids, "spans": spans}
    lines = [json.dumps({"text": t, "subject": s, "start": b}) for t, s, b in made]
    rows = []
    for name, value in out.items():
        inner = ",\n".join(f"   {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))}" for k, v in value.items())
        rows.append(f"  {json.dumps(name)}: {{\n{inner}\n  }}")
    path = FIXTURES / "golden_ids.json"
    path.write_text(
        '{\n "prompts": [\n  ' + ",\n  ".join(lines) + '\n ],\n "tokenizers": {\n' + ",\n".join(rows) + "\n }\n}\n",
        encoding="utf-8",
    )
    print(path.stat().st_size, "bytes")
    assert path.stat().st_size < BUDGET


if __name__ == "__main__":
    main()
