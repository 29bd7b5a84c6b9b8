#!/usr/bin/env python3
"""Measures `troupe bench throughput` side by side with ik_llama.cpp or
llama.cpp on the same files, and both against what the machine could do.

    python3 bench/side_by_side.py --anchor ~/ik_llama.cpp/build/bin --repack \\
        small=small.gguf medium=medium.gguf

--anchor names the folder of their llama-bench and llama-batched-bench. The
runs of both take turns, so that what else the machine does meets both, with
the peaks of processor and memory (bench_tensor) measured before each round.
Prints a table in Markdown: medians over the rounds, and their range; the floor
is what memory, or the processor, would allow if nothing but weights were read,
or nothing but products of weights computed.

prefill: one prompt of 512 tokens. decode N: N sequences at a time, --tokens
each, after prompts of --prompt; decode 1 goes on from nothing, as llama-bench
does.
"""

import argparse
import json
import math
import re
import statistics
import subprocess
import sys

PREFILL = 512


def output_of(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout + done.stderr


def first_json(text):
    start = min(i for i in (text.find("["), text.find("{")) if i >= 0)
    return json.JSONDecoder().raw_decode(text[start:])[0]


class Troupe:
    def __init__(self, binary, threads, prompt, tokens):
        self.after, self.tokens = prompt, tokens
        self.command = [binary, "bench", "throughput", "--runs", 1, "--threads", threads, "--json"]

    def run(self, file, prompt, tokens, batch):
        return first_json(output_of(self.command + ["--model", file, "--prompt-tokens", prompt,
                                                    "--gen-tokens", tokens, "--batch", batch]))

    def prefill(self, file):
        return self.run(file, PREFILL, 2, 1)["prefill_tokens_per_s"]

    def decode(self, file, batch):
        return self.run(file, 1 if batch == 1 else self.after, self.tokens, batch)["decode_tokens_per_s"]


class Anchor:
    def __init__(self, folder, threads, prompt, tokens, repack):
        self.after, self.tokens = prompt, tokens
        common = ["-t", threads, "-fa", 1]
        self.single = [f"{folder}/llama-bench", *common, "-r", 1, "-o", "json"] + ["-rtr", 1] * repack
        self.batched = [f"{folder}/llama-batched-bench", *common, "-b", 2048, "-ub", 512] + ["-rtr"] * repack

    def prefill(self, file):
        return first_json(output_of(self.single + ["-m", file, "-p", PREFILL, "-n", 0]))[0]["avg_ts"]

    def decode(self, file, batch):
        if batch == 1:
            return first_json(output_of(self.single + ["-m", file, "-p", 0, "-n", self.tokens]))[0]["avg_ts"]
        text = output_of(self.batched + ["-m", file, "-c", batch * (self.after + self.tokens),
                                         "-npp", self.after, "-ntg", self.tokens, "-npl", batch])
        row = [line for line in text.splitlines() if re.match(r"\|\s*\d", line)][-1]
        return float(row.split("|")[8])


def peaks(binary, threads):
    text = output_of([binary, f"--benchmark_filter=peak_.*threads:{threads}/", "--benchmark_format=json",
                      "--benchmark_min_time=0.3"])
    found = first_json(text)["benchmarks"]
    rate = {b["name"].split("/")[0]: b.get("OP/s", b.get("B/s")) for b in found}
    return rate["peak_int8"], rate["peak_read"]


def weights(binary, file, prefill):
    """Bytes and values of the matrices that each token meets."""
    tensors = first_json(output_of([binary, "inspect", "--json", file]))["tensors"]
    tied = not any(t["name"] == "output.weight" for t in tensors)
    # Of a prompt only the last token meets the output matrix.
    unread = re.compile("norm|^output|^token_embd" if prefill else "norm" if tied else "norm|^token_embd")
    met = [t for t in tensors if not unread.search(t["name"])]
    return sum(t["bytes"] for t in met), sum(math.prod(t["shape"]) for t in met)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--anchor", required=True, help="folder of llama-bench and llama-batched-bench")
    parser.add_argument("--repack", action="store_true", help="give them -rtr 1, which ik_llama.cpp has")
    parser.add_argument("--troupe", default="build/release/troupe")
    parser.add_argument("--peaks", default="build/release/bench_tensor")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", default="1,8,32")
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=128)
    args = parser.parse_args()

    lengths = args.prompt, args.tokens
    ours = Troupe(args.troupe, args.threads, *lengths)
    theirs = Anchor(args.anchor, args.threads, *lengths, args.repack)
    batches = [int(b) for b in args.batches.split(",")]
    rows, rates = {}, {"ops": [], "bytes": []}
    models = dict(m.split("=", 1) for m in args.models)
    for i in range(args.rounds):
        ops, read = peaks(args.peaks, args.threads)
        rates["ops"].append(ops)
        rates["bytes"].append(read)
        for name, file in models.items():
            cases = [("prefill", lambda who: who.prefill(file))]
            cases += [(f"decode {b}", lambda who, b=b: who.decode(file, b)) for b in batches]
            for what, measure in cases:
                print(f"round {i + 1} of {args.rounds}: {name}, {what}", file=sys.stderr)
                pair = [measure(who) for who in ((ours, theirs) if i % 2 == 0 else (theirs, ours))]
                rows.setdefault((name, what), []).append(pair if i % 2 == 0 else pair[::-1])

    def spread(values, digits=0):
        text = [f"{v:,.{digits}f}" for v in (statistics.median(values), min(values), max(values))]
        return f"{text[0]} ({text[1]}-{text[2]})"

    print(f"int8 {spread([x / 1e9 for x in rates['ops']])} GOP/s, "
          f"memory {spread([x / 1e9 for x in rates['bytes']], 1)} GB/s, {args.threads} threads, "
          f"{args.rounds} rounds\n")
    print("| model | | Troupe | anchor | ratio | floor | of the floor |")
    print("| --- | --- | --: | --: | --: | --: | --: |")
    ops, read = statistics.median(rates["ops"]), statistics.median(rates["bytes"])
    for (name, what), pairs in rows.items():
        size, values = weights(args.troupe, models[name], what == "prefill")
        by_ops = ops / (2 * values)
        floor = by_ops if what == "prefill" else min(by_ops, int(what.split()[1]) * read / size)
        mine, other = [statistics.median(side) for side in zip(*pairs)]
        digits = 0 if mine >= 100 else 1
        print(f"| {name} | {what} | {spread([p[0] for p in pairs], digits)} | "
              f"{spread([p[1] for p in pairs], digits)} | {mine / other:.2f} | {floor:,.0f} | {mine / floor:.0%} |")


if __name__ == "__main__":
    main()
