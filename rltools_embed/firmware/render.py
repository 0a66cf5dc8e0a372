"""Text made safe for the language it goes into, and the only owner of Jinja2."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rltools_embed import resources
from rltools_embed.policy.cpp import c_string

__all__ = ["c_string", "html_page", "identifier", "json_file", "markdown", "template"]


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
