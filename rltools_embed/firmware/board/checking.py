"""From a parsed TOML file to a board and back: every key known, every value checked before anything is built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

from rltools_embed.errors import BoardError
from rltools_embed.firmware.board.cores import CORES, Core, Fpu
from rltools_embed.firmware.board.description import (
    RUNNERS,
    Board,
    Framework,
    Memory,
    Placement,
    PlatformIO,
    Runner,
    Serial,
    SerialKind,
    Uart,
    UartDriver,
)
from rltools_embed.firmware.board.ports import PORTS, Port
from rltools_embed.firmware.board.table import Table
from rltools_embed.policy.arithmetic import Arithmetic

ADDRESS_SPACE_BYTES = 1 << 32
NAME_PATTERN = r"[a-z][a-z0-9_]{0,39}"
# As PlatformIO names environments, so that a board may have the name that it has there.
BOARD_NAME_PATTERN = r"[A-Za-z][A-Za-z0-9_-]{0,39}"
# Titles are printed in Markdown, C++ comments and JSON: no quotes, braces, backslashes or line ends.
_TITLE_PATTERN = r"[A-Za-z0-9][A-Za-z0-9 .,;()+/_-]{0,79}"
WORD_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_PLATFORM_PATTERN = (
    r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}(@[0-9^~<>=.,]+)?"
    r"|https://[A-Za-z0-9][A-Za-z0-9./_-]{0,119}\.(git#[A-Za-z0-9._-]{1,64}|zip)"
)
_PACKAGE_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}/[A-Za-z0-9][A-Za-z0-9._-]{0,63}@[0-9^~<>=.,]{1,40}"
_PINNED_PATTERN = r".*@\d+\.\d+\.\d+|https://.*"
_USB_ID_PATTERN = r"[0-9a-f]{4}:[0-9a-f]{4}"
_SECTION_PATTERN = r"\.[A-Za-z][A-Za-z0-9_.]{0,39}"
_FLAG_PATTERN = r"-[A-Za-z][A-Za-z0-9_=+.,-]{0,79}"


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
    runner = _runner(table)
    _refuse_foreign_keys(table, runner)
    platformio = _platformio(table.table("platformio", _keys(PlatformIO)), has_framework=runner.has_framework)

    def size(key: str, least: int) -> int | None:
        return None if key in runner.foreign_keys else table.integer(key, least, ADDRESS_SPACE_BYTES, "bytes")

    board = Board(
        name=name,
        title=table.text("title", _TITLE_PATTERN, "one line of letters, digits, spaces and .,;()+/_-"),
        mcu=table.text("mcu", WORD_PATTERN, "the chip's name: letters, digits, . _ -"),
        core=table.row("core", CORES),
        fpu=table.choice("fpu", Fpu),
        clock_hz=table.integer("clock_hz", 1_000_000, 4_000_000_000, "hertz"),
        flash_bytes=size("flash_bytes", 1024),
        ram_bytes=size("ram_bytes", 1024),
        stack_bytes=size("stack_bytes", 256),
        arithmetic=table.choice("arithmetic", Arithmetic),
        port=platformio.frameworks[0].port if runner.has_framework else table.row("port", PORTS),
        platformio=platformio,
        memory=None if "memory" in runner.foreign_keys else _memory(table.table("memory", _keys(Memory))),
        uart=None if "uart" in runner.foreign_keys else _uart(table.table("uart", _keys(Uart))),
        serial=_serial(table.table("serial", _keys(Serial)), has_framework=runner.has_framework),
        runner=runner,
        placement=_placement(table.table("placement", _keys(Placement))) if table.has("placement") else None,
    )
    _check_core(board, source)
    _check_memory(board, source)
    runner.check(board, source)
    return board


def to_table(board: Board) -> dict[str, Any]:
    """The board as `from_table` reads it: plain values, absent ones left out."""

    def plain(value: Any) -> Any:
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, Core | Port):
            return value.name
        if isinstance(value, tuple):
            return [plain(item) for item in value]
        if hasattr(value, "__dataclass_fields__"):
            items = {field.name: getattr(value, field.name) for field in fields(value) if field.name != "name"}
            return {key: plain(item) for key, item in items.items() if item is not None and item != ()}
        return value

    table: dict[str, Any] = plain(board)
    table["runner"] = {"kind": board.runner.kind, **table["runner"]}
    return {key: value for key, value in table.items() if key not in board.runner.foreign_keys}


def _check_name(name: str, source: str) -> None:
    if not re.fullmatch(BOARD_NAME_PATTERN, name):
        raise BoardError(
            f"{source}: a board cannot be called {name!r}", "a letter, then letters, digits, _ and -, at most 40"
        )
    if name in ("default", "env", "platformio"):
        raise BoardError(f"{source}: a board cannot be called {name}", "PlatformIO uses this word; rename the file")


def _refuse_foreign_keys(table: Table, runner: Runner) -> None:
    """Keys that would be read for another kind of board and do nothing for this one."""
    for key in runner.foreign_keys:
        if table.has(key):
            raise BoardError(f"{table.source}: {key} means nothing where runner.kind is {runner.kind}", f"remove {key}")
    if runner.has_framework and not table.has("serial"):
        raise BoardError(
            f"{table.source}: serial is missing: without a serial port nobody can ask the board anything",
            "a table [serial] with baud, kind, usb_ids and opening_resets",
        )


def _platformio(table: Table, *, has_framework: bool) -> PlatformIO:
    platform = table.text(
        "platform", _PLATFORM_PATTERN, "a PlatformIO platform, such as rlt_emulated or ststm32@19.6.0"
    )
    flags = table.texts("flags", _FLAG_PATTERN, "one compiler flag without spaces or quotes")
    if not has_framework:
        _refuse(table, ("board", "frameworks", "packages"), "runner.kind is not hardware")
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
    name = table.text("board", WORD_PATTERN, "what the platform calls the board (`pio boards`)")
    meaning = "a package with owner and version, such as platformio/toolchain-gccarmnoneeabi@~1.90301.0"
    packages = table.texts("packages", _PACKAGE_PATTERN, meaning)
    return PlatformIO(platform=platform, flags=flags, board=name, frameworks=frameworks, packages=packages)


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


def _serial(table: Table, *, has_framework: bool) -> Serial:
    baud = table.integer("baud", 1_200, 12_000_000, "bits per second")
    if not has_framework:
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
    place = Placement(
        code=table.text("code", _SECTION_PATTERN, meaning) if table.has("code") else None,
        weights=table.text("weights", _SECTION_PATTERN, meaning) if table.has("weights") else None,
        weights_origin=table.integer("weights_origin", 0, most, "bytes (an address)")
        if table.has("weights_origin")
        else None,
        weights_bytes=table.integer("weights_bytes", 4, most, "bytes") if table.has("weights_bytes") else None,
    )
    if (place.weights_origin is None) != (place.weights_bytes is None):
        raise BoardError(
            f"{table.source}: placement.weights_origin and placement.weights_bytes belong together",
            "give the memory's address and its size",
        )
    if place.weights is not None and place.weights_origin is not None:
        raise BoardError(
            f"{table.source}: placement has both a section and an address for the weights", "remove one of them"
        )
    origin, size = place.weights_origin or 0, place.weights_bytes or 0
    if origin % 16 != 0 or origin + size > ADDRESS_SPACE_BYTES:
        raise BoardError(
            f"{table.source}: placement.weights_origin = {origin:#x} with {size} B cannot be used",
            "an address that 16 divides, and a memory that ends within 4 GiB",
        )
    return place


def _runner(board: Table) -> Runner:
    """The runner of a board file, and no key in its table that another runner has."""
    values = board.values.get("runner")
    if isinstance(values, Mapping):
        RUNNERS.find(str(values.get("kind")))  # an extension's is registered from here on
    of_kind = {each.kind: _keys(each) for each in RUNNERS}
    known = ("kind", *dict.fromkeys(key for keys in of_kind.values() for key in keys))
    table = board.table("runner", known)
    runner = table.row("kind", RUNNERS)
    for key in known[1:]:
        if table.has(key) and key not in of_kind[runner.kind]:
            raise BoardError(
                f"{table.source}: runner.{key} means nothing where runner.kind is {runner.kind}", f"remove {key}"
            )
    return runner.read(table)


def _check_core(board: Board, source: str) -> None:
    allowed = board.core.fpus
    if board.fpu not in allowed:
        raise BoardError(
            f"{source}: a {board.core.name} core has no {board.fpu.value} unit",
            f"fpu is one of {', '.join(fpu.value for fpu in allowed)}",
        )
    if board.arithmetic is Arithmetic.FUSED and board.fpu is Fpu.NONE:
        raise BoardError(
            f"{source}: arithmetic = fused is for cores with a fused multiply-add, and fpu is none",
            'arithmetic = "separate" takes a third fewer instructions there',
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
                f"{source}: {region} from {origin:#x} with {size} B ends beyond 4 GiB",
                f"check memory.{region}_origin and {region}_bytes",
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
    _check_others(board, source, regions)
    if board.stack_bytes >= board.ram_bytes or board.stack_bytes % 8 != 0:
        raise BoardError(
            f"{source}: stack_bytes = {board.stack_bytes} cannot be used with ram_bytes = {board.ram_bytes}",
            "it is a multiple of 8 and smaller than the RAM",
        )


def _check_others(board: Board, source: str, regions: tuple[tuple[str, int, int], ...]) -> None:
    """Nothing else may be where the linker puts the program: the firmware would write over itself."""
    place = board.placement or Placement()
    others = (
        ("uart.base", None if board.uart is None else board.uart.base, 4),
        ("placement.weights_origin", place.weights_origin, place.weights_bytes or 0),
    )
    for key, begin, size in others:
        for region, origin, region_bytes in regions:
            if begin is not None and begin < origin + region_bytes and origin < begin + size:
                raise BoardError(
                    f"{source}: {key} = {begin:#x} lies in the {region} {origin:#x}..{origin + region_bytes:#x}",
                    f"check the address, or make {region}_bytes smaller so that the linker leaves it alone",
                )
