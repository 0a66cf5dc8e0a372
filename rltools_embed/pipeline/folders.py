"""The policy that a stage left in a folder."""

from __future__ import annotations

from pathlib import Path

from rltools_embed.errors import ProjectError
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Policy

CHECKPOINT = "checkpoint.h"


def load_run(path: str | Path) -> Policy:
    """The policy of a run's folder, of a project's folder, or of a checkpoint file."""
    given = Path(path)
    for candidate in (given, given / CHECKPOINT, given / "include" / CHECKPOINT, given / "run" / CHECKPOINT):
        if candidate.is_file():
            return checkpoint.load(candidate)
    if given.is_dir():
        raise ProjectError(f"{given} holds no {CHECKPOINT}", "pass the folder that `rlt-embed train` wrote")
    raise ProjectError(f"{given} does not exist", "pass the folder that `rlt-embed train` wrote, or a checkpoint.h")


def inspect(path: str | Path) -> Policy:
    """The policy of a run, a project or a checkpoint file, checked from the first line to the last."""
    return load_run(path)
