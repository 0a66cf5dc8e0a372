"""Where the C++ headers, templates and boards are: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

import re
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_BUNDLED = _PACKAGE / "_data"
_ROOT = _BUNDLED if _BUNDLED.is_dir() else _PACKAGE.parent
_INCLUDE = re.compile(rb'^\s*#\s*include\s*[<"](rl_tools/[^>"]+)[>"]', re.MULTILINE)


def include_dir() -> Path:
    """The folder to pass to a compiler as `-I`: it holds `rl_tools/`."""
    return _ROOT / "cpp" / "include"


def templates_dir() -> Path:
    """The folder of the Jinja2 templates and the ports that are copied beside them."""
    return _ROOT / "templates"


def boards_dir() -> Path:
    """The folder of the board files, one TOML file per board."""
    return _ROOT / "boards"


def included_headers(source: bytes) -> dict[str, bytes]:
    """Every header of the library that `source` includes, however indirectly: its content by `rl_tools/…`."""
    found: dict[str, bytes] = {}
    waiting = _INCLUDE.findall(source)
    while waiting:
        name = waiting.pop().decode()
        if name not in found:
            found[name] = (include_dir() / name).read_bytes()
            waiting += _INCLUDE.findall(found[name])
    return found
