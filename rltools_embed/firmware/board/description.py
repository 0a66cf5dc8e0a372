"""A board as frozen data: what it is, and the words that a board file may use for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar, Protocol

from rltools_embed.errors import BoardError
from rltools_embed.firmware.board import ports
from rltools_embed.firmware.board.cores import Architecture, Core, Fpu, Program
from rltools_embed.firmware.board.ports import Port
from rltools_embed.firmware.board.registry import Registry
from rltools_embed.firmware.board.table import Table
from rltools_embed.policy.arithmetic import Arithmetic


class UartDriver(Enum):
    """The register set of the serial port: templates/ports/bare_metal/uart_<driver>.h."""

    CMSDK = "cmsdk"
    NRF51 = "nrf51"
    NS16550 = "ns16550"
    NS16550_WORDS = "ns16550_words"
    PL011 = "pl011"
    RP2040 = "rp2040"
    STM32 = "stm32"
    STM32_L4 = "stm32_l4"


class Framework(Enum):
    """The vendor's software below the firmware of a hardware board; each has its port."""

    ARDUINO = "arduino"
    ESPIDF = "espidf"

    @property
    def port(self) -> Port:
        """The port that runs on it."""
        return ports.ARDUINO if self is Framework.ARDUINO else ports.ESPIDF


class SerialKind(Enum):
    """What a hardware board's serial port is: a chip between USB and UART, or the microcontroller's own USB."""

    BRIDGE = "bridge"
    USB = "usb"


@dataclass(frozen=True, kw_only=True)
class PlatformIO:
    """Where PlatformIO takes the toolchain from.

    Attributes:
        platform: a development platform, `rlt_emulated` (ours, copied along) or a pinned one (`ststm32@19.6.0`, or the
            address of a Git repository with `#` and a commit).
        board: what the platform calls the board; None for an emulated board, which has the name of its file.
        frameworks: what the firmware can be built on, the default first; empty for emulated boards.
        flags: compiler flags of this board beyond the project's common ones; the framework gets them too.
        packages: packages in place of the platform's own, such as a newer compiler (platform_packages).
    """

    platform: str
    flags: tuple[str, ...]
    board: str | None = None
    frameworks: tuple[Framework, ...] = ()
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Where flash and RAM begin in the address space."""

    flash_origin: int
    ram_origin: int


@dataclass(frozen=True, kw_only=True)
class Uart:
    """The serial port that carries the link: its driver, the address of its registers, its receive interrupt."""

    driver: UartDriver
    base: int
    irq: int


@dataclass(frozen=True, kw_only=True)
class Serial:
    """How the link's bytes travel. All but `baud` are for hardware boards.

    Attributes:
        baud: bits per second; a native USB port has its own speed and ignores it.
        kind: `bridge` a USB-to-UART chip, `usb` the microcontroller's own USB, which vanishes while it resets.
        usb_ids: vendor and product (`10c4:ea60`) of the port, those of the bridge or of the running firmware; the port
            is found by them. Empty where anybody's adapter may be wired to the board: then --port names it.
        opening_resets: opening the port starts the firmware anew.
        object: Arduino's name of the port.
    """

    baud: int
    kind: SerialKind | None = None
    usb_ids: tuple[str, ...] = ()
    opening_resets: bool | None = None
    object: str | None = None


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where the policy's inner loop and its numbers are, instead of in flash.

    Attributes:
        code: the section that the framework's linker script loads into fast memory for instructions: `.iram1.policy`
            on an ESP32, `.time_critical.policy` on an RP2040, `.RamFunc` on an STM32. None: in flash.
        weights: such a section for data: `.dram1.policy` on an ESP32; `.data` is RAM everywhere. None: in flash.
        weights_origin, weights_bytes: instead of a section, a memory that the framework leaves alone (the CCM of an
            STM32F4, the DTCM of an STM32H7): the firmware copies the numbers there when it starts.
    """

    code: str | None = None
    weights: str | None = None
    weights_origin: int | None = None
    weights_bytes: int | None = None


class RunnerKind:
    """What board files call the runners that come with the package."""

    HOST = "host"
    QEMU = "qemu"
    RP2040JS = "rp2040js"
    HARDWARE = "hardware"


class Runner(Protocol):
    """What runs the firmware: `kind` and the other keys of a board file's table [runner].

    A frozen dataclass implements it; its fields are those other keys. `firmware.runners` has those that come with
    the package, and how to add one.

    Attributes:
        kind: its name in a board file.
        foreign_keys: the keys of a board file that mean nothing for it: no board of it has them, and all others of
            flash_bytes, ram_bytes, stack_bytes, memory, uart and port are required.
        has_framework: whether the firmware is built by a vendor's PlatformIO platform on its framework, for a board
            that PlatformIO knows; otherwise by ours, with the tools of this computer.
        is_process: whether it is a process of this computer, which an upload starts on a TCP port of our choice and
            which is switched off at the end; otherwise it has a port of its own.
        software: what its firmware is built on where that is no framework, for people.
        vendor: who makes its boards, for PlatformIO's lists.
    """

    kind: ClassVar[str]
    foreign_keys: ClassVar[tuple[str, ...]]
    has_framework: ClassVar[bool]
    is_process: ClassVar[bool]
    software: ClassVar[str]
    vendor: ClassVar[str]

    @classmethod
    def read(cls, table: Table) -> Runner:
        """The runner that the table [runner] describes; `kind` is checked already.

        Raises:
            BoardError: a key is missing or has a wrong value.
        """

    def check(self, board: Board, source: str) -> None:
        """Refuse a board that this cannot run.

        Args:
            source: what to call the board's file in messages.

        Raises:
            BoardError: naming what contradicts each other.
        """

    def programs(self, board: Board) -> tuple[Program, ...]:
        """What putting firmware on this board takes, beyond building it."""

    def command(self, board: Board) -> tuple[str, ...]:
        """The words that start the board's process; empty where there is none.

        `{elf}` stands for the firmware, `{port}` for the number of the TCP port of 127.0.0.1 that the process serves,
        `{platform}` for the folder of our PlatformIO platform in the project, `{python}` for PlatformIO's Python.
        """

    def files(self, board: Board) -> Mapping[str, bytes]:
        """What the command needs besides installed programs, by its path below `{platform}`."""

    def cost(self, board: Board, *, ticks: float, seconds: float) -> tuple[float, str]:
        """What an evaluation costs, and the unit of that.

        Args:
            ticks: of the port's counter, per evaluation.
            seconds: the same at the rate that the firmware reports.
        """


RUNNERS: Registry[type[Runner]] = Registry()


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board, as one TOML file in boards/ (or anywhere) describes it.

    Attributes:
        name: the file's name without `.toml`; the name of the PlatformIO environment.
        title: one line for people.
        mcu: the chip.
        core: the instruction set.
        fpu: the floating-point unit.
        clock_hz: how fast the port's cycle counter counts.
        flash_bytes, ram_bytes: what the board offers to a program; None for the host, which has no such limits.
        stack_bytes: the part of RAM kept for the stack, a multiple of 8; None for the host and for hardware boards,
            where the framework keeps it.
        arithmetic: how a multiplication and an addition are rounded (see docs/architecture.md).
        port: the C++ port that is copied into the project; not a key of a hardware board, whose framework has its own.
        platformio: development platform, framework and flags ([platformio]).
        memory: where flash and RAM begin ([memory]); emulated boards only.
        uart: the serial port ([uart]); emulated boards only.
        serial: the link's speed, and how to find a hardware board's port ([serial]).
        placement: what stands in faster memory than flash ([placement]); None: nothing.
        runner: what runs the firmware ([runner]).
    """

    name: str
    title: str
    mcu: str
    core: Core
    fpu: Fpu
    clock_hz: int
    flash_bytes: int | None
    ram_bytes: int | None
    stack_bytes: int | None
    arithmetic: Arithmetic
    port: Port
    platformio: PlatformIO
    memory: Memory | None
    uart: Uart | None
    serial: Serial
    runner: Runner
    placement: Placement | None = None

    @property
    def framework(self) -> Framework | None:
        """What the firmware is built on; None for emulated boards."""
        return self.platformio.frameworks[0] if self.platformio.frameworks else None

    @property
    def software(self) -> str:
        """What the firmware can be built on, for people."""
        return ", ".join(framework.value for framework in self.platformio.frameworks) or self.runner.software

    @property
    def core_mhz(self) -> float | None:
        """The core's clock; None for a program of this computer, whose port counts nanoseconds."""
        return None if self.core.architecture == Architecture.NATIVE else self.clock_hz / 1e6

    def on(self, framework: Framework) -> Board:
        """This board with the firmware built on that framework.

        Raises:
            BoardError: the board does not have it.
        """
        if framework not in self.platformio.frameworks:
            has = "" if self.platformio.frameworks else "none: its firmware is "
            raise BoardError(f"{self.name} has no framework {framework.value}", f"it has {has}{self.software}")
        chosen = replace(self.platformio, frameworks=(framework,))
        return replace(self, platformio=chosen, port=framework.port)

    @property
    def keeps_lines(self) -> bool:
        """Whether DTR and RTS must stay off: a USB-to-UART bridge pulls an ESP32's reset and IO0 with them."""
        return "espressif32" in self.platformio.platform and self.serial.kind is SerialKind.BRIDGE
