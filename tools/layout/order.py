#!/usr/bin/env python3
"""Writes cmake/request_path.ld: the functions that a request runs, so that
linkers put them side by side. Where a model has gone through the caches since
the last request, all of them are fetched from memory again, and page tables
with them; what lies in few pages is there sooner.

    cmake --preset release -DTROUPE_BENCH=ON
    ninja -C build/release layout_requests
    python3 tools/layout/order.py build/release

Needs valgrind. Functions that are missing from the list are slower to fetch,
and names on it that nothing has any more are ignored; a test says when it is
time to write the list anew.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

HEADER = """/* Functions that a request runs, from its caller to the nodes and back, for
   linkers to put side by side. Written by tools/layout/order.py. */
"""


def functions_of(program):
    """Mangled names of all functions that observed_request calls."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "calls"
        ran = subprocess.run(
            ["valgrind", "--tool=callgrind", "--demangle=no",
             "--toggle-collect=observed_request",
             f"--callgrind-out-file={out}", str(program)],
            capture_output=True, text=True)
        if ran.returncode != 0:
            sys.exit(f"{program} under valgrind: {ran.stderr.strip()}")
        return with_costs(out.read_text())


def defined_in(file, kinds):
    """Mangled names of the functions in a program or an object file."""
    listed = subprocess.run(["nm", "--defined-only", file],
                            capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return {name for _, kind, name in rows if kind in kinds}


def with_costs(profile):
    """Functions that took instructions of their own, in callgrind's format."""
    numbered = {}
    names = set()
    current = ""
    of_call = False
    for line in profile.splitlines():
        named = re.match(r"(c?fn)=\((\d+)\)(?: (\S+))?", line)
        if named:
            kind, number, name = named.groups()
            if name:
                # Recursion, and parts that the compiler has split off.
                numbered[number] = re.split(r"['.]", name)[0]
            if kind == "fn":
                current = numbered[number]
        elif line.startswith("calls="):
            of_call = True
        elif cost := re.match(r"[+\-*\d]\S* (\d+)$", line):
            if not of_call and int(cost[1]) > 0:
                names.add(current)
            of_call = False
    return names


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1])
    program = build / "layout_requests"
    # What computes is large, takes long, and is there for each token.
    core = build / "CMakeFiles" / "troupe_core.dir" / "core"
    computes = set()
    for part in ("attention", "engine", "tensor"):
        for compiled in (core / part).rglob("*.o"):
            computes |= defined_in(compiled, "tT")
    ours = defined_in(program, "tTwW") - computes
    names = sorted(n for n in functions_of(program) & ours
                   if n.startswith("_Z"))
    if len(names) < 300:
        sys.exit(f"{len(names)} functions: that is no request")
    # With what the compiler has changed (.isra) or cut (.part).
    lines = "".join(f"    *(.text.{n} .text.{n}.*)\n" for n in names)
    to = pathlib.Path(__file__).parents[2] / "cmake" / "request_path.ld"
    to.write_text(HEADER + "SECTIONS\n{\n  .text.request_path :\n  {\n"
                  + lines + "  }\n}\nINSERT BEFORE .text;\n")
    print(f"{len(names)} functions in {to}", file=sys.stderr)


if __name__ == "__main__":
    main()
