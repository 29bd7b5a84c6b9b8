#!/usr/bin/env python3
"""Writes GGUF files of random weights, to measure speed with.

usage: random_model.py SHAPE OUT [--type Q8_0] [--seed 1]

Needs nothing but the standard library. Equal arguments give equal bytes. The
weights have a standard deviation of 1 / sqrt(inputs), so that activations keep
their size; what such a model says is noise. Its vocabulary is one of
SentencePiece: bytes and made-up words.
"""

import argparse
import array
import random
import struct

# name: width, layers, heads, KV heads, feed-forward width, vocabulary
SHAPES = {
    "tiny": (256, 6, 8, 4, 768, 4096),
    "small": (768, 12, 12, 4, 2048, 32000),
    "medium": (2048, 22, 32, 4, 5632, 32000),
}
CONTEXT = 2048

# number in the file, values of a block, bytes of a block
TYPES = {
    "F32": (0, 1, 4),
    "F16": (1, 1, 2),
    "BF16": (30, 1, 2),
    "Q8_0": (8, 32, 34),
    "Q4_0": (2, 32, 18),
}

U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
ALIGNMENT = 32


# -- encoding ------------------------------------------------------------------


def from_integers(rng, n, scale, block):
    """Blocks of one float16 scale and random bytes."""
    out = bytearray(rng.randbytes(n * block))
    low, high = struct.pack("<e", scale)
    out[0::block] = bytes([low]) * n
    out[1::block] = bytes([high]) * n
    return bytes(out)


def encode(rng, kind, values, deviation):
    """`values` random weights of the deviation given."""
    if kind == "Q8_0":  # integers of -128 to 127 deviate by 73.9
        return from_integers(rng, values // 32, deviation / 73.9, 34)
    if kind == "Q4_0":  # -8 to 7: by 4.61
        return from_integers(rng, values // 32, deviation / 4.61, 18)
    # A table of values, looked up by two random bytes.
    table = [(i - 127.5) * deviation / 73.9 for i in range(256)]
    if kind == "F32":
        entries = array.array("f", table)
    elif kind == "F16":
        entries = array.array("H", struct.pack("<256e", *table))
    else:
        entries = array.array("H", [struct.unpack("<HH", struct.pack("<f", x))[1]
                                    for x in table])
    out = array.array(entries.typecode)
    out.extend(map(entries.__getitem__, rng.randbytes(values)))
    return out.tobytes()


# -- the file ------------------------------------------------------------------


def string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def items(kind, values):
    if kind == STRING:
        return b"".join(map(string, values))
    return struct.pack(f"<{len(values)}{'i' if kind == I32 else 'f'}", *values)


def entry(key, kind, value):
    head = string(key) + struct.pack("<I", kind)
    if kind == STRING:
        return head + string(value)
    if kind == ARRAY:
        inner, values = value
        return head + struct.pack("<IQ", inner, len(values)) + items(inner, values)
    return head + struct.pack({U32: "<I", F32: "<f", BOOL: "<?"}[kind], value)


def vocabulary(size):
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    kinds = [2, 3, 3] + [6] * 256
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["\u2581"] + list(letters)
    rng = random.Random(0)
    known = set(words)
    while len(tokens) + len(words) < size:
        word = "".join(rng.choices(letters, k=rng.randint(1, 6)))
        word = rng.choice(["\u2581", ""]) + word
        if word not in known:
            known.add(word)
            words.append(word)
    scores = [0.0] * len(tokens) + [-float(i) for i in range(len(words))]
    return tokens + words, scores, kinds + [1] * len(words)


def metadata(shape, seed):
    width, layers, heads, kv_heads, ffn, vocab = SHAPES[shape]
    tokens, scores, kinds = vocabulary(vocab)
    return [
        ("general.architecture", STRING, "llama"),
        ("general.name", STRING, f"random {shape} {seed}"),
        ("llama.context_length", U32, CONTEXT),
        ("llama.embedding_length", U32, width),
        ("llama.block_count", U32, layers),
        ("llama.feed_forward_length", U32, ffn),
        ("llama.attention.head_count", U32, heads),
        ("llama.attention.head_count_kv", U32, kv_heads),
        ("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        ("llama.rope.dimension_count", U32, width // heads),
        ("llama.rope.freq_base", F32, 10000.0),
        ("llama.vocab_size", U32, vocab),
        ("tokenizer.ggml.model", STRING, "llama"),
        ("tokenizer.ggml.tokens", ARRAY, (STRING, tokens)),
        ("tokenizer.ggml.scores", ARRAY, (F32, scores)),
        ("tokenizer.ggml.token_type", ARRAY, (I32, kinds)),
        ("tokenizer.ggml.bos_token_id", U32, 1),
        ("tokenizer.ggml.eos_token_id", U32, 2),
        ("tokenizer.ggml.unknown_token_id", U32, 0),
        ("tokenizer.ggml.add_bos_token", BOOL, True),
    ]


def tensors(shape, kind):
    """(name, type, outputs or 0 for a vector, inputs)"""
    width, layers, heads, kv_heads, ffn, vocab = SHAPES[shape]
    kv = width // heads * kv_heads
    yield "token_embd.weight", kind, vocab, width
    yield "output_norm.weight", "F32", 0, width
    yield "output.weight", kind, vocab, width
    for i in range(layers):
        at = f"blk.{i}."
        yield at + "attn_norm.weight", "F32", 0, width
        yield at + "attn_q.weight", kind, width, width
        yield at + "attn_k.weight", kind, kv, width
        yield at + "attn_v.weight", kind, kv, width
        yield at + "attn_output.weight", kind, width, width
        yield at + "ffn_norm.weight", "F32", 0, width
        yield at + "ffn_gate.weight", kind, ffn, width
        yield at + "ffn_up.weight", kind, ffn, width
        yield at + "ffn_down.weight", kind, width, ffn


def padding(n):
    return b"\0" * (-n % ALIGNMENT)


def write(path, shape, kind, seed):
    rng = random.Random(seed)
    entries = metadata(shape, seed)
    table = list(tensors(shape, kind))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(table), len(entries))
    head += b"".join(entry(*e) for e in entries)
    offset = 0
    for name, t, outputs, inputs in table:
        number, block, size = TYPES[t]
        dims = (inputs, outputs) if outputs else (inputs,)
        head += string(name) + struct.pack(f"<I{len(dims)}Q", len(dims), *dims)
        head += struct.pack("<IQ", number, offset)
        n = inputs * max(outputs, 1) // block * size
        offset += n + -n % ALIGNMENT
    with open(path, "wb") as f:
        f.write(head + padding(len(head)))
        for _, t, outputs, inputs in table:
            n = 0
            if not outputs:
                n += f.write(struct.pack(f"<{inputs}f", *[1.0] * inputs))
            for first in range(0, outputs, 1024):  # rows at a time: little memory
                rows = min(1024, outputs - first)
                n += f.write(encode(rng, t, rows * inputs, inputs**-0.5))
            f.write(padding(n))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("out")
    parser.add_argument("--type", choices=TYPES, default="Q8_0")
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    write(a.out, a.shape, a.type, a.seed)


if __name__ == "__main__":
    main()
