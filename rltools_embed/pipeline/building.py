"""From a project to a program."""

from __future__ import annotations

from pathlib import Path

from rltools_embed.firmware import manifest, platformio
from rltools_embed.firmware.elf import Budget
from rltools_embed.firmware.platformio import Firmware, Watch


def build(
    folder: str | Path, *, board: str | None = None, budget: Budget | None = None, watch: Watch | None = None
) -> Firmware:
    """Compile a project for one of its boards; see `firmware.platformio.build`."""
    return platformio.build(manifest.folder_of(Path(folder)), board, budget=budget, watch=watch)
