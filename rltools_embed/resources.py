"""Where the C++ headers, templates and boards are: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_BUNDLED = _PACKAGE / "_data"
_ROOT = _BUNDLED if _BUNDLED.is_dir() else _PACKAGE.parent


def include_dir() -> Path:
    """The folder to pass to a compiler as `-I`: it holds `rl_tools/`."""
    return _ROOT / "cpp" / "include"


def templates_dir() -> Path:
    """The folder of the Jinja2 templates and the ports that are copied beside them."""
    return _ROOT / "templates"


def boards_dir() -> Path:
    """The folder of the board files, one TOML file per board."""
    return _ROOT / "boards"
