#!/usr/bin/env python3
"""Makes the tiny random models under tests/fixtures and their reference activations.

    python tests/reference/make_fixtures.py            # all of them, some seconds
    python tests/reference/make_fixtures.py gpt2 phi   # only these
    python tests/reference/make_fixtures.py --find-seeds gpt2   # look for the seed of a changed model

Each model is an ordinary Hugging Face folder with awkward shapes. Beside its weights lie the activations that
transformers computes from them (f32, eager attention, one prompt at a time), and the results of interventions
computed naively: one full forward each, with hooks. tests/fixtures/README.md lists every tensor.
"""

import json
import math
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    PhiConfig,
    Qwen2Config,
)
from transformers.utils import logging

import gguf_files
import tiny_tokenizers
from hooks import capture, changed, forward, parts, rounding, text_config

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
BUDGET = 3_600_000
GGUF_BUDGET = 250_000

CLEAN, SUBJECT, ANSWER = "The capital of France is", "France", " Paris"
CORRUPT_SUBJECT = "Random Person"
THIRD = "Zoë is in Rome, the capital of Italy"  # not ASCII, and longer than every sliding window

# The seed of each model is one under which the random model "knows" the fact: it answers " Paris" to the clean
# prompt, and does so with more probability than to the corrupt one. So a whole study runs on it, filters included.
# And a patch before the last block has an effect that rounding does not hide.
SEEDS = {"llama": 387, "llama-tied": 5175, "gemma2": 44142, "gemma3": 48, "gemma3-multimodal": 1835, "qwen2": 1290,
         "phi": 2553, "gpt2": 2159}
MAX_SEED = 200_000

V, VG = tiny_tokenizers.BYTE_LEVEL_VOCAB, tiny_tokenizers.GEMMA_VOCAB
LLAMA_TOKENS = dict(bos_token_id=V - 2, eos_token_id=V - 1, pad_token_id=None)
GEMMA_TOKENS = dict(bos_token_id=2, eos_token_id=1, pad_token_id=0)

SPECS = {
    "llama": dict(
        config=LlamaConfig(
            vocab_size=V, hidden_size=30, intermediate_size=44, num_hidden_layers=4, num_attention_heads=6,
            num_key_value_heads=2, head_dim=10, max_position_embeddings=128, rms_norm_eps=1e-5,
            tie_word_embeddings=False,
            rope_parameters=dict(
                # wavelengths 6 (kept), 14 and 30 (blended), 65 and 143 (divided by the factor)
                rope_type="llama3", rope_theta=50.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                original_max_position_embeddings=32,
            ),
            **LLAMA_TOKENS,
        ),
        tokenizer=tiny_tokenizers.llama3, merges_as_strings=False, shard_size="100KB",
    ),
    "llama-tied": dict(
        config=LlamaConfig(
            vocab_size=V, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=1, head_dim=16, max_position_embeddings=64, rms_norm_eps=1e-6,
            tie_word_embeddings=True, rope_parameters=dict(rope_type="default", rope_theta=500.0), **LLAMA_TOKENS,
        ),
        tokenizer=tiny_tokenizers.llama3, merges_as_strings=False, dtype=torch.bfloat16,
    ),
    "gemma2": dict(
        config=Gemma2Config(
            vocab_size=VG, hidden_size=28, intermediate_size=46, num_hidden_layers=4, num_attention_heads=4,
            num_key_value_heads=2, head_dim=6, query_pre_attn_scalar=24, sliding_window=4,
            attn_logit_softcapping=5.0, final_logit_softcapping=3.0, max_position_embeddings=64,
            rope_parameters=dict(rope_type="default", rope_theta=10000.0), **GEMMA_TOKENS,
        ),
        tokenizer=tiny_tokenizers.gemma, merges_as_strings=True,
    ),
    "gemma3": dict(
        config=Gemma3TextConfig(
            vocab_size=VG, hidden_size=24, intermediate_size=38, num_hidden_layers=7, num_attention_heads=4,
            num_key_value_heads=2, head_dim=10, query_pre_attn_scalar=7, sliding_window=4,
            max_position_embeddings=64,
            rope_parameters=dict(
                sliding_attention=dict(rope_type="default", rope_theta=20.0),
                full_attention=dict(rope_type="default", rope_theta=3000.0),
            ),
            **GEMMA_TOKENS,
        ),
        tokenizer=tiny_tokenizers.gemma, merges_as_strings=False,
    ),
    # As Gemma3ForConditionalGeneration: no image is given, so its vision tower must not matter. Nor must the soft cap, which the
    # text model's class applies and this one does not.
    "gemma3-multimodal": dict(
        config=Gemma3Config(
            text_config=dict(
                vocab_size=VG, hidden_size=24, intermediate_size=38, num_hidden_layers=4, num_attention_heads=6,
                num_key_value_heads=3, head_dim=8, query_pre_attn_scalar=10, sliding_window=5,
                max_position_embeddings=64, sliding_window_pattern=3, final_logit_softcapping=2.0,
                rope_parameters=dict(
                    sliding_attention=dict(rope_type="default", rope_theta=30.0),
                    full_attention=dict(rope_type="linear", rope_theta=2000.0, factor=8.0),
                ),
                **GEMMA_TOKENS,
            ),
            vision_config=dict(
                model_type="siglip_vision_model", hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                num_attention_heads=1, image_size=8, patch_size=4,
            ),
            mm_tokens_per_image=1, image_token_index=VG - 1, boi_token_index=VG - 2, eoi_token_index=VG - 3,
            **GEMMA_TOKENS,
        ),
        tokenizer=tiny_tokenizers.gemma, merges_as_strings=False,
    ),
    "qwen2": dict(
        config=Qwen2Config(
            vocab_size=V, hidden_size=36, intermediate_size=50, num_hidden_layers=3, num_attention_heads=6,
            num_key_value_heads=3, max_position_embeddings=64, tie_word_embeddings=False,
            rope_parameters=dict(rope_type="default", rope_theta=1000.0),
            bos_token_id=V - 3, eos_token_id=V - 1, pad_token_id=None,
        ),
        tokenizer=tiny_tokenizers.qwen2, merges_as_strings=True, dtype=torch.float16,
    ),
    "phi": dict(
        config=PhiConfig(
            vocab_size=V, hidden_size=32, intermediate_size=96, num_hidden_layers=3, num_attention_heads=2,
            max_position_embeddings=64, resid_pdrop=0.0, tie_word_embeddings=False,
            rope_parameters=dict(rope_type="default", rope_theta=300.0, partial_rotary_factor=0.4),
            bos_token_id=V - 1, eos_token_id=V - 1,
        ),
        tokenizer=tiny_tokenizers.gpt2, merges_as_strings=False,
    ),
    "gpt2": dict(
        config=GPT2Config(
            vocab_size=V, n_embd=28, n_head=4, n_layer=3, n_inner=58, n_positions=32,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=V - 1, eos_token_id=V - 1,
        ),
        tokenizer=tiny_tokenizers.gpt2, merges_as_strings=True,
    ),
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------- the models


def randomize(model, name, seed):
    """Every parameter gets a value of its own, norms and biases too: an ignored one must show."""
    generator = torch.Generator().manual_seed(seed)
    family = name.split("-")[0]
    with torch.no_grad():
        for key, p in sorted(model.named_parameters()):
            noise = torch.randn(p.shape, generator=generator)
            is_norm = "norm" in key or ".ln_" in key
            if is_norm and key.endswith("weight"):
                value = 0.3 * noise if family.startswith("gemma") else 1.0 + 0.3 * noise  # Gemma's are 1 + w
            elif key.endswith("bias"):
                value = 0.25 * noise
            elif "embed" in key or "wte" in key or "wpe" in key:
                value = 0.35 * noise
            elif family == "gemma2" and ("q_proj" in key or "k_proj" in key):
                value = 0.5 * noise  # scores must reach the soft cap
            elif "q_proj" in key or "k_proj" in key:
                value = (0.28 if family in ("llama", "qwen2") else 0.4) * noise
            else:
                value = 0.3 * noise
            p.copy_(value)


def draw(model, name, seed):
    """Gives the model the values that its files will hold."""
    model.float()
    randomize(model, name, seed)
    gguf_files.prepare(name, model)
    model.to(SPECS[name].get("dtype", torch.float32))


def find_seed(name):
    """The first seed that meets what SEEDS promises; everything is smaller where soft-capped logits are nearly flat."""
    scale = 0.15 if name == "gemma2" else 1.0
    tokenizer = tiny_tokenizers.write(SPECS[name]["tokenizer"](), FIXTURES / "tokenizer.tmp", False)
    (FIXTURES / "tokenizer.tmp").unlink()
    meta = describe(name, tokenizer)
    prompts = clean, corrupt, _ = [p["ids"] for p in meta["prompts"]]
    answer = meta["answer"]["id"]
    model = AutoModelForCausalLM.from_config(SPECS[name]["config"], attn_implementation="eager").eval()
    for seed in range(MAX_SEED):
        draw(model, name, seed)
        model.float()
        p = torch.softmax(forward(model, clean)[-1], -1)
        top, second = p.topk(2).values.tolist()
        drop = top - torch.softmax(forward(model, corrupt)[-1], -1)[answer]
        if p.argmax() != answer or drop < 0.06 * scale or top < 1.1 * second:
            continue
        runs = [capture(model, ids) for ids in (clean, corrupt)]
        patches = interventions(model, *runs, meta)
        effect = (patches["patch.resid"] - patches["p_corrupt"])[:-1].abs() / scale
        if effect.max() > 3e-3 and effect.min() > 1e-4 and max(rounding(model, ids)["resid"] for ids in prompts) < 4e-5:
            return seed
    raise SystemExit(f"{name}: no seed below {MAX_SEED}")


def build(name, spec, seed):
    """Writes the folder and returns the model as loaded from it again, in f32."""
    folder = FIXTURES / "models" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = AutoModelForCausalLM.from_config(spec["config"])
    draw(model, name, seed)
    model.save_pretrained(folder, max_shard_size=spec.get("shard_size", "1GB"))
    (folder / "generation_config.json").unlink(missing_ok=True)
    tokenizer = tiny_tokenizers.write(spec["tokenizer"](), folder / "tokenizer.json", spec["merges_as_strings"])
    assert tokenizer.get_vocab_size() == text_config(model).vocab_size, name

    hub = hub_style(json.loads((folder / "config.json").read_text()))
    (folder / "config.v4.json").write_text(json.dumps(hub, indent=2, sort_keys=True) + "\n")
    loaded = load(folder)
    check_hub_style(folder, loaded)
    return folder, loaded, tokenizer


def load(folder):
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    assert model.dtype == torch.float32 and model.config._attn_implementation == "eager"
    return model.eval()


def hub_style(config):
    """The same configuration as transformers 4 wrote it: the form that nearly every published model has."""
    c = dict(config)
    rope = c.pop("rope_parameters", None)
    c["torch_dtype"] = c.pop("dtype")
    c["transformers_version"] = "4.50.0"
    if "text_config" in c:
        c["text_config"] = hub_style({"dtype": c["torch_dtype"]} | c["text_config"])
    layer_types = c.pop("layer_types", None)
    if c["model_type"] == "gemma3_text":
        c["rope_theta"] = rope["full_attention"]["rope_theta"]
        c["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        scaling = {k: v for k, v in rope["full_attention"].items() if k != "rope_theta"}
        c["rope_scaling"] = None if scaling == {"rope_type": "default"} else scaling
        pattern = c["sliding_window_pattern"] = c.pop("_sliding_window_pattern")
        kinds = ["sliding_attention" if (i + 1) % pattern else "full_attention" for i in range(c["num_hidden_layers"])]
        assert layer_types == kinds and len(set(kinds)) == 2
    elif rope:
        c["rope_theta"] = rope["rope_theta"]
        if "partial_rotary_factor" in rope:
            c["partial_rotary_factor"] = rope["partial_rotary_factor"]
        scaling = {k: v for k, v in rope.items() if k not in ("rope_theta", "partial_rotary_factor")}
        c["rope_scaling"] = None if scaling == {"rope_type": "default"} else scaling
    return c


def check_hub_style(folder, model):
    scratch = folder / "v4"
    scratch.mkdir()
    for file in folder.iterdir():
        if file.is_file() and file.name != "config.json":
            shutil.copy(file, scratch)
    (scratch / "config.v4.json").rename(scratch / "config.json")
    other = load(scratch)
    ids = torch.arange(10)[None]
    assert torch.equal(forward(model, ids[0].tolist()), forward(other, ids[0].tolist())), folder.name
    shutil.rmtree(scratch)


# ------------------------------------------------------------------------------------------------- interventions


def last_p(model, ids, answer, *contexts):
    with ExitStack() as stack:
        for c in contexts:
            stack.enter_context(c)
        return torch.softmax(forward(model, ids)[-1], -1)[answer]


def put(position, value):
    def change(x):
        x[position] = value

    return change


def zero(x):
    x.zero_()


def interventions(model, clean, corrupt, meta):
    a, blocks = meta["answer"]["id"], parts(model)
    s, s2, t, t2 = (meta[k] for k in ("s", "s_corrupt", "t", "t_corrupt"))
    ids, ids2 = meta["prompts"][0]["ids"], meta["prompts"][1]["ids"]
    layers = range(len(blocks))
    state = clean["resid"]

    def patch(layer, at, source):
        return changed(blocks[layer][0], put(at, state[layer][source]))

    def zeros(layer, attn=False, mlp=False):
        chosen = [m for m, wanted in ((blocks[layer][1], attn), (blocks[layer][2], mlp)) if wanted]
        return [changed(m, zero) for m in chosen]

    out = {
        "patch.resid": torch.stack([last_p(model, ids2, a, patch(i, s2, s)) for i in layers]),
        "patch.resid_last": torch.stack([last_p(model, ids2, a, patch(i, t2, t)) for i in layers]),
        "patch.resid_same_index": torch.stack([last_p(model, ids2, a, patch(i, s, s)) for i in layers]),
        "ablate.attn": torch.stack([last_p(model, ids, a, *zeros(i, attn=True)) for i in layers]),
        "ablate.mlp": torch.stack([last_p(model, ids, a, *zeros(i, mlp=True)) for i in layers]),
        "ablate.block": torch.stack([last_p(model, ids, a, *zeros(i, True, True)) for i in layers]),
    }
    # Row: the ablated block. Column: the block after which the clean state is patched (the diagonal too).
    for name, at, source in (("redundancy.resid", s2, s), ("redundancy.resid_last", t2, t)):
        rows = [[last_p(model, ids2, a, *zeros(i, True, True), patch(j, at, source)) for j in layers] for i in layers]
        out[name] = torch.stack([torch.stack(r) for r in rows])

    p_clean = torch.softmax(clean["logits"][-1], -1)[a]
    p_corrupt = torch.softmax(corrupt["logits"][-1], -1)[a]
    assert torch.allclose(out["patch.resid"][-1], p_corrupt, atol=1e-7)
    assert torch.allclose(out["patch.resid_last"][-1], p_clean, atol=1e-6)
    out |= {"p_clean": p_clean, "p_corrupt": p_corrupt}
    return out


def rank_one_edit(model, clean, meta, seed):
    layer, s, a = meta["edit"]["layer"], meta["s"], meta["answer"]["id"]
    ids = meta["prompts"][0]["ids"]
    down = parts(model)[layer][3]
    k, v = clean["key"][layer, s], clean["v"][layer, s]
    generator = torch.Generator().manual_seed(seed)
    vstar = v + v.std() * torch.randn(v.shape, generator=generator)
    update = torch.outer(vstar - v, k) / (k @ k)
    if model.config.model_type == "gpt2":  # Conv1D keeps its weight as [in, out]
        update = update.T
    saved = down.weight.detach().clone()
    with torch.no_grad():
        down.weight += update
        reached = capture(model, ids)
        down.weight.copy_(saved)
    assert torch.allclose(reached["v"][layer, s], vstar, atol=1e-4), "W'k must be v*"
    before, after = (torch.softmax(r["logits"][-1], -1) for r in (clean, reached))
    return {
        "edit.k": k, "edit.v": v, "edit.vstar": vstar, "edit.p_before": before[a], "edit.p_after": after[a],
        "edit.logits_after": reached["logits"][-1],
    }  # fmt: skip


def describe(name, tokenizer):
    """What was run on what: prompts, spans in tokens through character offsets, the answer token."""

    def encoded(text):
        e = tokenizer.encode(text)
        return {"text": text, "ids": e.ids, "tokens": e.tokens}

    def span(text, part):
        b, e = text.index(part), text.index(part) + len(part)
        hit = [i for i, (x, y) in enumerate(tokenizer.encode(text).offsets) if y > b and x < e]
        return [hit[0], hit[-1] + 1]

    corrupt = CLEAN.replace(SUBJECT, CORRUPT_SUBJECT)
    prompts = [encoded(text) for text in (CLEAN, corrupt, THIRD)]
    ids = prompts[0]["ids"]
    longer = tokenizer.encode(CLEAN + ANSWER).ids
    assert longer[: len(ids)] == ids and len(prompts[1]["ids"]) != len(ids)
    clean_span, corrupt_span = span(CLEAN, SUBJECT), span(corrupt, CORRUPT_SUBJECT)
    return {
        "model": name,
        "prompts": prompts,
        "clean": 0,
        "corrupt": 1,
        "subject": SUBJECT,
        "corrupt_subject": CORRUPT_SUBJECT,
        "subject_span": clean_span,
        "corrupt_span": corrupt_span,
        "s": clean_span[1] - 1,
        "s_corrupt": corrupt_span[1] - 1,
        "t": len(ids) - 1,
        "t_corrupt": len(prompts[1]["ids"]) - 1,
        "answer": {"text": ANSWER, "id": longer[len(ids)]},
    }


def look(model, runs, meta):
    """One line about whether the fixture bites."""
    c = model.config
    probs = torch.softmax(runs[0]["logits"][-1], -1)
    print(f"  rounding {meta['rounding']}, patches {[round(x, 4) for x in meta['patches']]}")
    line = f"  top p {probs.max():.3f}, logits {runs[0]['logits'].std():.2f} std, last resid {runs[0]['resid'][-1].std():.1f} std"
    attn = model(torch.tensor([meta["prompts"][2]["ids"]]), output_attentions=True).attentions
    weights = torch.stack([x[0, :, -1] for x in attn])
    line += f", last row of attention max {weights.amax(-1).mean():.2f}"
    if c.model_type == "gemma2":
        cap = c.final_logit_softcapping
        line += f", {100 * (runs[0]['logits'].abs() > 0.9 * cap).float().mean():.0f} % of logits beyond 0.9 cap"
        probe = []
        layer = model.model.layers[1].self_attn
        query = layer.q_proj.register_forward_hook(lambda _m, _a, o: probe.append(o))
        keyed = layer.k_proj.register_forward_hook(lambda _m, _a, o: probe.append(o))
        forward(model, meta["prompts"][2]["ids"])
        query.remove(), keyed.remove()
        q, k = (x[0].view(x.shape[1], -1, c.head_dim).transpose(0, 1) for x in probe)
        k = k.repeat_interleave(q.shape[0] // k.shape[0], 0)
        scores = q @ k.transpose(1, 2) / math.sqrt(c.query_pre_attn_scalar)
        line += f", {100 * (scores.abs() > c.attn_logit_softcapping).float().mean():.0f} % of scores beyond the cap"
    return line


def make(name, seed):
    folder, model, tokenizer = build(name, SPECS[name], seed)
    meta = describe(name, tokenizer)
    meta["edit"] = {"layer": text_config(model).num_hidden_layers // 2, "position": meta["s"], "prompt": 0}
    runs = [capture(model, p["ids"]) for p in meta["prompts"]]
    tensors = {f"p{i}.{k}": v for i, run in enumerate(runs) for k, v in run.items() if k != "v"}
    tensors |= interventions(model, runs[0], runs[1], meta)
    tensors |= rank_one_edit(model, runs[0], meta, seed + 1000)
    tensors = {k: v.detach().contiguous().clone() for k, v in tensors.items()}
    for key, value in tensors.items():
        assert value.dtype in (torch.float32, torch.int32) and torch.isfinite(value.float()).all(), key
    save_file(tensors, folder / "reference.safetensors")
    for key in ("p_clean", "p_corrupt", "edit.p_before", "edit.p_after"):
        meta.setdefault("p", {})[key] = tensors[key].item()
    worst = [rounding(model, p["ids"]) for p in meta["prompts"]]
    meta["rounding"] = {k: float(f"{max(w[k] for w in worst):.1e}") for k in worst[0]}
    (folder / "reference.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for file in folder.iterdir():
        file.chmod(0o644)
    print(f"{name}: {[len(p['ids']) for p in meta['prompts']]} tokens, " + str({k: round(v, 4) for k, v in meta["p"].items()}))
    print(look(model, runs, meta | {"patches": tensors["patch.resid"].tolist()}))
    if gguf_files.wanted(name):
        path = FIXTURES / "gguf" / f"{name}.gguf"
        gguf_files.write(name, model, folder, path)
        assert path.stat().st_size < GGUF_BUDGET, path


def main():
    torch.set_num_threads(1)  # tiny matrices; and one thread always adds in the same order
    logging.disable_progress_bar()
    names = [a for a in sys.argv[1:] if not a.startswith("--")] or list(SPECS)
    (FIXTURES / "gguf").mkdir(parents=True, exist_ok=True)
    if "--find-seeds" in sys.argv:
        for name in names:
            print(name, find_seed(name), flush=True)
        return
    for name in names:
        make(name, SEEDS[name])
    total = 0
    for path in sorted(path for folder in ("models", "gguf") for path in (FIXTURES / folder).rglob("*")):
        if path.is_file():
            total += path.stat().st_size
            print(f"{path.stat().st_size:>8} {path.relative_to(FIXTURES)}")
    print(f"{total:>8} bytes in all (at most {BUDGET})")
    assert total < BUDGET


if __name__ == "__main__":
    main()
