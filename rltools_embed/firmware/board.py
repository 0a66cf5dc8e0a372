"""Boards as data: one TOML file each, every key known, every value checked before anything is built."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

from rltools_embed import resources
from rltools_embed.errors import BoardError
from rltools_embed.firmware._table import Table
from rltools_embed.policy.model import Arithmetic

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ADDRESS_SPACE_BYTES = 1 << 32
NAME_PATTERN = r"[a-z][a-z0-9_]{0,39}"
# As PlatformIO names environments, so that a board may have the name that it has there.
BOARD_NAME_PATTERN = r"[A-Za-z][A-Za-z0-9_-]{0,39}"
# Titles are printed in Markdown, C++ comments and JSON: no quotes, braces, backslashes or line ends.
_TITLE_PATTERN = r"[A-Za-z0-9][A-Za-z0-9 .,;()+/_-]{0,79}"
_WORD_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_PLATFORM_PATTERN = (
    r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}(@[0-9^~<>=.,]+)?"
    r"|https://[A-Za-z0-9][A-Za-z0-9./_-]{0,119}\.(git#[A-Za-z0-9._-]{1,64}|zip)"
)
_PINNED_PATTERN = r".*@\d+\.\d+\.\d+|https://.*"
_USB_ID_PATTERN = r"[0-9a-f]{4}:[0-9a-f]{4}"
_SECTION_PATTERN = r"\.[A-Za-z][A-Za-z0-9_.]{0,39}"
_FLAG_PATTERN = r"-[A-Za-z][A-Za-z0-9_=+.,-]{0,79}"


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

    def on(self, framework: Framework) -> Board:
        """This board with the firmware built on that framework.

        Raises:
            BoardError: the board does not have it.
        """
        if framework not in self.platformio.frameworks:
            has = ", ".join(each.value for each in self.platformio.frameworks) or "none: its firmware is bare metal"
            raise BoardError(f"{self.name} has no framework {framework.value}", f"it has {has}")
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


def names() -> tuple[str, ...]:
    """Every board that comes with the package."""
    return tuple(sorted(path.stem for path in resources.boards_dir().glob("*.toml")))


def load(name_or_path: str) -> Board:
    """The board of that name, or the one that a file describes (anything with a slash or ending in `.toml`).

    Raises:
        BoardError: unknown board, or the file cannot be used: it names the file and the key.
    """
    if name_or_path.endswith(".toml") or "/" in name_or_path or "\\" in name_or_path:
        return _load_file(Path(name_or_path), name_or_path)
    if name_or_path not in names():
        raise BoardError(f"there is no board {name_or_path!r}", _near_boards(name_or_path))
    return _load_file(resources.boards_dir() / f"{name_or_path}.toml", f"{name_or_path}.toml")


def _near_boards(word: str) -> str:
    near = difflib.get_close_matches(word, names(), n=3)
    guess = f"did you mean {' or '.join(near)}? " if near else ""
    return f"{guess}`rlt-embed boards` lists them all"


def _load_file(path: Path, source: str) -> Board:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BoardError(f"cannot read the board file {source}: {error.strerror}", _near_boards(path.stem)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BoardError(
            f"{source} is not TOML: {error}", "start from a copy of one of the files in boards/"
        ) from error
    return from_table(path.stem, table, source)


def _keys(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name != "name")


def from_table(name: str, values: Mapping[str, Any], source: str) -> Board:
    """The board that `values` (a parsed TOML file) describes; the inverse of `to_table`.

    Args:
        source: what to call the file in messages.

    Raises:
        BoardError: an unknown, missing or wrong key, or values that contradict each other.
    """
    table = Table(source=source, prefix="", keys=_keys(Board), values=values)
    _check_name(name, source)
    runner = _runner(table.table("runner", _keys(Runner)))
    _refuse_foreign_keys(table, runner.kind)
    bare = runner.kind is RunnerKind.QEMU
    hardware = runner.kind is RunnerKind.HARDWARE
    platformio = _platformio(table.table("platformio", _keys(PlatformIO)), hardware=hardware)
    limited = bare or hardware
    board = Board(
        name=name,
        title=table.text("title", _TITLE_PATTERN, "one line of letters, digits, spaces and .,;()+/_-"),
        mcu=table.text("mcu", _WORD_PATTERN, "the chip's name: letters, digits, . _ -"),
        core=table.choice("core", Core),
        fpu=table.choice("fpu", Fpu),
        clock_hz=table.integer("clock_hz", 1_000_000 if hardware else 1_000, 4_000_000_000, "hertz"),
        flash_bytes=table.integer("flash_bytes", 1024, ADDRESS_SPACE_BYTES, "bytes") if limited else None,
        ram_bytes=table.integer("ram_bytes", 1024, ADDRESS_SPACE_BYTES, "bytes") if limited else None,
        stack_bytes=table.integer("stack_bytes", 256, ADDRESS_SPACE_BYTES, "bytes") if bare else None,
        arithmetic=table.choice("arithmetic", Arithmetic),
        port=platformio.frameworks[0].port if hardware else table.choice("port", Port),
        platformio=platformio,
        memory=_memory(table.table("memory", _keys(Memory))) if bare else None,
        uart=_uart(table.table("uart", _keys(Uart))) if bare else None,
        serial=_serial(table.table("serial", _keys(Serial)), hardware=hardware),
        runner=runner,
        placement=_placement(table.table("placement", _keys(Placement))) if table.has("placement") else None,
    )
    _check_core(board, source)
    _check_memory(board, source)
    _check_icount(board, source)
    return board


def to_table(board: Board) -> dict[str, Any]:
    """The board as `from_table` reads it: plain values, absent ones left out."""

    def plain(value: Any) -> Any:
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        if hasattr(value, "__dataclass_fields__"):
            items = {field.name: getattr(value, field.name) for field in fields(value) if field.name != "name"}
            return {key: plain(item) for key, item in items.items() if item is not None and item != ()}
        return value

    table: dict[str, Any] = plain(board)
    if board.runner.kind is RunnerKind.HARDWARE:
        del table["port"]
    return table


def _check_name(name: str, source: str) -> None:
    if not re.fullmatch(BOARD_NAME_PATTERN, name):
        raise BoardError(
            f"{source}: a board cannot be called {name!r}", "a letter, then letters, digits, _ and -, at most 40"
        )
    if name in ("default", "env", "platformio"):
        raise BoardError(f"{source}: a board cannot be called {name}", "PlatformIO uses this word; rename the file")


_FOREIGN_KEYS: Mapping[RunnerKind, tuple[str, ...]] = {
    RunnerKind.HOST: ("flash_bytes", "ram_bytes", "stack_bytes", "memory", "uart", "placement"),
    RunnerKind.QEMU: (),
    RunnerKind.HARDWARE: ("stack_bytes", "memory", "uart", "port"),
}


def _refuse_foreign_keys(table: Table, kind: RunnerKind) -> None:
    """Keys that would be read for another kind of board and do nothing for this one."""
    for key in _FOREIGN_KEYS[kind]:
        if table.has(key):
            raise BoardError(f"{table.source}: {key} means nothing where runner.kind is {kind.value}", f"remove {key}")
    if kind is RunnerKind.HARDWARE and not table.has("serial"):
        raise BoardError(
            f"{table.source}: serial is missing: without a serial port nobody can ask the board anything",
            "a table [serial] with baud, kind, usb_ids and opening_resets",
        )


def _platformio(table: Table, *, hardware: bool) -> PlatformIO:
    platform = table.text(
        "platform", _PLATFORM_PATTERN, "a PlatformIO platform, such as rlt_emulated or ststm32@19.6.0"
    )
    flags = table.texts("flags", _FLAG_PATTERN, "one compiler flag without spaces or quotes")
    if not hardware:
        _refuse(table, ("board", "frameworks"), "runner.kind is not hardware")
        return PlatformIO(platform=platform, flags=flags)
    if not re.fullmatch(_PINNED_PATTERN, platform):
        raise BoardError(
            f"{table.source}: platformio.platform = {platform!r} names no version",
            f"pin one, such as {platform.partition('@')[0]}@1.2.3: another version may build something else",
        )
    frameworks = table.choices("frameworks", Framework)
    is_espressif = "espressif32" in platform
    if Framework.ESPIDF in frameworks and not is_espressif:
        raise BoardError(
            f"{table.source}: platformio.frameworks has espidf, which {platform} has not",
            "espidf is for the platform espressif32; others have arduino",
        )
    name = table.text("board", _WORD_PATTERN, "what the platform calls the board (`pio boards`)")
    return PlatformIO(platform=platform, flags=flags, board=name, frameworks=frameworks)


def _refuse(table: Table, keys: tuple[str, ...], where: str) -> None:
    for key in keys:
        if table.has(key):
            raise BoardError(f"{table.source}: {table.prefix}{key} means nothing where {where}", f"remove {key}")


def _memory(table: Table) -> Memory:
    most = ADDRESS_SPACE_BYTES - 1
    return Memory(
        flash_origin=table.integer("flash_origin", 0, most, "bytes (an address)"),
        ram_origin=table.integer("ram_origin", 0, most, "bytes (an address)"),
    )


def _uart(table: Table) -> Uart:
    return Uart(
        driver=table.choice("driver", UartDriver),
        base=table.integer("base", 0, ADDRESS_SPACE_BYTES - 1, "bytes (an address)"),
        irq=table.integer("irq", 0, 239, "the vector table (an interrupt's number)"),
    )


def _serial(table: Table, *, hardware: bool) -> Serial:
    baud = table.integer("baud", 1_200, 12_000_000, "bits per second")
    if not hardware:
        _refuse(table, tuple(key for key in _keys(Serial) if key != "baud"), "runner.kind is not hardware")
        return Serial(baud=baud)
    return Serial(
        baud=baud,
        kind=table.choice("kind", SerialKind),
        usb_ids=table.texts("usb_ids", _USB_ID_PATTERN, "vendor and product, four hexadecimal digits each: 10c4:ea60"),
        opening_resets=table.boolean("opening_resets"),
        object=table.text("object", r"[A-Za-z][A-Za-z0-9]{0,31}", "Arduino's name of the port, such as SerialUSB")
        if table.has("object")
        else None,
    )


def _placement(table: Table) -> Placement:
    meaning = "a section of the linker script, such as .iram1.policy"
    most = ADDRESS_SPACE_BYTES - 1
    found = Placement(
        code=table.text("code", _SECTION_PATTERN, meaning) if table.has("code") else None,
        weights=table.text("weights", _SECTION_PATTERN, meaning) if table.has("weights") else None,
        weights_origin=table.integer("weights_origin", 0, most, "bytes (an address)")
        if table.has("weights_origin")
        else None,
        weights_bytes=table.integer("weights_bytes", 4, most, "bytes") if table.has("weights_bytes") else None,
    )
    if (found.weights_origin is None) != (found.weights_bytes is None):
        raise BoardError(
            f"{table.source}: placement.weights_origin and placement.weights_bytes belong together",
            "give the memory's address and its size",
        )
    if found.weights is not None and found.weights_origin is not None:
        raise BoardError(
            f"{table.source}: placement has both a section and an address for the weights", "remove one of them"
        )
    origin, size = found.weights_origin or 0, found.weights_bytes or 0
    if origin % 16 != 0 or origin + size > ADDRESS_SPACE_BYTES:
        raise BoardError(
            f"{table.source}: placement.weights_origin = {origin:#x} with {size} B cannot be used",
            "an address that 16 divides, and a memory that ends within 4 GiB",
        )
    return found


def _runner(table: Table) -> Runner:
    kind = table.choice("kind", RunnerKind)
    if kind is RunnerKind.QEMU:
        return Runner(
            kind=kind,
            machine=table.text("machine", _WORD_PATTERN, "a machine that QEMU's `-M help` lists"),
            cpu=table.text("cpu", _WORD_PATTERN, "a core that QEMU's `-cpu help` lists") if table.has("cpu") else None,
            icount_shift=table.integer("icount_shift", 0, 10, "powers of two"),
        )
    for key in ("machine", "cpu", "icount_shift"):
        if table.has(key):
            raise BoardError(
                f"{table.source}: runner.{key} means nothing where runner.kind is {kind.value}", f"remove {key}"
            )
    return Runner(kind=kind)


def _check_core(board: Board, source: str) -> None:
    allowed = FPUS_OF_CORE[board.core]
    if board.fpu not in allowed:
        raise BoardError(
            f"{source}: a {board.core.value} core has no {board.fpu.value} unit",
            f"fpu is one of {', '.join(fpu.value for fpu in allowed)}",
        )
    if board.arithmetic is Arithmetic.FUSED and board.fpu is Fpu.NONE:
        raise BoardError(
            f"{source}: arithmetic = fused is for cores with a fused multiply-add, and fpu is none",
            'arithmetic = "separate" takes a third fewer instructions there',
        )
    if (board.port is Port.HOST) != (board.runner.kind is RunnerKind.HOST) or (board.port is Port.HOST) != (
        board.core is Core.NATIVE
    ):
        raise BoardError(
            f"{source}: port {board.port.value}, core {board.core.value} and runner.kind {board.runner.kind.value} "
            "contradict each other",
            "host, native and host belong together",
        )
    if board.runner.kind is RunnerKind.QEMU and board.port in (Port.ARDUINO, Port.ESPIDF):
        raise BoardError(
            f"{source}: port {board.port.value} needs a vendor's framework, and runner.kind is qemu",
            "an emulated machine runs a bare-metal port",
        )
    if board.runner.kind is not RunnerKind.HARDWARE and ARCHITECTURE_OF_PORT[board.port] is not board.core.architecture:
        raise BoardError(
            f"{source}: port {board.port.value} is not for a {board.core.value} core",
            "a bare board's port has its core's start-up code",
        )


def _check_memory(board: Board, source: str) -> None:
    if board.memory is None or board.flash_bytes is None or board.ram_bytes is None or board.stack_bytes is None:
        return
    regions = (
        ("flash", board.memory.flash_origin, board.flash_bytes),
        ("ram", board.memory.ram_origin, board.ram_bytes),
    )
    for region, origin, size in regions:
        if origin + size > ADDRESS_SPACE_BYTES:
            raise BoardError(
                f"{source}: {region} from {origin:#x} with {size} B ends beyond 4 GiB", f"check {region}_bytes"
            )
        if origin % 1024 != 0:
            # The vector table stands first in flash; the largest one must begin at a multiple of 1024.
            raise BoardError(
                f"{source}: memory.{region}_origin {origin:#x} is not a multiple of 1024", "check the address"
            )
    (_, flash, flash_bytes), (_, ram, ram_bytes) = regions
    if flash < ram + ram_bytes and ram < flash + flash_bytes:
        raise BoardError(
            f"{source}: flash {flash:#x}..{flash + flash_bytes:#x} and RAM {ram:#x}..{ram + ram_bytes:#x} overlap",
            "check the [memory] origins and the sizes",
        )
    if board.stack_bytes >= board.ram_bytes or board.stack_bytes % 8 != 0:
        raise BoardError(
            f"{source}: stack_bytes = {board.stack_bytes} cannot be used with ram_bytes = {board.ram_bytes}",
            "it is a multiple of 8 and smaller than the RAM",
        )


def _check_icount(board: Board, source: str) -> None:
    shift = board.runner.icount_shift
    # An instruction must take at least two ticks of the counter, or the count cannot be exact.
    if shift is not None and (1 << shift) * board.clock_hz < 2 * 10**9:
        raise BoardError(
            f"{source}: runner.icount_shift = {shift} makes an instruction shorter than two ticks of the clock",
            "a larger icount_shift (8 at 25 MHz, 6 at 168 MHz) counts instructions exactly",
        )
