"""The stages as library calls: train, inspect, export, build, flash, validate, and run for all of them in one go.

Each stage takes the folder that the one before it wrote.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from filelock import FileLock, Timeout

from rltools_embed import process
from rltools_embed.errors import CheckpointError, ProjectError, ToolchainError
from rltools_embed.files import check_writable, write_atomically
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import platformio, project, render, toolchain
from rltools_embed.firmware.board import Board
from rltools_embed.firmware.memory import Budget
from rltools_embed.firmware.platformio import Firmware, Watch
from rltools_embed.firmware.spec import MANIFEST, PolicyFacts, Project, ProjectSpec, WriteResult
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Policy
from rltools_embed.training import (
    Callbacks,
    Evaluation,
    State,
    Training,
    environment_factory,
    saved_run,
    trainer_of,
)
from rltools_embed.training.backend import OWN, chosen
from rltools_embed.training.plot import check as check_plot
from rltools_embed.training.plot import write as draw
from rltools_embed.training.trainer import Say, print_line
from rltools_embed.validation import Report, Settings, reach
from rltools_embed.validation import validate as _validate

CHECKPOINT = "checkpoint.h"
RUN = "run.json"
_RUN_FORMAT = 2
_LOCK = ".rlt_embed.lock"
_SAVE_PERIOD_S = 60.0
_ANOTHER_FOLDER = "choose another folder with -o, or replace it with --force"

Progress: TypeAlias = Callable[[int, int], None]
# What makes an environment, or describes one in C++.
Source: TypeAlias = Callable[[], Any] | Mapping[str, Any]
Curve: TypeAlias = tuple[Evaluation, ...]


def _silent(done: int, total: int) -> None:
    """No progress shown."""


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
    save: str | Path | None = None,
    resume: str | Path | None = None,
    plot: str | Path | None = None,
    callbacks: Callbacks | None = None,
    force: bool = False,
    preflight: Callable[[Policy], None] = lambda policy: None,
    on_message: Say = print_line,
    progress: Progress = _silent,
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
    order = _ordered(algorithm, steps, seed, options or {}, backend, None if resume is None else Path(resume))
    settings = {"environment": environment if isinstance(environment, str) else None, **order.settings()}
    _refuse_other_run(folder, settings, force=force)
    for path in destinations:
        check_writable(path.parent)
    factory = environment_factory(environment) if isinstance(environment, str) else environment
    with order.start(factory, callbacks, on_message) as state:
        preflight(state.policy())
        with _alone_in(folder):
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
        resume: the file to go on from, if any.
    """

    kind: type[Training]
    seed: int
    options: Mapping[str, Any]
    backend: str
    resume: Path | None

    def start(self, factory: Source, callbacks: Callbacks | None, on_message: Say) -> State:
        common: dict[str, Any] = {"on_message": on_message, "backend": self.backend, **self.options}
        if self.resume is not None:
            return self.kind.load(self.resume, factory, callbacks=callbacks, **common)
        return self.kind(factory, **common).State(self.seed, callbacks)

    def settings(self) -> dict[str, Any]:
        """What makes a run what it is; a function that makes an environment cannot be compared with another one."""
        options = self.kind.check_options(self.options).lasting_options()
        steps = options.pop(self.kind.STEP_OPTION)
        defaults = self.kind.check_options({self.kind.STEP_OPTION: steps}).lasting_options()
        return {
            "algorithm": self.kind.__name__.lower(),
            "steps": steps,
            "seed": self.seed,
            "options": {name: value for name, value in options.items() if value != defaults[name]},
            # Another one is another run: its bits differ.
            **({} if self.backend == OWN.name else {"backend": self.backend}),
        }


def _ordered(
    algorithm: str | None,
    steps: int | None,
    seed: int | None,
    options: Mapping[str, Any],
    backend: str | None,
    resume: Path | None,
) -> _Order:
    """The arguments of `train` with their defaults, or with those of the run to resume."""
    if resume is None:
        kind = trainer_of(algorithm or "sac")
        check_options(kind.__name__, options, steps)
        all_options = {**options, kind.STEP_OPTION: kind.DEFAULT_STEPS if steps is None else steps}
        return _Order(kind=kind, seed=seed or 0, options=all_options, backend=chosen(backend), resume=None)
    saved = saved_run.read(resume)
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
        backend=chosen(backend or saved.setup.arguments.get("backend", OWN.name)),
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
def _alone_in(folder: Path) -> Iterator[None]:
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


def load_run(path: str | Path) -> Policy:
    """The policy of a run's folder, of a project's folder, or of a checkpoint file."""
    given = Path(path)
    for candidate in (given, given / CHECKPOINT, given / "include" / CHECKPOINT, given / "run" / CHECKPOINT):
        if candidate.is_file():
            return checkpoint.load(candidate)
    if given.is_dir():
        raise ProjectError(f"{given} holds no {CHECKPOINT}", "pass the folder that `rlt-embed train` wrote")
    raise ProjectError(f"{given} does not exist", "pass the folder that `rlt-embed train` wrote, or a checkpoint.h")


def inspect(path: str | Path) -> Policy:
    """The policy of a run, a project or a checkpoint file, checked from the first line to the last."""
    return load_run(path)


@dataclass(frozen=True, kw_only=True)
class Export:
    """A project that was written."""

    project: Project
    files: WriteResult


def export(
    source: str | Path,
    output: str | Path,
    *,
    board: str | Sequence[str],
    framework: str | None = None,
    force: bool = False,
) -> Export:
    """Render the PlatformIO project of a policy for one or several boards.

    Args:
        source: a run's folder or a checkpoint file.
        board: names of boards, or paths of board files.
        framework: arduino or espidf, for all of them; None: the first that each board file names.
        force: also replace generated files that were edited since.

    Raises:
        BoardError: unknown board, wrong board file, or the policy does not fit.
        CheckpointError: the checkpoint is damaged.
        ProjectError: `output` holds files that would be lost.
    """
    policy = load_run(source)
    names = (board,) if isinstance(board, str) else tuple(board)
    return _export(policy, Path(output), tuple(_loaded(name, framework) for name in names), force=force)


def _loaded(name: str, framework: str | None) -> Board:
    found = boards.load(name)
    return found if framework is None else found.on(boards.Framework(framework))


def _export(policy: Policy, output: Path, targets: tuple[Board, ...], *, force: bool) -> Export:
    spec = _spec(policy, targets)
    written = project.write(project.render(spec), output, owned=project.render_owned(spec), force=force)
    return Export(project=project.load(output), files=written)


def _spec(policy: Policy, targets: tuple[Board, ...]) -> ProjectSpec:
    return ProjectSpec(
        name=render.identifier(policy.name),
        boards=targets,
        checkpoint_text=checkpoint.dumps(policy),
        policy=PolicyFacts.of(policy),
    )


def _project_folder(path: str | Path) -> Path:
    """The project itself, or the one inside the folder that `run` wrote."""
    given = Path(path)
    inside = given / "firmware"
    return inside if not (given / MANIFEST).exists() and (inside / MANIFEST).exists() else given


def build(
    folder: str | Path, *, board: str | None = None, budget: Budget | None = None, watch: Watch | None = None
) -> Firmware:
    """Compile a project for one of its boards; see `firmware.platformio.build`."""
    return platformio.build(_project_folder(folder), board, budget=budget, watch=watch)


def flash(
    folder: str | Path, *, board: str | None = None, port: str | None = None, watch: Watch | None = None
) -> str | None:
    """Put a project's firmware on its board, and wait until a hardware board answers; the board's port.

    Args:
        port: where the board is; a hardware board is found by its USB id if it is not named.
        watch: gets PlatformIO's lines as they come.

    Raises:
        ToolchainError, BuildError, BoardError: as `build`; the upload failed.
        LinkError: the board is not there, may be on more than one port, or who answers is another board.
    """
    where = _project_folder(folder)
    opened = project.load(where)
    target = opened.board(board)
    if target.runner.kind is not boards.RunnerKind.HARDWARE:
        return platformio.upload(where, board, port, watch=watch)
    named = port or opened.upload_port(target)
    platformio.upload(where, board, reach.port_for_upload(opened, target, port), watch=watch)
    return reach.await_firmware(opened, target, named)


def power_off(folder: str | Path, *, board: str | None = None, port: str | None = None) -> None:
    """Switch an emulated board off."""
    platformio.power_off(_project_folder(folder), board, port)


def validate(
    folder: str | Path,
    *,
    board: str | None = None,
    port: str | None = None,
    source: str | Path | None = None,
    settings: Settings | None = None,
    progress: Progress = _silent,
) -> Report:
    """Compare what a project's board computes with what its policy should give.

    Args:
        source: a run's folder or a checkpoint file that says what should be on the board; else the project's own.

    Raises:
        ProjectError, BoardError, CheckpointError, LinkError, ProtocolError: nothing could be measured.
    """
    policy = load_run(source) if source is not None else None
    return _validate(
        _project_folder(folder), board=board, port=port, policy=policy, settings=settings, progress=progress
    )


def run(
    environment: str | Source,
    output: str | Path,
    *,
    board: str,
    framework: str | None = None,
    algorithm: str | None = None,
    steps: int | None = None,
    seed: int | None = None,
    options: Mapping[str, Any] | None = None,
    backend: str | None = None,
    port: str | None = None,
    force: bool = False,
    announce: Callable[[str], None] = lambda stage: None,
    on_message: Say = print_line,
    progress: Progress = _silent,
) -> Report:
    """Train, export, build, flash and validate: `output/run` and `output/firmware`.

    An emulated board is switched off at the end. What a later stage needs is checked before the first one starts.

    Args:
        announce: called with the name of each stage as it begins.
    """
    target = _loaded(board, framework)
    toolchain.require((*toolchain.for_build(target), *toolchain.for_upload(target)))
    is_emulated = target.runner.kind is not boards.RunnerKind.HARDWARE
    # A port of its own: a board that runs for somebody else is neither stopped nor measured.
    where = port or (platformio.free_port() if is_emulated else None)
    folder = Path(output)
    firmware = folder / "firmware"

    def preflight(policy: Policy) -> None:
        project.check(project.render(_spec(policy, (target,))), firmware, force=force)

    with _alone_in(folder):
        announce("train")
        trained = train(
            environment,
            folder / "run",
            algorithm=algorithm,
            steps=steps,
            seed=seed,
            options=options,
            backend=backend,
            force=force,
            preflight=preflight,
            on_message=on_message,
            progress=progress,
        )
        announce("export")
        _export(trained.policy, firmware, (target,), force=force)
        announce("build")
        build(firmware, board=target.name, watch=on_message)
        announce("flash")
        flashed = flash(firmware, board=target.name, port=where, watch=on_message)
        try:
            announce("validate")
            return _validate(firmware, board=target.name, port=flashed, policy=trained.policy, progress=progress)
        finally:
            if is_emulated:
                power_off(firmware, board=target.name, port=where)


def monitor(folder: str | Path, *, board: str | None = None, port: str | None = None) -> int:
    """PlatformIO's serial monitor on a project's board, in the user's terminal; its exit code."""
    opened = project.load(_project_folder(folder))
    target = opened.board(board)
    if not sys.stdin.isatty():
        raise ToolchainError("the monitor needs a terminal", "run it from one, or read the port with pyserial")
    where = reach.port_of(opened, target, port)
    command = [sys.executable, "-m", "platformio", "device", "monitor", "-d", str(opened.folder), "-e", target.name]
    return process.run_attached([*command, "--port", where])
