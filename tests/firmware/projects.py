"""Real projects for tests: written with changed boards, run with plain PlatformIO, with a program of the test's own."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rltools_embed import process
from rltools_embed.firmware.board import Board
from tests.boards import write
from tests.firmware.conftest import make_spec

Export = Callable[..., Path]
Running = Callable[[Path, str], str]
emulated = pytest.mark.emulated
# One board of each port besides the Cortex-M's.
OTHER_CORES = ("qemu_riscv32_virt", "qemu_xtensa_lx60")


def pio(folder: Path, *words: str, **environment: str) -> process.Completed:
    """PlatformIO as a user runs it, where our package cannot be imported."""
    shadow = folder.parent / "shadow" / "rltools_embed"
    shadow.mkdir(parents=True, exist_ok=True)
    (shadow / "__init__.py").write_text("raise ImportError('the project must not need rltools_embed')\n")
    command = [sys.executable, "-m", "platformio", *words, "-d", str(folder)]
    quiet = {"PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no", "PLATFORMIO_NO_ANSI": "true"}
    return process.run(
        command, cwd=folder, timeout_s=600, environment={"PYTHONPATH": str(shadow.parent), **quiet, **environment}
    )


def write_with(output: Path, *boards: Board, hidden: int = 8) -> Path:
    return write(replace(make_spec(hidden=hidden), boards=boards), output)


def run_own_program(folder: Path, url: str, body: str) -> None:
    (folder / "src/firmware.cpp").write_text(
        f'#include "rlt_embed/port.h"\n#include <rl_tools/embed/stack.h>\n{body}\n'
    )
    done = pio(folder, "run", "-t", "upload", "--upload-port", url)
    assert done.exit_code == 0, done.output


def program_of(folder: Path, name: str) -> Path:
    """What PlatformIO has built for a board of the project."""
    return folder / ".pio" / "build" / name / "firmware.elf"


def read_line(url: str, data: bytes = b"", *, until: bytes = b"\r\n", count: int = 1) -> bytes:
    received = b""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=20) as client:
        client.sendall(data)
        while received.count(until) < count:
            more = client.recv(4096)
            assert more, received
            received += more
    return received
