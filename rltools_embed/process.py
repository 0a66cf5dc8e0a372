"""Running other programs: the one place that imports subprocess.

On Linux and macOS a program gets a session of its own, so that all it starts is one process group.
The whole group is ended at the time limit, on an interrupt, when the caller's `watch` raises, and when we are killed.
What detaches itself into another session, as an emulated board does, is in no group of ours and lives on.
On Windows, `taskkill` ends the tree of processes; there, nothing ends it when we are killed.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rltools_embed.errors import ToolchainError

# Between asking a program to end and ending it. A time limit is exceeded by this much at most.
_GRACE_S = 0.5
# After an interrupt a build removes half-written files and saves what it knows of the others.
_INTERRUPT_GRACE_S = 3.0
# A program that hangs inside a driver ends later than it is killed; nobody waits for that.
_REAP_S = 0.3
# On Windows an interrupt is noticed between two waits, not during one.
_POLL_S = 0.5
# Reads whom to end: a process, or -1 times a process group. Then it waits for another line, with which it is dismissed.
# The end of the pipe in its place means that we died.
_GUARD = 'read -r target && if ! read -r line; then kill -TERM "$target"; sleep 1; kill -KILL "$target"; fi'
# Guards that were dismissed and end by themselves. Waiting for each would cost a program of 2 ms another 3.
_dismissed: list[subprocess.Popen[bytes]] = []


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
    """Run `command` to its end, without a shell, without stdin and without a terminal.

    Args:
        environment: variables added to (or replacing) this process's own.
        timeout_s: seconds until the program, and all that it started, is ended.

    Raises:
        ToolchainError: the program does not exist, cannot be executed, or ran for longer than `timeout_s`.
    """
    return _run(command, lambda line: None, cwd=cwd, environment=environment, timeout_s=timeout_s)


def run_watched(
    command: Sequence[str | Path],
    watch: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
    timeout_s: float,
) -> Completed:
    """As `run`, and `watch` gets every line as soon as it is there: for programs that report their progress.

    Raises:
        ToolchainError: as `run`.
    """
    return _run(command, watch, cwd=None, environment=environment, timeout_s=timeout_s)


def run_attached(command: Sequence[str | Path], *, cwd: Path | None = None) -> int:
    """Run a program that talks to the user's own terminal; its exit code.

    It stays in our process group, so that Ctrl-C in the terminal reaches it.

    Raises:
        ToolchainError: the program does not exist or cannot be executed.
    """
    arguments = [str(part) for part in command]
    with _guard() as watch_over, _interrupt_held() as let_interrupt_through:
        try:
            program = subprocess.Popen(arguments, cwd=cwd)
        except OSError as error:
            raise _cannot_run(arguments[0], error) from error
        watch_over(program.pid)
        try:
            let_interrupt_through()
            return program.wait()
        except KeyboardInterrupt:
            _wait(program, _INTERRUPT_GRACE_S)  # the terminal has interrupted the program as well
            raise
        finally:
            if program.poll() is None:
                program.terminate()
                _wait(program, _GRACE_S)
                program.kill()
                _wait(program, _REAP_S)


def _run(
    command: Sequence[str | Path],
    watch: Callable[[str], None],
    *,
    cwd: Path | None,
    environment: Mapping[str, str] | None,
    timeout_s: float | None,
) -> Completed:
    arguments = [str(part) for part in command]
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    lines = []
    with _guard() as watch_over, _interrupt_held() as let_interrupt_through:
        program = _started(arguments, cwd, environment)
        watch_over(-program.pid)
        output = _Output(program)
        try:
            let_interrupt_through()
            for line in output.lines(deadline):
                lines.append(line)
                watch(line.rstrip("\r\n"))
            program.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            _end(program, output, signal.SIGTERM, _GRACE_S)
            raise ToolchainError(f"{arguments[0]} did not end within {timeout_s} s") from error
        except KeyboardInterrupt:
            _end(program, output, signal.SIGINT, _INTERRUPT_GRACE_S)
            raise
        except BaseException:
            _end(program, output, signal.SIGTERM, _GRACE_S)
            raise
    return Completed(exit_code=program.returncode, output="".join(lines))


def _started(arguments: list[str], cwd: Path | None, environment: Mapping[str, str] | None) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            arguments,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise _cannot_run(arguments[0], error) from error


def _cannot_run(program: str, error: OSError) -> ToolchainError:
    return ToolchainError(f"cannot run {program}: {error.strerror}", "run `rlt-embed doctor`")


class _Output:
    """What a program prints, read by a thread of its own: a wait for it can end before the program does."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        assert program.stdout is not None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(program.stdout,), daemon=True)
        self._reader.start()

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put(line)
        self._lines.put(None)

    def lines(self, deadline: float | None) -> Iterator[str]:
        """Each line as it comes, until nobody holds the pipe.

        Raises:
            subprocess.TimeoutExpired: somebody still holds it at `deadline` (of `time.monotonic`).
        """
        while True:
            left_s = _POLL_S if deadline is None else deadline - time.monotonic()
            if left_s <= 0:
                raise subprocess.TimeoutExpired("", 0)
            try:
                line = self._lines.get(timeout=min(left_s, _POLL_S))
            except queue.Empty:
                continue
            if line is None:
                return
            yield line

    def wait_for_end(self, limit_s: float) -> None:
        """Until nobody holds the pipe, or for so many seconds."""
        self._reader.join(limit_s)


def _end(program: subprocess.Popen[str], output: _Output, request: signal.Signals, grace_s: float) -> None:
    """End a program and all that it started: ask with `request`, and kill what is left after `grace_s`.

    The program is waited for last: until then, its process group's number belongs to no other.
    """
    try:
        _signal_all(program, request)
        output.wait_for_end(grace_s)
    finally:  # a second interrupt ends the grace
        if sys.platform != "win32":
            _signal_all(program, signal.SIGKILL)
        _wait(program, _REAP_S)


def _signal_all(program: subprocess.Popen[str], number: signal.Signals) -> None:
    if sys.platform == "win32":
        # A console program of Windows takes no request to end.
        with contextlib.suppress(OSError):
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(program.pid)], capture_output=True, check=False)
        program.kill()
    else:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program.pid, number)


def _wait(program: subprocess.Popen[str] | subprocess.Popen[bytes], limit_s: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        program.wait(limit_s)


@contextlib.contextmanager
def _interrupt_held() -> Iterator[Callable[[], None]]:
    """A function to call once a program that was started will be ended: an interrupt before that is raised there.

    Within subprocess.Popen it would leave a program that runs and that nobody knows.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield lambda: None
        return
    held: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append(number))

    def let_through() -> None:
        signal.signal(signal.SIGINT, before)
        if held:
            held.clear()
            before(signal.SIGINT, None)

    try:
        yield let_through
    finally:
        let_through()


@contextlib.contextmanager
def _guard() -> Iterator[Callable[[int], None]]:
    """A function that has its argument ended if this process dies inside the block.

    The argument is a process, or -1 times a process group.
    The guard is a shell in a session of its own at the end of a pipe, which the system closes when we die.
    """
    try:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    except OSError:  # no such shell, as on Windows
        yield lambda target: None
        return
    assert guard.stdin is not None
    with guard.stdin as pipe:

        def write(text: str) -> None:
            with contextlib.suppress(BrokenPipeError):
                pipe.write(text.encode())

        try:
            yield lambda target: write(f"{target}\n")
        finally:
            write("\n\n")
            _dismissed[:] = [each for each in (*_dismissed, guard) if each.poll() is None]
