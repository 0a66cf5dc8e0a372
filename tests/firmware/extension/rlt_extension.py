"""A package of a user's own: a core that ours does not know, and another way to run firmware. See ../test_extension.py.

The runner is QEMU with the serial port on its standard input and output, without counted instructions; a program of
ours, relay.py, stands between that and the TCP port.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rltools_embed.firmware import runners
from rltools_embed.firmware.board import Board, Fpu, Runner, cores
from rltools_embed.firmware.board.table import Table

cores.register(cores.cortex_m("cortex-m35p", Fpu.NONE, Fpu.FPV5_SP, with_fpu="CortexM33"))


@dataclass(frozen=True, kw_only=True)
class Piped:
    """QEMU behind relay.py.

    Attributes:
        machine: QEMU's name of the machine.
        threads: `single` or `multi`, as QEMU's accelerator runs cores.
    """

    machine: str
    threads: str

    kind: ClassVar[str] = "piped"
    foreign_keys: ClassVar[tuple[str, ...]] = ()
    has_framework: ClassVar[bool] = False
    is_process: ClassVar[bool] = True
    software: ClassVar[str] = "bare metal"
    vendor: ClassVar[str] = "emulated"

    @classmethod
    def read(cls, table: Table) -> Runner:
        return cls(
            machine=table.text("machine", "[a-z0-9-]+", "a machine of QEMU"),
            threads=table.text("threads", "single|multi", "single or multi"),
        )

    def check(self, board: Board, source: str) -> None:
        pass

    def programs(self, board: Board) -> tuple[cores.Program, ...]:
        return (cores.QEMU_ARM,)

    def command(self, board: Board) -> tuple[str, ...]:
        relay = ("{python}", "{platform}/relay.py", "{port}")
        machine = ("qemu-system-arm", "-M", self.machine, "-accel", f"tcg,thread={self.threads}", "-kernel", "{elf}")
        return (*relay, *machine, "-display", "none", "-monitor", "none", "-serial", "stdio")

    def files(self, board: Board) -> Mapping[str, bytes]:
        return {"relay.py": Path(__file__).with_name("relay.py").read_bytes()}

    def cost(self, board: Board, *, ticks: float, seconds: float) -> tuple[float, str]:
        return ticks, "ticks"


runners.register(Piped)
