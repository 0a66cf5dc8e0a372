"""Copies of the library with a fault in them."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.emulation import emulator


def with_fault(folder: Path, header: str, old: str, new: str) -> str:
    """The flag that finds a copy of the library with this fault."""
    shutil.copytree(emulator.INCLUDE, folder / "include")
    path = folder / "include" / "rl_tools" / header
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    return f"-I{folder / 'include'}"
