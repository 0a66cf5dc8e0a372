"""What runs firmware: a process of this computer, an emulator, or hardware. One object each; nobody asks which it is.

To add a runner, write a frozen dataclass with the members of `firmware.board.Runner`, or derive one from a runner here,
and register it. In a package of one's own (`firmware.board.registry` has its entry point):

    @dataclass(frozen=True, kw_only=True)
    class Valgrind(runners.Host):
        kind: ClassVar[str] = "valgrind"

        def command(self, board: Board) -> tuple[str, ...]:
            return ("valgrind", *super().command(board))

    runners.register(Valgrind)

A board file with `kind = "valgrind"` in its table [runner] then chooses it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from rltools_embed import resources
from rltools_embed.errors import BoardError
from rltools_embed.firmware.board import Board, Runner, cores, ports
from rltools_embed.firmware.board.checking import WORD_PATTERN
from rltools_embed.firmware.board.cores import Program
from rltools_embed.firmware.board.description import RUNNERS, Memory, RunnerKind, Uart, UartDriver
from rltools_embed.firmware.board.table import Table

_MICROSECONDS_HZ = 1_000_000


def register(runner: type[Runner]) -> None:
    """Make a kind of runner known: board files may name it.

    Raises:
        ValueError: the name belongs to another runner.
    """
    RUNNERS.add(runner.kind, runner)


def contradiction(board: Board, source: str) -> BoardError:
    """Port, core and runner of a board that cannot all be right."""
    return BoardError(
        f"{source}: port {board.port.name}, core {board.core.name} and runner.kind {board.runner.kind} "
        "contradict each other",
        "host, native and host belong together",
    )


def check_bare_port(board: Board, source: str) -> None:
    """An emulated machine needs a port with start-up code for the board's core.

    Raises:
        BoardError: the port has none.
    """
    if board.port is ports.HOST or board.core is cores.NATIVE:
        raise contradiction(board, source)
    if board.port.architecture is None:
        raise BoardError(
            f"{source}: port {board.port.name} needs a vendor's framework, and runner.kind is {board.runner.kind}",
            "an emulated machine runs a bare-metal port",
        )
    if board.port.architecture != board.core.architecture:
        raise BoardError(
            f"{source}: port {board.port.name} is not for a {board.core.name} core",
            "a bare board's port has its core's start-up code",
        )


@dataclass(frozen=True, kw_only=True)
class Host:
    """The firmware as a process of this computer, which serves a TCP port in place of a serial one."""

    kind: ClassVar[str] = RunnerKind.HOST
    foreign_keys: ClassVar[tuple[str, ...]] = (
        *("flash_bytes", "ram_bytes", "stack_bytes", "memory", "uart"),
        "placement",
    )
    has_framework: ClassVar[bool] = False
    is_process: ClassVar[bool] = True
    software: ClassVar[str] = "a process"
    vendor: ClassVar[str] = "this computer"

    @classmethod
    def read(cls, table: Table) -> Runner:
        """It has no keys of its own."""
        return cls()

    def check(self, board: Board, source: str) -> None:
        """Port and core are this computer's."""
        if board.port is not ports.HOST or board.core is not cores.NATIVE:
            raise contradiction(board, source)

    def programs(self, board: Board) -> tuple[Program, ...]:
        """Nothing."""
        return ()

    def command(self, board: Board) -> tuple[str, ...]:
        """The program, and its TCP port."""
        return ("{elf}", "{port}")

    def files(self, board: Board) -> Mapping[str, bytes]:
        """Nothing."""
        return {}

    def cost(self, board: Board, *, ticks: float, seconds: float) -> tuple[float, str]:
        """Nanoseconds."""
        return seconds * 1e9, "ns"


@dataclass(frozen=True, kw_only=True)
class Qemu:
    """A machine that QEMU emulates; its serial port is a TCP port.

    Attributes:
        machine: QEMU's name of the machine (`qemu-system-arm -M help`).
        cpu: QEMU's name of the core (`-cpu help`); None for the one that the machine always has.
        icount_shift: one instruction takes 2**icount_shift nanoseconds of the machine's time.
        serial_port: which of the machine's serial ports is the link's; 0 is the first.
        least_version: QEMU's oldest major version that has the machine; None where any serves.
    """

    machine: str
    cpu: str | None = None
    icount_shift: int
    serial_port: int = 0
    least_version: int | None = None

    kind: ClassVar[str] = RunnerKind.QEMU
    foreign_keys: ClassVar[tuple[str, ...]] = ()
    has_framework: ClassVar[bool] = False
    is_process: ClassVar[bool] = True
    software: ClassVar[str] = "bare metal"
    vendor: ClassVar[str] = "emulated"

    @classmethod
    def read(cls, table: Table) -> Runner:
        """The machine, its core, and how time passes."""
        return cls(
            machine=table.text("machine", WORD_PATTERN, "a machine that QEMU's `-M help` lists"),
            cpu=table.text("cpu", WORD_PATTERN, "a core that QEMU's `-cpu help` lists") if table.has("cpu") else None,
            icount_shift=table.integer("icount_shift", 0, 10, "powers of two"),
            serial_port=table.integer("serial_port", 0, 7, "serial ports") if table.has("serial_port") else 0,
            least_version=(
                table.integer("least_version", 7, 99, "major versions") if table.has("least_version") else None
            ),
        )

    def check(self, board: Board, source: str) -> None:
        """The port has start-up code for the core, and instructions can be counted by the port's clock."""
        check_bare_port(board, source)
        if board.core.emulator is None:
            raise BoardError(
                f"{source}: nothing emulates a {board.core.name} core", "the core's row names its emulator"
            )
        # An instruction must take at least two ticks of the counter, or the count cannot be exact.
        if (1 << self.icount_shift) * board.clock_hz < 2 * 10**9:
            raise BoardError(
                f"{source}: runner.icount_shift = {self.icount_shift} makes an instruction shorter than two ticks of "
                "the clock",
                "a larger icount_shift (8 at 25 MHz, 6 at 168 MHz) counts instructions exactly",
            )

    def programs(self, board: Board) -> tuple[Program, ...]:
        """The program of QEMU that has machines with the board's core.

        Where a version is needed, one that has it in its name goes first: it may stand beside an older one.
        """
        program = board.core.emulator
        if program is None:
            return ()
        if self.least_version is None:
            return (program,)
        version = self.least_version
        debian = f"{program.debian}, version {version}, which Debian 12 has in its backports"
        versioned = f"{program.name}-{version}"
        return (replace(program, name=versioned, others=(program.name,), minimum=f"{version}.0", debian=debian),)

    def machine_command(self, board: Board) -> tuple[str, ...]:
        """QEMU, the machine and the firmware, without the serial port."""
        return (
            *("|".join((program.name, *program.others)) for program in self.programs(board)),
            *("-M", self.machine),
            *(() if self.cpu is None else ("-cpu", self.cpu)),
            *board.core.emulator_flags,
            *("-kernel", "{elf}", "-display", "none", "-monitor", "none", "-icount", f"shift={self.icount_shift}"),
        )

    def command(self, board: Board) -> tuple[str, ...]:
        """The machine with its serial port as a TCP port."""
        others = ("-serial", "null") * self.serial_port
        # wait=on: the CPU starts when a client connects, so nothing the firmware says is lost.
        return (*self.machine_command(board), *others, "-serial", "tcp:127.0.0.1:{port},server=on,wait=on,nodelay=on")

    def files(self, board: Board) -> Mapping[str, bytes]:
        """Nothing."""
        return {}

    def cost(self, board: Board, *, ticks: float, seconds: float) -> tuple[float, str]:
        """Instructions. They are not cycles: no wait states, no dual issue."""
        return ticks * 1e9 / board.clock_hz / (1 << self.icount_shift), "instructions"


NODE = Program(name="node", title="Node.js", minimum="18.0", debian="nodejs npm", macos="brew install node")
RP2040JS = Program(
    name="rp2040js",
    title="rp2040js",
    minimum="1.4.1",
    command="npm install --ignore-scripts --prefix {folder}/rp2040js rp2040js@1.4.1",
    package_of=NODE,
)


@dataclass(frozen=True, kw_only=True)
class Rp2040js:
    """An RP2040 in rp2040js, a package of Node.js; its UART0 is a TCP port.

    The package has no boot ROM, so the chip starts at the vector table, which is the first of the firmware.
    """

    kind: ClassVar[str] = RunnerKind.RP2040JS
    foreign_keys: ClassVar[tuple[str, ...]] = ()
    has_framework: ClassVar[bool] = False
    is_process: ClassVar[bool] = True
    software: ClassVar[str] = "bare metal"
    vendor: ClassVar[str] = "emulated"
    script: ClassVar[str] = "rp2040js.mjs"

    @classmethod
    def read(cls, table: Table) -> Runner:
        """It has no keys of its own: there is one chip."""
        return cls()

    def check(self, board: Board, source: str) -> None:
        """The board is the chip that rp2040js has, with the one serial port that the script connects."""
        check_bare_port(board, source)
        facts = (
            ("core", board.core.name, cores.CORTEX_M0PLUS.name),
            ("clock_hz", board.clock_hz, 125_000_000),
            ("[memory]", board.memory, Memory(flash_origin=0x1000_0000, ram_origin=0x2000_0000)),
            ("[uart]", board.uart, Uart(driver=UartDriver.RP2040, base=0x4003_4000, irq=20)),
        )
        for key, found, wanted in facts:
            if found != wanted:
                raise BoardError(
                    f"{source}: {key} is not that of the RP2040 in rp2040js", "take it from boards/rp2040js_pico.toml"
                )
        for size_key, size_bytes, most in (
            ("flash_bytes", board.flash_bytes, 16 << 20),
            ("ram_bytes", board.ram_bytes, 264 << 10),
        ):
            if size_bytes is not None and size_bytes > most:
                raise BoardError(
                    f"{source}: {size_key} = {size_bytes}, and an RP2040 has at most {most}", f"correct {size_key}"
                )

    def programs(self, board: Board) -> tuple[Program, ...]:
        """The package, which the script itself looks for."""
        return (replace(RP2040JS, probe=(str(self._script()), "--version", sys.executable)),)

    def command(self, board: Board) -> tuple[str, ...]:
        """Node.js with the script; PlatformIO's Python tells in which environment the package may be."""
        return (NODE.name, f"{{platform}}/{self.script}", "{elf}", "{port}", "{python}")

    def files(self, board: Board) -> Mapping[str, bytes]:
        """The script."""
        return {self.script: self._script().read_bytes()}

    def cost(self, board: Board, *, ticks: float, seconds: float) -> tuple[float, str]:
        """Cycles by rp2040js's model of the core: flash answers at once, and an interrupt begins without a cost."""
        return ticks, "modelled cycles"

    def _script(self) -> Path:
        return resources.templates_dir() / "runners" / self.script


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A board on a cable, built by its vendor's PlatformIO platform."""

    kind: ClassVar[str] = RunnerKind.HARDWARE
    foreign_keys: ClassVar[tuple[str, ...]] = ("stack_bytes", "memory", "uart", "port")
    has_framework: ClassVar[bool] = True
    is_process: ClassVar[bool] = False
    software: ClassVar[str] = ""
    vendor: ClassVar[str] = ""

    @classmethod
    def read(cls, table: Table) -> Runner:
        """It has no keys of its own."""
        return cls()

    def check(self, board: Board, source: str) -> None:
        """The core is not this computer's."""
        if board.core is cores.NATIVE:
            raise contradiction(board, source)

    def programs(self, board: Board) -> tuple[Program, ...]:
        """Nothing: PlatformIO fetches the vendor's tools."""
        return ()

    def command(self, board: Board) -> tuple[str, ...]:
        """Nothing: the vendor's platform uploads."""
        return ()

    def files(self, board: Board) -> Mapping[str, bytes]:
        """Nothing."""
        return {}

    def cost(self, board: Board, *, ticks: float, seconds: float) -> tuple[float, str]:
        """Cycles; microseconds where the port counts those, for a core without a counter."""
        if seconds > 0 and round(ticks / seconds) == _MICROSECONDS_HZ:
            return seconds * 1e6, "us"
        return ticks, "cycles"


for _runner in (Host, Qemu, Rp2040js, Hardware):
    register(_runner)
