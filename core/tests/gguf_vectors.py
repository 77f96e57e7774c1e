"""Writes weights/vectors.gguf: blocks of every stored format with the values the reference gives them.

    pip install gguf numpy && python gguf_vectors.py

For each format there are `q4_1.stored` and `q4_1.expected` (f32). The reference cannot quantise the K formats, and
random blocks also reach bit patterns that no quantiser writes, so every format gets random blocks with finite scales.
"""

from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T

# Format -> byte offsets of the f16 numbers in a block.
HALVES = {T.Q8_0: [0], T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}
ROWS, COLUMNS = 2, 256

random = np.random.default_rng(20)
writer = gguf.GGUFWriter(Path(__file__).parent / "weights" / "vectors.gguf", "llama")
writer.add_block_count(1)
writer.add_context_length(16)
writer.add_embedding_length(8)
writer.add_feed_forward_length(8)
writer.add_head_count(2)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_token_list(["a", "b"])
writer.add_array("test.long", list(range(5000)))
writer.add_tensor("token_embd.weight", np.zeros((2, 8), np.float32))
for kind in [T.F32, T.F16, T.BF16, *HALVES]:
    block, size = gguf.GGML_QUANT_SIZES[kind]
    if kind in HALVES:
        stored = random.integers(0, 256, (ROWS * COLUMNS // block, size), np.uint8)
        for at in HALVES[kind]:
            scales = random.normal(0, 10.0 ** random.integers(-7, 3, len(stored))).astype(np.float16)
            stored[:, at:at + 2] = scales.view(np.uint8).reshape(-1, 2)
        stored = stored.reshape(ROWS, -1)
    else:
        stored = gguf.quantize(random.normal(0, 1, (ROWS, COLUMNS)).astype(np.float32), kind)
    expected = gguf.dequantize(stored, kind)
    assert expected.shape == (ROWS, COLUMNS) and np.isfinite(expected).all()
    writer.add_tensor(f"{kind.name.lower()}.stored", stored, raw_dtype=kind)
    writer.add_tensor(f"{kind.name.lower()}.expected", expected.astype(np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
