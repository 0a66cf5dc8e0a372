"""What a `Target` needs of a board, whatever the board is: one class per way to run firmware."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from rltools_embed.device import Link
from rltools_embed.firmware.board import Board
from rltools_embed.firmware.platformio import Watch
from rltools_embed.policy.model import Policy


class Adapter(Protocol):
    """One board with one policy: how firmware gets there, where its port is, how it is switched off.

    Every method raises an error of `rltools_embed.errors` that names the board or its port.
    """

    @property
    def board(self) -> Board:
        """The board as data."""

    @property
    def folder(self) -> Path | None:
        """The project's folder, absolute; None where there is none."""

    @property
    def ends_with_target(self) -> bool:
        """Whether a board that `flash` switched on is switched off when the target is closed."""

    @property
    def policy(self) -> Policy:
        """What the board should compute."""

    @property
    def port(self) -> str:
        """Where the board is."""

    def clock(self) -> float:
        """Seconds of the time in which the board answers; simulated for a board in memory."""

    def flash(self, watch: Watch | None) -> str | None:
        """Put the firmware on the board; return when it may be asked. Its port, where that is known."""

    def connect(self) -> Link:
        """A new link to the board."""

    def power_off(self) -> None:
        """Switch the board off; nothing happens if it is off."""
