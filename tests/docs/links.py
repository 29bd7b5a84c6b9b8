"""Checks that what the documentation points to is there.

links.py ROOT: every relative link of the pages, with its #anchor, and every
`file:function` that docs/tour.md names.
"""

import pathlib
import re
import sys

PAGES = ["README.md", "CHANGELOG.md", "docs/*.md", "bench/README.md",
         "examples/README.md", "core/README.md", "models/README.md"]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
PLACE = re.compile(r"`([\w./-]+\.(?:cpp|hpp|js)):([\w:~]+)`")


def without_code(text):
    """Fenced blocks and inline code hold no links."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors_of(page):
    """As GitHub makes them of headings: lower case, blanks to hyphens."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    seen = {}
    for title in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", text, flags=re.M):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        name = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
        n = seen.get(name, -1) + 1
        seen[name] = n
        yield name if n == 0 else f"{name}-{n}"
    yield from re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text)


def wrong_links(root, page):
    for target in LINK.findall(without_code(page.read_text())):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue  # of another place
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.is_relative_to(root) or not to.exists():
            yield f"{target}: there is no such file"
        elif anchor and (to.suffix != ".md" or anchor not in anchors_of(to)):
            yield f"{target}: there is no such heading"


def wrong_places(root, page):
    places = PLACE.findall(page.read_text())
    if not places:
        yield "it names no function"
    for path, name in places:
        file = root / path
        if not file.is_file():
            yield f"{path}: there is no such file"
        elif not re.search(rf"\b{re.escape(name)}\b", file.read_text()):
            yield f"{path}: it has no {name}"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    pages = [page for pattern in PAGES for page in sorted(root.glob(pattern))]
    wrong = [f"{page.relative_to(root)}: {what}"
             for page in pages for what in wrong_links(root, page)]
    tour = root / "docs/tour.md"
    wrong += [f"docs/tour.md: {what}" for what in wrong_places(root, tour)]
    print("\n".join(wrong) or f"{len(pages)} pages are right")
    return 1 if wrong else 0


sys.exit(main())
