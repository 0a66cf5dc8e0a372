"""Boards as data: one TOML file each, described (`description`), checked (`checking`) and found (`finding`).

What they may name is open: cores (`cores`), ports (`ports`) and runners (`firmware.runners`) are rows of a `registry`.
"""

from rltools_embed.firmware.board.checking import BOARD_NAME_PATTERN, NAME_PATTERN, from_table, to_table
from rltools_embed.firmware.board.cores import Architecture, Core, Fpu
from rltools_embed.firmware.board.description import (
    Board,
    Framework,
    Memory,
    Placement,
    PlatformIO,
    Runner,
    RunnerKind,
    Serial,
    SerialKind,
    Uart,
    UartDriver,
)
from rltools_embed.firmware.board.finding import load, names
from rltools_embed.firmware.board.ports import Port
from rltools_embed.policy.arithmetic import Arithmetic

__all__ = [
    "BOARD_NAME_PATTERN",
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
