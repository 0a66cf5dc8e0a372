"""How well default training ends on Pendulum-v1, beside other libraries: `python benchmarks/learning.py` measures ours.

With `--rltools PYTHON` and `--stable-baselines3 PYTHON`, interpreters that have those libraries, it trains them on the
same seeds and writes docs/learning.md. Results are kept in `--rows`: what stands there is not trained again.
The exit code is 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRAINERS = Path(__file__).resolve().parent / "learning_trainers.py"
PAGE = ROOT / "docs" / "learning.md"
OURS = "rltools_embed"
STEPS = {"SAC": "10,000", "TD3": "10,000", "PPO": "98,304"}
TARGETS = {"SAC": -155.0, "TD3": -165.0, "PPO": -180.0}
# Below it some of the starts do not end upright and at rest.
GOOD = -180.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training: mean return over the starts, CPU and wall seconds."""

    trainer: str
    version: str
    algorithm: str
    seed: int
    mean_return: float
    cpu_s: float
    wall_s: float


def read(rows: Path) -> tuple[Run, ...]:
    if not rows.exists():
        return ()
    return tuple(Run(**json.loads(line)) for line in rows.read_text(encoding="utf-8").splitlines())


def train(python: str, trainer: str, algorithm: str, seeds: Sequence[int], rows: Path) -> None:
    """Append a row per seed."""
    command = [python, "-W", "ignore", str(TRAINERS), trainer, algorithm, *map(str, seeds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process, rows.open("a") as file:
        for line in process.stdout or ():
            if not line.startswith("{"):  # libraries have their say as well
                continue
            file.write(line)
            file.flush()
            run = Run(**json.loads(line))
            sys.stderr.write(f"{trainer} {algorithm} {run.seed}: {run.mean_return:.1f}, {run.cpu_s:.1f} s\n")
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")


def returns(runs: Sequence[Run], trainer: str, algorithm: str) -> list[float]:
    return [run.mean_return for run in runs if (run.trainer, run.algorithm) == (trainer, algorithm)]


def table(runs: Sequence[Run], algorithm: str) -> Iterator[str]:
    yield f"## {algorithm}, {STEPS[algorithm]} environment steps\n"
    yield f"| library | median | lowest | below {GOOD:.0f} | CPU s | seeds 0, 1, … |"
    yield "|---|---|---|---|---|---|"
    for trainer in dict.fromkeys(run.trainer for run in runs):
        found = sorted(
            (run for run in runs if (run.trainer, run.algorithm) == (trainer, algorithm)), key=lambda run: run.seed
        )
        if not found:
            continue
        ends = [run.mean_return for run in found]
        yield (
            f"| {trainer} {found[0].version} | {statistics.median(ends):.1f} | {min(ends):.1f} | "
            f"{sum(end < GOOD for end in ends)} of {len(ends)} | "
            f"{statistics.median(run.cpu_s for run in found):.1f} | {' '.join(f'{end:.0f}' for end in ends)} |"
        )
    yield ""


def targets(runs: Sequence[Run]) -> Iterator[tuple[str, float, float]]:
    """What, at least, found."""
    for algorithm, least in TARGETS.items():
        ours = returns(runs, OURS, algorithm)
        if not ours:
            continue
        yield f"{algorithm}, median", least, statistics.median(ours)
        for peer in dict.fromkeys(run.trainer for run in runs if run.trainer != OURS):
            if theirs := returns(runs, peer, algorithm):
                yield f"{algorithm}, median beside {peer}'s", statistics.median(theirs), statistics.median(ours)


def page(runs: Sequence[Run]) -> str:
    lines = [
        "# Learning\n",
        "`python benchmarks/learning.py --rltools PYTHON --stable-baselines3 PYTHON` trains all of this again",
        "and rewrites this page; it takes about half an hour, most of it for Stable-Baselines3.\n",
        "How well default training ends on Pendulum-v1: the mean return of the final deterministic policy",
        "over 20 starts (seeds 1000 to 1019), for each training seed.",
        "RLtools runs with its defaults and MKL, Stable-Baselines3 with RLtools' numbers where it has the option",
        "(`benchmarks/learning_trainers.py`), each on one thread.\n",
    ]
    for algorithm in STEPS:
        lines += table(runs, algorithm)
    lines += ["## Targets\n", "| figure | at least | found |", "|---|---|---|"]
    lines += [f"| {what} | {least:.1f} | {found:.1f} |" for what, least, found in targets(runs)]
    lines += [
        "",
        "## What this does not show\n",
        "- Other environments: Pendulum-v1 only.",
        "- Differences of a few units between medians: any change of the arithmetic moves a seed's result by more.",
        "- Equal conditions: our TD3 warms up for 1,000 random steps, RLtools' default is 100",
        "  ([why](architecture.md#why-td3-warms-up-for-longer)), and Stable-Baselines3 got 100 as well.",
        "- Stable-Baselines3 at its best: RLtools' hyperparameters are not those that its users choose.",
        "- Exact times: on a machine that others use, CPU seconds differ by half from run to run.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rltools", metavar="PYTHON")
    parser.add_argument("--stable-baselines3", metavar="PYTHON")
    parser.add_argument("--rows", type=Path, default=ROOT / "build" / "learning.jsonl")
    arguments = parser.parse_args()
    pythons = {OURS: sys.executable, "rltools": arguments.rltools, "stable_baselines3": arguments.stable_baselines3}
    arguments.rows.parent.mkdir(parents=True, exist_ok=True)
    for trainer, python in pythons.items():
        for algorithm in arguments.algorithms if python else ():
            done = {run.seed for run in read(arguments.rows) if (run.trainer, run.algorithm) == (trainer, algorithm)}
            if missing := [seed for seed in range(arguments.seeds) if seed not in done]:
                train(python, trainer, algorithm, missing, arguments.rows)
    runs = read(arguments.rows)
    if all(any(run.trainer == trainer for run in runs) for trainer in pythons):
        PAGE.write_text(page(runs), encoding="utf-8")
    for algorithm in arguments.algorithms:
        sys.stdout.write("\n".join(table(runs, algorithm)) + "\n")
    missed = [f"{what}: {found:.1f}, less than {least:.1f}" for what, least, found in targets(runs) if found < least]
    if missed:
        raise SystemExit("\n".join(missed))


if __name__ == "__main__":
    main()
