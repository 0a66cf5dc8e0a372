"""How long training takes, beside other libraries: writes the section "Training" of docs/performance.md and its plots.

    python benchmarks/training_speed.py --rltools PYTHON --stable-baselines3 PYTHON

PYTHON: an interpreter that has the library (`rltools[mkl]==2.2.1`, `stable-baselines3` with torch for the CPU).
Everything is repeated, the libraries in turn, and medians are compared; the rows of finished runs are kept in `--rows`.
Our own figures need no peer: without the two options only they are measured and printed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: the product that ours is measured against

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import pages

ROOT = Path(__file__).resolve().parent.parent
TRAINERS = Path(__file__).resolve().parent / "learning_trainers.py"
PAGE = ROOT / "docs" / "performance.md"
UPDATES_PLOT = ROOT / "docs" / "update_cost.svg"
TIMES_PLOT = ROOT / "docs" / "training_times.svg"
CPP_PENDULUM = {
    "path": ROOT / "examples" / "cpp_environment",
    "observation_dim": 3,
    "action_dim": 1,
    "action_low": -2.0,
    "action_high": 2.0,
}
ALGORITHMS = ("SAC", "TD3", "PPO")
REPEATS = 5
OURS, MKL, NO_BLAS, SB3 = "rltools_embed", "RLtools, MKL", "RLtools, no BLAS", "Stable-Baselines3"
# In Okabe and Ito's colours, which colour-blind people tell apart.
COLOURS = {OURS: "#0072B2", MKL: "#E69F00", NO_BLAS: "#CC79A7", SB3: "#009E73"}
HIDDEN_DIMS = (64, 128, 256, 512)
BATCH_SIZES = (100, 256, 1024)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One measured run of one library: what was done, and the CPU and wall seconds it took."""

    library: str
    work: str
    cpu_s: float
    wall_s: float


@dataclass(frozen=True, kw_only=True)
class Library:
    """An interpreter that has a library, and how `learning_trainers.py` calls it."""

    name: str
    python: str
    trainer: str
    environment: Mapping[str, str]


def without_blas(folder: Path) -> dict[str, str]:
    """An environment in which RLtools finds neither MKL nor any other BLAS: its compiler refuses to link one."""
    compilers = folder / "no_blas"
    compilers.mkdir()
    for name in ("g++", "clang++", "c++"):
        if real := shutil.which(name):
            wrapper = compilers / name
            wrapper.write_text(f'#!/bin/sh\ncase " $* " in *" -lblas "*) exit 1;; esac\nexec {real} "$@"\n')
            wrapper.chmod(0o755)
    return {"RL_TOOLS_DISABLE_MKL": "1", "PATH": f"{compilers}:{os.environ['PATH']}", "TMPDIR": _made(folder / "tmp")}


def _made(folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return str(folder)


def train_once(library: Library, algorithm: str) -> Run:
    """Training with the defaults of seed 0, evaluation off; compiling is not in it."""
    work = ["Pendulum-v1", algorithm, "0", "--points", "1"]
    command = [library.python, "-W", "ignore", str(TRAINERS), library.trainer, *work]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **library.environment}, capture_output=True, text=True, check=True
    )
    row = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    return Run(library=library.name, work=algorithm, cpu_s=row["cpu_s"], wall_s=row["wall_s"])


CONSTRUCT = """
import gymnasium, sys, time
from gymnasium.wrappers import RescaleAction
begin = time.perf_counter()
from {module} import SAC
SAC(lambda: RescaleAction(gymnasium.make("Pendulum-v1"), -1, 1))
print("CONSTRUCTED", time.perf_counter() - begin)
"""


def compile_once(library: Library, cache: Path) -> Run:
    """From an empty cache to a loaded module, by g++."""
    environment = {**os.environ, **library.environment, "TMPDIR": str(cache), "XDG_CACHE_HOME": str(cache)}
    command = [library.python, "-W", "ignore", "-c", CONSTRUCT.format(module=library.trainer)]
    before = os.times()
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    wall = re.search(r"CONSTRUCTED ([\d.]+)", done.stdout)
    assert wall is not None
    return Run(library=library.name, work="compile", cpu_s=cpu_s, wall_s=float(wall[1]))


def cached_start_once() -> Run:
    """A process that imports, takes the module from the cache, and is ready for its first step."""
    code = "import gymnasium; from rltools_embed import SAC; SAC(lambda: gymnasium.make('Pendulum-v1')).State(0)"
    before, begin = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    wall_s, after = time.perf_counter() - begin, os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(library=OURS, work="cached start", cpu_s=cpu_s, wall_s=wall_s)


# ------------------------------------------------------------------------------------------------------ our own update


@dataclass(frozen=True, kw_only=True)
class Update:
    """An update of SAC: its time, and how near it comes to a large matrix product on the same core.

    Attributes:
        gflop: that its matrix products take.
        share: of the speed of NumPy's product of two 512 x 512 matrices, measured in turn.
    """

    hidden_dim: int
    batch_size: int
    update_us: float
    gflop: float
    share: float


def cpu() -> str:
    """The CPU's name; on an x86 also the vectors that our kernels use there."""
    info = Path("/proc/cpuinfo")
    found = dict(
        re.findall(r"^(model name|flags)\s*: (.*)$", info.read_text(encoding="utf-8") if info.exists() else "", re.M)
    )
    name = found.get("model name", platform.processor() or platform.machine())
    flags = found.get("flags", "").split()
    sizes = [size for flag, size in (("avx512f", 64), ("avx", 32), ("sse2", 16)) if flag in flags]
    return f"{name}, vectors of {sizes[0]} B" if sizes else name


def silent(line: str) -> None:
    """No progress."""


def sac_gflop(hidden_dim: int, batch_size: int, observation_dim: int = 3, action_dim: int = 1) -> float:
    """Of one update's matrix products: each layer's is one forward, one for its weights, one for its inputs."""
    square = hidden_dim * hidden_dim
    actor = observation_dim * hidden_dim + square + hidden_dim * 2 * action_dim
    critic = (observation_dim + action_dim) * hidden_dim + square + hidden_dim
    critic_input = action_dim * hidden_dim + square + hidden_dim  # the actor needs the actions' derivatives only
    target = actor + 2 * critic
    critics = 2 * (critic + critic + square + hidden_dim)  # forward, weights, inputs but for the first layer's
    through_critics = actor + 2 * (critic + critic_input)
    actor_update = actor + square + hidden_dim * 2 * action_dim
    return 2e-9 * batch_size * (target + critics + through_critics + actor_update)


def product_gflops() -> float:
    """NumPy's best speed on one core, GFLOP/s."""
    a = np.ones((512, 512), np.float32)
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - begin)
    return 2e-9 * 512**3 / min(times)


def measure_update(hidden_dim: int, batch_size: int) -> Update:
    """The time of a training step on an environment that costs next to nothing, the C++ pendulum."""
    from rltools_embed import SAC

    options = {
        "ACTOR_HIDDEN_DIM": hidden_dim,
        "CRITIC_HIDDEN_DIM": hidden_dim,
        "ACTOR_BATCH_SIZE": batch_size,
        "CRITIC_BATCH_SIZE": batch_size,
    }
    training = SAC(CPP_PENDULUM, enable_evaluation=False, on_message=silent, **options)
    gflop = sac_gflop(hidden_dim, batch_size)
    steps = max(20, int(1.0 / gflop))  # about a second's worth per chunk at 100 GFLOP/s, less where it is slower
    steps = min(steps, 2000)
    # Until there is a batch to learn from, and, where it does not take long, until units have stopped learning.
    before = batch_size + max(200, min(2000, int(20 / gflop)))
    with training.State(0) as state:
        for _ in range(before):
            state.step()
        best_s, best_speed = float("inf"), 0.0
        for _ in range(REPEATS):
            best_speed = max(best_speed, product_gflops())
            begin = time.perf_counter()
            for _ in range(steps):
                state.step()
            best_s = min(best_s, (time.perf_counter() - begin) / steps)
    return Update(
        hidden_dim=hidden_dim,
        batch_size=batch_size,
        update_us=best_s * 1e6,
        gflop=gflop,
        share=gflop / best_s / best_speed,
    )


def measure_action_us() -> float:
    """`state.action(obs)`, the median of chunks of a thousand."""
    import gymnasium

    from rltools_embed import SAC

    training = SAC(lambda: gymnasium.make("Pendulum-v1"), enable_evaluation=False, on_message=silent)
    observation = np.zeros(3, np.float32)
    with training.State(0) as state:
        chunks = []
        for _ in range(50):
            begin = time.perf_counter()
            for _ in range(1000):
                state.action(observation)
            chunks.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(chunks)


# --------------------------------------------------------------------------------------------------------------- rows


def read(rows: Path) -> list[Run]:
    if not rows.exists():
        return []
    return [Run(**json.loads(line)) for line in rows.read_text(encoding="utf-8").splitlines()]


def keep(rows: Path, run: Run) -> None:
    with rows.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(run)) + "\n")
    sys.stderr.write(f"{run.work}, {run.library}: {run.cpu_s:.2f} CPU s, {run.wall_s:.2f} s\n")


def count(runs: Sequence[Run], library: str, work: str) -> int:
    return sum((run.library, run.work) == (library, work) for run in runs)


def measure_missing(rows: Path, work: str, runners: Mapping[str, Callable[[], Run]]) -> None:
    """Each library in turn, until each has REPEATS rows."""
    for repeat in range(REPEATS):
        for library, run in runners.items():
            if count(read(rows), library, work) <= repeat:
                keep(rows, run())


def median(runs: Sequence[Run], library: str, work: str, field: str = "cpu_s") -> float | None:
    found = [getattr(run, field) for run in runs if (run.library, run.work) == (library, work)]
    return statistics.median(found) if found else None


# --------------------------------------------------------------------------------------------------------------- page


def training_table(runs: Sequence[Run]) -> Iterator[str]:
    libraries = [name for name in (OURS, MKL, NO_BLAS, SB3) if any(run.library == name for run in runs)]
    yield f"| work | {' | '.join(libraries)} | {' | '.join(f'{name} ÷ ours' for name in libraries if name != OURS)} |"
    yield f"|{'---|' * (2 * len(libraries))}"
    for work in (*ALGORITHMS, "compile"):
        ours = median(runs, OURS, work)
        cells, ratios = [], []
        for name in libraries:
            cpu, wall = median(runs, name, work), median(runs, name, work, "wall_s")
            cells.append("-" if cpu is None or wall is None else f"{cpu:.2f} / {wall:.2f}")
            if name != OURS:
                ratios.append("-" if cpu is None or ours is None else f"{cpu / ours:.2f}")
        yield f"| {work} | {' | '.join(cells)} | {' | '.join(ratios)} |"


def targets(
    runs: Sequence[Run], updates: Sequence[Update], actions_us: Sequence[float]
) -> Iterator[tuple[str, str, float, bool]]:
    """Figure, target, found, met."""
    least = (
        ("SAC", MKL, 1.5),
        ("SAC", NO_BLAS, 12.0),
        ("SAC", SB3, 24.0),
        ("TD3", MKL, 1.5),
        ("PPO", MKL, 1.1),
        ("compile", MKL, 3.0),
    )
    for work, library, bound in least:
        ours, theirs = median(runs, OURS, work), median(runs, library, work)
        if ours is not None and theirs is not None:
            yield f"{work}, {library} ÷ ours, CPU s", f"≥ {bound:g}", theirs / ours, theirs / ours >= bound
    start = median(runs, OURS, "cached start", "wall_s")
    if start is not None:
        yield "cached start, import included, s", "≤ 0.3", start, start <= 0.3
    action_us = statistics.median(actions_us)
    yield "`state.action(obs)`, µs", "≤ 1.5", action_us, action_us <= 1.5
    share = updates[0].share
    yield "SAC update, batch 100, 64 wide, share of a large product's speed", "≥ 0.6", share, share >= 0.6


def section(runs: Sequence[Run], updates: Sequence[Update], actions_us: Sequence[float], earlier: Sequence[str]) -> str:
    lines = [
        "## Training",
        "",
        "`python benchmarks/training_speed.py --rltools PYTHON --stable-baselines3 PYTHON` measures this again.",
        "Default training on Pendulum-v1 (SAC and TD3 10,000 steps, PPO 98,304), seed 0, evaluation off.",
        "Compiling is apart.",
        "Stable-Baselines3 has RLtools' numbers where it has the option (`benchmarks/learning_trainers.py`).",
        f"CPU / wall seconds on one thread, medians of {REPEATS} runs, the libraries in turn.",
        f"One core of {cpu()}.",
        "Ratios are of CPU seconds.",
        *([f"Of an earlier run, not in turn with the others: {', '.join(earlier)}."] if earlier else []),
        "",
        *training_table(runs),
        "",
        "![CPU seconds of training and compiling](training_times.svg)",
        "",
        "The time of an update of SAC as it grows, and its share of the speed of a 512 x 512 product by NumPy.",
        "NumPy's product (OpenBLAS, one thread) was measured in turn on the same core.",
        "The share counts the update's own products, and all of its time.",
        "That includes activations, losses, Adam, the replay buffer, the environment's step and Python's call.",
        "",
        "![time per update](update_cost.svg)",
        "",
        "| hidden | batch | µs per update | share of the product's speed |",
        "|---|---|---|---|",
        *(f"| {u.hidden_dim} | {u.batch_size} | {u.update_us:.0f} | {100 * u.share:.0f} % |" for u in updates),
        "",
        "| figure | target | measured | |",
        "|---|---|---|---|",
        *(
            f"| {figure} | {bound} | {found:.3g} | {'' if met else 'missed'} |"
            for figure, bound, found, met in targets(runs, updates, actions_us)
        ),
        "",
        "`state.action(obs)` was measured before each of these updates:"
        f" {min(actions_us):.2f} to {max(actions_us):.2f} µs, the median counts.",
    ]
    return "\n".join(lines)


SVG = {"svg.fonttype": "none", "svg.hashsalt": "rltools_embed"}


def plot_times(runs: Sequence[Run], path: Path = TIMES_PLOT) -> None:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    labels = {**{name: name for name in ALGORITHMS}, "compile": "cold\ncompile"}
    with rc_context(SVG):
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        axes = figure.add_subplot()
        at = 0.0
        ticks = []
        for work in labels:
            found = {name: seconds for name in COLOURS if (seconds := median(runs, name, work)) is not None}
            ticks.append(at + (len(found) - 1) / 2)
            for name, seconds in found.items():
                axes.barh(at, seconds, height=0.9, color=COLOURS[name])
                axes.annotate(
                    f"{seconds:.2f}", (seconds, at), (3, 0), textcoords="offset points", va="center", fontsize=8
                )
                at += 1
            at += 0.8
        for name, colour in COLOURS.items():
            axes.barh(0, 0, color=colour, label=name)
        axes.set_yticks(ticks, list(labels.values()))
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlabel("CPU seconds")
        axes.legend(loc="lower right")
        figure.savefig(path, metadata={"Date": None})


def plot_updates(updates: Sequence[Update]) -> None:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SVG):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.add_subplot()
        for batch_size, group in itertools.groupby(sorted(updates, key=lambda u: u.batch_size), lambda u: u.batch_size):
            row = sorted(group, key=lambda u: u.hidden_dim)
            widths = [u.hidden_dim for u in row]
            (line,) = axes.plot(widths, [u.update_us for u in row], marker="o", label=f"batch {batch_size}")
            floor = [u.update_us * u.share for u in row]
            axes.plot(widths, floor, linestyle=":", color=line.get_color())
        axes.plot([], [], linestyle=":", color="0.4", label="products alone, at a large product's speed")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(HIDDEN_DIMS, [str(width) for width in HIDDEN_DIMS])
        axes.set_xlabel("numbers per hidden layer")
        axes.set_ylabel("µs per update of SAC")
        axes.legend()
        figure.savefig(UPDATES_PLOT, metadata={"Date": None})


# ------------------------------------------------------------------------------------------------------------ command


def measure_peers(rows: Path, rltools: str | None, stable_baselines3: str | None, folder: Path) -> None:
    libraries = [Library(name=OURS, python=sys.executable, trainer="rltools_embed", environment={})]
    if rltools:
        tmp = {"TMPDIR": _made(folder / "mkl")}
        libraries.append(Library(name=MKL, python=rltools, trainer="rltools", environment=tmp))
        no_blas = without_blas(folder)
        libraries.append(Library(name=NO_BLAS, python=rltools, trainer="rltools", environment=no_blas))
    if stable_baselines3:
        libraries.append(Library(name=SB3, python=stable_baselines3, trainer="stable_baselines3", environment={}))
    for algorithm in ALGORITHMS:
        measure_missing(
            rows,
            algorithm,
            {one.name: lambda one=one, algorithm=algorithm: train_once(one, algorithm) for one in libraries},
        )
    fresh = (Path(_made(folder / f"cache_{index}")) for index in itertools.count())
    compiled = [one for one in libraries if one.name in (OURS, MKL)]
    measure_missing(rows, "compile", {one.name: lambda one=one: compile_once(one, next(fresh)) for one in compiled})
    measure_missing(rows, "cached start", {OURS: cached_start_once})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rltools", metavar="PYTHON")
    parser.add_argument("--stable-baselines3", metavar="PYTHON")
    parser.add_argument("--rows", type=Path, help="where finished runs are kept (default: nowhere)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = arguments.rows or Path(name) / "rows"
        earlier = tuple(dict.fromkeys(run.library for run in read(rows)))
        measure_peers(rows, arguments.rltools, arguments.stable_baselines3, Path(name))
        runs = read(rows)
    if set(earlier) == {run.library for run in runs}:
        earlier = ()  # each was measured then, in turn with the others
    updates = []
    actions_us = []
    for hidden_dim, size in itertools.product(HIDDEN_DIMS, BATCH_SIZES):
        actions_us.append(measure_action_us())
        updates.append(measure_update(hidden_dim, size))
    text = section(runs, updates, actions_us, earlier)
    sys.stdout.write(text + "\n")
    if arguments.rltools and arguments.stable_baselines3:
        pages.write_part(PAGE, "training", text)
        plot_times(runs)
        plot_updates(updates)
    missed = [figure for figure, _, _, met in targets(runs, updates, actions_us) if not met]
    sys.exit(f"missed: {'; '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
