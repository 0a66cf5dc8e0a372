"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rltools_embed.errors import ProjectError


def check_writable(folder: Path) -> None:
    """Make the folder and a file in it, and remove the file: to know before hours of work whether it can be kept.

    Raises:
        ProjectError: the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ProjectError(f"cannot write into {folder}: {error.strerror}", "choose another folder") from error


def check_could_write(folder: Path) -> None:
    """As `check_writable`, and nothing is left behind: a folder that is not there is not made.

    Raises:
        ProjectError: the folder, or the nearest above it that is there, cannot be written to.
    """
    nearest = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise ProjectError(f"cannot write into {folder}: {error.strerror}", "choose another folder") from error


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block has ended: for the milliseconds in which files that belong together change."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    is_interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda number, frame: is_interrupted.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if is_interrupted.is_set():
        raise KeyboardInterrupt


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write all of it beside `path`, then rename: readers see the old file or the new one. Text is UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes it private; a result is as readable as any new file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
