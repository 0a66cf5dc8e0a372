"""A board as frozen data: what it is, and the words that a board file may use for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from rltools_embed.errors import BoardError
from rltools_embed.policy.arithmetic import Arithmetic


class Architecture(Enum):
    """The family of a core, as the names of its cores begin."""

    NATIVE = "native"
    ARM = "cortex-"
    RISCV = "rv32"
    XTENSA = "xtensa-"


class Core(Enum):
    """The instruction set: GCC's -mcpu for Arm, its -march for RISC-V, `xtensa-` and the core's name for Xtensa."""

    NATIVE = "native"
    CORTEX_M0 = "cortex-m0"
    CORTEX_M0PLUS = "cortex-m0plus"
    CORTEX_M3 = "cortex-m3"
    CORTEX_M4 = "cortex-m4"
    CORTEX_M7 = "cortex-m7"
    CORTEX_M33 = "cortex-m33"
    CORTEX_M55 = "cortex-m55"
    RV32IMC = "rv32imc"  # ESP32-C3
    RV32IMAC = "rv32imac"  # ESP32-C6
    XTENSA_LX6 = "xtensa-lx6"  # ESP32
    XTENSA_LX7 = "xtensa-lx7"  # ESP32-S2, ESP32-S3
    XTENSA_DC233C = "xtensa-dc233c"  # QEMU's, without an FPU
    XTENSA_DE233_FPU = "xtensa-de233_fpu"  # QEMU's nearest to the ESP32

    @property
    def architecture(self) -> Architecture:
        return next(family for family in Architecture if self.value.startswith(family.value))


class Fpu(Enum):
    """The floating-point unit: GCC's -mfpu on an Arm core."""

    NATIVE = "native"
    NONE = "none"
    FPV4_SP = "fpv4-sp-d16"
    FPV5_SP = "fpv5-sp-d16"
    FPV5 = "fpv5-d16"
    XTENSA_SP = "xtensa-sp"  # single precision, as every ESP32 has that has one


FPUS_OF_CORE: Mapping[Core, tuple[Fpu, ...]] = {
    Core.NATIVE: (Fpu.NATIVE,),
    Core.CORTEX_M0: (Fpu.NONE,),
    Core.CORTEX_M0PLUS: (Fpu.NONE,),
    Core.CORTEX_M3: (Fpu.NONE,),
    Core.CORTEX_M4: (Fpu.NONE, Fpu.FPV4_SP),
    Core.CORTEX_M7: (Fpu.NONE, Fpu.FPV5_SP, Fpu.FPV5),
    Core.CORTEX_M33: (Fpu.NONE, Fpu.FPV5_SP),
    Core.CORTEX_M55: (Fpu.NONE, Fpu.FPV5_SP, Fpu.FPV5),
    Core.RV32IMC: (Fpu.NONE,),
    Core.RV32IMAC: (Fpu.NONE,),
    Core.XTENSA_LX6: (Fpu.XTENSA_SP,),
    Core.XTENSA_LX7: (Fpu.NONE, Fpu.XTENSA_SP),
    Core.XTENSA_DC233C: (Fpu.NONE,),
    Core.XTENSA_DE233_FPU: (Fpu.XTENSA_SP,),
}


class Port(Enum):
    """The folder of templates/ports/ that is copied into the project."""

    HOST = "host"
    CORTEX_M = "cortex_m"
    ARDUINO = "arduino"
    ESPIDF = "espidf"
    RISCV_VIRT = "riscv_virt"
    XTENSA_LX60 = "xtensa_lx60"


ARCHITECTURE_OF_PORT: Mapping[Port, Architecture] = {
    Port.HOST: Architecture.NATIVE,
    Port.CORTEX_M: Architecture.ARM,
    Port.RISCV_VIRT: Architecture.RISCV,
    Port.XTENSA_LX60: Architecture.XTENSA,
}


class UartDriver(Enum):
    """The register set of the serial port: templates/ports/bare_metal/uart_<driver>.h."""

    CMSDK = "cmsdk"
    NRF51 = "nrf51"
    NS16550 = "ns16550"
    NS16550_WORDS = "ns16550_words"
    PL011 = "pl011"
    STM32 = "stm32"


class Framework(Enum):
    """The vendor's software below the firmware of a hardware board; each has its port."""

    ARDUINO = "arduino"
    ESPIDF = "espidf"

    @property
    def port(self) -> Port:
        return Port(self.value)


class SerialKind(Enum):
    """What a hardware board's serial port is: a chip between USB and UART, or the microcontroller's own USB."""

    BRIDGE = "bridge"
    USB = "usb"


class RunnerKind(Enum):
    """What runs the firmware."""

    HOST = "host"
    QEMU = "qemu"
    HARDWARE = "hardware"


@dataclass(frozen=True, kw_only=True)
class PlatformIO:
    """Where PlatformIO takes the toolchain from.

    Attributes:
        platform: a development platform, `rlt_emulated` (ours, copied along) or a pinned one (`ststm32@19.6.0`, or the
            address of a Git repository with `#` and a commit).
        board: what the platform calls the board; None for an emulated board, which has the name of its file.
        frameworks: what the firmware can be built on, the default first; empty for emulated boards.
        flags: compiler flags of this board beyond the project's common ones.
    """

    platform: str
    flags: tuple[str, ...]
    board: str | None = None
    frameworks: tuple[Framework, ...] = ()


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


@dataclass(frozen=True, kw_only=True)
class Runner:
    """What runs the firmware.

    Attributes:
        kind: `host` a process of this computer, `qemu` an emulated machine, `hardware` a board.
        machine: QEMU's name of the machine (`qemu-system-arm -M help`); None for the other kinds.
        cpu: QEMU's name of the core (`-cpu help`); None for the one that the machine always has.
        icount_shift: one instruction takes 2**icount_shift nanoseconds of the machine's time; None for the other kinds.
    """

    kind: RunnerKind
    machine: str | None = None
    cpu: str | None = None
    icount_shift: int | None = None


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
        without = "a process" if self.runner.kind is RunnerKind.HOST else "bare metal"
        return ", ".join(framework.value for framework in self.platformio.frameworks) or without

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

    def instructions(self, ticks: float) -> float | None:
        """How many instructions `ticks` of the cycle counter were; None where they cannot be counted.

        Only QEMU counts instructions. They are not cycles: no wait states, no dual issue.
        """
        if self.runner.icount_shift is None:
            return None
        return ticks * 1e9 / self.clock_hz / (1 << self.runner.icount_shift)
