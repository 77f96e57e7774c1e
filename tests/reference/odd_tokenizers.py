#!/usr/bin/env python3
"""Which BOS and EOS transformers adds: tests/fixtures/odd_tokenizers.json.

    python tests/reference/odd_tokenizers.py                 # transformers 5; ids of transformers 4 are kept
    python tests/reference/odd_tokenizers.py --v4 PYTHON     # also those of a Python with transformers 4.57

A case is a fixture's tokenizer.json with another post-processor, or a fixture's GGUF with other metadata, beside a
tokenizer_config.json; its ids are those of AutoTokenizer.from_pretrained(folder)(text). A rule (BOS and EOS) is all
that varies, except where a name says otherwise.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
TEXT = "The capital of France is"
BUDGET = 300_000

# model: model_type, its BOS and EOS, and the classes its published folders name
MODELS = {
    "llama": ("llama", "<|begin_of_text|>", "<|end_of_text|>", ["LlamaTokenizerFast", "PreTrainedTokenizerFast", "GPT2Tokenizer", None]),
    "qwen2": ("qwen2", "<|endoftext|>", "<|im_end|>", ["Qwen2Tokenizer", "PreTrainedTokenizerFast", None]),
    "gemma2": ("gemma2", "<bos>", "<eos>", ["GemmaTokenizer", "PreTrainedTokenizerFast", None]),
    "gemma3": ("gemma3_text", "<bos>", "<eos>", ["GemmaTokenizerFast", None]),
    "phi": ("phi", "<|endoftext|>", "<|endoftext|>", ["CodeGenTokenizer", "GPT2Tokenizer", None]),
    "gpt2": ("gpt2", "<|endoftext|>", "<|endoftext|>", ["GPT2Tokenizer", "TokenizersBackend", None]),
}  # fmt: skip
FLAGS = [{}, {"add_bos_token": True}, {"add_bos_token": False}, {"add_eos_token": True},
         {"add_bos_token": True, "add_eos_token": True}, {"add_bos_token": False, "add_eos_token": False}]  # fmt: skip


def vocabulary(model):
    data = json.loads((FIXTURES / "models" / model / "tokenizer.json").read_text(encoding="utf-8"))
    return data["model"]["vocab"] | {t["content"]: t["id"] for t in data["added_tokens"]}


def template(model, before=(), after=()):
    ids = vocabulary(model)

    def token(name, kind):
        return {"SpecialToken": {"id": name, "type_id": kind}}

    def half(letter, kind):
        inner = {"Sequence": {"id": letter, "type_id": kind}}
        return [token(t, kind) for t in before] + [inner] + [token(t, kind) for t in after]

    return {
        "type": "TemplateProcessing", "single": half("A", 0), "pair": half("A", 0) + half("B", 1),
        "special_tokens": {t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in {*before, *after}},
    }  # fmt: skip


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}


def case(name, model, post_processor="as it is", config=None, texts=(TEXT,), **more):
    return {"name": name, "model": model, "model_type": MODELS[model][0], "post_processor": post_processor,
            "tokenizer_config": config, "texts": list(texts)} | more  # fmt: skip


def cases():
    for model, (_, bos, eos, classes) in MODELS.items():
        processors = {"as it is": "as it is", "none": None, "BOS": template(model, [bos]),
                      "BOS and EOS": template(model, [bos], [eos])}  # fmt: skip
        for cls in classes:
            for flags in FLAGS:
                for word, processor in processors.items():
                    config = {"bos_token": bos, "eos_token": eos} | flags | ({"tokenizer_class": cls} if cls else {})
                    said = ", ".join(f"{k} {str(v).lower()}" for k, v in flags.items()) or "no flags"
                    yield case(f"{cls or 'no class'}, {said}, post-processor {word}", model, processor, config)
    for model, (_, bos, eos, classes) in MODELS.items():
        cls = classes[0]
        added = {"__type": "AddedToken", "content": bos, "lstrip": False, "normalized": False, "rstrip": False,
                 "single_word": False, "special": True}  # fmt: skip
        base = {"eos_token": eos, "tokenizer_class": cls, "add_bos_token": True}
        for processor, word in ((None, "none"), ("as it is", "as it is")):
            yield case(f"no tokenizer_config.json, post-processor {word}", model, processor)
            yield case(f"empty tokenizer_config.json, post-processor {word}", model, processor, {})
            yield case(f"BOS as an AddedToken, post-processor {word}", model, processor, base | {"bos_token": added})
            yield case(f"BOS as a plain dict, post-processor {word}", model, processor, base | {
                "bos_token": {k: v for k, v in added.items() if k != "__type"}})  # fmt: skip
            yield case(f"BOS null, post-processor {word}", model, processor, base | {"bos_token": None})
            yield case(f"BOS absent, post-processor {word}", model, processor, base)
        yield case("BOS in the text", model, "as it is", base | {"bos_token": bos}, [bos + TEXT, bos, TEXT + eos])
        yield case(
            "BOS in the text, template with BOS", model, template(model, [bos]), base | {"bos_token": bos}, [bos + TEXT]
        )
        yield case("EOS template", model, template(model, [], [eos]), base | {"bos_token": bos})
        yield case("an empty text", model, "as it is", base | {"bos_token": bos}, [""])
        yield case("two templates in a sequence", model, {"type": "Sequence", "processors": [
            BYTE_LEVEL, template(model, [bos])]}, base | {"bos_token": bos})  # fmt: skip
        yield case(
            "split_special_tokens",
            model,
            "as it is",
            base | {"bos_token": bos, "split_special_tokens": True},
            [bos + "is"],
        )
        yield case("add_prefix_space", model, "as it is", base | {"bos_token": bos, "add_prefix_space": True})
        yield case("class in config.json", model, None, {"bos_token": bos, "add_bos_token": True}, config_class=cls)
    # other classes than the family's own: transformers 5 builds some of them anew from vocabulary and merges, with that
    # class's splitting, so text may fall into other pieces
    yield case("LlamaTokenizer, not byte-level", "gemma2", "as it is", {"tokenizer_class": "LlamaTokenizer"})
    yield case("GPT2Tokenizer on a llama3 splitting", "llama", "as it is", {"tokenizer_class": "GPT2Tokenizer"},
               ["12345 HELLO'S don't"])  # fmt: skip


def gguf_cases():
    for name in ("llama-tied", "qwen2", "gpt2", "gemma2", "phi"):
        for bos in (True, False, None):
            for eos in (True, False, None):
                flags = {"tokenizer.ggml.add_bos_token": bos, "tokenizer.ggml.add_eos_token": eos}
                said = ", ".join(
                    f"{k.split('.')[-1]} {'absent' if v is None else str(v).lower()}" for k, v in flags.items()
                )
                yield {"name": said, "gguf": f"{name}.gguf", "set": flags, "texts": [TEXT]}
    for name in ("llama-tied", "gpt2", "gemma2"):
        yield {"name": "BOS added, its id absent", "gguf": f"{name}.gguf", "texts": [TEXT], "set": {
            "tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.bos_token_id": None}}  # fmt: skip
        yield {"name": "BOS in the text", "gguf": f"{name}.gguf", "set": {}, "texts": [
            {"llama-tied": "<|begin_of_text|>", "gpt2": "<|endoftext|>", "gemma2": "<bos>"}[name] + TEXT]}  # fmt: skip


def rewritten(source, target, changes):
    """A GGUF with other metadata: null takes a key out."""
    import gguf

    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture" or key in changes:
            continue
        kind = field.types[0]
        sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), kind, sub_type=sub)
    for key, value in changes.items():
        if value is not None:
            writer.add_bool(key, value)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write(case, folder):
    data = json.loads((FIXTURES / "models" / case["model"] / "tokenizer.json").read_text(encoding="utf-8"))
    if case["post_processor"] != "as it is":
        data["post_processor"] = case["post_processor"]
    (folder / "tokenizer.json").write_text(json.dumps(data), encoding="utf-8")
    model_config = {"model_type": case["model_type"]}
    if "config_class" in case:
        model_config["tokenizer_class"] = case["config_class"]
    (folder / "config.json").write_text(json.dumps(model_config))
    if case["tokenizer_config"] is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(case["tokenizer_config"]))


def answer(case):
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as name:
        folder, more = Path(name), {}
        try:
            if "gguf" in case:
                rewritten(FIXTURES / "gguf" / case["gguf"], folder / case["gguf"], case["set"])
                more = {"gguf_file": case["gguf"]}
            else:
                write(case, folder)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **more)
            return {"class": type(tokenizer).__name__, "ids": [tokenizer(text).input_ids for text in case["texts"]]}
        except Exception as error:
            return {"error": " ".join(f"{type(error).__name__}: {error}".replace(name, "FOLDER").split())[:160]}


def answers(made):
    from transformers.utils import logging

    logging.set_verbosity_error()
    return [answer(c) for c in made]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--v4", help="a Python with transformers 4.57")
    parser.add_argument("--answers", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.answers:
        print(json.dumps(answers(json.load(sys.stdin))))
        return
    folders, files = list(cases()), list(gguf_cases())
    path = FIXTURES / "odd_tokenizers.json"
    if args.v4:
        done = subprocess.run([args.v4, __file__, "--answers"], input=json.dumps(folders), capture_output=True, text=True,
                              check=True, env=os.environ | {"TRANSFORMERS_VERBOSITY": "error"})  # fmt: skip
        old = json.loads(done.stdout.splitlines()[-1])
    else:
        kept = json.loads(path.read_text(encoding="utf-8"))["folders"] if path.exists() else []
        kept = {(c["model"], c["name"]): c.get("v4") for c in kept}
        old = [kept.get((c["model"], c["name"])) for c in folders]
    for c, new, before in zip(folders, answers(folders), old):
        c |= new
        if before and before.get("ids", before.get("error")) != new.get("ids", new.get("error")):
            c["v4"] = before  # only where it differs
    for c, new in zip(files, answers(files)):
        c |= new
    names = [(c["model"], c["name"]) for c in folders]
    assert len(set(names)) == len(names), "a name twice"

    def lines(made):
        return ",\n".join("  " + json.dumps(c, ensure_ascii=False) for c in made)

    # Post-processors are told once each, by model and a word.
    shared = {}
    for c in folders:
        if isinstance(c["post_processor"], dict):
            key = json.dumps(c["post_processor"], sort_keys=True)
            c["post_processor"] = shared.setdefault(key, f"#{len(shared)}")
    told = ",\n".join(f'  "{word}": {key}' for key, word in shared.items())
    path.write_text(f'{{\n "post_processors": {{\n{told}\n }},\n "folders": [\n{lines(folders)}\n ],\n "gguf": [\n{lines(files)}\n ]\n}}\n',
                    encoding="utf-8")  # fmt: skip
    print(len(folders), "folders,", len(files), "GGUF,", path.stat().st_size, "bytes")
    assert path.stat().st_size < BUDGET


if __name__ == "__main__":
    main()
