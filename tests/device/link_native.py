"""The C++ side of the link as programs: compiled here, spoken to over pipes."""

from __future__ import annotations

import select
import shutil
import subprocess
from pathlib import Path

from rltools_embed import process, resources
from rltools_embed.device import Link
from rltools_embed.errors import LinkError

SOURCES = Path(__file__).parents[1] / "cpp" / "embed"
WARNINGS = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-Wdouble-promotion")
SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_RESET = (0xFFFF).to_bytes(2, "little")


def compile_cpp(compiler: str, arguments: list[str | Path]) -> None:
    # Last, so that a folder among the arguments can have another version of a header.
    done = process.run([compiler, *WARNINGS, *arguments, f"-I{resources.include_dir()}"], timeout_s=600)
    assert done.exit_code == 0, done.output


def build(source: str, output: Path, *flags: str) -> Path:
    """The program of tests/cpp/embed/`source`, with the address and undefined-behaviour sanitizers."""
    compiler = shutil.which("clang++") or shutil.which("g++")
    assert compiler, "neither clang++ nor g++ is installed"
    compile_cpp(compiler, [*SANITIZERS, *flags, SOURCES / source, "-o", output])
    return output


class LockstepBoard:
    """The C++ server in a process, asked and answered in turns: a `MemoryLink` board, so silence costs no time."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program, "lockstep"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def receive(self, data: bytes) -> bytes:
        return self._turn(len(data).to_bytes(2, "little") + data)

    def reset(self) -> bytes:
        return self._turn(_RESET)

    def close(self) -> None:
        _, errors = self._process.communicate(timeout=600)
        assert self._process.returncode == 0, errors.decode()

    def _turn(self, request: bytes) -> bytes:
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._process.stdin.write(request)
        self._process.stdin.flush()
        head = self._process.stdout.read(2)
        assert len(head) == 2, self._process.stderr.read().decode()
        return self._process.stdout.read(int.from_bytes(head, "little"))


class PipeLink(Link):
    """The C++ server as a stream over its stdin and stdout, in real time."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    @property
    def name(self) -> str:
        return "pipe"

    def read(self, timeout_s: float) -> bytes:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        if not ready:
            return b""
        data = self._process.stdout.read(4096)
        if not data:
            raise LinkError("the pipe ended")
        return data

    def write(self, data: bytes) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(data)
        except BrokenPipeError as error:
            raise LinkError("the pipe ended") from error

    def close(self) -> None:
        self._process.communicate(timeout=600)
        assert self._process.returncode == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
