"""Text made safe for the language it goes into, and the only owner of Jinja2."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rltools_embed import resources


@cache
def _environment(folder: str, *, is_html: bool) -> Environment:
    return Environment(
        loader=FileSystemLoader(resources.templates_dir() / folder),
        undefined=StrictUndefined,
        # The other outputs are C++, ini and Markdown: what goes in was made safe by the functions below.
        autoescape=is_html,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def template(name: str, values: Mapping[str, object]) -> bytes:
    """The template with its values, ending in one line end."""
    text = _environment("project", is_html=False).get_template(name).render(values)
    return (text.rstrip("\n") + "\n").encode("utf-8")


def html_page(name: str, values: Mapping[str, object]) -> str:
    """A page of templates/report/ with its values, which are escaped here."""
    return _environment("report", is_html=True).get_template(name).render(values)


def c_string(text: str) -> str:
    """A C++ string literal with exactly these bytes (UTF-8), quotes included.

    Everything but plain printable characters becomes a three-digit octal escape, which, unlike a hexadecimal one, ends
    by itself. The question mark too: two of them begin a trigraph.
    """
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    return (
        '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode("utf-8", "replace")) + '"'
    )


def markdown(text: str) -> str:
    """The text on one line, shown as it is: no character of it is markup, in a paragraph or a table."""
    one_line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return re.sub(r"([\\`*_{}\[\]<>#|&~$])", r"\\\1", one_line)


def json_file(value: object) -> bytes:
    """The value as JSON for people: indented, in the given order, ASCII."""
    return (json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def identifier(text: str) -> str:
    """A project name out of any text: small letters, digits and `_`, at most 40 of them, a letter first.

    `Pendulum-v1` becomes `pendulum_v1`; what has no usable character becomes `policy`.
    """
    word = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not word:
        return "policy"
    return (word if word[0].isalpha() else f"p_{word}")[:40].rstrip("_")
