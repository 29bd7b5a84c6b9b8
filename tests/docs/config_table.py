"""Checks that docs/config.md has the keys of docs/config.schema.json as a table.

config_table.py ROOT [--write]: with --write the table is written instead.
"""

import json
import pathlib
import sys

BEGIN = "<!-- keys: tests/docs/config_table.py --write -->\n"
END = "<!-- end of keys -->\n"


def name_of(ref):
    return ref.rsplit("/", 1)[1].upper()


def short(n):
    power = n.bit_length() - 1
    return f"2^{power}" if n >= 1 << 20 and n == 1 << power else str(n)


def type_of(s):
    if "$ref" in s:
        return name_of(s["$ref"])
    if "enum" in s:
        return ", ".join(f"`{x}`" for x in s["enum"])
    if "const" in s:
        return f"`{json.dumps(s['const'])}`"
    if "anyOf" in s:
        return " or ".join(type_of(x) for x in s["anyOf"])
    if "items" in s:
        return "list of " + type_of(s["items"])
    if isinstance(s.get("additionalProperties"), dict):
        return "object of NAME: " + type_of(s["additionalProperties"])
    kind = {"string": "text", "boolean": "true, false"}.get(
        s["type"], s["type"])
    if kind in ("integer", "number"):
        least = s.get("minimum", s.get("exclusiveMinimum"))
        above = "above " if "exclusiveMinimum" in s else ""
        return f"{above}{short(least)} to {short(s['maximum'])}"
    return kind


def default_of(s, required):
    if "default" in s:
        return f"`{json.dumps(s['default'])}`"
    return "must be given" if required else s.get("$comment", "none")


def rows(s, at):
    for key, value in s.get("properties", {}).items():
        required = key in s.get("required", [])
        yield (f"| `{at}{key}` | {type_of(value)} | "
               f"{default_of(value, required)} | {value['description']} |")
        yield from rows(value, f"{at}{key}.")


def main():
    root = pathlib.Path(sys.argv[1])
    schema = json.loads((root / "docs/config.schema.json").read_text())
    table = "\n".join(["| key | type | default | meaning |",
                       "| --- | --- | --- | --- |",
                       *rows(schema, ""),
                       *(row for name, s in schema["$defs"].items()
                         for row in rows(s, name.upper() + "."))]) + "\n"
    page = root / "docs/config.md"
    text = page.read_text()
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    if sys.argv[2:] == ["--write"]:
        page.write_text(before + BEGIN + "\n" + table + "\n" + END + after)
    elif old.strip() != table.strip():
        print("docs/config.md is not what docs/config.schema.json says:",
              "run tests/docs/config_table.py . --write")
        return 1
    return 0


sys.exit(main())
