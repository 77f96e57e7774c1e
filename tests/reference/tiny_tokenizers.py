"""Tiny but real tokenizers, one for each family's structure, trained on a few sentences."""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

BYTE_LEVEL_VOCAB = 320  # 256 bytes + specials + merges
GEMMA_VOCAB = 376  # 4 specials + 256 bytes + characters + merges

# The sentences decide the merges: frequent words become one token, rarer ones stay in pieces.
CORPUS = (
    ["The capital of Italy is Rome", "The city of Paris is the capital"] * 9
    + ["Random Person spoke in Paris"] * 4
    + ["Franz and Francis speak French", "Frank can dance in France"]
    + ["Marie Curie was born in Warsaw, Danielle Darrieux in Bordeaux, Zoe in Geneva"]
    + ["Mother tongue, river, mountain, team, club, author, painter, company, field, station"]
    + ["0 1 2 3 4 5 6 7 8 9 A B C D E F G H I J K L M N O P Q R S T U V W X Y"]
)

SPLIT_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLIT_QWEN2 = SPLIT_LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def _with_bos(bos, bos_id):
    return processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, bos_id)]
    )


def _byte_level(pre, specials, normalizer=None, bos=None, ignore_merges=False):
    """Byte-level BPE; special tokens come after the vocabulary, as in Llama 3, Qwen2 and GPT-2."""
    tok = Tokenizer(models.BPE())
    if normalizer:
        tok.normalizer = normalizer
    tok.pre_tokenizer = pre
    trainer = trainers.BpeTrainer(
        vocab_size=BYTE_LEVEL_VOCAB - len(specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tok.train_from_iterator(CORPUS, trainer)
    tok.add_special_tokens(specials)
    tok.decoder = decoders.ByteLevel()
    byte_level = processors.ByteLevel(trim_offsets=False)
    if bos:
        tok.post_processor = processors.Sequence([byte_level, _with_bos(bos, tok.token_to_id(bos))])
    else:
        tok.post_processor = byte_level
    data = json.loads(tok.to_str())
    data["model"]["ignore_merges"] = ignore_merges
    return data


def _split_then_bytes(regex):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(regex), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def llama3():
    pre = _split_then_bytes(SPLIT_LLAMA3)
    return _byte_level(pre, ["<|begin_of_text|>", "<|end_of_text|>"], bos="<|begin_of_text|>", ignore_merges=True)


def qwen2():
    pre = _split_then_bytes(SPLIT_QWEN2)
    return _byte_level(pre, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], normalizer=normalizers.NFC())


def gpt2():
    return _byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), ["<|endoftext|>"])


def gemma():
    """Gemma's manner: spaces become U+2581 before the BPE, unknown characters become byte tokens, BOS in front."""
    space = "\u2581"
    specials = ["<pad>", "<eos>", "<bos>", "<unk>"]
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", space)
    trained.pre_tokenizer = pre_tokenizers.Split(space, "merged_with_next")
    wanted = GEMMA_VOCAB - len(specials) - 256
    trained.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=wanted, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].get)
    names = specials + [f"<0x{b:02X}>" for b in range(256)] + pieces
    vocab = {name: i for i, name in enumerate(names)}
    merges = [tuple(m) for m in model["merges"]]
    tok = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.add_special_tokens(specials)
    tok.normalizer = normalizers.Replace(" ", space)
    tok.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tok.post_processor = _with_bos("<bos>", 2)
    tok.decoder = decoders.Sequence([decoders.Replace(space, " "), decoders.ByteFallback(), decoders.Fuse()])
    return json.loads(tok.to_str())


def write(data, path: Path, merges_as_strings: bool) -> Tokenizer:
    """Both merge formats occur in the wild: "a b" strings and ["a", "b"] lists."""
    if merges_as_strings:
        data["model"]["merges"] = [" ".join(m) for m in data["model"]["merges"]]
    path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    return Tokenizer.from_file(str(path))
