"""Pages in parts, each written by a benchmark of its own: between two comments that name it."""

from __future__ import annotations

import re
from pathlib import Path


def write_part(page: Path, name: str, text: str) -> None:
    """Replace this part of the page and leave the others; a new part goes to the end."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    part = f"{begin}\n{text.strip()}\n{end}\n"
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    found = re.compile(rf"{re.escape(begin)}\n.*?{re.escape(end)}\n", re.DOTALL)
    new = found.sub(lambda _: part, old) if found.search(old) else f"{old}\n{part}".lstrip("\n")
    page.write_text(new, encoding="utf-8")
