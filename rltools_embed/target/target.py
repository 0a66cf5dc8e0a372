"""`Target`: one object for a board that runs, however it is run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from rltools_embed.device import Benchmark, Client, Hello, Link, SelfTest, Statistics
from rltools_embed.errors import LinkError
from rltools_embed.firmware.board import Board
from rltools_embed.firmware.platformio import Watch
from rltools_embed.policy.layers import Float32Array
from rltools_embed.policy.model import Policy
from rltools_embed.target import ports
from rltools_embed.target.adapter import Adapter
from rltools_embed.target.project import ProjectAdapter

_RETRY_S = 0.2
_T = TypeVar("_T")


class Target:
    """A board that runs a policy's firmware, and every request to it.

        with Target.open("firmware/pendulum", board="host") as target:
            target.flash()
            action = target.evaluate(observation)

    The link is opened by the first request and closed at the end of the block.
    `flash` and `reset` close it, and the next request opens it again and waits until the firmware answers.

    An emulated board (QEMU, or the firmware as a process) that this target's `flash` switched on is switched off
    at the end of the block, also after an error. A board that ran before, and was not flashed here, is left alone.
    `flash` replaces what the same project ran on that port; what another project runs there is an error.
    A hardware board keeps its firmware.

    A board has one port and one client at a time: a target is not for use from several threads.

    Every request raises LinkError when the port is absent, busy, silent or vanishes, and ProtocolError when bytes
    come that are not the answer. After a LinkError, the next request opens the link again.

    Attributes:
        board: the board as data: its name, sizes, arithmetic.
        boot_timeout_s: how long the board may take to its first answer; None: as `Target.open` says.
    """

    def __init__(self, adapter: Adapter, *, leave_on: bool = False, boot_timeout_s: float | None = None) -> None:
        """
        Args:
            adapter: how this board is run; `Target.open` and `memory_target` choose one.
            leave_on: a board that `flash` switches on stays on.
            boot_timeout_s: see `Target.open`.

        Raises:
            ValueError: `boot_timeout_s` is no time.
        """
        ports.limits(boot_timeout_s)
        self.boot_timeout_s = boot_timeout_s
        self.board: Board = adapter.board
        self._adapter = adapter
        self._leave_on = leave_on
        self._switched_on = False
        self._is_booting = False
        self._link: Link | None = None
        self._client: Client | None = None

    @classmethod
    def open(
        cls,
        project: str | Path,
        *,
        board: str | None = None,
        port: str | None = None,
        leave_on: bool = False,
        boot_timeout_s: float | None = None,
    ) -> Target:
        """The board of an exported project. Nothing is built, started or opened yet.

        Args:
            project: the project's folder, or the one that `run` wrote.
            board: one of the project's boards; the first if not given.
            port: where the board is: a serial port, socket://host:port or rfc2217://host:port. If not given, as
                platformio.ini names it, or the port with the board's USB id. `free_port()` makes one for an emulated
                board, so that several run at once.
            leave_on: an emulated board that `flash` switches on stays on at the end.
            boot_timeout_s: so long the board may take to its first answer, after `flash` and `reset` too, and so long
                its port may be absent. If not given, 10 s for the answer, and 20 s after `flash` and `reset`.

        Raises:
            ValueError: `boot_timeout_s` is no time.
            ProjectError: no project is there, or it is damaged.
            BoardError: the project has no such board.
        """
        adapter = ProjectAdapter(Path(project), board, port, boot_timeout_s=boot_timeout_s)
        return cls(adapter, leave_on=leave_on, boot_timeout_s=boot_timeout_s)

    @property
    def policy(self) -> Policy:
        """What the board should compute: the policy of the project's checkpoint.

        Raises:
            CheckpointError: the checkpoint is damaged.
        """
        return self._adapter.policy

    @property
    def port(self) -> str:
        """Where the board is.

        Raises:
            LinkError: no port, or more than one, has the board's USB id.
        """
        return self._adapter.port

    @property
    def folder(self) -> Path | None:
        """The project's folder, absolute; None for a board in memory."""
        return self._adapter.folder

    @property
    def elf(self) -> Path | None:
        """The program that was built for the board; None before a build, and for a board in memory."""
        if self.folder is None:
            return None
        path = self.folder / ".pio" / "build" / self.board.name / "firmware.elf"
        return path if path.is_file() else None

    @property
    def link(self) -> Link:
        """The open link, for a protocol of your own or a validation; it is closed with the target.

        Raises:
            LinkError: the port cannot be opened.
        """
        if self._is_booting or (self._link is None and self.boot_timeout_s is not None):
            self._client = self._greeted()
        if self._link is None:
            self._link = self._adapter.connect()
        return self._link

    def clock(self) -> float:
        """The time in seconds in which the board answers: this computer's, or a simulated one of a board in memory."""
        return self._adapter.clock()

    def flash(self, *, watch: Watch | None = None) -> str | None:
        """Build the firmware, put it on the board, and wait until a hardware board answers.

        Args:
            watch: gets PlatformIO's lines as they come.

        Returns:
            The board's port; None where PlatformIO alone knows it.

        Raises:
            ToolchainError, BuildError: something is missing, or the build or upload failed.
            BoardError: the program does not fit the board.
            LinkError: the board is absent, may be on more than one port, or another board answers.
        """
        self._disconnect()
        port = self._adapter.flash(watch)
        self._switched_on = self._adapter.ends_with_target
        self._is_booting = False
        return port

    def hello(self) -> Hello:
        """The firmware's own description: board, sizes, arithmetic, and the digest of the numbers in its flash."""
        return self._request(Client.hello)

    def evaluate(self, observations: npt.ArrayLike) -> Float32Array:
        """The board's actions, float32: (m,) for one observation (n,), (k, m) for a batch (k, n).

        Raises:
            ValueError: another shape.
        """
        given = np.asarray(observations, np.float32)
        actions = self._request(lambda client: client.evaluate(np.atleast_2d(given)))
        return actions[0] if given.ndim == 1 else actions

    def trace(self, layer: int, observation: npt.ArrayLike) -> Float32Array:
        """The output (width,) of one layer of `policy.primitives` for one observation (n,), float32.

        Raises:
            ValueError: another shape.
            ProtocolError: also when there is no such layer.
        """
        given = np.asarray(observation, np.float32)
        return self._request(lambda client: client.trace(layer, given))

    def benchmark(self, observation: npt.ArrayLike | None = None, *, repeats: int = 50) -> Benchmark:
        """The ticks of the board's clock that so many evaluations (1 to 65535) take.

        Args:
            observation: (n,); the checkpoint's first example if not given.

        Raises:
            ValueError: another shape or number.
        """
        given = self.policy.example_observations[0] if observation is None else np.asarray(observation, np.float32)
        return self._request(lambda client: client.benchmark(given, repeats))

    def self_test(self) -> SelfTest:
        """Let the board evaluate the examples in its flash: how many there are, and how many give other bits."""
        return self._request(Client.self_test)

    def statistics(self) -> Statistics:
        """The board's counters: bytes of stack used, frames accepted and rejected."""
        return self._request(Client.statistics)

    def reset(self) -> None:
        """Reset the board. The next request waits until it has booted."""
        self._request(Client.reset)
        self._disconnect()
        self._is_booting = True

    def power_off(self) -> None:
        """Switch an emulated board off, whoever switched it on; nothing happens if it is off.

        Raises:
            BuildError: it could not be ended, or it is hardware.
            LinkError: another project's board runs on that port.
        """
        self._disconnect()
        self._adapter.power_off()
        self._switched_on = self._is_booting = False

    def close(self) -> None:
        """Close the link, and switch an emulated board off if this target switched it on. A second time does nothing.

        Raises:
            BuildError: the board could not be ended.
        """
        self._disconnect()
        if self._switched_on and not self._leave_on:
            self.power_off()

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _request(self, ask: Callable[[Client], _T]) -> _T:
        if self._client is None:
            self._client = self._greeted()
        try:
            return ask(self._client)
        except LinkError:
            self._disconnect()
            raise

    def _greeted(self) -> Client:
        """A client whose board has answered; after a reset, the port may be absent for a while."""
        deadline = time.monotonic() + (self.boot_timeout_s or (ports.BOOT_S if self._is_booting else 0.0))
        while True:
            try:
                self._link = self._link or self._adapter.connect()
                limits = ports.limits_until(deadline, self.boot_timeout_s)
                client = Client(self._link, limits=limits, clock=self._adapter.clock)
                ports.hello(client, self.board)
            except LinkError:
                self._disconnect()
                if time.monotonic() >= deadline - _RETRY_S:
                    raise
                time.sleep(_RETRY_S)
            else:
                self._is_booting = False
                return client

    def _disconnect(self) -> None:
        self._client = None
        link, self._link = self._link, None
        if link is not None:
            link.close()
