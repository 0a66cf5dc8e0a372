from __future__ import annotations

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markdown_it import MarkdownIt

from rltools_embed import templates
from rltools_embed import text as render
from rltools_embed.firmware import board

HOSTILE = ('a"b', "a'b", "a\nb", "a\\", "{{ 1 }}", "{% x %}", "../../etc", "??/", "\0", "ä€", "a;b", "`x`", "</script>")


@given(st.text())
def test_a_c_string_is_exactly_the_bytes_of_the_text(text: str) -> None:
    literal = render.c_string(text)

    # Python's bytes literals and C++'s string literals agree on printable ASCII and three-digit octal escapes.
    assert ast.literal_eval("b" + literal) == text.encode("utf-8", "replace")
    assert re.fullmatch(r'"([ -!#-\[\]-~]|\\[0-7]{3})*"', literal)
    assert "??" not in literal


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FF)))
def test_markdown_shows_the_text_itself(text: str) -> None:
    shown = render.markdown(text)

    assert "\n" not in shown
    tokens = MarkdownIt("commonmark").enable("table").parseInline(shown)[0].children or []
    assert {token.type for token in tokens} <= {"text", "text_special"}
    assert "".join(token.content for token in tokens) == " ".join(
        "".join(character if character.isprintable() else " " for character in text).split()
    )


@given(st.text())
def test_an_identifier_can_always_name_a_project(text: str) -> None:
    assert re.fullmatch(board.NAME_PATTERN, render.identifier(text))


@pytest.mark.parametrize(("text", "name"), [("Pendulum-v1", "pendulum_v1"), ("2D/../x", "p_2d_x"), ("äöü", "policy")])
def test_an_identifier_resembles_its_text(text: str, name: str) -> None:
    assert render.identifier(text) == name


def test_a_template_with_a_missing_value_is_refused() -> None:
    with pytest.raises(UndefinedError):
        templates.template("src/rlt_embed/identity.h.jinja", {"project": '"x"'})


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_value_stays_one_string_of_a_header(text: str) -> None:
    values = {"project": render.c_string("x"), "environment": render.c_string(text)}

    header = templates.template("src/rlt_embed/identity.h.jinja", values).decode("ascii")

    assert header.count("\n") == templates.template(
        "src/rlt_embed/identity.h.jinja", {"project": '"x"', "environment": '"y"'}
    ).count(b"\n")
