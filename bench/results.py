#!/usr/bin/env python3
"""Runs every benchmark called seed/... and writes RESULTS.md.

A figure is the median of the repetitions' means; beside it are the range of
these, the 99th percentile of single passes and what a pass does, which the
benchmark itself says. The reference, where there is one, is the mean of an
implementation of the same operation in Python with NumPy, on one thread of a
machine of the same class; a dash where it did no such work.
"""

import argparse
import glob
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile

# Microseconds.
REFERENCE = {
    "KVDefragmenter/allocate+free": 2.56,
    "FusedSampler/sample": 1051,
    "FusedSampler/sample_batch": 17387,
    "LatencyPredictor/predict": 0.866,
    "LatencyPredictor/record": 0.967,
    "SchemaGenEngine/constrain": 5.94,
    "SchemaGenEngine/advance": 0.733,
    "TensorParallelShard/forward/rows:8": 30.75,
    "SequenceParallelScatter/gather/tokens:256/heads:8/head_dim:64": 28.2,
    "KVMigrator/pack/layers:1/heads:8/tokens:128/dim:64/bytes:4": 59.6,
    "KVMigrator/unpack/layers:1/heads:8/tokens:128/dim:64/bytes:4": 57.4,
    "PreemptScheduler/preempt(swap)+resume": 4.18,
    "PreemptScheduler/preempt(recompute)+resume": 0.61,
    "InferenceGateway/route+complete/8": 1.45,
    "ModelVersionManager/route_request": 1.37,
    "ProductionProfiler/record": 0.148,
    "ProductionProfiler/stats/1000": 94.84,
    "AdaptiveBatchController/next_batch/waiting:64": 1.87,
    "AdaptiveBatchController/record_observation": 0.192,
    "SemanticResponseCache/lookup miss/entries:64/dim:128": 341,
    "SemanticResponseCache/store": 1.05,
    "TokenBucketRateLimiter/consume/tenants:8": 0.844,
    "TokenBucketRateLimiter/refill": 0.42,
    "SchemaValidator/validate_valid": 6.3,
    "SchemaValidator/validate_invalid": 4.6,
    "AuditLogger/log": 1.87,
    "AuditLogger/verify/2010": 1871,
}

NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def run(binary, repetitions, min_time):
    """The runs of one program, by name, in their order."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        done = subprocess.run(
            [binary, "--benchmark_filter=^seed/",
             f"--benchmark_repetitions={repetitions}",
             f"--benchmark_min_time={min_time}",
             "--benchmark_out_format=json", f"--benchmark_out={out.name}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        text = out.read()
    if done.returncode != 0:
        sys.exit(f"results.py: {binary} failed:\n{done.stderr}")
    found = {}
    if not text.strip():
        return found  # it has none
    for r in json.loads(text)["benchmarks"]:
        if r["run_type"] != "iteration":
            continue
        if r.get("error_occurred"):
            sys.exit(f"results.py: {r['name']}: {r['error_message']}")
        name = re.sub(r"/(real_time|iterations:\d+|repeats:\d+)", "", r["name"])
        found.setdefault(name.removeprefix("seed/"), []).append(r)
    return found


def figure(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"


def row(name, runs):
    times = sorted(
        r["real_time" if "real_time" in r["name"] else "cpu_time"]
        * NANOSECONDS[r["time_unit"]] for r in runs)
    module, operation = name.split("/", 1)
    p99 = [r["p99"] for r in runs if "p99" in r]
    together = int(max(r.get("together", 1) for r in runs))
    reference = REFERENCE.get(name)
    return " | ".join([
        f"| {module}", operation.replace("|", "\\|"),
        figure(statistics.median(times)),
        f"{figure(times[0])} - {figure(times[-1])}",
        (figure(statistics.median(p99)) if p99 else "")
        + (f" ({together})" if together > 1 else ""),
        runs[0].get("label", ""),
        figure(reference * 1e3) if reference else "-"]) + " |"


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default="build/release")
    p.add_argument("--repetitions", type=int, default=5)
    p.add_argument("--min-time", type=float, default=0.05)
    p.add_argument("--out", default="bench/RESULTS.md")
    args = p.parse_args()
    found = {}
    binaries = sorted(b for b in glob.glob(f"{args.build}/bench_*")
                      if os.access(b, os.X_OK))
    if not binaries:
        sys.exit(f"results.py: no benchmarks in {args.build}: ./dev build")
    for i, b in enumerate(binaries):
        print(f"[{i + 1}/{len(binaries)}] {os.path.basename(b)}",
              file=sys.stderr)
        found.update(run(b, args.repetitions, args.min_time))
    if not found:
        sys.exit("results.py: no benchmark is called seed/...")
    rows = [row(name, found[name]) for name in sorted(found)]
    with open(args.out, "w", encoding="utf-8") as f:
        f.write(f"""# Results

Written by `./dev bench`; do not edit. {processor()}, {os.cpu_count()} cores that
may be shared with others, load {os.getloadavg()[0]:.1f} at the end.

Median and range of {args.repetitions} repetitions' means, of the processor's time, or of real time where
several threads or a disk take part. The 99th percentile is of the real time of
single passes; short ones are timed several together, as many as the number in
brackets, so that the clock is not what is measured. The reference is the mean of an
implementation in Python with NumPy, on one thread of such a machine, where it did
the same work. "/actor" is a question to the actor and its answer; "over loopback"
has a connection between them.

| system | operation | median | range | p99 | what a pass does | reference |
| --- | --- | --: | --: | --: | --- | --: |
""")
        f.write("\n".join(rows) + "\n")
    print(f"{args.out}: {len(rows)} operations", file=sys.stderr)


if __name__ == "__main__":
    main()
