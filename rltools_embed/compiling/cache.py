"""The cache of compiled interfaces: one user's, content-addressed, locked, atomic, and checked before it is loaded."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from rltools_embed.errors import BuildError, ToolchainError

ENVIRONMENT_VARIABLE = "RLTOOLS_EMBED_CACHE_DIR"

# A compilation takes seconds; who waits longer waits for a process that hangs.
_LOCK_TIMEOUT_S = 900.0
# Where less is left, a failed build is blamed on that: its objects and module take some 100 kB each.
_LEAST_SPACE_BYTES = 1_000_000
_ANOTHER_FOLDER = f"set {ENVIRONMENT_VARIABLE} to a folder of yours with space in it"


def content_key(*parts: str | bytes) -> str:
    """SHA-256 over all parts, each with its length, so that no two lists of parts share a key."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "little"))
        total.update(data)
    return total.hexdigest()


def default_directory() -> Path:
    """Where the cache is: RLTOOLS_EMBED_CACHE_DIR, or the user's cache folder."""
    chosen = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("rltools_embed"))


@dataclass(frozen=True)
class Cache:
    """Files by the key of everything that went into them.

    A file counts only with a SHA-256 beside it that matches: a file that is half written or damaged is built again.
    """

    directory: Path

    @classmethod
    def open(cls, directory: Path | None = None) -> Cache:
        """The cache in `directory`, created with mode 0700.

        Raises:
            ToolchainError: it belongs to someone else or others may write to it: they could plant code in it; or it
                cannot be made.
        """
        # A relative path would name another folder after a chdir.
        directory = Path(os.path.abspath(directory or default_directory()))  # noqa: PTH100  resolve() would follow links
        for folder in (directory, *(directory / name for name in ("files", "locks", "logs"))):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise ToolchainError(f"cannot create the cache {folder}: {error.strerror}", _ANOTHER_FOLDER) from error
            _refuse_foreign(folder)
        return cls(directory)

    def get_or_build(
        self, key: str, suffix: str, build: Callable[[Path], None], *, force: bool = False
    ) -> tuple[Path, bool]:
        """The file of `key`, and whether it was there.

        `build(path)` writes it, under a lock: of several processes one builds and the others wait for its file.

        Raises:
            ToolchainError: the cache cannot be written to, or is full.
            BuildError: as `build`.
        """
        path = self.directory / "files" / f"{key}{suffix}"
        if not force and _is_whole(path):
            return path, True
        import filelock  # a cached start does without

        lock = filelock.FileLock(self.directory / "locks" / f"{key}.lock")
        try:
            with lock.acquire(timeout=_LOCK_TIMEOUT_S):
                if not force and _is_whole(path):
                    return path, True
                self._build(path, build)
        except filelock.Timeout as error:
            raise ToolchainError(
                f"another process has been compiling {path.name} for more than {_LOCK_TIMEOUT_S:g} s",
                f"end it, or delete {lock.lock_file}",
            ) from error
        except BrokenPipeError:
            raise  # no file of the cache: whoever read the progress has gone
        except OSError as error:
            message = f"cannot write to the cache {self.directory}: {error.strerror} ({error.filename})"
            raise ToolchainError(message, _ANOTHER_FOLDER) from error
        except BuildError as error:
            # A linker names the cause in a line of its own, and ends with another.
            if shutil.disk_usage(self.directory).free < _LEAST_SPACE_BYTES:
                raise ToolchainError(f"no space is left for the cache {self.directory}", _ANOTHER_FOLDER) from error
            raise
        return path, False

    def log_path(self, name: str) -> Path:
        """Where the compiler's output for `name` is kept."""
        return self.directory / "logs" / f"{name}.log"

    def _build(self, path: Path, build: Callable[[Path], None]) -> None:
        temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
        checksum = _checksum_path(path)
        for left_behind in path.parent.glob(f".{path.stem}.*"):  # by a process that was killed: the lock is ours
            left_behind.unlink()
        try:
            build(temporary)
            if not temporary.is_file():
                raise BuildError(
                    "the compiler ended without an error, and without a file", "set RL_TOOLS_COMPILER to a C++ compiler"
                )
            temporary.chmod(0o700)
            # The old checksum goes first: at no moment does a checksum stand beside a file it is not of and match.
            checksum.unlink(missing_ok=True)
            digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
            temporary.replace(path)
            temporary_checksum = temporary.with_suffix(".sha256")
            temporary_checksum.write_text(digest)
            temporary_checksum.replace(checksum)
        finally:
            temporary.unlink(missing_ok=True)


def _checksum_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _is_whole(path: Path) -> bool:
    try:
        expected = _checksum_path(path).read_text()
        return hashlib.sha256(path.read_bytes()).hexdigest() == expected
    except (OSError, UnicodeDecodeError):
        return False


def _refuse_foreign(directory: Path) -> None:
    if not hasattr(os, "getuid"):
        return  # Windows: the user's profile is protected by its access list
    found = directory.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise ToolchainError(f"the cache {directory} is not a folder", f"delete it, or set {ENVIRONMENT_VARIABLE}")
    if found.st_uid != os.getuid():
        raise ToolchainError(
            f"the cache {directory} belongs to user {found.st_uid}, not to you ({os.getuid()})",
            f"set {ENVIRONMENT_VARIABLE} to a folder of yours: whoever owns the cache decides what code is loaded",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ToolchainError(
            f"others may write to the cache {directory} (mode {stat.S_IMODE(found.st_mode):04o})",
            f"chmod 700 '{directory}' after looking into it: whoever can write there decides what code is loaded",
        )
