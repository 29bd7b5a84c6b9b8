#!/usr/bin/env python3
"""Writes cmake/request_path.ld: the functions that a request runs, so that
linkers put them side by side; and cmake/request_types.ld, the same of the
tables of their classes. Where a model has gone through the caches since the
last request, all of them are fetched from memory again, and page tables with
them; what lies in few pages is there sooner.

    cmake --preset release -DTROUPE_BENCH=ON
    ninja -C build/release layout_requests
    python3 tools/layout/order.py build/release

Needs valgrind. Functions that are missing from the list are slower to fetch,
and names on it that nothing has any more are ignored; a test says when it is
time to write the list anew.
"""

import bisect
import pathlib
import re
import subprocess
import sys
import tempfile

HEADER = """/* Functions that a request runs, from its caller to the nodes and back, for
   linkers to put side by side. Written by tools/layout/order.py. */
"""
TYPES = """/* Tables of the classes of these functions, and what messages are told by, for
   GNU ld to put side by side. Written by tools/layout/order.py. */
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


def sections_of(names, program):
    """What the sections of functions are called after: of all names of the same
    code one, and the function itself where it is entered by way of a base."""
    listed = subprocess.run(["nm", "--defined-only", program],
                            capture_output=True, text=True, check=True).stdout
    at = {}
    for row in (line.split() for line in listed.splitlines()):
        if row[1] in "tTwW":
            at.setdefault(row[0], set()).add(row[2])
    same = {name: all_names for all_names in at.values() for name in all_names}
    found = set()
    for name in names:
        for other in same.get(name, {name}):
            other = re.sub(r"^_ZT(hn\d+|v\d+_n\d+)_", "_Z", other)
            found |= same.get(other, {other})
    return {name.split(".")[0] for name in found}


def tables_of(names, program):
    """The virtual tables of classes that have one of these functions."""
    members = sorted(re.sub("^_ZNK?", "", n) for n in names
                     if re.match("_ZNK?", n))
    found = []
    for name in sorted(n for n in defined_in(program, "vVdDrR")
                       if n.startswith("_ZTVN")):
        owner = name[5:-1]
        i = bisect.bisect_left(members, owner)
        if i < len(members) and members[i].startswith(owner):
            found.append(name)
    return found


def before(section, inputs):
    """A linker script that has these in a section in front of that."""
    lines = "".join(f"    *({i})\n" for i in inputs)
    return (f"SECTIONS\n{{\n  {section}.request_path :\n  {{\n{lines}"
            f"  }}\n}}\nINSERT BEFORE {section};\n")


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
    names = sorted(n for n in sections_of(functions_of(program) & ours, program)
                   if n.startswith("_Z"))
    if len(names) < 300:
        sys.exit(f"{len(names)} functions: that is no request")
    # With what the compiler has changed (.isra) or cut (.part).
    code = [f".text.{n} .text.{n}.*" for n in names]
    tables = [f".data.rel.ro.{t}" for t in tables_of(names, program)]
    to = pathlib.Path(__file__).parents[2] / "cmake"
    (to / "request_path.ld").write_text(
        HEADER + before(".text", code))
    (to / "request_types.ld").write_text(
        TYPES + before(".rodata", [".rodata._ZTSN6troupe*"])
        + before(".data.rel.ro", [".data.rel.ro._ZTIN6troupe*", *tables]))
    print(f"{len(names)} functions, {len(tables)} tables in {to}",
          file=sys.stderr)


if __name__ == "__main__":
    main()
