"""The one owner of Jinja2: the templates of projects and of the report's page."""

from __future__ import annotations

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
