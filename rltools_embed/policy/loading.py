"""Reading a checkpoint under the names and with the keywords that RLtools' users know."""

from __future__ import annotations

from pathlib import Path

from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Policy


def load_checkpoint(
    text: str, interface_name: str = "default", force_recompile: bool = False, verbose: bool = False
) -> Policy:
    """The policy of a checkpoint's text.

    Args:
        interface_name, force_recompile, verbose: known for RLtools' sake, and without effect: nothing is compiled here.

    Raises:
        CheckpointError: truncated, edited, of another program or version, or with a number that is not finite.
    """
    return checkpoint.loads(text)


def load_checkpoint_from_path(
    path: str | Path, interface_name: str = "default", force_recompile: bool = False, verbose: bool = False
) -> Policy:
    """The policy of a checkpoint file.

    Args:
        interface_name, force_recompile, verbose: known for RLtools' sake, and without effect: nothing is compiled here.

    Raises:
        CheckpointError: the file cannot be read, or is not exactly what `export_policy` gave.
    """
    return checkpoint.load(path)
