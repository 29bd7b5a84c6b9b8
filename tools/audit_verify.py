#!/usr/bin/env python3
"""Verifies an audit log, written from docs/audit_format.md alone.

usage: audit_verify.py FILE... [--key PUBLIC_KEY_HEX]

FILEs are a log's files in their order, from its first one on. Prints the number
of records, those that are sealed, and the last sealed root. Exit status 1 with
the first thing that is wrong. Needs the package `cryptography`.
"""
import struct, sys
from hashlib import sha256
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

CRC = [0] * 256
for i in range(256):
    x = i
    for _ in range(8):
        x = x >> 1 ^ (0x82F63B78 if x & 1 else 0)
    CRC[i] = x

def crc32c(data):
    x = 0xFFFFFFFF
    for b in data:
        x = x >> 8 ^ CRC[(x ^ b) & 255]
    return x ^ 0xFFFFFFFF

class Wrong(Exception):
    pass

def need(good, what):
    if not good:
        raise Wrong(what)

def h(*parts):
    return sha256(b"".join(parts)).digest()

def signed(key, signature, context, *parts):
    try:
        message = context.encode().ljust(32, b"\0") + b"".join(parts)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        raise Wrong("signature is not that of key " + key.hex())

def root(peaks):
    if not peaks:
        return h()
    r = peaks[-1]
    for p in reversed(peaks[:-1]):
        r = h(b"\1", p, r)
    return r

def begun(data):  # a header that was not written whole, and nothing else
    length, count = struct.unpack_from("<I20xI", data.ljust(40, b"\0"), 12)
    whole = len(data) >= 192 and data[:8] == b"TRPAUDIT" and 192 <= length <= min(2240, len(data))
    if whole or len(data) >= 2240:
        return False
    as_it_goes = data[:8] == b"TRPAUDIT"[: len(data)]
    return not any(data) or as_it_goes and (len(data) < 40 or length == 192 + 32 * count)

class Log:
    chain, size, peaks, sealed, root, key, next_key = b"\0" * 32, 0, [], 0, b"", None, None

    def header(self, data, number):
        need(data[:8] == b"TRPAUDIT", "no header")
        version, length, log, segment, count, size = struct.unpack_from("<II16sIIQ", data, 8)
        key, chain = data[64:96], data[96:128]
        peaks = [data[128 + 32 * i : 160 + 32 * i] for i in range(count)]
        need(version == 1 and length == 192 + 32 * count, "header's size")
        if number == 0:
            self.log, self.key = log, self.key or key
        need((log, segment, key) == (self.log, number, self.key), "another log, file or key")
        need((chain, size, peaks) == (self.chain, self.size, self.peaks), "does not go on")
        signed(key, data[length - 64 : length], "troupe audit header 1", data[: length - 64])
        self.chain = h(b"\3", self.chain, data[:length])
        return length

    def record(self, body):
        need(self.next_key is None, "a new key is not sealed by the old one")
        number = struct.unpack_from("<Q", body, 4)[0]
        need(number == self.size, f"record {number} where {self.size} is next")
        self.chain = leaf = h(b"\0", self.chain, body)
        bits, self.size = self.size, self.size + 1
        while bits & 1:
            leaf, bits = h(b"\1", self.peaks.pop(), leaf), bits >> 1
        self.peaks.append(leaf)
        if struct.unpack_from("<H", body, 2)[0] == 16:  # key_rotated
            self.next_key = body[-32:]

    def checkpoint(self, body):
        size, wall, mono, key, chain = struct.unpack_from("<Qqq32s32s", body, 8)
        peaks = [body[96 + 32 * i : 128 + 32 * i] for i in range(body[1])]
        need((size, chain, peaks) == (self.size, self.chain, self.peaks), "other hashes")
        need(key == self.key and len(body) == 160 + 32 * body[1], "other key or size")
        signed(key, body[-64:], "troupe audit checkpoint 1", self.log,
               struct.pack("<Qqq", size, wall, mono), key, chain, root(peaks))
        self.sealed, self.root = size, root(peaks)
        self.chain = h(b"\2", self.chain, body)
        self.key, self.next_key = self.next_key or self.key, None

    def file(self, data, number, last):
        at = self.header(data, number)
        while at < len(data):
            crc, length, link = struct.unpack_from("<IIQ", data.ljust(at + 16, b"\0"), at)
            body = data[at + 16 : at + 16 + length]
            if len(body) < max(1, length) or crc32c(data[at + 4 : at + 16 + length]) != crc:
                need(last, f"bytes {at} to {len(data)} are no frames")
                return len(data) - at  # a write that was cut short, or a change
            try:
                need(link == int.from_bytes(self.chain[:8], "little"), "does not follow")
                need(body[0] in (1, 2), "unknown frame")
                (self.record if body[0] == 1 else self.checkpoint)(body)
            except Wrong as e:
                raise Wrong(f"record {self.size} at byte {at}: {e}")
            at += 16 + length
        return 0

def read(name):
    with open(name, "rb") as f:
        return f.read()

def main(args):
    log = Log()
    if "--key" in args:
        i = args.index("--key")
        log.key = bytes.fromhex(args[i + 1])
        del args[i : i + 2]
    torn = 0
    if args and begun(last := read(args[-1])):  # the file before it is the last
        torn = len(last)
        args.pop()
    for number, name in enumerate(args):
        try:
            torn = log.file(read(name), number, number + 1 == len(args)) or torn
        except Wrong as e:
            print(f"{name}: {e}")
            return 1
    print(log.size, log.sealed, log.root.hex(), torn)
    return 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
