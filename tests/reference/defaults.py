#!/usr/bin/env python3
"""What transformers takes where a config.json says nothing: tests/fixtures/defaults.json.

    python tests/reference/defaults.py      # seconds; no weights are made (models on the meta device)

Every configuration goes the way of a downloaded folder (AutoConfig.from_pretrained), and every value is read from the
modules that transformers builds of it rather than from the config alone. tests/fixtures/README.md says what the
names mean.
"""

import json
import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from defaults_cases import PARTIAL, gemma3_cases, one_base_cases, small, without

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"

# The keys of config.json that decide shapes or numbers, by family.
ROPED = ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
         "num_key_value_heads", "max_position_embeddings", "tie_word_embeddings", "bos_token_id", "eos_token_id",
         "pad_token_id"]  # fmt: skip
GEMMA = ["head_dim", "rms_norm_eps", "hidden_activation", "attention_bias", "query_pre_attn_scalar", "sliding_window",
         "attn_logit_softcapping", "final_logit_softcapping", "use_bidirectional_attention"]  # fmt: skip
KEYS = {
    "llama": ROPED + ["head_dim", "rms_norm_eps", "hidden_act", "attention_bias", "mlp_bias"],
    "qwen2": ROPED + ["rms_norm_eps", "hidden_act", "use_sliding_window", "sliding_window", "max_window_layers"],
    "gemma2": ROPED + GEMMA,
    "gemma3_text": ROPED + GEMMA,
    "phi": ROPED + ["layer_norm_eps", "hidden_act", "qk_layernorm"],
    "gpt2": ["vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "n_inner", "activation_function",
             "layer_norm_epsilon", "scale_attn_weights", "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn",
             "add_cross_attention", "tie_word_embeddings", "bos_token_id", "eos_token_id", "pad_token_id"],
}  # fmt: skip
V4_ROPE = ["rope_theta", "rope_scaling"]
EXTRA_KEYS = {  # read too, though no field of the config class
    "llama": V4_ROPE + ["rope_parameters"],
    "qwen2": V4_ROPE + ["rope_parameters", "layer_types"],
    "gemma2": V4_ROPE + ["rope_parameters", "layer_types"],
    "gemma3_text": V4_ROPE + ["rope_parameters", "layer_types", "rope_local_base_freq", "sliding_window_pattern"],
    "phi": V4_ROPE + ["rope_parameters", "partial_rotary_factor"],
    "gpt2": [],
}


def read_config(config):
    """As from a folder; the text model's part where there is one."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        read = AutoConfig.from_pretrained(folder, local_files_only=True)
    return read.get_text_config()


def plain(value):
    """A value as JSON: numbers of f32 tensors as the shortest decimals that give the same f32."""
    if isinstance(value, torch.Tensor):
        return [float(f"{x:.9g}") for x in value.tolist()]
    return value


def rotary(module, config, tokens):
    """Per layer kind ("all" where there is one): base, type and the frequencies in use after `tokens` positions."""
    kinds = sorted(set(config.layer_types)) if config.model_type == "gemma3_text" else [None]
    out = {}
    for kind in kinds:
        positions = torch.arange(tokens)[None]
        extra = {} if kind is None else {"layer_type": kind}
        cos, _sin = module(torch.zeros(1, tokens, 1), positions, **extra)
        prefix = "" if kind is None else f"{kind}_"
        inv_freq = getattr(module, f"{prefix}inv_freq")
        scale = getattr(module, f"{prefix}attention_scaling")
        expected = (positions[0, :, None].float() * inv_freq).cos() * scale
        assert torch.equal(cos[0, :, : len(inv_freq)], expected)
        given = config.rope_parameters if kind is None else config.rope_parameters[kind]
        out[kind or "all"] = {
            "theta": given["rope_theta"],
            "type": given["rope_type"],
            "rotary_dim": 2 * len(inv_freq),
            "attention_factor": scale,
            "inv_freq": plain(inv_freq),
        }
    return out


def one(values):
    """A list of equal values as that value."""
    return values[0] if all(v == values[0] for v in values) else values


def describe(config):
    """The config's keys as resolved, and what the modules built of it say."""
    family = config.model_type
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    out = {key: getattr(config, key) for key in KEYS[family]}
    if family == "gpt2":
        blocks = model.transformer.h
        attention, mlp = blocks[0].attn, blocks[0].mlp
        embedding, positions = model.transformer.wte, model.transformer.wpe
        out |= {
            "heads": attention.num_heads, "kv_heads": attention.num_heads, "head_dim": attention.head_dim,
            "mlp_width": mlp.c_proj.weight.shape[0], "norm_eps": blocks[0].ln_1.eps,
            "positions": positions.weight.shape[0], "qkv_bias": True, "o_bias": True, "mlp_bias": True,
            "attention_scale": [b.attn.scaling for b in blocks],
        }  # fmt: skip
        act = mlp.act
    else:
        blocks = model.model.layers
        attention, mlp = blocks[0].self_attn, blocks[0].mlp
        embedding = model.model.embed_tokens
        head_dim = attention.head_dim
        o_proj = getattr(attention, "o_proj", None) or attention.dense
        down = getattr(mlp, "down_proj", None) or mlp.fc2
        norm = getattr(blocks[0].input_layernorm, "variance_epsilon", None)
        norm = norm or blocks[0].input_layernorm.eps
        out |= {
            "heads": attention.q_proj.weight.shape[0] // head_dim,
            "kv_heads": attention.k_proj.weight.shape[0] // head_dim,
            "head_dim": head_dim, "mlp_width": down.weight.shape[1], "norm_eps": norm,
            "qkv_bias": attention.q_proj.bias is not None, "o_bias": o_proj.bias is not None,
            "mlp_bias": down.bias is not None, "attention_scale": [b.self_attn.scaling for b in blocks],
            "rope": rotary(type(model.model.rotary_emb)(config=config), config, 16),
        }  # fmt: skip
        act = getattr(mlp, "act_fn", None) or mlp.activation_fn
    if "sliding_attention" in (getattr(config, "layer_types", None) or []) and config.sliding_window is None:
        raise ValueError(
            "Could not find a `sliding_window` argument in the config, or it is not set"
        )  # at a forward pass
    windows = [getattr(getattr(b, "self_attn", None), "sliding_window", None) for b in blocks]
    out["attention_scale"] = one(out["attention_scale"])
    out |= {
        "vocab": embedding.weight.shape[0], "width": embedding.weight.shape[1], "layers": len(blocks),
        "activation": type(act).__name__, "window": one([w for w in windows if w is not None] or [None]),
        "slides": [w is not None for w in windows],
        "embedding_scale": getattr(embedding, "scalar_embed_scale", 1.0),
        "head_bias": getattr(model.lm_head, "bias", None) is not None,
        "tied": model.lm_head.weight is embedding.weight,
    }  # fmt: skip
    return out


def differences(out, base):
    """Only what differs from the base."""
    return {k: v for k, v in out.items() if base.get(k, "absent") != v}


def refusal(error):
    return f"{type(error).__name__}: {error}".split("\n\n")[0][:300]


def rope_case(name, config, tokens=16):
    case = {"family": config["model_type"], "name": name, "config": config, "tokens": tokens}
    try:
        read = read_config(config)
        model = AutoModelForCausalLM.from_config(read, attn_implementation="eager")
        with torch.no_grad():  # some settings fail only here
            model(torch.arange(tokens)[None], use_cache=False)
        return case | {"expect": rotary(model.model.rotary_emb, read, tokens)}
    except Exception as error:
        return case | {"error": refusal(error)}


def rope_cases():
    cases = []
    for family in ("llama", "qwen2", "gemma2", "phi"):
        cases += [rope_case(name, small(family, **more)) for name, more in one_base_cases(family)]
    cases.append(rope_case("head_dim null", small("llama", head_dim=None, rope_theta=300.0)))
    cases.append(rope_case("own head_dim", small("llama", head_dim=12, rope_theta=300.0)))
    cases.append(rope_case("odd part of the head", small("phi", hidden_size=80, partial_rotary_factor=0.35)))
    for name, more in gemma3_cases():
        config = small("gemma3_text", **more)
        cases.append(rope_case(name, config))
        cases.append(rope_case(f"{name}, in text_config", {"model_type": "gemma3", "text_config": config}))
        cases[-1]["family"] = "gemma3"
        if cases[-1].get("expect", 0) == cases[-2].get("expect", 1):  # nearly always: say so once
            cases[-1] = without(cases[-1], "expect") | {"same_as": name}
    return cases


def checked(config):
    try:
        return describe(read_config(config))
    except Exception as error:
        return {"error": refusal(error)}


def main():
    logging.set_verbosity_error()
    empty = {family: describe(read_config({"model_type": family})) for family in KEYS}
    partial = []
    for name, config in PARTIAL:
        family = "gemma3_text" if config["model_type"] == "gemma3" else config["model_type"]
        partial.append({"name": name, "config": config} | differences(checked(config), {}))
        if "error" not in partial[-1]:
            out = {k: v for k, v in partial[-1].items() if k not in ("name", "config")}
            partial[-1] = {"name": name, "config": config, "family": family, "differs": differences(out, empty[family])}
    nulls = {
        family: {
            key: differences(checked({"model_type": family, key: None}), empty[family])
            for key in KEYS[family] + EXTRA_KEYS[family]
        }
        for family in KEYS
    }
    sections = {"empty": empty, "partial": partial, "null": nulls, "rope_cases": rope_cases()}
    path = FIXTURES / "defaults.json"
    path.write_text(readable(sections), encoding="utf-8")
    for section, value in sections.items():
        print(section, len(value))
    print(path.stat().st_size, "bytes")


def readable(sections):
    """One line an entry: a change of transformers shows as a short difference."""

    def line(value):
        return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))

    parts = []
    for name, value in sections.items():
        if isinstance(value, dict):
            rows = [f"  {line(k)}: {line(v)}" for k, v in value.items()]
            parts.append(f" {line(name)}: {{\n" + ",\n".join(rows) + "\n }")
        else:
            parts.append(f" {line(name)}: [\n" + ",\n".join(f"  {line(v)}" for v in value) + "\n ]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main()
