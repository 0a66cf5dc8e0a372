"""Generated projects: rendered from a policy and boards, written into a folder, read again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rltools_embed import text
from rltools_embed.errors import ProjectError
from rltools_embed.firmware import forwarding
from rltools_embed.firmware import writing as _writing
from rltools_embed.firmware.manifest import load
from rltools_embed.firmware.rendering import render, render_owned, with_more
from rltools_embed.firmware.spec import MANIFEST, PolicyFacts, Project, ProjectSpec, WriteResult, upload_ports

__all__ = [
    "PolicyFacts",
    "Project",
    "ProjectSpec",
    "WriteResult",
    "load",
    "render",
    "render_owned",
    "upload_ports",
    "write",
]


def write(
    files: Mapping[str, bytes], output: Path, *, owned: Mapping[str, bytes] | None = None, force: bool = False
) -> WriteResult:
    """Bring the folder to these files. Everything is checked before the first byte is written.

    A file with the right content keeps its time stamp. Files that nobody generated are left alone, wherever they are.
    What an earlier export generated and this one does not is removed, unless somebody changed it.
    A header that has another place now, and that a file of the user's includes at the old one, forwards from there.

    Args:
        owned: files that are made where there are none, and are the user's from then on, with `force` too.
        force: overwrite files that somebody changed, or that stand where a generated one belongs.

    Raises:
        ProjectError: the folder is in use for something else, or a file would be lost. Nothing was written.
    """
    _refuse_path(output)
    before = _files_of_last_export(output)
    return _writing.write(_with_forwarding(files, before, output), owned or {}, before, output, force=force)


def check(files: Mapping[str, bytes], output: Path, *, force: bool = False) -> None:
    """Refuse what `write` would refuse, long before it is called; nothing is written.

    Raises:
        ProjectError: the folder is in use for something else, or a file would be lost.
    """
    _refuse_path(output)
    before = _files_of_last_export(output)
    _writing.check(_with_forwarding(files, before, output), before, output, force=force)


def _with_forwarding(files: Mapping[str, bytes], before: Mapping[str, str], output: Path) -> Mapping[str, bytes]:
    added = forwarding.headers(files, before, output) if before else {}
    return with_more(files, added) if added else files


def _refuse_path(output: Path) -> None:
    """Refuse a folder whose name PlatformIO or SCons would misread."""
    folder = str(output.resolve())
    if "$" in folder:
        raise ProjectError(
            f"PlatformIO cannot build in {folder}: it takes the $ for a variable", "choose another folder"
        )
    unprintable = text.unprintable(folder)
    if unprintable:
        raise ProjectError(
            f"SCons cannot build in {folder!r}: {unprintable[0]!r} is in its name", "choose another folder"
        )


def _files_of_last_export(output: Path) -> Mapping[str, str]:
    """What the manifest in the folder lists; nothing for a new or empty folder."""
    if output.is_symlink() and not output.exists():
        raise ProjectError(f"{output} is a link to nothing", "choose another folder")
    if not output.exists():
        return {}
    if not output.is_dir():
        raise ProjectError(f"{output} is a file", "choose a folder")
    if (output / MANIFEST).is_file():
        return load(output).files
    if any(output.iterdir()):
        raise ProjectError(
            f"{output} holds files and was not made by an export (it has no {MANIFEST})", "choose a new or empty folder"
        )
    return {}
