"""The cases of odd.py: which keys and tensors of which fixture are changed, group by group."""

import json
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
MODELS = ["llama", "llama-tied", "gemma2", "gemma3", "qwen2", "phi", "gpt2"]
V5, V4 = "config.json", "config.v4.json"

# Keys without a say in a forward pass.
SILENT = ("architectures", "transformers_version", "use_cache", "initializer_range", "dropout", "pdrop", "summary",
          "pretraining_tp", "pad_token_id", "bos_token_id", "eos_token_id", "_sliding_window_pattern")  # fmt: skip

# A multimodal config needs some vision model; this one is small, and text never passes through it.
VISION = {"model_type": "siglip_vision_model", "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1,
          "num_attention_heads": 1, "image_size": 28, "patch_size": 14}  # fmt: skip
OUTER = {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "vision_config": VISION,
         "image_token_index": 375, "boi_token_index": 374, "eoi_token_index": 373, "mm_tokens_per_image": 1}  # fmt: skip


def case(name, model, base=V4, remove=(), set=None, tensors=(), outer=None, **more):
    made = {"name": name, "model": model, "base": base, "remove": list(remove), "set": set or {},
            "text_config": outer is not None, "tensors": list(tensors)}  # fmt: skip
    if outer is not None:
        made["outer"] = OUTER | outer
    return made | more


def removals():
    for model in MODELS:
        for base in (V5, V4):
            config = json.loads((FIXTURES / "models" / model / base).read_text())
            yield case("as it is", model, base)
            for key in config:
                if not any(s in key for s in SILENT):
                    yield case(f"without {key}", model, base, [key])


def head_of(model):
    return "transformer.wte.weight" if model == "gpt2" else "model.embed_tokens.weight"


def heads():
    reverse = lambda m: {"op": "reverse_rows", "from": head_of(m), "to": "lm_head.weight"}  # noqa: E731
    equal = lambda m: {"op": "copy", "from": head_of(m), "to": "lm_head.weight"}  # noqa: E731
    drop = {"op": "drop", "name": "lm_head.weight"}
    tied, untied, absent = {"set": {"tie_word_embeddings": True}}, {"set": {"tie_word_embeddings": False}}, {
        "remove": ["tie_word_embeddings"]}  # fmt: skip
    for model in MODELS:
        for word, change in (("tied", tied), ("untied", untied), ("tie absent", absent)):
            yield case(f"{word}, own head", model, tensors=[reverse(model)], **change)
            yield case(f"{word}, equal head", model, tensors=[equal(model)], **change)
            yield case(f"{word}, no head", model, tensors=[drop], **change)
        # tied either way round: what is there is used for both
        yield case(
            "tied, no embedding", model, tensors=[reverse(model), {"op": "drop", "name": head_of(model)}], **tied
        )
    yield case("tied, own head, v5", "llama", V5, set={"tie_word_embeddings": True})
    yield case("tied, own head, v5", "phi", V5, set={"tie_word_embeddings": True})
    yield case("tied, own head and its bias is gone", "phi", set={"tie_word_embeddings": True},
               tensors=[{"op": "drop", "name": "lm_head.bias"}])  # fmt: skip


def gemma3():
    linear = {"rope_scaling": {"factor": 8.0, "rope_type": "linear"}}
    old = {"rope_scaling": {"factor": 8.0, "type": "linear"}}
    published = [{"op": "prefix", "instead": "", "with": "language_model."}]
    modern = [{"op": "prefix", "instead": "model.", "with": "model.language_model."}]
    thetas = ["rope_theta", "rope_local_base_freq"]
    for words, outer, tensors in (("", None, []), (", in text_config", {}, published)):

        def twin(name, **more):
            return case(f"{name}{words}", "gemma3", outer=outer, tensors=tensors, **more)  # noqa: B023

        yield twin("plain")
        yield twin("linear", set=linear)
        yield twin("linear without rope_theta", remove=["rope_theta"], set=linear)
        yield twin("linear without both thetas", remove=thetas, set=linear)
        yield twin("linear by the older key", set=old)
        yield twin("without both thetas", remove=thetas)
        yield twin("pattern 2", set={"sliding_window_pattern": 2})
        yield twin("pattern 3", set={"sliding_window_pattern": 3})
    yield case("plain, in text_config, v5 names", "gemma3", outer={}, tensors=modern)
    yield case("plain, in text_config, v5 spelling and names", "gemma3", V5, outer={}, tensors=modern)
    yield case("tie false outside of text_config", "gemma3", outer={"tie_word_embeddings": False}, tensors=published)
    yield case("tie false outside of text_config, own head", "gemma3", outer={"tie_word_embeddings": False},
               tensors=[{"op": "reverse_rows", "from": head_of("gemma3"), "to": "lm_head.weight"}, *published])  # fmt: skip
    yield case(
        "tie false inside of text_config", "gemma3", outer={}, set={"tie_word_embeddings": False}, tensors=published
    )
    yield case("tied, own head, in text_config", "gemma3", outer={},
               tensors=[{"op": "reverse_rows", "from": head_of("gemma3"), "to": "lm_head.weight"}, *published])  # fmt: skip
    yield case("pattern 1", "gemma3", set={"sliding_window_pattern": 1})
    yield case("window null", "gemma3", set={"sliding_window": None})
    yield case("window beyond the prompt", "gemma3", set={"sliding_window": 512})
    caps = {"attn_logit_softcapping": 1.0, "final_logit_softcapping": 2.0}
    yield case("caps", "gemma3", set=caps)
    # Only the class of the text model caps.
    yield case("caps, in text_config", "gemma3", outer={}, set=caps, tensors=published)
    yield case(
        "layer_types win over the pattern",
        "gemma3",
        set={
            "sliding_window_pattern": 1,
            "layer_types": ["sliding_attention", "full_attention"] * 3 + ["full_attention"],
        },
    )
    yield case(
        "flat rope_parameters", "gemma3", V5, set={"rope_parameters": {"rope_theta": 50.0, "rope_type": "default"}}
    )
    yield case("bidirectional", "gemma3", set={"use_bidirectional_attention": True})


def ropes():
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 32}  # fmt: skip
    linear = {"rope_type": "linear", "factor": 4.0}
    dynamic = {"rope_type": "dynamic", "factor": 4.0}
    for model, half in (("llama", 5), ("llama-tied", 8), ("gemma2", 3), ("qwen2", 3), ("phi", 3)):
        factors = {"rope_type": "longrope", "short_factor": [1.0 + i / 8 for i in range(half)],
                   "long_factor": [2.0 + i / 2 for i in range(half)]}  # fmt: skip
        yield case("default", model, set={"rope_scaling": None})
        yield case("linear", model, set={"rope_scaling": linear})
        yield case("linear by the older key", model, set={"rope_scaling": {"type": "linear", "factor": 4.0}})
        yield case("linear without factor", model, set={"rope_scaling": {"rope_type": "linear"}})
        yield case("dynamic, short prompt", model, set={"rope_scaling": dynamic})
        yield case(
            "dynamic, prompt beyond the length", model, set={"rope_scaling": dynamic, "max_position_embeddings": 4}
        )
        yield case(
            "longrope, short prompt", model, set={"rope_scaling": factors | {"original_max_position_embeddings": 32}}
        )
        yield case(
            "longrope, long prompt", model, set={"rope_scaling": factors | {"original_max_position_embeddings": 4}}
        )
        yield case("longrope, factor", model, set={
            "rope_scaling": factors | {"original_max_position_embeddings": 32, "factor": 3.0}})  # fmt: skip
        yield case("yarn", model, set={
            "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}})  # fmt: skip
        yield case("llama3", model, set={"rope_scaling": llama3})
        yield case("unknown type", model, set={"rope_scaling": {"rope_type": "xpos", "factor": 2.0}})
        yield case("part of the head", model, set={"partial_rotary_factor": 0.5})
    for key in llama3:
        yield case(
            f"llama3 without {key}", "llama", set={"rope_scaling": {k: v for k, v in llama3.items() if k != key}}
        )
        yield case(f"llama3 without {key}, v5", "llama", V5, set={
            "rope_parameters": {k: v for k, v in (llama3 | {"rope_theta": 50.0}).items() if k != key}})  # fmt: skip
    yield case("llama3 without rope_theta, v5", "llama", V5, set={"rope_parameters": llama3})
    yield case("original length outside of rope_scaling", "llama", set={"original_max_position_embeddings": 16})
    yield case("both spellings", "llama", V4, set={"rope_parameters": {"rope_type": "default", "rope_theta": 7.0}})
    yield case(
        "no factor in rope_parameters",
        "phi",
        V5,
        set={"rope_parameters": {"rope_theta": 300.0, "rope_type": "default"}},
    )
    yield case("factor outside of rope_parameters", "phi", V5, set={
        "partial_rotary_factor": 0.25, "rope_parameters": {"rope_theta": 300.0, "rope_type": "default"}})  # fmt: skip
    yield case("factor in both places", "phi", V5, set={"partial_rotary_factor": 0.25})
    yield case("empty rope_parameters", "phi", V5, set={"rope_parameters": {}})
    yield case("the whole head", "phi", set={"partial_rotary_factor": 1.0})


def attention():
    yield case("null caps", "gemma2", set={"attn_logit_softcapping": None, "final_logit_softcapping": None})
    yield case("one null cap", "gemma2", set={"attn_logit_softcapping": None})
    yield case("without caps", "gemma2", remove=["attn_logit_softcapping", "final_logit_softcapping"])
    yield case("window null", "gemma2", set={"sliding_window": None})
    yield case("window 1", "gemma2", set={"sliding_window": 1})
    yield case("window 2", "gemma2", set={"sliding_window": 2})
    yield case("layer_types", "gemma2", set={"layer_types": ["full_attention", "sliding_attention"] * 2})
    yield case("a pattern of gemma3", "gemma2", set={"sliding_window_pattern": 3})
    for words, more in (
        ("from layer 1", {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 1}),
        ("everywhere", {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 0}),
        ("beyond the last layer", {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 3}),
        ("null", {"use_sliding_window": True, "sliding_window": None, "max_window_layers": 0}),
        ("not used", {"use_sliding_window": False, "sliding_window": 3, "max_window_layers": 0}),
        ("by layer_types", {"use_sliding_window": True, "sliding_window": 3, "layer_types":
                            ["sliding_attention", "full_attention", "sliding_attention"]}),
        ("by layer_types, not used", {"use_sliding_window": False, "sliding_window": 3, "layer_types":
                                      ["sliding_attention", "full_attention", "sliding_attention"]}),
    ):  # fmt: skip
        yield case(f"window {words}", "qwen2", set=more)
    yield case("a window that llama knows nothing of", "llama", set={"sliding_window": 2})
    shapes = {"llama": (60, 20, 20, 30, 4), "gemma2": (24, 12, 12, 28, 4), "gemma3": (40, 20, 20, 24, 7)}
    for model, (q, k, v, o, layers) in shapes.items():
        biases = [{"op": "ramp", "to": f"model.layers.{i}.self_attn.{n}_proj.bias", "shape": [rows]}
                  for i in range(layers) for n, rows in (("q", q), ("k", k), ("v", v), ("o", o))]  # fmt: skip
        yield case("attention_bias", model, set={"attention_bias": True}, tensors=biases)
        yield case("attention_bias without the tensors", model, set={"attention_bias": True})
        yield case("bias tensors that the config says nothing of", model, tensors=biases)
    biases = [{"op": "ramp", "to": f"model.layers.{i}.mlp.{n}_proj.bias", "shape": [rows]}
              for i in range(4) for n, rows in (("gate", 44), ("up", 44), ("down", 30))]  # fmt: skip
    yield case("mlp_bias", "llama", set={"mlp_bias": True}, tensors=biases)
    yield case("mlp_bias without the tensors", "llama", set={"mlp_bias": True})
    norms = [{"op": "ramp", "to": f"model.layers.{i}.self_attn.{n}_layernorm.{p}", "shape": [16]}
             for i in range(3) for n in "qk" for p in ("weight", "bias")]  # fmt: skip
    yield case("qk_layernorm", "phi", set={"qk_layernorm": True}, tensors=norms)
    yield case("qk_layernorm without the tensors", "phi", set={"qk_layernorm": True})
    yield case("no biases in the file", "qwen2", tensors=[{"op": "drop", "name": "q_proj.bias"}])
    yield case("no head bias in the file", "phi", tensors=[{"op": "drop", "name": "lm_head.bias"}])
    for act in (
        "gelu",
        "gelu_new",
        "gelu_pytorch_tanh",
        "gelu_fast",
        "relu",
        "silu",
        "quick_gelu",
        "swish",
        "nonsense",
    ):
        for model, key in (("llama", "hidden_act"), ("gemma2", "hidden_activation"), ("phi", "hidden_act"),
                           ("gpt2", "activation_function")):  # fmt: skip
            yield case(f"{key} {act}", model, set={key: act})
    yield case("hidden_act beside hidden_activation", "gemma2", set={"hidden_act": "relu"})
    yield case(
        "hidden_act instead of hidden_activation", "gemma2", remove=["hidden_activation"], set={"hidden_act": "relu"}
    )
    yield case(
        "hidden_act instead of hidden_activation", "gemma3", remove=["hidden_activation"], set={"hidden_act": "relu"}
    )


def numbers():
    yield case("modern names", "gpt2", remove=["n_embd", "n_head", "n_layer", "n_positions"], set={
        "hidden_size": 28, "num_attention_heads": 4, "num_hidden_layers": 3, "max_position_embeddings": 32})  # fmt: skip
    yield case("scaled by the layer's number", "gpt2", set={"scale_attn_by_inverse_layer_idx": True})
    yield case("unscaled scores", "gpt2", set={"scale_attn_weights": False})
    yield case("reorder_and_upcast_attn", "gpt2", set={"reorder_and_upcast_attn": True})
    yield case(
        "names as of the first release", "gpt2", tensors=[{"op": "prefix", "instead": "transformer.", "with": ""}]
    )
    yield case("names as of the first release, own head", "gpt2", tensors=[
        {"op": "reverse_rows", "from": "transformer.wte.weight", "to": "lm_head.weight"},
        {"op": "prefix", "instead": "transformer.", "with": ""}])  # fmt: skip
    yield case("names without model.", "llama", tensors=[{"op": "prefix", "instead": "model.", "with": ""}])
    yield case("fewer layers than the file", "llama", set={"num_hidden_layers": 2})
    yield case("fewer layers than the file", "gpt2", set={"n_layer": 2})
    yield case("more layers than the file", "llama", set={"num_hidden_layers": 5})
    yield case("a smaller vocabulary", "llama", set={"vocab_size": 300})
    yield case("a larger vocabulary", "llama", set={"vocab_size": 330})
    yield case("old rotary tensors", "llama", tensors=[
        {"op": "ramp", "to": "model.layers.0.self_attn.rotary_emb.inv_freq", "shape": [5]}])  # fmt: skip
    yield case("kv heads null", "llama", set={"num_key_value_heads": None})
    yield case("head_dim null", "llama", set={"head_dim": None})
    yield case("head_dim null", "gemma2", set={"head_dim": None})
    yield case("query_pre_attn_scalar as a float", "gemma2", set={"query_pre_attn_scalar": 24.0})
    yield case("rms_norm_eps as an integer", "llama", set={"rms_norm_eps": 1})
    yield case("caps as integers", "gemma2", set={"attn_logit_softcapping": 5, "final_logit_softcapping": 3})
    yield case("prompt beyond the length", "llama", set={"max_position_embeddings": 4})
    yield case("prompt beyond the length", "qwen2", set={"max_position_embeddings": 4})
    yield case("rms_norm_eps as text", "llama", set={"rms_norm_eps": "1e-5"})
    yield case("rope_theta as an integer", "llama", set={"rope_theta": 50})
    yield case("eos as a list", "llama", set={"eos_token_id": [319, 318]})
    yield case("torch_dtype float16", "llama", set={"torch_dtype": "float16"})
    yield case("quantization_config fp8", "llama", set={"quantization_config": {"quant_method": "fp8"}})
    yield case("quantization_config gptq", "llama", set={"quantization_config": {"quant_method": "gptq", "bits": 4}})
    yield case("another file named in the config", "qwen2", set={"transformers_weights": "other.safetensors"}, files={
        "model.safetensors": [], "other.safetensors": [{"op": "double", "name": "lm_head.weight"}]})  # fmt: skip


def files():
    """Single file, index and shards in every combination. Doubled heads tell which file was read."""
    same, other = [], [{"op": "double", "name": "lm_head.weight"}]
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    layers, rest = [{"op": "only", "prefix": "model."}], [{"op": "only", "prefix": "lm_head."}]
    doubled_rest = [*rest, *other]
    index = {"rest": first, "map": {"lm_head.weight": second}}
    model = "qwen2"
    yield case("single file", model, files={"model.safetensors": same})
    yield case("index and shards", model, files={first: layers, second: doubled_rest}, index=index)
    yield case("single file beside index and other shards", model, index=index,
               files={"model.safetensors": same, first: layers, second: doubled_rest})  # fmt: skip
    yield case(
        "single file beside an index whose shards are gone", model, index=index, files={"model.safetensors": same}
    )
    yield case("single file beside shards without an index", model,
               files={"model.safetensors": same, first: layers, second: doubled_rest})  # fmt: skip
    yield case("an index whose shards are gone", model, index=index, files={})
    yield case("an index with one shard gone", model, index=index, files={first: layers})
    yield case("shards without an index", model, files={first: layers, second: doubled_rest})
    yield case("an index that points to the single file", model, files={"model.safetensors": same},
               index={"rest": "model.safetensors", "map": {}})  # fmt: skip
    yield case("an index that leaves out a tensor of its shard", model, files={first: layers, second: doubled_rest},
               index={"rest": first, "map": {"lm_head.weight": second, "model.norm.weight": second}})  # fmt: skip
    # a tensor in two shards: the index says the second, the first has another value
    yield case("a tensor in two shards", model, index=index, files={first: same, second: doubled_rest})
    yield case("a tensor in two shards, the index names the first", model, index={"rest": first, "map": {
        "model.norm.weight": second}}, files={first: same, second: [*other]})  # fmt: skip
    yield case("a tensor in two shards, the first is another", model, index={"rest": first, "map": {
        "model.norm.weight": second}}, files={first: other, second: same})  # fmt: skip
    yield case("an index without lm_head", model, files={first: layers, second: doubled_rest}, index={
        "map": {"model.norm.weight": first}})  # fmt: skip
    yield case("other file name", model, files={"weights.safetensors": same})
    yield case(
        "consolidated beside the single file",
        model,
        files={"model.safetensors": same, "consolidated.safetensors": other},
    )


GROUPS = (removals, heads, gemma3, ropes, attention, numbers, files)
