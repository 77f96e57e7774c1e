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
        raise ValueError("Could not find a `sliding_window` argument in the config, or it is not set")  # at a forward pass
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


# ------------------------------------------------------------------------------------------------ partial configs

GEMMA3_4B = {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
             "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}  # fmt: skip
GEMMA3_12B = GEMMA3_4B | {"hidden_size": 3840, "intermediate_size": 15360, "num_attention_heads": 16,
                          "num_hidden_layers": 48, "num_key_value_heads": 8}  # fmt: skip
GEMMA3_27B = GEMMA3_4B | {"head_dim": 128, "hidden_size": 5376, "intermediate_size": 21504, "num_attention_heads": 32,
                          "num_hidden_layers": 62, "num_key_value_heads": 16, "query_pre_attn_scalar": 168}  # fmt: skip


def in_text_config(config):
    return {"model_type": "gemma3", "text_config": config}


PARTIAL = [
    # as the Gemma team published them: nearly everything left to the defaults
    ("gemma-3-4b", in_text_config(GEMMA3_4B)),
    ("gemma-3-12b", in_text_config(GEMMA3_12B)),
    ("gemma-3-27b", in_text_config(GEMMA3_27B)),
    ("gemma-3-4b flat", GEMMA3_4B),
    ("gemma3 text_config empty", in_text_config({})),
    ("gemma3 text_config without model_type", in_text_config({k: GEMMA3_4B[k] for k in GEMMA3_4B if k != "model_type"})),
    ("gemma3 tie outside of text_config", in_text_config({"tie_word_embeddings": True}) | {"tie_word_embeddings": False}),
    ("gemma3 untied in text_config", in_text_config({"tie_word_embeddings": False})),
    ("gemma3 pattern 2", {"model_type": "gemma3_text", "sliding_window_pattern": 2}),
    ("gemma3 pattern 3, private spelling", {"model_type": "gemma3_text", "_sliding_window_pattern": 3}),
    ("gemma3 pattern 1", {"model_type": "gemma3_text", "sliding_window_pattern": 1}),
    ("gemma3 pattern against layer_types", {"model_type": "gemma3_text", "num_hidden_layers": 2,
                                            "sliding_window_pattern": 1,
                                            "layer_types": ["sliding_attention", "full_attention"]}),
    ("gemma3 layer_types too short", {"model_type": "gemma3_text", "num_hidden_layers": 3,
                                      "layer_types": ["sliding_attention", "full_attention"]}),
    ("gemma3 caps", {"model_type": "gemma3_text", "final_logit_softcapping": 30.0, "attn_logit_softcapping": 50.0}),
    ("gemma3 hidden_act key", {"model_type": "gemma3_text", "hidden_act": "silu"}),
    ("gemma3 float query_pre_attn_scalar", {"model_type": "gemma3_text", "query_pre_attn_scalar": 168.0}),
    ("gemma2 hidden_act key", {"model_type": "gemma2", "hidden_act": "gelu"}),
    ("gemma2 hidden_activation null", {"model_type": "gemma2", "hidden_activation": None}),
    ("gemma2 null caps", {"model_type": "gemma2", "attn_logit_softcapping": None, "final_logit_softcapping": None}),
    ("gemma2 zero caps", {"model_type": "gemma2", "attn_logit_softcapping": 0.0, "final_logit_softcapping": 0.0}),
    ("gemma2 no window", {"model_type": "gemma2", "sliding_window": None}),
    ("gemma2 pattern 3", {"model_type": "gemma2", "sliding_window_pattern": 3}),
    ("gemma2 layer_types", {"model_type": "gemma2", "num_hidden_layers": 3,
                            "layer_types": ["full_attention", "full_attention", "sliding_attention"]}),
    ("gemma2 untied", {"model_type": "gemma2", "tie_word_embeddings": False}),
    ("llama head_dim null", {"model_type": "llama", "hidden_size": 60, "num_attention_heads": 6, "head_dim": None}),
    ("llama own head_dim", {"model_type": "llama", "hidden_size": 60, "num_attention_heads": 6, "head_dim": 16}),
    ("llama kv heads null", {"model_type": "llama", "num_attention_heads": 8, "hidden_size": 64,
                             "num_key_value_heads": None}),
    ("llama width no multiple of heads", {"model_type": "llama", "hidden_size": 62, "num_attention_heads": 6}),
    ("llama width no multiple of heads, own head_dim", {"model_type": "llama", "hidden_size": 62,
                                                        "num_attention_heads": 6, "head_dim": 8}),
    ("llama sliding_window", {"model_type": "llama", "sliding_window": 4}),
    ("llama tied", {"model_type": "llama", "tie_word_embeddings": True}),
    ("llama biases", {"model_type": "llama", "attention_bias": True, "mlp_bias": True}),
    ("llama list of eos", {"model_type": "llama", "eos_token_id": [128001, 128008, 128009]}),
    ("qwen2 head_dim", {"model_type": "qwen2", "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2,
                        "head_dim": 8}),
    ("qwen2 heads without kv heads", {"model_type": "qwen2", "hidden_size": 64, "num_attention_heads": 4}),
    ("qwen2 kv heads null", {"model_type": "qwen2", "hidden_size": 64, "num_attention_heads": 4,
                             "num_key_value_heads": None}),
    ("qwen2 window off", {"model_type": "qwen2", "use_sliding_window": False, "sliding_window": 128,
                          "max_window_layers": 0}),
    ("qwen2 window from layer 1", {"model_type": "qwen2", "num_hidden_layers": 4, "use_sliding_window": True,
                                   "sliding_window": 128, "max_window_layers": 1}),
    ("qwen2 window of all", {"model_type": "qwen2", "num_hidden_layers": 4, "use_sliding_window": True,
                             "max_window_layers": 0}),
    ("qwen2 window by default layers", {"model_type": "qwen2", "use_sliding_window": True}),
    ("qwen2 layer_types without use_sliding_window", {"model_type": "qwen2", "num_hidden_layers": 2,
                                                      "sliding_window": 128,
                                                      "layer_types": ["full_attention", "sliding_attention"]}),
    ("qwen2 layer_types with use_sliding_window", {"model_type": "qwen2", "num_hidden_layers": 2,
                                                   "sliding_window": 128, "use_sliding_window": True,
                                                   "layer_types": ["full_attention", "sliding_attention"]}),
    ("qwen2 window null", {"model_type": "qwen2", "use_sliding_window": True, "sliding_window": None,
                           "max_window_layers": 0}),
    ("qwen2 tied", {"model_type": "qwen2", "tie_word_embeddings": True}),
    ("phi kv heads", {"model_type": "phi", "num_key_value_heads": 8}),
    ("phi qk_layernorm", {"model_type": "phi", "qk_layernorm": True}),
    ("phi own head_dim", {"model_type": "phi", "head_dim": 80}),
    ("phi tied", {"model_type": "phi", "tie_word_embeddings": True}),
    ("phi-2", {"model_type": "phi", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 32,
               "partial_rotary_factor": 0.4}),
    ("phi v4 spelling of an older time", {"model_type": "phi", "rotary_dim": 8}),
    ("gpt2 modern names", {"model_type": "gpt2", "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
                           "max_position_embeddings": 64}),
    ("gpt2 both names", {"model_type": "gpt2", "n_layer": 3, "num_hidden_layers": 2}),
    ("gpt2 n_inner null", {"model_type": "gpt2", "n_embd": 48, "n_inner": None}),
    ("gpt2 n_ctx", {"model_type": "gpt2", "n_ctx": 64}),
    ("gpt2 scaled by layer", {"model_type": "gpt2", "n_layer": 3, "scale_attn_by_inverse_layer_idx": True}),
    ("gpt2 unscaled", {"model_type": "gpt2", "n_layer": 3, "scale_attn_weights": False}),
    ("gpt2 upcast", {"model_type": "gpt2", "n_layer": 3, "reorder_and_upcast_attn": True}),
    ("gpt2 untied", {"model_type": "gpt2", "tie_word_embeddings": False}),
    ("gpt2 activation key of others", {"model_type": "gpt2", "hidden_act": "relu"}),
]  # fmt: skip

# ------------------------------------------------------------------------------------------------ rotary settings

SMALL = {"vocab_size": 32, "hidden_size": 64, "intermediate_size": 32, "num_hidden_layers": 6, "num_attention_heads": 4,
         "num_key_value_heads": 2, "max_position_embeddings": 64}  # fmt: skip
LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
SHORT, LONG = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7], [2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0]


def small(family, **more):
    head_dim = {"head_dim": 16} if family.startswith("gemma") else {}
    return {"model_type": family} | SMALL | head_dim | more


def without(settings, key):
    return {k: v for k, v in settings.items() if k != key}


def one_base_cases(family):
    """What every family with one rotary setting shares."""
    llama3 = {"rope_type": "llama3"} | LLAMA3
    longrope = {"rope_type": "longrope", "short_factor": SHORT, "long_factor": LONG,
                "original_max_position_embeddings": 32}  # fmt: skip
    if family == "phi":
        longrope |= {"short_factor": SHORT[:4], "long_factor": LONG[:4]}
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
    yield "nothing", {}
    yield "theta", {"rope_theta": 5000.0}
    yield "theta as an integer", {"rope_theta": 500}
    yield "theta null", {"rope_theta": None}
    yield "scaling null", {"rope_theta": 5000.0, "rope_scaling": None}
    yield "scaling empty", {"rope_theta": 5000.0, "rope_scaling": {}}
    yield "v5 null", {"rope_parameters": None}
    yield "v5 empty", {"rope_parameters": {}}
    yield "v5 without theta", {"rope_parameters": {"rope_type": "default"}}
    yield "v5 without type", {"rope_parameters": {"rope_theta": 5000.0}}
    yield "v5 and theta outside", {"rope_theta": 300.0, "rope_parameters": {"rope_theta": 5000.0, "rope_type": "default"}}
    yield "v5 without theta, theta outside", {"rope_theta": 300.0, "rope_parameters": {"rope_type": "default"}}
    yield "both spellings", {"rope_theta": 300.0, "rope_scaling": {"rope_type": "linear", "factor": 2.0},
                             "rope_parameters": {"rope_theta": 5000.0, "rope_type": "default"}}  # fmt: skip
    yield "theta inside rope_scaling", {"rope_theta": 300.0,
                                        "rope_scaling": {"rope_type": "linear", "factor": 2.0, "rope_theta": 700.0}}  # fmt: skip
    yield "linear", {"rope_theta": 300.0, "rope_scaling": {"rope_type": "linear", "factor": 4.0}}
    yield "linear, no theta", {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}
    yield "linear, old key", {"rope_theta": 300.0, "rope_scaling": {"type": "linear", "factor": 4.0}}
    yield "linear, both keys differ", {"rope_scaling": {"type": "linear", "rope_type": "default", "factor": 4.0}}
    yield "linear, integer factor", {"rope_scaling": {"type": "linear", "factor": 4}}
    yield "linear below 1", {"rope_scaling": {"type": "linear", "factor": 0.5}}
    yield "linear without factor", {"rope_scaling": {"rope_type": "linear"}}
    yield "linear, null factor", {"rope_scaling": {"rope_type": "linear", "factor": None}}
    yield "linear, v5", {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 300.0}}
    yield "default with factor", {"rope_scaling": {"rope_type": "default", "factor": 4.0}}
    yield "a factor without a type", {"rope_scaling": {"factor": 4.0}}
    yield "unknown type", {"rope_scaling": {"rope_type": "xpos", "factor": 4.0}}
    yield "mrope", {"rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]}}
    yield "dynamic", {"rope_theta": 300.0, "rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}
    yield "dynamic, old key", {"rope_theta": 300.0, "rope_scaling": {"type": "dynamic", "factor": 4.0}}
    yield "dynamic without factor", {"rope_theta": 300.0, "rope_scaling": {"rope_type": "dynamic"}}
    yield "dynamic, prompt at the length", {"rope_theta": 300.0, "max_position_embeddings": 16,
                                            "rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}  # fmt: skip
    yield "dynamic, prompt beyond the length", {"rope_theta": 300.0, "max_position_embeddings": 12,
                                                "rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}  # fmt: skip
    yield "dynamic, original length given", {"rope_theta": 300.0, "rope_scaling": {
        "rope_type": "dynamic", "factor": 4.0, "original_max_position_embeddings": 8}}  # fmt: skip
    yield "llama3", {"rope_theta": 50.0, "rope_scaling": llama3}
    yield "llama3, old key", {"rope_theta": 50.0, "rope_scaling": {"type": "llama3"} | LLAMA3}
    yield "llama3, no theta", {"rope_scaling": llama3}
    for key in LLAMA3:
        yield f"llama3 without {key}", {"rope_theta": 50.0, "rope_scaling": without(llama3, key)}
    yield "llama3, original length outside", {"rope_theta": 50.0, "original_max_position_embeddings": 16,
                                              "rope_scaling": llama3}  # fmt: skip
    yield "llama3, original length only outside", {"rope_theta": 50.0, "original_max_position_embeddings": 16,
                                                   "rope_scaling": without(llama3, "original_max_position_embeddings")}  # fmt: skip
    yield "llama3, v5 without theta", {"rope_parameters": llama3}
    yield "llama3, factors as integers", {"rope_theta": 50, "rope_scaling": llama3 | {
        "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4}}  # fmt: skip
    yield "llama3, equal factors", {"rope_theta": 50.0, "rope_scaling": llama3 | {"high_freq_factor": 1.0}}
    yield "yarn", {"rope_theta": 300.0, "rope_scaling": yarn}
    yield "yarn without factor", {"rope_theta": 300.0, "rope_scaling": without(yarn, "factor")}
    yield "yarn, null factor", {"rope_theta": 300.0, "rope_scaling": yarn | {"factor": None}}
    yield "yarn without original length", {"rope_theta": 300.0,
                                           "rope_scaling": without(yarn, "original_max_position_embeddings")}  # fmt: skip
    yield "yarn with betas", {"rope_theta": 300.0, "rope_scaling": yarn | {"beta_fast": 4.0, "beta_slow": 0.5}}
    yield "yarn, attention factor", {"rope_theta": 300.0, "rope_scaling": yarn | {"attention_factor": 1.5}}
    yield "yarn, mscale", {"rope_theta": 300.0, "rope_scaling": yarn | {"mscale": 1.0, "mscale_all_dim": 0.5}}
    yield "yarn, not truncated", {"rope_theta": 300.0, "rope_scaling": yarn | {"truncate": False}}
    yield "longrope", {"rope_theta": 300.0, "rope_scaling": longrope}
    yield "longrope, old key su", {"rope_theta": 300.0, "rope_scaling": without(longrope, "rope_type") | {"type": "su"}}
    yield "longrope, prompt beyond the original length", {"rope_theta": 300.0, "rope_scaling": longrope | {
        "original_max_position_embeddings": 12}}  # fmt: skip
    yield "longrope, prompt at the original length", {"rope_theta": 300.0, "rope_scaling": longrope | {
        "original_max_position_embeddings": 16}}  # fmt: skip
    yield "longrope, factor", {"rope_theta": 300.0, "rope_scaling": longrope | {"factor": 8.0}}
    yield "longrope, attention factor", {"rope_theta": 300.0, "rope_scaling": longrope | {"attention_factor": 1.25}}
    yield "longrope without long_factor", {"rope_theta": 300.0, "rope_scaling": without(longrope, "long_factor")}
    yield "longrope, too few factors", {"rope_theta": 300.0, "rope_scaling": longrope | {"short_factor": [1.0, 2.0]}}
    yield "longrope, original length outside", {"rope_theta": 300.0, "original_max_position_embeddings": 12,
                                                "rope_scaling": without(longrope, "original_max_position_embeddings")}  # fmt: skip
    yield "longrope without original length", {"rope_theta": 300.0, "rope_scaling": without(
        longrope, "original_max_position_embeddings")}  # fmt: skip
    yield "part of the head", {"rope_theta": 300.0, "partial_rotary_factor": 0.5}
    yield "part of the head, v5", {"rope_parameters": {"rope_theta": 300.0, "rope_type": "default",
                                                       "partial_rotary_factor": 0.25}}  # fmt: skip
    yield "part of the head, outside and v5", {"partial_rotary_factor": 0.5, "rope_parameters": {
        "rope_theta": 300.0, "rope_type": "default", "partial_rotary_factor": 0.25}}  # fmt: skip
    yield "part of the head, linear", {"rope_theta": 300.0, "partial_rotary_factor": 0.5,
                                       "rope_scaling": {"rope_type": "linear", "factor": 4.0}}  # fmt: skip
    yield "nested by kind", {"rope_parameters": {"full_attention": {"rope_theta": 300.0, "rope_type": "default"}}}


def gemma3_cases():
    linear = {"rope_type": "linear", "factor": 8.0}
    full, slide = {"rope_type": "default", "rope_theta": 3000.0}, {"rope_type": "default", "rope_theta": 20.0}
    yield "nothing", {}
    yield "theta", {"rope_theta": 3000.0}
    yield "local theta", {"rope_local_base_freq": 20.0}
    yield "both thetas", {"rope_theta": 3000.0, "rope_local_base_freq": 20.0}
    yield "thetas null", {"rope_theta": None, "rope_local_base_freq": None}
    yield "scaling null", {"rope_theta": 3000.0, "rope_local_base_freq": 20.0, "rope_scaling": None}
    yield "linear as published", {"rope_scaling": linear}
    yield "linear, old key", {"rope_scaling": {"type": "linear", "factor": 8.0}}
    yield "linear, theta", {"rope_theta": 3000.0, "rope_scaling": linear}
    yield "linear, local theta", {"rope_local_base_freq": 20.0, "rope_scaling": linear}
    yield "linear, both thetas", {"rope_theta": 3000.0, "rope_local_base_freq": 20.0, "rope_scaling": linear}
    yield "linear without factor", {"rope_scaling": {"rope_type": "linear"}}
    yield "theta inside rope_scaling", {"rope_theta": 3000.0, "rope_scaling": linear | {"rope_theta": 70.0}}
    yield "dynamic", {"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}
    yield "dynamic, prompt beyond the length", {"max_position_embeddings": 12,
                                                "rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}  # fmt: skip
    yield "llama3", {"rope_scaling": {"rope_type": "llama3"} | LLAMA3}
    yield "yarn", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}}
    yield "longrope", {"rope_scaling": {"rope_type": "longrope", "short_factor": SHORT, "long_factor": LONG,
                                        "original_max_position_embeddings": 32}}  # fmt: skip
    yield "v5", {"rope_parameters": {"full_attention": full, "sliding_attention": slide}}
    yield "v5, linear", {"rope_parameters": {"full_attention": full | linear, "sliding_attention": slide}}
    yield "v5, linear for both", {"rope_parameters": {"full_attention": full | linear, "sliding_attention": slide | linear}}
    yield "v5 null", {"rope_parameters": None}
    yield "v5 empty", {"rope_parameters": {}}
    yield "v5 without thetas", {"rope_parameters": {"full_attention": {"rope_type": "default"},
                                                    "sliding_attention": {"rope_type": "default"}}}  # fmt: skip
    yield "v5 without thetas, thetas outside", {"rope_theta": 3000.0, "rope_local_base_freq": 20.0, "rope_parameters": {
        "full_attention": {"rope_type": "default"}, "sliding_attention": {"rope_type": "default"}}}  # fmt: skip
    yield "v5 without types", {"rope_parameters": {"full_attention": {"rope_theta": 3000.0},
                                                   "sliding_attention": {"rope_theta": 20.0}}}  # fmt: skip
    yield "v5, full only", {"rope_parameters": {"full_attention": full}}
    yield "v5, full only, scaled", {"rope_parameters": {"full_attention": full | linear}}
    yield "v5, sliding only", {"rope_parameters": {"sliding_attention": slide}}
    yield "v5, full null", {"rope_parameters": {"full_attention": None, "sliding_attention": slide}}
    yield "v5, sliding null", {"rope_parameters": {"full_attention": full, "sliding_attention": None}}
    yield "v5, flat", {"rope_parameters": {"rope_type": "default", "rope_theta": 300.0}}
    yield "v5, flat and scaled", {"rope_parameters": {"rope_theta": 300.0} | linear}
    yield "v5, old scaling too", {"rope_scaling": linear,
                                  "rope_parameters": {"full_attention": full, "sliding_attention": slide}}  # fmt: skip
    yield "v5 and thetas outside", {"rope_theta": 7.0, "rope_local_base_freq": 8.0,
                                    "rope_parameters": {"full_attention": full, "sliding_attention": slide}}  # fmt: skip
    yield "no full layers", {"num_hidden_layers": 3, "rope_scaling": linear}
    yield "part of the head", {"partial_rotary_factor": 0.5}
    yield "part of the head, linear", {"rope_scaling": linear | {"partial_rotary_factor": 0.5}}


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
