"""How far each board is proven: what the project's own tests measured, and no more.

boards/evidence.json is written by `python -m tests.board_matrix` from the results of builds and runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from rltools_embed import resources
from rltools_embed.firmware import board as boards
from rltools_embed.firmware.board import Board

FILE = "evidence.json"


class Proof(Enum):
    """What was seen to work, the weakest first."""

    NOTHING = "nothing"
    # The whole firmware, by a compiler for the board's core with the core's flags; the vendor's headers are stand-ins
    # with the vendor's signatures.
    COMPILED = "compiled"
    # The vendor's platform and framework have built a program for this board, by hand and not in CI.
    VENDOR_PACKAGES = "vendor packages"
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
    """The proof of one board.

    Attributes:
        detail: what was done with what, in a sentence.
    """

    proof: Proof
    detail: str


_NOTHING = Evidence(proof=Proof.NOTHING, detail="")


def load() -> Mapping[str, Evidence]:
    """The evidence of every board that comes with the package, by its name."""
    text = (resources.boards_dir() / FILE).read_text(encoding="utf-8")
    return {
        name: Evidence(proof=Proof(entry["proof"]), detail=entry["detail"])
        for name, entry in json.loads(text)["boards"].items()
    }


def of(board: Board, proven: Mapping[str, Evidence]) -> Evidence:
    """The board's evidence; of a board of the user's own nothing is known, whatever its name."""
    is_ours = board.name in proven and boards.load(board.name) == board
    return proven[board.name] if is_ours else _NOTHING
