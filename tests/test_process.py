"""Programs that are watched while they run."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from rltools_embed import process
from rltools_embed.errors import ToolchainError

# Each line but the last is followed by a wait until it was seen.
LINES = """
import pathlib, sys, time
for i in range(3):
    print("line", i, flush=True)
    while i < 2 and not pathlib.Path(sys.argv[1], f"line {i}").exists():
        time.sleep(0.01)
sys.exit(4)
"""


def test_lines_are_seen_as_they_come_and_kept(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LINES, str(tmp_path)]

    done = process.run_watched(command, lambda line: (tmp_path / line).touch(), timeout_s=60)

    assert (done.exit_code, done.output) == (4, "line 0\nline 1\nline 2\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["line 0", "line 1", "line 2"]


def test_a_watched_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(ToolchainError, match=r"did not end within 0\.5 s"):
        process.run_watched([sys.executable, "-c", "import time; time.sleep(60)"], lambda line: None, timeout_s=0.5)


def test_a_watched_program_that_is_not_there_is_told() -> None:
    with pytest.raises(ToolchainError, match="cannot run nowhere"):
        process.run_watched(["nowhere"], lambda line: None, timeout_s=1)


def test_a_watcher_that_fails_leaves_no_program_behind() -> None:
    def fail(line: str) -> None:
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        process.run_watched(
            [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"], fail, timeout_s=60
        )
    assert time.monotonic() - start < 30
