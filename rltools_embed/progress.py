"""How a stage says how far it is: lines for people, and how much is done of how much."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeAlias

# Called with each line of progress, without its newline.
Say: TypeAlias = Callable[[str], None]
# Called with what is done and what there is to do: steps, observations.
Progress: TypeAlias = Callable[[int, int], None]


def print_line(line: str) -> None:
    """One line to stdout, at once: training is watched."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def silent(done: int, total: int) -> None:
    """No progress shown."""
