"""Programs that are watched while they run."""

from __future__ import annotations

import sys
import time

import pytest

from rltools_embed import process
from rltools_embed.errors import ToolchainError

LINES = "import sys, time\nfor i in range(3):\n    print('line', i, flush=True)\n    time.sleep(0.3)\nsys.exit(4)\n"


def test_lines_are_seen_as_they_come_and_kept() -> None:
    seen: list[tuple[str, float]] = []

    done = process.run_watched(
        [sys.executable, "-c", LINES], lambda line: seen.append((line, time.monotonic())), timeout_s=60
    )

    assert (done.exit_code, done.output) == (4, "line 0\nline 1\nline 2\n")
    assert [line for line, _ in seen] == ["line 0", "line 1", "line 2"]
    assert seen[2][1] - seen[0][1] > 0.3  # not all at the end


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
