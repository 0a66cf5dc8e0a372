"""Headers at the places that they had in earlier versions, for projects whose own files still include them there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from rltools_embed.firmware.spec import SOURCES

_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include(?:_next)?[ \t]*["<]([^">\n]+)[">]', re.MULTILINE)
_FOLDERS = ("src", "include")
# What once stood in include/; the others stood in src/.
_FROM_INCLUDE = ("identity.h",)
_SUFFIXES = (*(".h", ".hh", ".hpp", ".hxx", ".inl", ".ipp", ".tpp"), *(".c", ".cc", ".cpp", ".cxx", ".ino", ".S"))


def headers(files: Mapping[str, bytes], before: Mapping[str, str], output: Path) -> dict[str, bytes]:
    """A header that forwards for each old name that a file of the user's includes; nothing in a new project.

    Args:
        files: what the export writes.
        before: what the last export wrote, by path.
    """
    ours = {*files, *before}
    moved = {_old_place(path): path for path in files if path.startswith(f"{SOURCES}/") and path.endswith(".h")}
    included = {
        place
        for source in _own_files(output, ours)
        for spelled in _INCLUDE.findall((output / source).read_bytes())
        for place in _places(spelled.decode("utf-8", "replace"), source, output, ours)
    }
    needed = sorted(place for place in included & set(moved) if place in before or not (output / place).exists())
    return {place: _forwarding_to(moved[place].removeprefix("src/")) for place in needed}


def _old_place(path: str) -> str:
    name = path.removeprefix(f"{SOURCES}/")
    return f"{'include' if name in _FROM_INCLUDE else 'src'}/{name}"


def _own_files(output: Path, ours: set[str]) -> Iterator[str]:
    """The sources in the folder that no export wrote, by their paths inside it."""
    for folder, names, files in os.walk(output):
        names[:] = sorted(name for name in names if not name.startswith("."))  # .pio, .git
        for name in sorted(files):
            path = (Path(folder) / name).relative_to(output).as_posix()
            if path not in ours and PurePosixPath(path).suffix in _SUFFIXES:
                yield path


def _places(spelled: str, source: str, output: Path, ours: set[str]) -> tuple[str, ...]:
    """Where the header that `source` includes by this spelling may have stood."""
    beside = os.path.normpath(PurePosixPath(source).parent / spelled)
    if beside not in ours and (output / beside).is_file():
        return ()  # a header of the user's
    return (beside, *(f"{folder}/{spelled}" for folder in _FOLDERS))


def _forwarding_to(name: str) -> bytes:
    return (
        "// An earlier version had this header here, and a file of yours still includes it by its old name.\n"
        f'// Write "{name}" there and export again: then this file is removed.\n'
        "#pragma once\n"
        "\n"
        f'#include "{name}"\n'
    ).encode()
