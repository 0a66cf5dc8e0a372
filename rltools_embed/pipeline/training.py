"""Training a policy into a folder."""

from __future__ import annotations

import json
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from filelock import FileLock, Timeout

from rltools_embed.compiling.backend import OWN, chosen
from rltools_embed.errors import CheckpointError, ProjectError
from rltools_embed.files import check_could_write, check_writable, write_atomically
from rltools_embed.pipeline.folders import CHECKPOINT
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Policy
from rltools_embed.progress import Progress, Say, print_line, silent
from rltools_embed.training import (
    Callbacks,
    Evaluation,
    State,
    Training,
    environment_factory,
    saved_run,
    trainer_of,
)
from rltools_embed.training.evaluation import EvaluationPlan
from rltools_embed.training.plot import check as check_plot
from rltools_embed.training.plot import write as draw

RUN = "run.json"
_RUN_FORMAT = 2
_LOCK = ".rlt_embed.lock"
_SAVE_PERIOD_S = 60.0
_EVALUATION = ("enable_evaluation", "evaluation_interval", "num_evaluation_episodes")
_ANOTHER_FOLDER = "choose another folder with -o, or replace it with --force"

# What makes an environment, or describes one in C++.
Source: TypeAlias = Callable[[], Any] | Mapping[str, Any]
Curve: TypeAlias = tuple[Evaluation, ...]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What training left in its folder.

    Attributes:
        learning_curve: the evaluations, oldest first.
    """

    folder: Path
    policy: Policy
    learning_curve: Curve

    @property
    def checkpoint(self) -> Path:
        return self.folder / CHECKPOINT


def train(
    environment: str | Source,
    output: str | Path,
    *,
    algorithm: str | None = None,
    steps: int | None = None,
    seed: int | None = None,
    options: Mapping[str, Any] | None = None,
    backend: str | None = None,
    enable_evaluation: bool | None = None,
    evaluation_interval: int | None = None,
    num_evaluation_episodes: int | None = None,
    save: str | Path | None = None,
    resume: str | Path | None = None,
    plot: str | Path | None = None,
    callbacks: Callbacks | None = None,
    force: bool = False,
    preflight: Callable[[Policy], None] = lambda policy: None,
    on_message: Say = print_line,
    progress: Progress = silent,
) -> Run:
    """Train a policy and write `checkpoint.h` and `run.json` into `output`.

    An interrupted training leaves the policy as it stood then.

    Args:
        environment: a Gymnasium id, a function without arguments that makes an environment, or one in C++:
            `{"path": …, "observation_dim": …, "action_dim": …}`.
        algorithm: sac, td3 or ppo; None: sac, or that of `resume`.
        steps: environment steps of the whole training; None: the algorithm's default, or those of `resume`.
        seed: None: 0, or that of `resume`.
        options: the algorithm's options by their upper-case names.
        backend: what computes the matrix products, see `Training`; None: RLT_BACKEND, or that of `resume`.
        enable_evaluation, evaluation_interval, num_evaluation_episodes: whether, how often and on how many episodes the
            policy is evaluated, see `Training`; None: as there, or as in `resume`.
        save: file for the whole run, to resume from: written at the end, when interrupted, and once a minute.
        resume: file that `save` wrote, to go on from. It can run code like a program: trust who wrote it.
        plot: picture of the learning curve, drawn at the end: .png, .svg or .pdf.
        force: replace a run in `output` that was made with other settings, or by a function: two functions cannot be
            told apart.
        preflight: called before the first step with the untrained policy, which has the sizes of the trained one;
            what it raises ends the training before it began.
        on_message: takes each line of progress, evaluations among them; prints to stdout by default.
        progress: called with the steps done and to do.

    Raises:
        UnsupportedEnvError, ToolchainError, BuildError, TrainingError: as the trainer.
        CheckpointError: `resume` is damaged, or does not fit the other arguments.
        ProjectError: `output` holds something else, which is left as it is; or it cannot be written.
    """
    folder = Path(output)
    destinations = [Path(path) for path in (save, plot) if path is not None]
    if plot is not None:
        check_plot(Path(plot))
    evaluation = zip(_EVALUATION, (enable_evaluation, evaluation_interval, num_evaluation_episodes), strict=True)
    given = {name: value for name, value in evaluation if value is not None}
    order = _ordered(algorithm, steps, seed, options or {}, backend, given, None if resume is None else Path(resume))
    settings = {"environment": environment if isinstance(environment, str) else None, **order.settings()}
    _refuse_other_run(folder, settings, force=force)
    check_could_write(folder)
    for path in destinations:
        check_writable(path.parent)
    factory = environment_factory(environment) if isinstance(environment, str) else environment
    with order.start(factory, callbacks, on_message) as state:
        preflight(state.policy())
        with alone_in(folder):
            _refuse_other_run(folder, settings, force=force)  # again: it may have come in while we compiled
            try:
                _train(state, None if save is None else Path(save), progress)
            except KeyboardInterrupt:
                on_message(f"interrupted at step {state.step_count}: keeping the policy as it is")
                _keep(folder, settings, state.policy(), state.learning_curve)
                _draw(plot, state)
                raise
            run = _keep(folder, settings, state.policy(), state.learning_curve)
            _draw(plot, state)
            return run


def _draw(path: str | Path | None, state: State) -> None:
    if path is not None:
        origin = state.policy().provenance
        title = ", ".join(part for part in (origin.environment, origin.algorithm, f"seed {state.seed}") if part)
        draw(Path(path), title, state.learning_curve, state.episodes)


@dataclass(frozen=True, kw_only=True)
class _Order:
    """A training that was asked for, with nothing left open.

    Attributes:
        options: the number of steps among them.
        evaluation: what is given of `Training`'s arguments for it.
        resume: the file to go on from, if any.
    """

    kind: type[Training]
    seed: int
    options: Mapping[str, Any]
    backend: str
    evaluation: Mapping[str, Any]
    resume: Path | None

    def start(self, factory: Source, callbacks: Callbacks | None, on_message: Say) -> State:
        common: dict[str, Any] = {
            "on_message": on_message,
            "backend": self.backend,
            **self.evaluation,
            **self.options,
        }
        if self.resume is not None:
            return self.kind.load(self.resume, factory, callbacks=callbacks, **common)
        return self.kind(factory, **common).State(self.seed, callbacks)

    def settings(self) -> dict[str, Any]:
        """What makes a run what it is; a function that makes an environment cannot be compared with another one."""
        algorithm = self.kind.check_options(self.options)
        default = EvaluationPlan(interval=algorithm.evaluation_interval)
        plan = EvaluationPlan(
            enabled=self.evaluation.get("enable_evaluation", default.enabled),
            interval=self.evaluation.get("evaluation_interval", default.interval),
            episodes=self.evaluation.get("num_evaluation_episodes", default.episodes),
        )
        options = algorithm.lasting_options()
        steps = options.pop(self.kind.STEP_OPTION)
        defaults = self.kind.check_options({self.kind.STEP_OPTION: steps}).lasting_options()
        return {
            "algorithm": self.kind.__name__.lower(),
            "steps": steps,
            "seed": self.seed,
            "options": {name: value for name, value in options.items() if value != defaults[name]},
            # Another one is another run: its bits differ.
            **({} if self.backend == OWN.name else {"backend": self.backend}),
            # The curve, and the return that the checkpoint tells.
            **({} if plan == default else {"evaluation": asdict(plan)}),
        }


def _ordered(
    algorithm: str | None,
    steps: int | None,
    seed: int | None,
    options: Mapping[str, Any],
    backend: str | None,
    evaluation: Mapping[str, Any],
    resume: Path | None,
) -> _Order:
    """The arguments of `train` with their defaults, or with those of the run to resume."""
    if resume is None:
        kind = trainer_of(algorithm or "sac")
        check_options(kind.__name__, options, steps)
        all_options = {**options, kind.STEP_OPTION: kind.DEFAULT_STEPS if steps is None else steps}
        return _Order(
            kind=kind,
            seed=seed or 0,
            options=all_options,
            backend=chosen(backend),
            evaluation=evaluation,
            resume=None,
        )
    saved = saved_run.read(resume)
    arguments = saved.setup.arguments
    kind = trainer_of(saved.setup.algorithm)
    for name, asked, found in (("algorithm", algorithm, kind.__name__.lower()), ("seed", seed, saved.seed)):
        if asked is not None and asked != found:
            raise CheckpointError(f"{resume} holds a run of {name} {found}, not {asked}", f"leave --{name} out")
    try:
        check_options(kind.__name__, options, steps)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{resume} cannot go on so: {error}", "leave it out, or correct it") from error
    changed = {**options, **({} if steps is None else {kind.STEP_OPTION: steps})}
    return _Order(
        kind=kind,
        seed=saved.seed,
        options={**saved.setup.options, **changed},
        backend=chosen(backend or arguments.get("backend", OWN.name)),
        evaluation={**{name: arguments[name] for name in _EVALUATION if name in arguments}, **evaluation},
        resume=resume,
    )


def _train(state: State, save: Path | None, progress: Progress) -> None:
    """All steps, and `save` at the end, when interrupted, and every now and then."""
    progress(state.step_count, state.step_limit)
    saved_s = time.monotonic()
    with _interruption_between_steps() as is_interrupted:
        while not state.step() and not is_interrupted():
            progress(state.step_count, state.step_limit)
            if save is not None and time.monotonic() - saved_s >= _SAVE_PERIOD_S:
                state.save(save)
                saved_s = time.monotonic()
        if save is not None:
            state.save(save)
    if not state.finished:
        raise KeyboardInterrupt
    progress(state.step_count, state.step_limit)


@contextmanager
def _interruption_between_steps() -> Iterator[Callable[[], bool]]:
    """Hold the first Ctrl-C back until the caller asks for it, so that no step is broken off; not so the second."""
    is_interrupted = threading.Event()

    def note(number: int, frame: object) -> None:
        is_interrupted.set()
        signal.signal(signal.SIGINT, before)

    if threading.current_thread() is not threading.main_thread():
        yield is_interrupted.is_set  # only the main thread is told of signals
        return
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, note)
    try:
        yield is_interrupted.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _keep(folder: Path, settings: Mapping[str, Any], policy: Policy, curve: Curve) -> Run:
    """Write the run; where the folder has become unwritable meanwhile, save the policy elsewhere."""
    text = checkpoint.dumps(policy)
    document = {"format": _RUN_FORMAT, "settings": settings, "learning_curve": as_table(curve)}
    try:
        write_atomically(folder / CHECKPOINT, text)
        write_atomically(folder / RUN, json.dumps(document, indent=2) + "\n")
    except OSError as error:
        rescue = Path(tempfile.mkdtemp(prefix="rltools_embed_")) / CHECKPOINT
        write_atomically(rescue, text)
        message = f"cannot write {error.filename or folder}: {error.strerror}"
        raise ProjectError(message, f"the policy was saved as {rescue}") from error
    return Run(folder=folder, policy=policy, learning_curve=curve)


def as_table(curve: Curve) -> list[dict[str, Any]]:
    """A learning curve as rows for JSON: step, mean_return, mean_length, and the returns and lengths behind them."""
    return [
        {"step": point.step, "mean_return": point.mean_return, "mean_length": point.mean_length, **asdict(point)}
        for point in curve
    ]


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder against another rlt-embed, from before the work to after the last file."""
    check_writable(folder)
    try:
        with FileLock(folder / _LOCK, timeout=0):
            yield
    except Timeout:
        message = f"another rlt-embed is at work in {folder}"
        raise ProjectError(message, "wait for it, or choose another folder with -o") from None


def check_options(algorithm: str, options: Mapping[str, Any], steps: int | None = None) -> None:
    """Refuse an option that does not exist or has a value that is not allowed, and a number of steps that is too small.

    Raises:
        TypeError, ValueError: in one line, which option and what is allowed.
    """
    kind = trainer_of(algorithm)
    for name in {"STEP_LIMIT", kind.STEP_OPTION}:
        if name in options:
            raise ValueError(f"{name} is the number of steps: use `steps` (--steps)")
    kind.check_options({**options, kind.STEP_OPTION: kind.DEFAULT_STEPS if steps is None else steps})


def _refuse_other_run(folder: Path, settings: Mapping[str, object], *, force: bool) -> None:
    """Training again with the same settings gives the same run; anything else in its place is not ours to replace."""
    if folder.exists() and not folder.is_dir():
        raise ProjectError(f"{folder} is not a folder", "choose another one with -o")
    if force or not (folder / CHECKPOINT).exists():
        return
    try:
        found = json.loads((folder / RUN).read_text(encoding="utf-8"))["settings"]
        is_the_same = found == settings and found["environment"] is not None
    except (OSError, ValueError, KeyError, TypeError):
        message = f"{folder / CHECKPOINT} exists and is not from `rlt-embed train`"
        raise ProjectError(message, _ANOTHER_FOLDER) from None
    if not is_the_same:
        raise ProjectError(f"{folder} holds a run with other settings ({_described(found)})", _ANOTHER_FOLDER)


def _described(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items() if value not in ({}, None))
