"""The board itself: put firmware on it, watch it, switch it off."""

from __future__ import annotations

import sys
from pathlib import Path

from rltools_embed import process
from rltools_embed.errors import ToolchainError
from rltools_embed.firmware import manifest, platformio
from rltools_embed.firmware.platformio import Watch
from rltools_embed.pipeline.folders import project_folder
from rltools_embed.target import ports as reach


def flash(
    folder: str | Path, *, board: str | None = None, port: str | None = None, watch: Watch | None = None
) -> str | None:
    """Put a project's firmware on its board, and wait until a hardware board answers; the board's port.

    Args:
        port: where the board is; a hardware board is found by its USB id if it is not named.
        watch: gets PlatformIO's lines as they come.

    Raises:
        ToolchainError, BuildError, BoardError: as `build`; the upload failed.
        LinkError: the board is not there, or may be on more than one port.
        ProtocolError: who answers is another board, or has another policy.
    """
    where = project_folder(folder)
    opened = manifest.load(where)
    target = opened.board(board)
    if target.runner.is_process:
        return platformio.upload(where, board, port, watch=watch)
    named = port or opened.upload_port(target)
    platformio.upload(where, board, reach.port_for_upload(opened, target, port), watch=watch)
    return reach.await_firmware(opened, target, named)


def power_off(folder: str | Path, *, board: str | None = None, port: str | None = None) -> None:
    """Switch an emulated board off."""
    platformio.power_off(project_folder(folder), board, port)


def monitor(folder: str | Path, *, board: str | None = None, port: str | None = None) -> int:
    """PlatformIO's serial monitor on a project's board, in the user's terminal; its exit code."""
    opened = manifest.load(project_folder(folder))
    target = opened.board(board)
    if not sys.stdin.isatty():
        raise ToolchainError("the monitor needs a terminal", "run it from one, or read the port with pyserial")
    where = reach.port_of(opened, target, port)
    command = [sys.executable, "-m", "platformio", "device", "monitor", "-d", str(opened.folder), "-e", target.name]
    return process.run_attached([*command, "--port", where])
