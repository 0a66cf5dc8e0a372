"""The evidence for each board: what the project's own tests measured, and no more.

boards/evidence.json is written by `python -m tests.board_matrix` from the results of builds and runs; what the vendors'
own frameworks made of a board's firmware is written by `python -m tests.real_frameworks`, where they can be had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache

from rltools_embed import resources
from rltools_embed.firmware import board as boards
from rltools_embed.firmware.board import Board

FILE = "evidence.json"


class Level(Enum):
    """What was seen to work, the weakest first."""

    NOTHING = "nothing"
    # The whole firmware, by a compiler for the board's core with the core's flags; the vendor's headers are stand-ins
    # with the vendor's signatures.
    COMPILED = "compiled"
    # The vendor's platform and framework have built this board's firmware (tests/real_frameworks.py), not in CI.
    VENDOR_PACKAGES = "vendor packages"
    # That program ran in an emulator, and every output bit was right.
    VENDOR_EMULATED = "vendor packages, emulated"
    # The whole firmware ran as a process of this computer, and every output bit was right: no machine code of a board.
    THIS_COMPUTER = "this computer"
    # Machine code for the board's core ran in a simulated board, over a stand-in for the vendor's framework, flashed by
    # the vendor's real tool; every output bit was right.
    SIMULATED = "simulated"
    # The firmware's machine code ran in an emulator, and every output bit was right.
    EMULATED = "emulated"
    HARDWARE = "hardware"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was seen of one board.

    Attributes:
        detail: what was done with what, in a sentence.
        rendered, compiled: on which frameworks the project was written, and its sources compiled; ("bare metal",) or
            ("a process",) for a board without a framework.
        ran_on: what ran the firmware that was built here; empty if nothing did.
        outputs, equal: numbers that the validation of that run compared, and those with the host's bits.
    """

    level: Level
    detail: str
    rendered: tuple[str, ...] = ()
    compiled: tuple[str, ...] = ()
    ran_on: str = ""
    outputs: int = 0
    equal: int = 0


@dataclass(frozen=True, kw_only=True)
class FrameworkBuild:
    """What was seen of one board on one framework of its vendor.

    Attributes:
        missing: why it was not built; empty if it was.
        packages: platform and frameworks with their versions, as the build's log names them; last the compiler, as it
            wrote itself into the program.
        flash_bytes, ram_bytes: of the program.
        framework_flash_bytes, framework_ram_bytes: what it has besides our own estimate.
        parts: what our own parts take of the flash in bytes, by name.
        flags: the flags of policy.cpp that decide bits and speed.
        kernel: what of the core's kernel was found in the policy's machine code.
        stand_ins: what was built in place of parts of the vendor's packages that could not be had; empty if none was.
        ran_on: emulator and machine; empty if it did not run.
        changed: what was changed for the machine, in words.
        outputs, equal: numbers that the validation compared, and those with the host's bits.
        failed: what the validation found; empty if it passed.
        commit: of this project.
    """

    board: str
    framework: str
    missing: str = ""
    packages: tuple[str, ...] = ()
    flash_bytes: int = 0
    ram_bytes: int = 0
    framework_flash_bytes: int = 0
    framework_ram_bytes: int = 0
    parts: Mapping[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    kernel: str = ""
    stand_ins: str = ""
    ran_on: str = ""
    changed: str = ""
    outputs: int = 0
    equal: int = 0
    failed: str = ""
    commit: str = ""

    @property
    def passed(self) -> bool:
        """Whether it ran, and every output had the host's bits."""
        return bool(self.outputs) and not self.failed


_NOTHING = Evidence(level=Level.NOTHING, detail="")


def load() -> Mapping[str, Evidence]:
    """The evidence of every board that comes with the package, by its name."""
    text = (resources.boards_dir() / FILE).read_text(encoding="utf-8")
    return {
        name: Evidence(
            **{
                **entry,
                "level": Level(entry["level"]),
                "rendered": tuple(entry["rendered"]),
                "compiled": tuple(entry["compiled"]),
            }
        )
        for name, entry in json.loads(text)["boards"].items()
    }


@cache
def framework_builds() -> tuple[FrameworkBuild, ...]:
    """What was seen of the vendors' frameworks, by board and framework."""
    text = (resources.boards_dir() / FILE).read_text(encoding="utf-8")
    rows = json.loads(text).get("frameworks", [])
    return tuple(
        FrameworkBuild(**{**row, "packages": tuple(row["packages"]), "flags": tuple(row["flags"])}) for row in rows
    )


def framework_build(board: Board) -> FrameworkBuild | None:
    """The build of a board that comes with the package on its framework; None if there was none."""
    if board.framework is None or board.name not in boards.names():
        return None
    if boards.load(board.name).on(board.framework) != board:
        return None
    rows = framework_rows(board.name)
    return next((row for row in rows if row.framework == board.framework.value and not row.missing), None)


def framework_rows(name: str) -> tuple[FrameworkBuild, ...]:
    """What was seen of a board on its vendor's frameworks, the missing ones included."""
    return tuple(row for row in framework_builds() if row.board == name)


def of(board: Board, known: Mapping[str, Evidence]) -> Evidence:
    """The board's evidence; of a board of the user's own nothing is known, whatever its name."""
    is_ours = board.name in known and boards.load(board.name) == board
    return known[board.name] if is_ours else _NOTHING
