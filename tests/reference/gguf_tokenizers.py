#!/usr/bin/env python3
"""GGUF files that hold a tokenizer and hardly more, from a tokenizer.json, as llama.cpp's converter writes them.

    python tests/reference/gguf_tokenizers.py                        # tests/fixtures/tokenizers, some seconds
    python tests/reference/gguf_tokenizers.py NAME FILE.json OUT.gguf  # any other tokenizer.json, as the one of that name

What the converter does (convert_hf_to_gguf.py, 2026): byte-level vocabularies by id with the merges joined by a space,
added tokens as control or user-defined tokens; SentencePiece vocabularies with scores and without merges, user-defined
pieces with plain spaces and a score of -1000. SentencePiece's own scores are no part of a tokenizer.json: those of BPE
count the learnt pieces from 0 down. The unigram model comes out a little different each time: its training is not deterministic.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.tokenization_utils_base import generate_merges

import tiny_tokenizers

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
SPACE = "\u2581"
# Each fixture's architecture, kind and pre-tokenizer, and its tokenizer.json where that is a model's.
KINDS = {
    "llama3": ("llama", "gpt2", "llama-bpe", "models/llama"),
    "smollm": ("llama", "gpt2", "smollm", None),
    "qwen2": ("qwen2", "gpt2", "qwen2", "models/qwen2"),
    "gpt2": ("gpt2", "gpt2", "gpt-2", "models/gpt2"),
    "phi": ("phi2", "gpt2", "phi-2", None),
    "gemma": ("gemma2", "llama", "default", None),
    "llama2": ("llama", "llama", "default", None),
    "unigram": ("llama", "llama", "default", None),
    "t5": ("llama", "t5", None, None),
}
T = gguf.TokenType


def looks_special(token):
    return token in ("<pad>", "<mask>", "<2mass>", "[@BOS@]") or any(
        token.startswith(a) and token.endswith(b) for a, b in (("<|", "|>"), ("<｜", "｜>"), ("<unused", ">"))
    )


def add(w, kind, pre, data, size, prefix):
    """The tokenizer's part of the metadata, for a table of `size` rows."""
    model = data["model"]
    listed = isinstance(model["vocab"], list)
    ids = {i: t for i, (t, _) in enumerate(model["vocab"])} if listed else {i: t for t, i in model["vocab"].items()}
    stored = dict(enumerate(s for _, s in model["vocab"])) if listed else {}
    added = {t["id"]: t for t in data["added_tokens"]}
    ids |= {i: t["content"] for i, t in added.items()}
    made = {"".join(m if isinstance(m, list) else m.split(" ")) for m in model.get("merges", [])}
    learnt = {i: at for at, i in enumerate(i for i in sorted(ids) if ids[i] in made and i not in added)}
    tokens, types, scores = [], [], []
    for i in range(size):
        if i not in ids:
            tokens.append(f"[PAD{i}]"), types.append(T.UNUSED), scores.append(-10000.0)
            continue
        token, score = ids[i], stored.get(i, 0.0)
        if i in added and (added[i]["special"] or looks_special(token)):
            type_, score = T.CONTROL, -1000.0
        elif i in added:
            type_, score, token = T.USER_DEFINED, -1000.0, token.replace(SPACE, " ")
        elif kind != "gpt2" and len(token) == 6 and token.startswith("<0x"):
            type_ = T.BYTE
        else:
            type_ = T.NORMAL
            if not listed:
                score = -float(learnt[i]) if i in learnt else -float(len(learnt) + i)
        tokens.append(token), types.append(type_), scores.append(score)
    w.add_tokenizer_model(kind)
    if pre:
        w.add_tokenizer_pre(pre)
    w.add_token_list(tokens)
    w.add_token_types(types)
    if kind == "gpt2":
        w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
    else:
        w.add_token_scores(scores)
        unknown = model.get("unk_id") if listed else next(i for i, t in ids.items() if t == "<unk>")
        w.add_unk_token_id(unknown)
        if not prefix:
            w.add_add_space_prefix(False)
    # As the converter reads them: from the template of the post-processor.
    template = data["post_processor"] or {}
    for part in template.get("processors", [template]):
        first = (part.get("single") or [{}])[0].get("SpecialToken")
        if first:
            w.add_bos_token_id(part["special_tokens"][first["id"]]["ids"][0])
            w.add_add_bos_token(True)


def write(name, data, path):
    arch, kind, pre, _ = KINDS[name]
    w = gguf.GGUFWriter(path, arch)
    w.add_block_count(1)
    w.add_context_length(64)
    w.add_embedding_length(1)
    w.add_feed_forward_length(1)
    w.add_head_count(1)
    w.add_head_count_kv(1)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_layer_norm_eps(1e-5)
    vocab = data["model"]["vocab"]
    last = max([len(vocab) - 1 if isinstance(vocab, list) else max(vocab.values()), *(t["id"] for t in data["added_tokens"])])
    size = last + 1 if kind == "t5" else (last + 8) // 8 * 8 + 8  # tables are often padded
    add(w, kind, pre, data, size, prefix="gemma" not in name)
    w.add_tensor("token_embd.weight", np.zeros((size, 1), np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def added(token, id_, special):
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": id_, "content": token, "special": special} | flags


def smollm():
    """Every digit a token of its own, then as GPT-2; no post-processor."""
    data = tiny_tokenizers.gpt2()
    digits = {"type": "Digits", "individual_digits": True}
    data["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, data["pre_tokenizer"]]}
    data["post_processor"] = None
    return data


def phi():
    """GPT-2 with runs of spaces and tabs as added tokens, long ones first."""
    data = tiny_tokenizers.gpt2()
    runs = [" " * n for n in range(9, 1, -1)] + ["\t" * n for n in range(4, 1, -1)]
    data["added_tokens"] += [added(run, 320 + i, False) for i, run in enumerate(runs)]
    return data


def sentencepiece(prefix, declared):
    """BPE as transformers makes it of a SentencePiece model: every pair that makes a piece is a merge, by the scores."""
    base = tiny_tokenizers.gemma()
    specials = [t["content"] for t in base["added_tokens"]]
    pieces = [t for t in base["model"]["vocab"] if t not in specials and not t.startswith("<0x")]
    made = {"".join(m) for m in base["model"]["merges"]}
    learnt, single = [p for p in pieces if p in made], [p for p in pieces if p not in made]
    # Pieces that can be made in two ways, which differ in their first merge.
    learnt += [SPACE + "is" + SPACE + "the", "ano", "nor", "anor", "orn"]
    single += [c for c in "\n\t" + "".join(learnt) if c not in single]
    single = list(dict.fromkeys(single))
    names = specials + declared + [f"<0x{b:02X}>" for b in range(256)] + learnt + single
    vocab = {name: i for i, name in enumerate(names)}
    assert len(vocab) == len(names)
    scores = dict.fromkeys(names, 0.0) | {p: -float(i) for i, p in enumerate(learnt)}
    scores |= {p: -float(len(learnt) + i) for i, p in enumerate(single)}
    data = base
    data["model"] |= {"vocab": vocab, "merges": [list(m) for m in generate_merges(vocab, scores)]}
    data["added_tokens"] += [added(t, vocab[t], False) for t in declared]
    if prefix:
        spaces = data["normalizer"]
        data["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, spaces]}
        data["pre_tokenizer"] = None
        data["decoder"]["decoders"].append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return data


def gemma():
    runs = [c * n for c in ("\n", SPACE, "\t") for n in range(2, 6)]
    return sentencepiece(False, ["<mask>", "<unused0>", *runs, "<h1>", "</h1>"])


def llama2():
    return sentencepiece(True, [])


def unigram():
    """A SentencePiece unigram model as transformers' LlamaConverter writes it."""
    specials = ["<unk>", "<s>", "</s>"]
    trained = Tokenizer(models.Unigram())
    trained.normalizer = normalizers.Replace(" ", SPACE)
    trained.pre_tokenizer = pre_tokenizers.Split(SPACE, "merged_with_next")
    trained.train_from_iterator(
        tiny_tokenizers.CORPUS, trainers.UnigramTrainer(vocab_size=160, unk_token="<unk>", show_progress=False)
    )
    vocab = [v for v in json.loads(trained.to_str())["model"]["vocab"] if v[0] not in specials]
    # SentencePiece stores its scores as f32.
    vocab = [(t, float(np.float32(s))) for t, s in vocab]
    names = [(t, 0.0) for t in specials] + [(f"<0x{b:02X}>", 0.0) for b in range(256)] + vocab
    tok = Tokenizer(models.Unigram(names, 0, byte_fallback=True))
    tok.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    tok.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tok.add_special_tokens(specials)
    return json.loads(tok.to_str())


def t5():
    """Unigram as transformers' T5Converter writes it, without a map of characters."""
    data = unigram()
    data["model"]["byte_fallback"] = False
    end, runs = normalizers.Strip(left=False, right=True), normalizers.Replace(tiny_tokenizers.Regex(" {2,}"), SPACE)
    shape = Tokenizer(models.Unigram([("a", 0.0)], 0))
    shape.normalizer = normalizers.Sequence([end, runs])
    shape.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    shape.decoder = decoders.Metaspace(prepend_scheme="always")
    data |= {k: v for k, v in json.loads(shape.to_str()).items() if k in ("normalizer", "pre_tokenizer", "decoder")}
    data["post_processor"] = None
    return data


def main():
    if sys.argv[1:]:
        name, source, path = sys.argv[1:]
        write(name, json.loads(Path(source).read_text(encoding="utf-8")), path)
        return
    folder = FIXTURES / "tokenizers"
    folder.mkdir(exist_ok=True)
    for name, (*_, model) in KINDS.items():
        if model:
            data = json.loads((FIXTURES / model / "tokenizer.json").read_text(encoding="utf-8"))
        else:
            data = globals()[name]()
            tiny_tokenizers.write(data, folder / f"{name}.json", merges_as_strings=False)
        write(name, data, folder / f"{name}.gguf")
        print(name, (folder / f"{name}.gguf").stat().st_size)


if __name__ == "__main__":
    main()
