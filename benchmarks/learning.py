"""How default training learns, beside other libraries: `python benchmarks/learning.py` measures ours.

    python benchmarks/learning.py --rltools PYTHON --stable-baselines3 PYTHON

PYTHON: an interpreter that has the library (`rltools[mkl]==2.2.1`, `stable-baselines3` with torch for the CPU) and
`gymnasium[mujoco]`; ours needs the extra `[benchmark]`. All three train on the same environments and seeds.
`--jobs 2` trains two at a time: the returns are the same, the seconds in the rows are not those of an idle machine.
Finished runs are kept in `--rows`: what stands there is not trained again.
When they are all there, docs/learning.md, its plots and docs/learning.jsonl are written. From these rows the page is
made again without training: `--rows docs/learning.jsonl`.
The exit code is 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.learning_trainers import OTHER_STARTS, STARTS, STEPS

ROOT = Path(__file__).resolve().parent.parent
TRAINERS = Path(__file__).resolve().parent / "learning_trainers.py"
OURS = "rltools_embed"
RESAMPLES = 10_000
ONE_THREAD = {"MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
# In Okabe and Ito's colours, which colour-blind people tell apart, and a marker.
STYLES = {OURS: ("#0072B2", "o"), "rltools": ("#E69F00", "s"), "stable_baselines3": ("#009E73", "^")}


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An environment to learn in: its id, a line about it, and what our medians must reach.

    Attributes:
        digits: behind the point, of returns on the page.
        seeds: how many are trained: more where libraries are close.
        targets: median return of our seeds, at least, by algorithm.
        trainers: who learns there.
    """

    name: str
    described: str
    digits: int
    seeds: int = 10
    targets: Mapping[str, float] = field(default_factory=dict)
    trainers: Sequence[str] = tuple(STYLES)


ENVIRONMENTS = (
    Environment(
        name="Pendulum-v1",
        described="A pendulum swings up and stays there; 3 observations, 1 action, episodes of 200 steps.",
        digits=1,
        seeds=20,
        targets={"SAC": -155.0, "TD3": -165.0, "PPO": -180.0},
    ),
    Environment(
        name="Reacher-v5",
        described="MuJoCo: a two-joint arm moves its tip to a point; 10 observations, 2 actions, episodes of 50 steps.",
        digits=2,
        seeds=20,
    ),
    Environment(
        name="Hopper-v5",
        described=(
            "MuJoCo: a leg hops forward; 11 observations, 3 actions, up to 1,000 steps, and a fall ends the episode.\n"
            "It is here because it terminates; Stable-Baselines3, which would take another half hour, is not."
        ),
        digits=1,
        trainers=(OURS, "rltools"),
    ),
)


# --------------------------------------------------------------------------------------------------------------- runs


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training.

    Attributes:
        cpu_s, wall_s: seconds of training.
        curve: environment steps, and the mean return over STARTS after them.
        wider_return: the final policy's, over OTHER_STARTS.
    """

    trainer: str
    version: str
    environment: str
    algorithm: str
    seed: int
    cpu_s: float
    wall_s: float
    curve: tuple[tuple[int, float], ...]
    wider_return: float

    @property
    def mean_return(self) -> float:
        """The final policy's, over STARTS."""
        return self.curve[-1][1]


def parse(line: str) -> Run:
    """A row, its numbers rounded as they are kept: the page is the same from new rows and from kept ones."""
    row = json.loads(line)
    curve = tuple((steps, float(f"{found:.5g}")) for steps, found in row["curve"])
    seconds = {name: round(row[name], 2) for name in ("cpu_s", "wall_s")}
    return Run(**{**row, **seconds, "curve": curve, "wider_return": float(f"{row['wider_return']:.5g}")})


def read(rows: Path) -> tuple[Run, ...]:
    if not rows.exists():
        return ()
    return tuple(parse(line) for line in rows.read_text(encoding="utf-8").splitlines())


def dumps(run: Run) -> str:
    return json.dumps(asdict(run), separators=(",", ":")) + "\n"


_writing = threading.Lock()


def train(python: str, trainer: str, environment: str, algorithm: str, seeds: Sequence[int], rows: Path) -> None:
    """Append a row per seed."""
    command = [python, "-W", "ignore", str(TRAINERS), trainer, environment, algorithm, *map(str, seeds)]
    variables = {**os.environ, **ONE_THREAD}
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if not line.startswith("{"):  # libraries have their say as well
                continue
            run = parse(line)
            with _writing, rows.open("a", encoding="utf-8") as file:
                file.write(dumps(run))
            reported = f"{trainer} {environment} {algorithm} {run.seed}: {run.mean_return:.5g}, {run.cpu_s:.1f} s"
            sys.stderr.write(f"{reported}\n")
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")


def train_all(work: Sequence[tuple[str, str, str, str, Sequence[int], Path]], jobs: int) -> None:
    """`train` with each of these arguments, so many at a time. After a failure none begins any more."""
    pool = ThreadPoolExecutor(jobs)
    try:
        for one in as_completed([pool.submit(train, *arguments) for arguments in work]):
            one.result()
    finally:
        pool.shutdown(cancel_futures=True)


def select(runs: Sequence[Run], environment: str, algorithm: str) -> dict[str, list[Run]]:
    """The trainers' runs, by seed."""
    found = [run for run in runs if (run.environment, run.algorithm) == (environment, algorithm)]
    by_trainer = {
        trainer: sorted((run for run in found if run.trainer == trainer), key=lambda run: run.seed)
        for trainer in STYLES
    }
    return {trainer: theirs for trainer, theirs in by_trainer.items() if theirs}


def is_complete(runs: Sequence[Run]) -> bool:
    """Whether everyone who should has trained, with each of the environment's seeds."""
    for environment, algorithm in itertools.product(ENVIRONMENTS, STEPS):
        found = select(runs, environment.name, algorithm)
        if set(found) != set(environment.trainers):
            return False
        if {tuple(run.seed for run in theirs) for theirs in found.values()} != {tuple(range(environment.seeds))}:
            return False
    return True


# --------------------------------------------------------------------------------------------------------- statistics


def final_returns(runs: Sequence[Run]) -> list[float]:
    return [run.mean_return for run in runs]


def wider_returns(runs: Sequence[Run]) -> list[float]:
    return [run.wider_return for run in runs]


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """The first and the third."""
    low, high = np.percentile(values, (25, 75))
    return float(low), float(high)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Our median less a peer's, and the 95 % interval that the seeds leave it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> Interval:
        """By the percentile bootstrap (Efron, 1979): both libraries' seeds are drawn again, with replacement."""
        random = np.random.default_rng(0)
        medians = [
            np.median(np.array(ends)[random.integers(0, len(ends), (RESAMPLES, len(ends)))], axis=1)
            for ends in (ours, theirs)
        ]
        low, high = np.percentile(medians[0] - medians[1], (2.5, 97.5))
        median = statistics.median(ours) - statistics.median(theirs)
        return cls(median=median, low=float(low), high=float(high))

    def cells(self, digits: int) -> str:
        return f"{self.median:+.{digits}f} | {self.low:+.{digits}f} to {self.high:+.{digits}f}"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far our final policies are above a peer's.

    Attributes:
        few: over STARTS.
        many: over OTHER_STARTS, which decide unless the few speak against us.
    """

    environment: Environment
    algorithm: str
    peer: str
    few: Interval
    many: Interval

    @property
    def is_worse(self) -> bool:
        """Lower over either, and by more than the seeds explain."""
        return self.few.high < 0 or self.many.high < 0

    @property
    def is_lower(self) -> bool:
        return self.is_worse or self.many.median < 0

    @property
    def verdict(self) -> str:
        if self.is_worse:
            return "**lower: missed**"
        if self.many.low > 0:
            return "higher"
        return "lower, within the spread" if self.is_lower else "as high or higher, within the spread"


def difference(
    environment: Environment, algorithm: str, peer: str, ours: Sequence[Run], theirs: Sequence[Run]
) -> Difference:
    return Difference(
        environment=environment,
        algorithm=algorithm,
        peer=peer,
        few=Interval.of(final_returns(ours), final_returns(theirs)),
        many=Interval.of(wider_returns(ours), wider_returns(theirs)),
    )


def differences(runs: Sequence[Run], environment: Environment) -> Iterator[Difference]:
    for algorithm in STEPS:
        found = select(runs, environment.name, algorithm)
        if ours := found.pop(OURS, None):
            for peer, theirs in found.items():
                yield difference(environment, algorithm, peer, ours, theirs)


def targets(runs: Sequence[Run], environment: Environment) -> Iterator[tuple[str, float, float]]:
    """Algorithm, least median, median found."""
    for algorithm, least in environment.targets.items():
        if ours := select(runs, environment.name, algorithm).get(OURS):
            yield algorithm, least, statistics.median(final_returns(ours))


def missed(runs: Sequence[Run]) -> Iterator[str]:
    for environment in ENVIRONMENTS:
        for algorithm, least, found in targets(runs, environment):
            if found < least:
                yield f"{environment.name}, {algorithm}: median {found:.5g}, less than {least:g}"
        for one in differences(runs, environment):
            if one.is_worse:
                yield f"{environment.name}, {one.algorithm}: lower than {one.peer}'s median by more than the spread"


# --------------------------------------------------------------------------------------------------------------- page


def table(runs: Sequence[Run], environment: Environment, algorithm: str) -> Iterator[str]:
    digits = environment.digits
    yield f"### {environment.name}, {algorithm}, {STEPS[algorithm]:,} environment steps\n"
    many = len(OTHER_STARTS)
    yield f"| library | seeds | median | quartiles | lowest | returns of the seeds 0, 1, … | median, {many} starts |"
    yield "|---|---|---|---|---|---|---|"
    for trainer, found in select(runs, environment.name, algorithm).items():
        ends = final_returns(found)
        low, high = quartiles(ends)
        yield (
            f"| {trainer} {found[0].version} | {len(ends)} | {statistics.median(ends):.{digits}f} | "
            f"{low:.{digits}f} to {high:.{digits}f} | {min(ends):.{digits}f} | "
            f"{' '.join(f'{end:.{digits - 1}f}' for end in ends)} | "
            f"{statistics.median(wider_returns(found)):.{digits}f} |"
        )
    yield ""


def comparison(runs: Sequence[Run], environment: Environment) -> Iterator[str]:
    digits = environment.digits
    few, many = (f"{len(starts)} starts | 95 % interval" for starts in (STARTS, OTHER_STARTS))
    yield f"| algorithm | our median less that of | {few} | {many} | ours |"
    yield "|---|---|---|---|---|---|---|"
    for one in differences(runs, environment):
        yield f"| {one.algorithm} | {one.peer} | {one.few.cells(digits)} | {one.many.cells(digits)} | {one.verdict} |"
    yield ""
    if environment.targets:
        yield "| algorithm | median, at least | measured | |"
        yield "|---|---|---|---|"
        for algorithm, least, found in targets(runs, environment):
            verdict = "met" if found >= least else "**missed**"
            yield f"| {algorithm} | {least:.{digits}f} | {found:.{digits}f} | {verdict} |"
        yield ""


def plot_name(environment: Environment) -> str:
    return f"learning_{environment.name.split('-')[0].lower()}.svg"


def section(runs: Sequence[Run], environment: Environment) -> Iterator[str]:
    yield f"## {environment.name}\n"
    yield f"{environment.described}\n"
    yield f"![Returns over environment steps in {environment.name}: SAC, TD3, PPO]({plot_name(environment)})\n"
    yield from comparison(runs, environment)
    for algorithm in STEPS:
        yield from table(runs, environment, algorithm)


def summary(runs: Sequence[Run]) -> Iterator[str]:
    """In how many comparisons ours is lower, and each of them."""
    found = [one for environment in ENVIRONMENTS for one in differences(runs, environment)]
    lower = [one for one in found if one.is_lower or one.few.median < 0]
    many = sum(one.many.median < 0 for one in found)
    few = sum(one.few.median < 0 for one in found)
    yield f"Of {len(found)} comparisons our median is lower in {many} over the {len(OTHER_STARTS)} starts."
    yield f"Over the {len(STARTS)} it is lower in {few}."
    yield f"It is lower by more than the seeds' spread explains in {sum(one.is_worse for one in found)}."
    yield "Lower over either are:\n" if lower else ""
    for one in lower:
        sizes = ((one.many, OTHER_STARTS), (one.few, STARTS))
        by = ", ".join(f"{each.median:+.{one.environment.digits}f} over {len(starts)}" for each, starts in sizes)
        yield f"- {one.environment.name}, {one.algorithm}, beside {one.peer}: {by} ({one.verdict})"
    yield ""


def page(runs: Sequence[Run]) -> str:
    lines = [
        "# Learning\n",
        "`python benchmarks/learning.py --rltools PYTHON --stable-baselines3 PYTHON` trains all of this again.",
        "It also rewrites this page.",
        "It takes about two hours, most of them Stable-Baselines3's (`--jobs 2`: half of it).",
        "With `--rows docs/learning.jsonl` it makes the page again from the [runs' returns](learning.jsonl).\n",
        "The return of a training seed is the deterministic policy's mean"
        f" over {len(STARTS)} starts (seeds {STARTS[0]} to {STARTS[-1]}).",
        "The tables give that of the final policy.",
        "RLtools runs with its defaults and MKL.",
        "Stable-Baselines3 runs with RLtools' numbers where it has the option (`benchmarks/learning_trainers.py`).",
        "Each runs on one thread, with the environment's own time limit.",
        "In the plots lines are medians over the seeds, and bands go from the first to the third quartile.",
        "How long a training takes stands in [performance](performance.md).\n",
        f"Libraries are compared by the final policies' returns from {len(OTHER_STARTS)} other starts"
        f" (seeds {OTHER_STARTS[0]} to {OTHER_STARTS[-1]}).",
        f"{len(STARTS)} are few ([which of them decide](learning_decisions.md#how-many-starts)).",
        "Ours counts as at least as good as a peer if its median is not lower.",
        "A lower median counts too if the 95 % interval of the medians' difference includes 0"
        " (`lower, within the spread`).",
        f"That interval must not be below 0 for the {len(STARTS)} starts either.",
        f"The interval is a percentile bootstrap over the seeds ({RESAMPLES:,} resamples).",
        "It is wide: what lies within the spread may still be a difference.\n",
        *summary(runs),
    ]
    for environment in ENVIRONMENTS:
        lines += section(runs, environment)
    lines += [
        "## What this does not show\n",
        "- Stable-Baselines3 where episodes terminate: Pendulum-v1 and Reacher-v5 have a time limit alone.",
        "- A trained Hopper: SAC and TD3 have only begun to hop after 10,000 steps.",
        "- Differences of a few units of Pendulum-v1: any change of the arithmetic moves a seed's result by more.",
        "- Equal conditions.",
        "  Our TD3 acts at random for 1,000 steps, RLtools' and Stable-Baselines3's for 100"
        " ([why](learning_decisions.md#why-td3-acts-at-random-for-longer)).",
        "  Our networks start otherwise than theirs ([how](learning_decisions.md#how-training-starts)).",
        "  All options that RLtools has are at its defaults.",
        "  Its Adam has a floor under the root, as ours has; Stable-Baselines3's has none.",
        "- RLtools' PPO kept in the action box.",
        "  It may leave it in training, and Reacher-v5 charges for that.",
        "  Seed 1's actions grow to 32 after 8,192 steps.",
        "  In evaluations every library's actions are clipped.",
        "- Stable-Baselines3 at its best: RLtools' hyperparameters are not those that its users choose.",
        "",
    ]
    return "\n".join(lines)


def plot(runs: Sequence[Run], environment: Environment, path: Path) -> None:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "rltools_embed", "font.size": 9}):
        figure = Figure(figsize=(10, 3.4), layout="constrained")
        panels = figure.subplots(1, len(STEPS))
        for axes, algorithm in zip(panels, STEPS, strict=True):
            for trainer, found in select(runs, environment.name, algorithm).items():
                thousands = [steps / 1000 for steps, _ in found[0].curve]
                returns = np.array([[at for _, at in run.curve] for run in found])
                low, middle, high = np.percentile(returns, (25, 50, 75), axis=0)
                label = f"{trainer} {found[0].version}"
                colour, marker = STYLES[trainer]
                above = 3 if trainer == OURS else 2
                axes.plot(thousands, middle, color=colour, marker=marker, markersize=4, label=label, zorder=above)
                axes.fill_between(thousands, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.set(title=algorithm, xlabel="environment steps, thousands")
            axes.set_xlim(left=0)
            axes.grid(color="0.9", linewidth=0.8)
            axes.set_axisbelow(True)
        panels[0].set_ylabel(f"mean return of {len(STARTS)} episodes")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
        figure.savefig(path, metadata={"Date": None})


def write(runs: Sequence[Run], folder: Path) -> None:
    """The page, its plots and its rows."""
    order = list(STYLES)
    runs = sorted(runs, key=lambda run: (run.environment, run.algorithm, order.index(run.trainer), run.seed))
    (folder / "learning.md").write_text(page(runs), encoding="utf-8")
    (folder / "learning.jsonl").write_text("".join(map(dumps, runs)), encoding="utf-8")
    for environment in ENVIRONMENTS:
        plot(runs, environment, folder / plot_name(environment))


# ------------------------------------------------------------------------------------------------------------ command


def main() -> None:
    names = [environment.name for environment in ENVIRONMENTS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", nargs="+", choices=names, default=names)
    parser.add_argument("--algorithms", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--seeds", type=int, help="how many (default: each environment's)")
    parser.add_argument("--jobs", type=int, default=1, help="how many to train at a time")
    parser.add_argument("--rltools", metavar="PYTHON")
    parser.add_argument("--stable-baselines3", metavar="PYTHON")
    parser.add_argument("--rows", type=Path, default=ROOT / "build" / "learning.jsonl")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page is written")
    arguments = parser.parse_args()
    pythons = {OURS: sys.executable, "rltools": arguments.rltools, "stable_baselines3": arguments.stable_baselines3}
    arguments.rows.parent.mkdir(parents=True, exist_ok=True)
    chosen = [environment for environment in ENVIRONMENTS if environment.name in arguments.environments]
    work = []
    kept = read(arguments.rows)
    for environment, algorithm in itertools.product(chosen, arguments.algorithms):
        found = select(kept, environment.name, algorithm)
        for trainer in environment.trainers:
            done = {run.seed for run in found.get(trainer, ())}
            missing = [seed for seed in range(arguments.seeds or environment.seeds) if seed not in done]
            if (python := pythons[trainer]) and missing:
                work.append((python, trainer, environment.name, algorithm, missing, arguments.rows))
    train_all(work, arguments.jobs)
    runs = read(arguments.rows)
    for environment in chosen:
        sys.stdout.write("\n".join(section(runs, environment)) + "\n")
    if is_complete(runs):
        write(runs, arguments.docs)
    if failed := list(missed(runs)):
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
