"""The board itself: put firmware on it, watch it, switch it off."""

from __future__ import annotations

import sys
from pathlib import Path

from rltools_embed import process
from rltools_embed.errors import ToolchainError
from rltools_embed.firmware.platformio import Watch
from rltools_embed.target import Target


def flash(
    folder: str | Path,
    *,
    board: str | None = None,
    port: str | None = None,
    watch: Watch | None = None,
    boot_timeout_s: float | None = None,
) -> str | None:
    """Put a project's firmware on its board, and wait until a hardware board answers; the board's port.

    An emulated board stays on. `Target.flash` does the same for a board that is to be off again afterwards.

    Args:
        port: where the board is; a hardware board is found by its USB id if it is not named.
        watch: gets PlatformIO's lines as they come.
        boot_timeout_s: so long a hardware board may take to its first answer; 20 s if it is not given.

    Raises:
        ToolchainError, BuildError, BoardError: as `build`; the upload failed.
        LinkError: the board is not there, or may be on more than one port.
        ProtocolError: who answers is another board, or has another policy.
    """
    with Target.open(folder, board=board, port=port, leave_on=True, boot_timeout_s=boot_timeout_s) as target:
        return target.flash(watch=watch)


def power_off(folder: str | Path, *, board: str | None = None, port: str | None = None) -> None:
    """Switch an emulated board off."""
    with Target.open(folder, board=board, port=port) as target:
        target.power_off()


def monitor(folder: str | Path, *, board: str | None = None, port: str | None = None) -> int:
    """PlatformIO's serial monitor on a project's board, in the user's terminal; its exit code."""
    with Target.open(folder, board=board, port=port) as target:
        if not sys.stdin.isatty():
            raise ToolchainError("the monitor needs a terminal", "run it from one, or read the port with pyserial")
        where = ["-d", str(target.folder), "-e", target.board.name, "--port", target.port]
        return process.run_attached([sys.executable, "-m", "platformio", "device", "monitor", *where])
