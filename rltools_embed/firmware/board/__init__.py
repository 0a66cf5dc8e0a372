"""Boards as data: one TOML file each, described (`description`), checked (`checking`) and found (`finding`)."""

from rltools_embed.firmware.board.checking import BOARD_NAME_PATTERN, NAME_PATTERN, from_table, to_table
from rltools_embed.firmware.board.description import (
    ARCHITECTURE_OF_PORT,
    FPUS_OF_CORE,
    Architecture,
    Board,
    Core,
    Fpu,
    Framework,
    Memory,
    Placement,
    PlatformIO,
    Port,
    Runner,
    RunnerKind,
    Serial,
    SerialKind,
    Uart,
    UartDriver,
)
from rltools_embed.firmware.board.finding import load, names
from rltools_embed.policy.arithmetic import Arithmetic

__all__ = [
    "ARCHITECTURE_OF_PORT",
    "BOARD_NAME_PATTERN",
    "FPUS_OF_CORE",
    "NAME_PATTERN",
    "Architecture",
    "Arithmetic",
    "Board",
    "Core",
    "Fpu",
    "Framework",
    "Memory",
    "Placement",
    "PlatformIO",
    "Port",
    "Runner",
    "RunnerKind",
    "Serial",
    "SerialKind",
    "Uart",
    "UartDriver",
    "from_table",
    "load",
    "names",
    "to_table",
]
