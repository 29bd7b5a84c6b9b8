"""Writes GGUF v3 files: the little of it that the demo model needs."""

import struct

import numpy as np

U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5


def string(s):
    b = s.encode() if isinstance(s, str) else s
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    if kind == STRING:
        return string(v)
    if kind == ARRAY:
        inner, items = v
        if inner == STRING:
            return struct.pack("<IQ", inner, len(items)) + b"".join(map(string, items))
        return struct.pack("<IQ", inner, len(items)) + np.array(items, "<i4" if inner == I32 else "<f4").tobytes()
    return struct.pack({U32: "<I", F32: "<f", BOOL: "<?", I32: "<i"}[kind], v)


def encode(a, kind):
    a = np.ascontiguousarray(a, "<f4")
    if kind == "f32":
        return a.tobytes()
    b = a.reshape(-1, 32)
    d = np.abs(b).max(1, keepdims=True) / np.float32(127)
    inv = np.where(d > 0, np.float32(1) / np.where(d > 0, d, 1), 0).astype("<f4")
    q = np.round(b * inv).astype(np.int8)
    out = np.empty((len(b), 34), np.uint8)
    out[:, :2] = d.astype("<f2").view(np.uint8)
    out[:, 2:] = q.view(np.uint8)
    return out.tobytes()


def read_tensors(path):
    """The tensors of a file that `write` made, as float32 arrays by name."""
    with open(path, "rb") as f:
        b = f.read()
    at = 0

    def take(form):
        nonlocal at
        v = struct.unpack_from(form, b, at)
        at += struct.calcsize(form)
        return v if len(v) > 1 else v[0]

    def text():
        nonlocal at
        n = take("<Q")
        at += n
        return b[at - n:at]

    def skip(kind):
        nonlocal at
        if kind == STRING:
            text()
        elif kind == ARRAY:
            inner, n = take("<IQ")
            for _ in range(n):
                skip(inner)
        else:
            at += 1 if kind == BOOL else 4

    magic, version, tensors, metadata = take("<4sIQQ")
    assert magic == b"GGUF" and version == 3
    for _ in range(metadata):
        text()
        skip(take("<I"))
    entries = []
    for _ in range(tensors):
        name, n = text().decode(), take("<I")
        dims = [take("<Q") for _ in range(n)]
        entries.append((name, dims[::-1], *take("<IQ")))
    at += -at % 32
    out = {}
    for name, shape, kind, offset in entries:
        n = int(np.prod(shape))
        if kind == 0:
            a = np.frombuffer(b, "<f4", n, at + offset)
        else:
            raw = np.frombuffer(b, np.uint8, n // 32 * 34, at + offset).reshape(-1, 34)
            d = raw[:, :2].copy().view("<f2").astype("<f4")
            a = raw[:, 2:].copy().view(np.int8).astype("<f4") * d
        out[name] = a.reshape(shape)
    return out


def write(path, metadata, tensors):
    """metadata: [(key, kind, value)]; tensors: [(name, float array, "f32" | "q8_0")]"""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, kind, v in metadata:
        head += string(key) + struct.pack("<I", kind) + value(kind, v)
    data = b""
    for name, a, kind in tensors:
        data += b"\0" * (-len(data) % 32)
        dims = a.shape[::-1]
        head += string(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims)
        head += struct.pack("<IQ", {"f32": 0, "q8_0": 8}[kind], len(data))
        data += encode(a, kind)
    head += b"\0" * (-len(head) % 32)
    with open(path, "wb") as f:
        f.write(head + data)
