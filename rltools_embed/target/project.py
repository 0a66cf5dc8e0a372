"""The board of an exported project, which PlatformIO builds for and uploads to."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path

from rltools_embed.device import Link
from rltools_embed.firmware import manifest, platformio
from rltools_embed.firmware.platformio import Watch
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Policy
from rltools_embed.target import ports


class ProjectAdapter:
    """One board of a project: hardware, an emulated board, or the firmware as a process.

    Args:
        path: the project's folder, or the one that `run` wrote.
        board: one of the project's boards; the first if not given.
        port: where the board is; otherwise as platformio.ini names it, or the port with the board's USB id.
        boot_timeout_s: so long a board that was flashed may take to its first answer; None: 20 s.

    Raises:
        ProjectError: no project is there, or it is damaged.
        BoardError: the project has no such board.
    """

    def __init__(self, path: Path, board: str | None, port: str | None, *, boot_timeout_s: float | None = None) -> None:
        self._path = manifest.folder_of(path)
        self._project = manifest.load(self._path)
        self._named_port = port
        self._boot_timeout_s = boot_timeout_s
        self.board = self._project.board(board)
        self.folder = self._project.folder
        self.ends_with_target = self.board.runner.is_process

    @cached_property
    def policy(self) -> Policy:
        """The policy of the project's checkpoint. Raises CheckpointError."""
        return checkpoint.load(self._project.checkpoint)

    @property
    def port(self) -> str:
        """The board's port. Raises LinkError where none, or more than one, has the board's USB id."""
        return ports.port_of(self._project, self.board, self._named_port)

    def clock(self) -> float:
        """This computer's time in seconds."""
        return time.monotonic()

    def flash(self, watch: Watch | None) -> str | None:
        """Build, upload, and wait until a hardware board answers with the project's policy; its port.

        Raises:
            ToolchainError, BuildError, BoardError: the build or the upload failed.
            LinkError: the board is absent, may be on more than one port, or another board answers.
        """
        name, port = self.board.name, self._named_port
        if self.ends_with_target:
            return platformio.upload(self._path, name, port, watch=watch)
        named = port or self._project.upload_port(self.board)
        platformio.upload(self._path, name, ports.port_for_upload(self._project, self.board, port), watch=watch)
        return ports.await_firmware(self._project, self.board, named, boot_timeout_s=self._boot_timeout_s)

    def connect(self) -> Link:
        """The link to the board's port. Raises LinkError."""
        return ports.opened_link(self.port, self.board)

    def power_off(self) -> None:
        """End what this project runs on an emulated board's port. Raises BuildError, for hardware too."""
        platformio.power_off(self._path, self.board.name, self._named_port)
