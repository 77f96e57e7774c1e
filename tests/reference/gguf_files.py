"""GGUF files of some tiny models, as llama.cpp's converter lays them out (which is not how Hugging Face does).

    llama   rows of q and k permuted for interleaved rotary embedding; Llama 3's scaling as a tensor of divisors
    gemma2  norm weights stored as 1 + w; no field for query_pre_attn_scalar (see below)
    phi2    q, k, v fused into attn_qkv, not permuted
    gpt2    Conv1D weights transposed to [out, in]; c_attn stays fused; output.weight repeats the tied embedding
    qwen2   nothing permuted; q, k, v biases
"""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Q

ARCH = {"llama": "llama", "llama-tied": "llama", "gemma2": "gemma2", "qwen2": "qwen2", "phi": "phi2", "gpt2": "gpt2"}
FILE_TYPE = {
    "llama-tied": gguf.LlamaFileType.MOSTLY_Q8_0,
    "phi": gguf.LlamaFileType.MOSTLY_Q8_0,
    "qwen2": gguf.LlamaFileType.MOSTLY_F16,
}
F32, F16, Q8 = Q.F32, Q.F16, Q.Q8_0


def wanted(name):
    return name in ARCH


def storage(name, key, ndim):
    """How a tensor (by its Hugging Face name) is stored. One-dimensional tensors are always f32, as llama.cpp does."""
    if ndim == 1:
        return F32
    if name == "qwen2":
        return F16
    if name == "phi":
        return F32 if "embed_tokens" in key else Q8
    if name == "llama-tied":
        return F16 if "embed_tokens" in key or "o_proj" in key else Q8
    return F32


def prepare(name, model):
    """Moves the weights onto values that the GGUF holds exactly, so that both files are the same model."""
    with torch.no_grad():
        for key, p in model.named_parameters():
            if name == "gemma2" and "norm" in key:
                p.copy_((p * 2**16).round() / 2**16)  # so that w is the same after 1 + w and back
            kind = storage(name, key, p.ndim)
            x = p.numpy()
            if name == "phi" and kind == Q8:
                p.copy_(torch.from_numpy(gguf.dequantize(gguf.quantize(x, Q8), Q8)))
            elif name == "llama-tied" and kind == Q8:
                p.copy_(torch.from_numpy(power_of_two_blocks(x)))  # a block's scale is 2^k: exact in bf16 too
            elif name == "llama-tied" and kind == F16:
                p.copy_((p * 2**14).round() / 2**14)  # no bf16 value below what f16 can hold


def power_of_two_blocks(x):
    blocks = x.reshape(-1, 32).astype(np.float64)
    peak = np.abs(blocks).argmax(1)
    rows = np.arange(len(blocks))
    scale = 2.0 ** np.round(np.log2(np.abs(blocks[rows, peak]) / 127))
    q = np.clip(np.round(blocks / scale[:, None]), -127, 127)
    q[rows, peak] = 127 * np.sign(blocks[rows, peak])
    return (q * scale[:, None]).astype(np.float32).reshape(x.shape)


def permute(w, heads):
    """llama.cpp's order of q and k rows: pairs (i, i + head_dim/2) become neighbours."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def unpermute(w, heads):
    return w.reshape(heads, w.shape[0] // heads // 2, 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def converted(name, model):
    """Yields (GGUF name, f32 array, storage)."""
    arch, c = ARCH[name], model.config
    names = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, arch.upper()), c.num_hidden_layers)
    state = {k: v.detach().float().numpy() for k, v in model.state_dict().items()}
    for key, w in state.items():
        if key == "lm_head.weight" and c.tie_word_embeddings:
            if arch == "gpt2":  # some converters write it, others leave it out
                yield "output.weight", w, F32
            continue
        kind = storage(name, key, w.ndim)
        if arch == "phi2" and (".k_proj" in key or ".v_proj" in key):
            continue
        if arch == "phi2" and ".q_proj" in key:
            block, suffix = int(key.split(".")[2]), key.rsplit(".", 1)[1]
            w = np.concatenate([state[key.replace("q_proj", f"{n}_proj")] for n in "qkv"])
            yield f"blk.{block}.attn_qkv.{suffix}", w, kind
            continue
        if arch == "llama" and "q_proj" in key:
            w = permute(w, c.num_attention_heads)
        if arch == "llama" and "k_proj" in key:
            w = permute(w, c.num_key_value_heads)
        if arch == "gemma2" and "norm" in key:
            w = w + 1
        if arch == "gemma2" and "q_proj" in key:
            # A reader scales scores by head_dim^-0.5. The ratio here is 4, so this is exact.
            w = w * np.float32((c.head_dim / c.query_pre_attn_scalar) ** 0.5)
        if arch == "gpt2" and key.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
            w = w.T
        gguf_name = names.get_name(key, try_suffixes=(".weight", ".bias"))
        assert gguf_name, key
        yield gguf_name, np.ascontiguousarray(w), kind
    if arch == "llama" and c.rope_parameters["rope_type"] == "llama3":
        yield "rope_freqs.weight", llama3_divisors(c), F32


def llama3_divisors(c):
    """What the converter makes of Llama 3's scaling: a divisor for each frequency."""
    rope = c.rope_parameters
    low = rope["original_max_position_embeddings"] / rope["low_freq_factor"]
    high = rope["original_max_position_embeddings"] / rope["high_freq_factor"]
    divisors = []
    for i in range(0, c.head_dim, 2):
        wavelength = 2 * np.pi * rope["rope_theta"] ** (i / c.head_dim)
        if wavelength < high:
            divisors.append(1.0)
        elif wavelength > low:
            divisors.append(rope["factor"])
        else:
            smooth = (rope["original_max_position_embeddings"] / wavelength - rope["low_freq_factor"]) / (
                rope["high_freq_factor"] - rope["low_freq_factor"]
            )
            divisors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(divisors, dtype=np.float32)


def write(name, model, folder: Path, path: Path):
    arch, c = ARCH[name], model.config
    w = gguf.GGUFWriter(path, arch)
    w.add_name(f"Engram tiny {name}")
    w.add_block_count(c.num_hidden_layers)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_head_count(c.num_attention_heads)
    w.add_vocab_size(c.vocab_size)
    w.add_file_type(FILE_TYPE.get(name, gguf.LlamaFileType.ALL_F32))
    if arch in ("llama", "gemma2", "qwen2"):
        w.add_feed_forward_length(c.intermediate_size)
        w.add_head_count_kv(c.num_key_value_heads)
        w.add_layer_norm_rms_eps(c.rms_norm_eps)
    if arch == "llama":
        w.add_rope_dimension_count(c.head_dim)
        w.add_key_length(c.head_dim)
        w.add_value_length(c.head_dim)
    if arch in ("llama", "qwen2"):
        w.add_rope_freq_base(c.rope_parameters["rope_theta"])
    if arch == "gemma2":
        assert c.rope_parameters["rope_theta"] == 10000.0  # the default: the converter writes no freq_base
        w.add_key_length(c.head_dim)
        w.add_value_length(c.head_dim)
        w.add_attn_logit_softcapping(c.attn_logit_softcapping)
        w.add_final_logit_softcapping(c.final_logit_softcapping)
        w.add_sliding_window(c.sliding_window)
    if arch == "phi2":
        w.add_feed_forward_length(c.intermediate_size)
        w.add_head_count_kv(c.num_attention_heads)
        w.add_layer_norm_eps(c.layer_norm_eps)
        rope = c.rope_parameters
        w.add_rope_dimension_count(int(rope["partial_rotary_factor"] * c.hidden_size) // c.num_attention_heads)
        w.add_rope_freq_base(rope["rope_theta"])
    if arch == "gpt2":
        w.add_feed_forward_length(c.n_inner)
        w.add_layer_norm_eps(c.layer_norm_epsilon)
    add_tokenizer(w, arch, folder, c)

    for gguf_name, value, kind in converted(name, model):
        if kind == F32:
            w.add_tensor(gguf_name, value)
        else:
            w.add_tensor(gguf_name, gguf.quantize(value, kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    check(name, model, path)


def add_tokenizer(w, arch, folder, config):
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocab = dict(data["model"]["vocab"])
    special = {t["content"] for t in data["added_tokens"]}
    vocab |= {t["content"]: t["id"] for t in data["added_tokens"]}
    tokens = sorted(vocab, key=vocab.get)
    types = [
        gguf.TokenType.CONTROL if t in special else gguf.TokenType.BYTE if t.startswith("<0x") else gguf.TokenType.NORMAL
        for t in tokens
    ]
    if arch == "gemma2":
        w.add_tokenizer_model("llama")
        w.add_tokenizer_pre("default")
        w.add_token_list(tokens)
        w.add_token_scores([-float(i) for i in range(len(tokens))])
        w.add_add_space_prefix(False)
    else:
        merges = data["model"]["merges"]
        w.add_tokenizer_model("gpt2")
        w.add_tokenizer_pre({"llama": "llama-bpe", "qwen2": "qwen2"}.get(arch, "gpt-2"))
        w.add_token_list(tokens)
        w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    w.add_token_types(types)
    w.add_bos_token_id(config.bos_token_id)
    w.add_eos_token_id(config.eos_token_id)
    w.add_add_bos_token(arch in ("llama", "gemma2"))


def check(name, model, path):
    """Reads the file back: dequantised and laid out as before, it must be the folder's model to the bit."""
    state = {k: v.detach().float().numpy() for k, v in model.state_dict().items()}
    arch, c = ARCH[name], model.config
    names = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, arch.upper()), c.num_hidden_layers)
    read = {t.name: gguf.dequantize(t.data, t.tensor_type).reshape(t.shape[::-1]) for t in gguf.GGUFReader(path).tensors}
    for key, expected in state.items():
        if key == "lm_head.weight" and c.tie_word_embeddings:
            continue
        if arch == "phi2" and key.split(".")[-2] in ("q_proj", "k_proj", "v_proj"):
            block, part, suffix = key.split(".")[2], key.split(".")[-2], key.split(".")[-1]
            got = np.split(read[f"blk.{block}.attn_qkv.{suffix}"], 3)["qkv".index(part[0])]
        else:
            got = read[names.get_name(key, try_suffixes=(".weight", ".bias"))]
        if arch == "llama" and ("q_proj" in key or "k_proj" in key):
            got = unpermute(got, c.num_attention_heads if "q_proj" in key else c.num_key_value_heads)
        if arch == "gemma2" and "q_proj" in key:
            got = got * np.float32((c.query_pre_attn_scalar / c.head_dim) ** 0.5)
        if arch == "gpt2" and key.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
            got = got.T
        if arch == "gemma2" and "norm" in key:
            got = got - 1
        assert np.array_equal(got, expected), f"{name} {key}"
