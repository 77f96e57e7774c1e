#!/usr/bin/env python3
"""SmolLM2-135M-Instruct from its GGUF file in transformers: f32, eager attention.

    python tests/reference/smollm2.py                      # checks, and the reference of 100 CounterFact prompts
    python tests/reference/smollm2.py --write DIR          # also an ordinary Hugging Face folder (f32)
    python tests/reference/smollm2.py --write DIR --dtype f16 --no-reference
"""

import argparse
import json
import random
import re
import shutil
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "tests" / "fixtures" / "smollm2_counterfact100.json"

HF_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def hf_name(name):
    block = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
    if block:
        return f"model.layers.{block[1]}.{HF_NAMES[block[2]]}.weight"
    return HF_NAMES[name.removesuffix(".weight")] + ".weight"


def unpermute(w, heads):
    """Back from llama.cpp's row order for interleaved rotary embedding."""
    return w.reshape(heads, w.shape[0] // heads // 2, 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


def load_gguf(path) -> LlamaForCausalLM:
    reader = gguf.GGUFReader(path)

    def field(name):
        return reader.fields[name].contents()

    assert field("general.architecture") == "llama"
    heads, kv_heads = field("llama.attention.head_count"), field("llama.attention.head_count_kv")
    config = LlamaConfig(
        vocab_size=field("llama.vocab_size"),
        hidden_size=field("llama.embedding_length"),
        intermediate_size=field("llama.feed_forward_length"),
        num_hidden_layers=field("llama.block_count"),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=field("llama.context_length"),
        rms_norm_eps=round(field("llama.attention.layer_norm_rms_epsilon"), 12),
        rope_parameters={"rope_type": "default", "rope_theta": field("llama.rope.freq_base")},
        tie_word_embeddings=not any(t.name == "output.weight" for t in reader.tensors),
        bos_token_id=field("tokenizer.ggml.bos_token_id"),
        eos_token_id=field("tokenizer.ggml.eos_token_id"),
        pad_token_id=field("tokenizer.ggml.padding_token_id"),
    )
    assert config.head_dim == field("llama.rope.dimension_count")
    state = {}
    for t in reader.tensors:
        w = gguf.dequantize(t.data, t.tensor_type).astype(np.float32)
        if ".attn_q." in t.name:
            w = unpermute(w, heads)
        if ".attn_k." in t.name:
            w = unpermute(w, kv_heads)
        state[hf_name(t.name)] = torch.from_numpy(np.ascontiguousarray(w))
    with torch.device("meta"):
        model = LlamaForCausalLM._from_config(config, attn_implementation="eager")
    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    assert not unexpected and missing in ([], ["lm_head.weight"]), (missing, unexpected)
    model.tie_weights()
    # Buffers made on the meta device have no values: make the rotary ones again.
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    return model.eval()


def counterfact_in_order(shared):
    """All records in the order in which a study takes them."""
    records = json.loads((shared / "data" / "counterfact.json").read_text(encoding="utf-8"))
    random.Random(42).shuffle(records)
    return records


def last_logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False, logits_to_keep=1).logits[0, -1]


def reference(model, tokenizer, shared, count):
    facts = []
    for i, record in enumerate(counterfact_in_order(shared)[:count]):
        r = record["requested_rewrite"]
        prompt = r["prompt"].format(r["subject"])
        ids = tokenizer.encode(prompt).ids
        longer = tokenizer.encode(f"{prompt} {r['target_true']['str']}").ids
        assert longer[: len(ids)] == ids
        answer = longer[len(ids)]
        logits = last_logits(model, ids)
        top = logits.topk(5)
        facts.append(
            {
                "case_id": record["case_id"],
                "ids": ids,
                "top_ids": top.indices.tolist(),
                "top_logits": [round(x, 5) for x in top.values.tolist()],
                "true_id": answer,
                "true_logit": round(logits[answer].item(), 5),
            }
        )
        if (i + 1) % 20 == 0:
            print(f"{i + 1} prompts", file=sys.stderr, flush=True)
    return facts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="the folder of shared data")
    parser.add_argument("--write", type=Path, metavar="DIR", help="write a Hugging Face folder")
    parser.add_argument("--dtype", choices=["f32", "f16"], default="f32", help="of the written weights")
    parser.add_argument("--no-reference", action="store_true", help="leave the CounterFact reference alone")
    args = parser.parse_args()

    folder = args.shared / "models" / "smollm2-135m-instruct"
    (file,) = folder.glob("*.gguf")
    model = load_gguf(file)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    logits = last_logits(model, tokenizer.encode("The capital of France is").ids)
    said = tokenizer.decode([logits.argmax().item()])
    print(f"The capital of France is ->{said!r}, p {torch.softmax(logits, -1).max():.4f}", file=sys.stderr)
    assert said == " Paris"

    if not args.no_reference:
        facts = reference(model, tokenizer, args.shared, 100)
        head = {
            "model": file.name,
            "made_by": "tests/reference/smollm2.py",
            "order": "random.Random(42).shuffle of counterfact.json, first 100",
        }
        lines = ",\n".join(json.dumps(f, separators=(",", ":")) for f in facts)
        REFERENCE.write_text(json.dumps(head)[:-1] + ', "facts": [\n' + lines + "\n]}\n")
        known = sum(f["top_ids"][0] == f["true_id"] for f in facts)
        print(f"{REFERENCE.name}: {REFERENCE.stat().st_size} bytes, {known} of {len(facts)} known", file=sys.stderr)
    if args.write:
        dtype = torch.float16 if args.dtype == "f16" else torch.float32
        model.to(dtype).save_pretrained(args.write)
        (args.write / "generation_config.json").unlink(missing_ok=True)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (args.write / name).unlink(missing_ok=True)
            shutil.copyfile(folder / name, args.write / name)
        print(f"wrote {args.write}", file=sys.stderr)


if __name__ == "__main__":
    main()
