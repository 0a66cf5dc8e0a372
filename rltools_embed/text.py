"""Text made safe for the language or the place that it goes into."""

from __future__ import annotations

import json
import re

_PLAIN_IN_C = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\?')


def c_string(text: str) -> str:
    """A string literal with exactly these bytes (UTF-8), quotes included.

    Everything but plain printable characters becomes a three-digit octal escape, which, unlike a hexadecimal one, ends
    by itself. The question mark too: two of them begin a trigraph.
    """
    data = text.encode("utf-8", "replace")
    return '"' + "".join(chr(byte) if byte in _PLAIN_IN_C else f"\\{byte:03o}" for byte in data) + '"'


def unprintable(text: str) -> str:
    """The characters of the text that are no letters, signs or spaces: control characters, line ends and the like."""
    return "".join(character for character in text if not character.isprintable())


def printable(text: str, instead: str = "�") -> str:
    """The text without what would steer a terminal: each such character becomes `instead`."""
    return "".join(character if character.isprintable() else instead for character in text)


def markdown(text: str) -> str:
    """The text on one line, shown as it is: no character of it is markup, in a paragraph or a table."""
    one_line = " ".join(printable(text, " ").split())
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
