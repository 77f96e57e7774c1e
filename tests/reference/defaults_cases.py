"""The configs of defaults.py: partly given ones, and rotary settings in both spellings."""

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
    yield (
        "v5 and theta outside",
        {"rope_theta": 300.0, "rope_parameters": {"rope_theta": 5000.0, "rope_type": "default"}},
    )
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
    yield (
        "v5, linear for both",
        {"rope_parameters": {"full_attention": full | linear, "sliding_attention": slide | linear}},
    )
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
