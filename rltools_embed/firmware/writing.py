"""Bringing a folder to a set of files, without losing what is somebody's."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from rltools_embed.errors import ProjectError
from rltools_embed.files import uninterrupted
from rltools_embed.firmware.spec import MANIFEST, WriteResult, check_inside, content_digest


def write(
    files: Mapping[str, bytes], owned: Mapping[str, bytes], before: Mapping[str, str], output: Path, *, force: bool
) -> WriteResult:
    """What `project.write` promises; `before` is what the last export wrote, by path."""
    try:
        missing = {path: content for path, content in owned.items() if not (output / path).exists()}
        return _write(files, missing, before, output, force=force)
    except OSError as error:
        raise ProjectError(
            f"cannot write {error.filename or output}: {error.strerror}", "check space and permissions"
        ) from error


def check(files: Mapping[str, bytes], before: Mapping[str, str], output: Path, *, force: bool) -> None:
    """Refuse what `write` would refuse; nothing is written."""
    for path in files:
        check_inside(path, output)
    _refuse_obstacles(files, output)
    if not force:
        _refuse_losses(files, before, output)


def _write(
    files: Mapping[str, bytes], missing: Mapping[str, bytes], before: Mapping[str, str], output: Path, *, force: bool
) -> WriteResult:
    check({**files, **missing}, before, output, force=force)
    unchanged = tuple(path for path in sorted(files) if _content(output / path) == files[path])
    written = tuple(sorted({*files, *missing} - {*unchanged}))
    gone = sorted(set(before) - set(files))
    removed = tuple(path for path in gone if _digest_of(path, output) == before[path])
    _replace({path: missing.get(path) or files[path] for path in written}, removed, output)
    return WriteResult(written=written, unchanged=unchanged, removed=removed)


def _refuse_obstacles(files: Mapping[str, bytes], output: Path) -> None:
    """A link would carry us out of the folder; a folder cannot be replaced by a file."""
    for path in files:
        place = output
        parts = PurePosixPath(path).parts
        for index, part in enumerate(parts):
            place = place / part
            is_last = index == len(parts) - 1
            if place.is_symlink():
                raise ProjectError(f"{place} is a symbolic link", "remove it, or export into a new folder")
            if place.exists() and place.is_dir() == is_last:
                kind = "folder" if is_last else "file"
                raise ProjectError(f"{place} is a {kind}, where the export needs the other", "move it away")


def _refuse_losses(files: Mapping[str, bytes], before: Mapping[str, str], output: Path) -> None:
    changed, foreign = [], []
    for path, content in sorted(files.items()):
        existing = _content(output / path)
        if existing is None or existing == content or path == MANIFEST:
            continue
        if path not in before:
            foreign.append(path)
        elif content_digest(existing) != before[path]:
            changed.append(path)
    if changed:
        raise ProjectError(
            f"{output}: changed since the last export: {', '.join(changed)}",
            "--force overwrites them; or export elsewhere",
        )
    if foreign:
        raise ProjectError(
            f"{output}: not ours, and in the way: {', '.join(foreign)}", "--force overwrites them; or export elsewhere"
        )


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _digest_of(path: str, output: Path) -> str | None:
    """The digest of a file in the folder; None if there is none, or only one that a link leads to."""
    places = [
        output.joinpath(*PurePosixPath(path).parts[: depth + 1]) for depth in range(len(PurePosixPath(path).parts))
    ]
    content = None if any(place.is_symlink() for place in places) else _content(output / path)
    return None if content is None else content_digest(content)


@contextlib.contextmanager
def _staging(output: Path) -> Iterator[Path]:
    """A folder on the same file system, gone afterwards."""
    is_new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    folder = output / f".rlt_embed_{os.getpid()}.tmp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if is_new and not any(output.iterdir()):
            output.rmdir()


def _replace(files: Mapping[str, bytes], removed: Sequence[str], output: Path) -> None:
    """Write all of it aside first, so that a full disk or Ctrl-C changes nothing; then move, the manifest last."""
    if not files and not removed:
        return
    with _staging(output) as staging:
        for path, content in files.items():
            (staging / path).parent.mkdir(parents=True, exist_ok=True)
            (staging / path).write_bytes(content)
        with uninterrupted():
            for path in removed:
                (output / path).unlink()
                _remove_empty_parents(output / path, output)
            for path in sorted(files, key=lambda path: path == MANIFEST):
                (output / path).parent.mkdir(parents=True, exist_ok=True)
                (staging / path).replace(output / path)


def _remove_empty_parents(path: Path, output: Path) -> None:
    for parent in path.parents:
        if parent == output or any(parent.iterdir()):
            return
        parent.rmdir()
