"""Running other programs: the one place that imports subprocess."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rltools_embed.errors import ToolchainError


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A program that ended: its exit code and everything it printed (stdout and stderr in order)."""

    exit_code: int
    output: str


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> Completed:
    """Run `command` to its end, without a shell and without stdin.

    Args:
        environment: variables added to (or replacing) this process's own.

    Raises:
        ToolchainError: the program does not exist, cannot be executed, or ran for longer than `timeout_s`.
    """
    arguments = [str(part) for part in command]
    try:
        done = subprocess.run(
            arguments,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except OSError as error:
        raise ToolchainError(f"cannot run {arguments[0]}: {error.strerror}", "run `rlt-embed doctor`") from error
    except subprocess.TimeoutExpired as error:
        raise ToolchainError(f"{arguments[0]} did not end within {timeout_s} s") from error
    return Completed(exit_code=done.returncode, output=done.stdout)


def run_watched(
    command: Sequence[str | Path],
    watch: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
    timeout_s: float,
) -> Completed:
    """As `run`, and `watch` gets every line as soon as it is there: for programs that tell how far they are.

    Raises:
        ToolchainError: as `run`.
    """
    arguments = [str(part) for part in command]
    try:
        program = subprocess.Popen(
            arguments,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise ToolchainError(f"cannot run {arguments[0]}: {error.strerror}", "run `rlt-embed doctor`") from error
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        program.kill()

    timer = threading.Timer(timeout_s, end)
    timer.start()
    lines = []
    try:
        with program:
            for line in program.stdout or ():
                lines.append(line)
                watch(line.rstrip("\r\n"))
    except BaseException:
        program.kill()
        raise
    finally:
        timer.cancel()
    if is_late.is_set():
        raise ToolchainError(f"{arguments[0]} did not end within {timeout_s} s")
    return Completed(exit_code=program.returncode, output="".join(lines))


def run_attached(command: Sequence[str | Path], *, cwd: Path | None = None) -> int:
    """Run a program that talks to the user's own terminal; its exit code.

    Raises:
        ToolchainError: the program does not exist or cannot be executed.
    """
    arguments = [str(part) for part in command]
    try:
        return subprocess.run(arguments, cwd=cwd, check=False).returncode
    except OSError as error:
        raise ToolchainError(f"cannot run {arguments[0]}: {error.strerror}", "run `rlt-embed doctor`") from error
