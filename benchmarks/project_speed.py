"""How long `rlt-embed export` and `build` take: writes the section "Export and build" of docs/performance.md.

    python benchmarks/project_speed.py

Fails where a cold export and build of an emulated board takes 10 s or more, or an unchanged one 2 s or more.
Wall time and CPU time (user and system, with PlatformIO's and the compiler's) are medians.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import pages
from tests.policies import sac_policy

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
BOARDS = ("qemu_mps2_an386", "qemu_riscv32_virt")
COLD, UNCHANGED = 3, 5
COLD_LIMIT_S, UNCHANGED_LIMIT_S = 10.0, 2.0


@dataclass(frozen=True)
class Times:
    wall_s: float
    cpu_s: float

    def __add__(self, other: Times) -> Times:
        return Times(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s)

    def __str__(self) -> str:
        return f"{self.wall_s:.2f} / {self.cpu_s:.2f}"


def children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rlt_embed(*words: str | Path) -> Times:
    began, used = time.perf_counter(), children_cpu_s()
    # What the interpreter keeps of compiled modules is part of an installed package.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "rltools_embed", *map(str, words)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    return Times(time.perf_counter() - began, children_cpu_s() - used)


def median(rows: Sequence[Times]) -> Times:
    return Times(statistics.median(row.wall_s for row in rows), statistics.median(row.cpu_s for row in rows))


def measure(board: str, checkpoint: Path, folder: Path) -> tuple[str, bool]:
    """A row of the table, and whether the limits are kept."""
    cold, exports, builds = [], [], []
    for repeat in range(COLD):
        output = folder / f"{board}_{repeat}"
        cold.append(rlt_embed("export", checkpoint, "--board", board, "-o", output) + rlt_embed("build", output))
    for _ in range(UNCHANGED):
        exports.append(rlt_embed("export", checkpoint, "--board", board, "-o", output))
        builds.append(rlt_embed("build", output))
    both = median([one + other for one, other in zip(exports, builds, strict=True)])
    is_kept = median(cold).wall_s < COLD_LIMIT_S and both.wall_s < UNCHANGED_LIMIT_S
    return f"| `{board}` | {median(cold)} | {median(exports)} | {median(builds)} | {both} |", is_kept


def main() -> None:
    from rltools_embed.policy import checkpoint

    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "checkpoint.h"
        source.write_text(checkpoint.dumps(sac_policy(hidden=64, environment="Pendulum-v1")), encoding="utf-8")
        rlt_embed("boards")  # nobody's first start
        rows = [measure(board, source, Path(name)) for board in BOARDS]
    table = "\n".join(row for row, _ in rows)
    pages.write_part(
        PAGE,
        "projects",
        f"""## Export and build

`python benchmarks/project_speed.py` measures this again.
A 3-64-64-1 policy.
Seconds of wall time / CPU time on {os.cpu_count()} cores with other work beside (load {os.getloadavg()[0]:.1f}).
*Cold*: into a new folder, everything compiled, the median of {COLD}.
*Unchanged*: the same again, where nothing is written and nothing compiled, medians of {UNCHANGED}.

| board | cold | unchanged: export | build | both |
|---|---|---|---|---|
{table}

Of an unchanged build, 0.6 s of CPU time are PlatformIO's own and SCons's start: what they import.
""",
    )
    sys.stdout.write(f"{table}\n")
    if not all(is_kept for _, is_kept in rows):
        sys.exit(f"must take less than {COLD_LIMIT_S} s cold and {UNCHANGED_LIMIT_S} s unchanged")


if __name__ == "__main__":
    main()
