"""From a project to a program."""

from __future__ import annotations

from pathlib import Path

from rltools_embed.firmware import platformio
from rltools_embed.firmware.memory import Budget
from rltools_embed.firmware.platformio import Firmware, Watch
from rltools_embed.firmware.spec import MANIFEST


def project_folder(path: str | Path) -> Path:
    """The project itself, or the one inside the folder that `run` wrote."""
    given = Path(path)
    inside = given / "firmware"
    return inside if not (given / MANIFEST).exists() and (inside / MANIFEST).exists() else given


def build(
    folder: str | Path, *, board: str | None = None, budget: Budget | None = None, watch: Watch | None = None
) -> Firmware:
    """Compile a project for one of its boards; see `firmware.platformio.build`."""
    return platformio.build(project_folder(folder), board, budget=budget, watch=watch)
