"""Training a policy into a folder."""

from __future__ import annotations

import json
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from filelock import FileLock, Timeout

from rltools_embed import checks
from rltools_embed.environments.source import Given
from rltools_embed.errors import ProjectError
from rltools_embed.files import check_could_write, check_writable, write_atomically
from rltools_embed.pipeline.folders import CHECKPOINT
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Policy
from rltools_embed.progress import Progress, Say, print_line, silent
from rltools_embed.training import Callbacks, Evaluation, Settings, State, TrainingPlan
from rltools_embed.training.plot import check as check_plot
from rltools_embed.training.plot import write as draw

if TYPE_CHECKING:
    from typing import Unpack

RUN = "run.json"
_RUN_FORMAT = 2
_LOCK = ".rlt_embed.lock"
_SAVE_PERIOD_S = 60.0
_ANOTHER_FOLDER = "choose another folder with -o, or replace it with --force"

Curve: TypeAlias = tuple[Evaluation, ...]
_Group = TypeVar("_Group", "Files", "Hooks")


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
        """The path of its checkpoint.h."""
        return self.folder / CHECKPOINT


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files of a training, besides its folder.

    Attributes:
        save: takes the whole run, to resume from: written at the end, when interrupted, and once a minute.
        resume: what `save` wrote, to go on from. It can run code like a program: trust who wrote it.
        plot: takes a picture of the learning curve, drawn at the end: .png, .svg or .pdf.
    """

    save: str | Path | None = None
    resume: str | Path | None = None
    plot: str | Path | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            path = getattr(self, each.name)
            object.__setattr__(self, each.name, None if path is None else Path(path))


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """What a training calls.

    Attributes:
        callbacks: called by `step`, see `Callbacks`.
        preflight: called before the first step with the untrained policy, which has the sizes of the trained one;
            what it raises ends the training before it began.
        on_message: takes each line of progress, evaluations among them; prints to stdout by default.
        progress: called with the steps done and to do.
    """

    callbacks: Callbacks | None = None
    preflight: Callable[[Policy], None] = lambda policy: None
    on_message: Say = print_line
    progress: Progress = silent


class RunKeywords(Settings, total=False):
    """Keyword arguments that `run` passes on: a plan's settings, and the fields of `Hooks` by themselves."""

    callbacks: Callbacks | None
    on_message: Say
    progress: Progress


class TrainKeywords(RunKeywords, total=False):
    """Keyword arguments of `train`: a plan's settings, and the fields of `Hooks` and `Files` by themselves."""

    preflight: Callable[[Policy], None]
    save: str | Path | None
    resume: str | Path | None
    plot: str | Path | None


def train(
    environment: TrainingPlan | str | Given,
    output: str | Path,
    *,
    files: Files | None = None,
    hooks: Hooks | None = None,
    force: bool = False,
    **keywords: Unpack[TrainKeywords],
) -> Run:
    """Train a policy and write `checkpoint.h` and `run.json` into `output`.

    An interrupted training leaves the policy as it stood then.

    Args:
        environment: a plan; or what the plan is for, with its settings as keywords: a Gymnasium id, a function without
            arguments that makes an environment, or one in C++: `{"path": …, "observation_dim": …, "action_dim": …}`.
        files: where the whole run is saved and resumed from, and the picture of its learning curve.
        hooks: what training calls.
        force: replace a run in `output` that was made with other settings, or by a function: two functions cannot be
            told apart.
        keywords: the plan's settings, see `Settings`: algorithm, steps, seed, options, backend, enable_evaluation,
            evaluation_interval, num_evaluation_episodes. What is left out, or None, is the default, or what `resume`
            was saved with. The fields of `Files` and `Hooks` may be passed by themselves as well: save, resume, plot,
            callbacks, preflight, on_message, progress.

    Raises:
        UnsupportedEnvError, ToolchainError, BuildError, TrainingError: as the trainer.
        CheckpointError: `resume` is damaged, or does not fit the other arguments.
        ProjectError: `output` holds something else, which is left as it is; or it cannot be written.
        TypeError, ValueError: an unknown argument, or a setting that the plan refuses.
    """
    checks.refuse_unknown("train", keywords, (*TrainKeywords.__annotations__, "files", "hooks", "force"))
    settings = dict(keywords)
    files = with_fields(files or Files(), settings)
    hooks = with_fields(hooks or Hooks(), settings)
    resume, save, plot = (None if path is None else Path(path) for path in (files.resume, files.save, files.plot))
    folder = Path(output)
    if plot is not None:
        check_plot(plot)
    plan = plan_of(environment, settings, resume)
    document = plan.as_json()
    _refuse_other_run(folder, document, force=force)
    check_could_write(folder)
    for path in (save, plot):
        if path is not None:
            check_writable(path.parent)
    with plan.start(hooks.callbacks, hooks.on_message, resume=resume) as state:
        hooks.preflight(state.policy())
        with alone_in(folder):
            _refuse_other_run(folder, document, force=force)  # again: it may have come in while we compiled
            try:
                _train(state, save, hooks.progress)
            except KeyboardInterrupt:
                hooks.on_message(f"interrupted at step {state.step_count}: keeping the policy as it is")
                _keep(folder, document, state.policy(), state.learning_curve)
                _draw(plot, state)
                raise
            run = _keep(folder, document, state.policy(), state.learning_curve)
            _draw(plot, state)
            return run


def plan_of(
    environment: TrainingPlan | str | Given, settings: Mapping[str, Any], resume: Path | None = None
) -> TrainingPlan:
    """The one plan of a training: `environment` itself, or what it and its settings make.

    Args:
        resume: the saved run that decides what the settings leave open. Of a plan its options: those that it does not
            name stay as they were saved.

    Raises:
        TypeError: a plan with settings besides.
        CheckpointError, UnsupportedEnvError, TypeError, ValueError: as `TrainingPlan.of` and `from_saved`.
    """
    if isinstance(environment, TrainingPlan):
        if settings:
            raise TypeError(f"{next(iter(settings))} is the plan's: change it there, with dataclasses.replace(plan, …)")
        if resume is None:
            return environment
        return TrainingPlan.from_saved(resume, environment.environment, **environment.settings())
    given: Any = settings  # typed where the user calls
    if resume is None:
        return TrainingPlan.of(environment, **given)
    return TrainingPlan.from_saved(resume, environment, **given)


def _draw(path: Path | None, state: State) -> None:
    if path is not None:
        origin = state.policy().provenance
        title = ", ".join(part for part in (origin.environment, origin.algorithm, f"seed {state.seed}") if part)
        draw(path, title, state.learning_curve, state.episodes)


def with_fields(group: _Group, keywords: dict[str, Any]) -> _Group:
    """The dataclass `group` with those of its fields that are among `keywords`, which leave them."""
    given = {each.name: keywords.pop(each.name) for each in fields(group) if each.name in keywords}
    return replace(group, **given)


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
        yield is_interrupted.is_set  # only the main thread gets signals
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
