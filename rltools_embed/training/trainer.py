"""Training under the interface that RLtools' users know: `SAC(env_factory)`, `State(seed)`, `step()`."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import operator
import platform
import sys
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, TypeAlias

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import VectorEnv

import rltools_embed
from rltools_embed.errors import CheckpointError, TrainingError, UnsupportedEnvError
from rltools_embed.policy.model import Float32Array, Policy, Provenance, as_observations
from rltools_embed.training import backend as backends
from rltools_embed.training import compiler, saved_run
from rltools_embed.training.algorithm import Algorithm
from rltools_embed.training.cpp_environment import CppEnvironment, CppSideBySide, One
from rltools_embed.training.environment import EVALUATION_STEP_LIMIT, EnvFactory, Environment, make, probe
from rltools_embed.training.options import from_keywords
from rltools_embed.training.ppo import PpoAlgorithm, PpoOptions
from rltools_embed.training.sac import SacAlgorithm, SacOptions
from rltools_embed.training.saved_run import Evaluation, SavedRun, Setup
from rltools_embed.training.side_by_side import Episode, EpisodeStatistics, OneEnvironment, SideBySide, Underway
from rltools_embed.training.snapshot import SnapshotError
from rltools_embed.training.spaces import EnvSpec, Sizes
from rltools_embed.training.td3 import Td3Algorithm, Td3Options
from rltools_embed.training.vector import VectorEnvironments, VectorSideBySide

_EXAMPLES = 16
_RECENT_STEPS = 1000

# Called with each line of progress, without its newline.
Say = Callable[[str], None]


def print_line(line: str) -> None:
    """One line to stdout, at once: training is watched."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass(frozen=True, kw_only=True)
class _PythonEnvironments:
    """A factory of Gymnasium environments, and what it was found to make."""

    factory: EnvFactory
    spec: EnvSpec


_Source: TypeAlias = "_PythonEnvironments | VectorEnvironments | CppEnvironment"


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """What is called by `step`, when the step is complete: they may act, evaluate, save, export, and `stop` the run.

    An exception leaves `step` as it is, and the run usable: the next `step` goes on.

    Attributes:
        on_episode: for each training episode that has ended.
        on_evaluation: for an evaluation, when one was due.
        on_step: last.
    """

    on_episode: Callable[[State, Episode], object] | None = None
    on_evaluation: Callable[[State, Evaluation], object] | None = None
    on_step: Callable[[State], object] | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """When the policy is evaluated during training: every `interval` calls of `step` and at the end, or never."""

    enabled: bool
    interval: int
    episodes: int

    def __post_init__(self) -> None:
        for name, value in (("evaluation_interval", self.interval), ("num_evaluation_episodes", self.episodes)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}: it must be a whole number of at least 1")


class Training:
    """An algorithm compiled for one environment's sizes, or taken from the cache. `State(seed)` starts a run.

    Args:
        env_factory: makes the environment, without arguments. It is called once here, and for each `State` once per
            environment to train in and once to evaluate. Or an environment in C++, see `CppEnvironment.from_mapping`:
            `{"path": …, "observation_dim": …, "action_dim": …}`. With PPO it may make a `gymnasium.vector.VectorEnv`:
            where N_ENVIRONMENTS is not given, it becomes their number.
        verbose: show the compiler's commands and output.
        force_recompile: do not use the cache.
        evaluation_interval: calls of `step` between evaluations; None: the algorithm's own.
        num_evaluation_episodes: episodes per evaluation, each from a start of its own.
        interface_name: part of the policy's name; the cache does not need it.
        backend: what computes the matrix products: "own" kernels (the default, and the fastest where we measured),
            "mkl", "openblas", "accelerate" (macOS), or "blas", the first of these that is here. None: what the
            environment variable RLT_BACKEND says. One that is missing or broken is told in a line, and our own compute.
        on_message: takes each line of progress; prints to stdout by default.
        options: the algorithm's, by their upper-case names.

    Raises:
        UnsupportedEnvError: the environment's spaces cannot become static sizes.
        TrainingError: the environment breaks Gymnasium's contract on its first step.
        ToolchainError, BuildError: there is no compiler, or it refused.
        TypeError, ValueError: an unknown option, or a value that is not allowed.
    """

    # The option that limits the environment steps of the whole training, and its default.
    STEP_OPTION: ClassVar[str] = "STEP_LIMIT"
    DEFAULT_STEPS: ClassVar[int] = 10_000

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> Algorithm:
        """The algorithm with these options. Refuses what the constructor would refuse, without an environment.

        Raises:
            TypeError, ValueError: an unknown option, or a value that is not allowed.
        """
        raise NotImplementedError

    def __init__(
        self,
        env_factory: EnvFactory | Mapping[str, Any],
        *,
        verbose: bool = False,
        force_recompile: bool = False,
        enable_evaluation: bool = True,
        evaluation_interval: int | None = None,
        num_evaluation_episodes: int = 10,
        interface_name: str = "default",
        backend: str | None = None,
        on_message: Say = print_line,
        **options: Any,
    ) -> None:
        self._source = _source_of(env_factory)
        self.algorithm = self.check_options(_options_for(self._source, type(self), options))
        self.plan = EvaluationPlan(
            enabled=enable_evaluation,
            interval=self.algorithm.evaluation_interval if evaluation_interval is None else evaluation_interval,
            episodes=num_evaluation_episodes,
        )
        if not isinstance(interface_name, str) or not interface_name.isidentifier():
            raise ValueError(f"interface_name is {interface_name!r}: it must be a name of letters, digits and _")
        self.interface_name = interface_name
        self._asked_backend = backends.chosen(backend)
        self.on_message = on_message
        self.spec: EnvSpec = self._source.spec
        interface = compiler.load(
            self.algorithm.translation_unit(self.spec),
            environment=self._source.translation_unit() if isinstance(self._source, CppEnvironment) else None,
            backend=self._asked_backend,
            force_recompile=force_recompile,
            verbose=verbose,
            say=on_message,
        )
        self._interface, self._compiler, self.backend = interface.module, interface.compiler, interface.backend

    @classmethod
    def load(
        cls,
        path: str | Path,
        env_factory: EnvFactory | Mapping[str, Any],
        *,
        continue_episodes: bool = True,
        callbacks: Callbacks | None = None,
        on_message: Say = print_line,
        **changes: Any,
    ) -> State:
        """A training run that goes on where `State.save` left it, with the bits of one that was never interrupted.

        With another compiler, CPU or BLAS it goes on with other bits; a message says so.

        Args:
            env_factory: makes the environment that the run was saved with.
            continue_episodes: go on in the middle of the episodes. This reads pickles, which can run any code: of a
                file that you would not run as a program, pass False. Then new episodes begin.
            changes: arguments and options of `Training` that become others, STEP_LIMIT for example; sizes cannot.
                What has been learned stays as it was: ALPHA, for example, is only the first temperature.

        Raises:
            CheckpointError: the file is missing, damaged, newer, or of another algorithm, environment or size.
            UnsupportedEnvError, TrainingError, ToolchainError, BuildError, TypeError, ValueError: as the constructor.
        """
        path = Path(path)
        run = saved_run.read(path)
        kind = _TRAINERS.get(run.setup.algorithm.lower())
        if kind is None or not issubclass(kind, cls):
            raise CheckpointError(f"{path} holds a run of {run.setup.algorithm}", f"this is {cls.__name__}.load")
        try:
            before = kind.check_options(run.setup.options)
        except (TypeError, ValueError) as error:
            message = f"{path} was saved with options that this version does not know: {error}"
            raise CheckpointError(message, "go on with the version that wrote it") from error
        changed = {name: value for name, value in changes.items() if name.isupper()}
        after = kind.check_options({**run.setup.options, **changed})
        _check_fits(path, run.setup, _source_of(env_factory).spec, before, after)
        keywords = {**run.setup.arguments, **run.setup.options, **changes}
        training = kind(env_factory, on_message=on_message, **keywords)
        state = State(training, run.seed, callbacks, _resumed=(path, run, continue_episodes))
        if run.setup.machine != training.setup().machine:
            on_message(f"{path} was saved with another compiler, CPU or BLAS: it goes on with other bits")
        return state

    def State(  # noqa: N802  RLtools' users know it by this name
        self, seed: int, callbacks: Callbacks | None = None
    ) -> State:
        """A training run. The same seed gives the same bits again, on the same machine and compiler."""
        return State(self, seed, callbacks)

    def setup(self) -> Setup:
        """What a saved run keeps of this object."""
        arguments = {
            "enable_evaluation": self.plan.enabled,
            "evaluation_interval": self.plan.interval,
            "num_evaluation_episodes": self.plan.episodes,
            "interface_name": self.interface_name,
            "backend": self._asked_backend,
        }
        parts = (self._compiler.version, compiler.cpu_identity(), self.backend.identity)
        machine = "\n".join(part for part in parts if part)
        return Setup(
            algorithm=self.algorithm.name,
            arguments=arguments,
            options=self.algorithm.lasting_options(),
            sizes=self.spec.sizes,
            machine=hashlib.sha256(machine.encode()).hexdigest(),
        )

    def versions(self) -> tuple[tuple[str, str], ...]:
        """What shaped a run, for the policy's provenance."""
        return (
            ("rltools_embed", rltools_embed.__version__),
            ("python", platform.python_version()),
            ("numpy", np.__version__),
            ("gymnasium", gymnasium.__version__),
            ("compiler", self._compiler.version),
            *((("blas", f"{self.backend.title} {self.backend.version}".strip()),) if self.backend.macro else ()),
        )

    def make_environment(self) -> OneEnvironment | VectorSideBySide:
        """One environment to evaluate in; where they are vectorised, all of them."""
        if isinstance(self._source, CppEnvironment):
            return One(self._source, self._interface.Environments(1))
        if isinstance(self._source, VectorEnvironments):
            limit = self.algorithm.episode_step_limit or EVALUATION_STEP_LIMIT
            return self._source.make(limit, " of an evaluation")
        return Environment(self._source.factory, self.spec)

    def make_side_by_side(self, resources: contextlib.ExitStack) -> SideBySide:
        """The environments to train in, which `resources` will close."""
        count, limit = self.algorithm.environments, self.algorithm.episode_step_limit
        if isinstance(self._source, CppEnvironment):
            return CppSideBySide(self._source, self._interface.Environments(count), count, limit)
        if isinstance(self._source, VectorEnvironments):
            return resources.enter_context(contextlib.closing(self._source.make(limit)))
        factory = self._source.factory
        closing = (contextlib.closing(Environment(factory, self.spec)) for _ in range(count))
        return SideBySide([resources.enter_context(environment) for environment in closing], limit)

    def make_trainer(self, seed: int) -> Any:
        """The C++ trainer behind a `State`."""
        settings = dict(self.algorithm.settings(self.spec))
        return self._interface.Trainer(seed, settings, self.spec.action_low, self.spec.action_high)


class SAC(Training):
    """Soft actor-critic on a Gymnasium environment. Arguments: `Training`; options: `SacOptions`."""

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> Algorithm:
        return SacAlgorithm(from_keywords(SacOptions, options))


class TD3(Training):
    """TD3 on a Gymnasium environment. Arguments: `Training`; options: `Td3Options`."""

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> Algorithm:
        return Td3Algorithm(from_keywords(Td3Options, options))


class PPO(Training):
    """PPO on a Gymnasium environment. Arguments: `Training`; options: `PpoOptions`."""

    STEP_OPTION = "TOTAL_STEP_LIMIT"
    DEFAULT_STEPS = 100_000

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> Algorithm:
        return PpoAlgorithm(from_keywords(PpoOptions, options))


_TRAINERS: dict[str, type[Training]] = {"sac": SAC, "td3": TD3, "ppo": PPO}


def trainer_of(algorithm: str) -> type[Training]:
    """The class that trains with `algorithm`, by its name in any case.

    Raises:
        ValueError: there is none of this name.
    """
    found = _TRAINERS.get(algorithm.lower())
    if found is None:
        raise ValueError(f"no algorithm is called {algorithm!r}: there is {', '.join(_TRAINERS)}")
    return found


def _check_fits(path: Path, saved: Setup, spec: EnvSpec, before: Algorithm, after: Algorithm) -> None:
    """Refuse, before a compiler starts, an environment or options that the saved numbers do not fit."""
    if spec.sizes != saved.sizes:
        raise CheckpointError(
            f"{path} is from an environment with {_described(saved.sizes)}; "
            f"env_factory makes one with {_described(spec.sizes)}",
            "pass the factory that it was trained with",
        )
    if before.translation_unit(spec) != after.translation_unit(spec):
        options = after.lasting_options()
        changed = [name for name, value in options.items() if value != saved.options[name]]
        described = ", ".join(f"{name} {saved.options[name]}, not {options[name]}" for name in changed)
        raise CheckpointError(f"{path} was saved with {described}", "sizes stay: start a new run for others")


def _described(sizes: Sizes) -> str:
    observation_dim, action_dim, low, high = sizes
    return f"{observation_dim} observations and {action_dim} actions in {low}..{high}"


def _source_of(env_factory: EnvFactory | Mapping[str, Any]) -> _Source:
    if isinstance(env_factory, Mapping):
        return CppEnvironment.from_mapping(env_factory)
    env = make(env_factory, may_be_vectorised=True)
    if isinstance(env, VectorEnv):
        return VectorEnvironments.probed(env_factory, env)
    return _PythonEnvironments(factory=env_factory, spec=probe(lambda: env))


def _options_for(source: _Source, kind: type[Training], options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options, and with them as many environments as there are in a vectorised one."""
    if not isinstance(source, VectorEnvironments):
        return options
    if issubclass(kind, PPO):
        given = options.get("N_ENVIRONMENTS", source.count)
        if given != source.count:
            raise ValueError(f"N_ENVIRONMENTS is {given}, and env_factory makes {source.count}: leave it out")
        return {**options, "N_ENVIRONMENTS": source.count}
    if source.count != 1:
        raise UnsupportedEnvError(
            f"env_factory makes {source.count} environments in one, and {kind.__name__} steps one",
            "make one: gymnasium.make(id), or train with PPO",
        )
    return options


class State:
    """One training run. Environments are closed at its end, on an error, by `close()`, or with the object."""

    def __init__(
        self,
        training: Training,
        seed: int,
        callbacks: Callbacks | None = None,
        *,
        _resumed: tuple[Path, SavedRun, bool] | None = None,
    ) -> None:
        self.callbacks = callbacks or Callbacks()
        self.seed = _checked_seed(seed)
        self._training = training
        self._spec = training.spec
        self._algorithm = training.algorithm
        self._trainer = training.make_trainer(self.seed)
        count = self._algorithm.environments
        seeds = [int(seed) for seed in np.random.SeedSequence(self.seed).generate_state(count + 1, np.uint32)]
        self._evaluation_seed = seeds.pop(1)
        self._actions = np.zeros((count, self._spec.action_dim), dtype=np.float32)
        self._act = self._trainer.actor(np.zeros(self._spec.action_dim, dtype=np.float32)).act
        self._step_limit = self._algorithm.step_limit
        self._step_count = 0
        self._calls = 0
        self._curve: list[Evaluation] = []
        self._episodes: collections.deque[Episode] = collections.deque(maxlen=self._algorithm.episodes_kept)
        self._started_s: float | None = None
        self._failure: TrainingError | None = None
        # At the end, before the environments are closed: what a run that is made longer goes on from.
        self._last: tuple[Underway, bytes | None, str] | None = None
        self._is_between_steps = True
        self._is_stopped = False
        self._resources = contextlib.ExitStack()
        self._finalizer = weakref.finalize(self, self._resources.close)
        self._evaluation_env: OneEnvironment | VectorSideBySide | None = None
        try:
            self._environments = training.make_side_by_side(self._resources)
            if _resumed is None:
                self._environments.begin(seeds)
            else:
                self._resume(*_resumed)
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------------------------------------ training

    def step(self) -> bool:
        """One step of the training loop. True when training has finished.

        SAC and TD3: one environment step and the updates that are due after it. PPO: one collection of experience and
        the training on it.

        Raises:
            TrainingError: a reward, an observation or a weight is not finite, or the environment breaks its contract.
        """
        if self.finished:
            return True
        if self._failure is not None:
            raise self._failure
        if not self._finalizer.alive:
            message = f"this run was closed at step {self._step_count} of {self.step_limit}"
            raise TrainingError(message, "start a new State")
        if self._started_s is None:
            self._started_s = time.perf_counter()
        self._is_between_steps = False
        ended: list[Episode] = []
        try:
            for _ in range(self._algorithm.interactions_per_step):
                ended += self._interact()
            self._calls += 1
            evaluation = self._evaluate_if_due()
            self._is_between_steps = True
        except TrainingError as error:
            self._failure = error
            self.close()
            raise
        except BaseException:
            self.close()
            raise
        try:
            self._call_back(ended, evaluation)
        finally:
            if self.finished:
                self._finish()
        return self.finished

    def stop(self) -> None:
        """End the run where it is, between two steps, before all of them are taken. `save` still keeps all of it."""
        self._is_stopped = True
        if self._is_between_steps:
            self._finish()

    @property
    def finished(self) -> bool:
        """Whether all steps have been taken, or the run was stopped."""
        return self._is_stopped or self._step_count >= self._step_limit

    @property
    def step_count(self) -> int:
        """Environment steps taken so far, in all environments together."""
        return self._step_count

    @property
    def step_limit(self) -> int:
        """Environment steps of the whole training."""
        return self._step_limit

    @property
    def learning_curve(self) -> tuple[Evaluation, ...]:
        """The evaluations so far: at which step, the return and the length of each episode, and their means."""
        return tuple(self._curve)

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """The last training episodes, oldest first."""
        return tuple(self._episodes)

    def episode_statistics(self, last: int = 100) -> EpisodeStatistics | None:
        """Return and length of the last training episodes, at most so many; None before one has ended."""
        if last < 1:
            raise ValueError(f"last is {last}: it must be at least 1")
        return EpisodeStatistics.of(tuple(self._episodes)[-last:])

    def close(self) -> None:
        """Close the environments. The policy stays at hand; `step` does not."""
        self._finalizer()

    def __enter__(self) -> State:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------ policy

    def action(self, observation: npt.ArrayLike) -> Float32Array:
        """The deterministic action in the environment's units, with the bits that the exported policy gives.

        Args:
            observation: one observation (n,), or a batch (k, n).

        Returns:
            (m,), or (k, m).

        Raises:
            ValueError: another shape, or a number that is not finite.
        """
        action: Float32Array | None = self._act(observation)
        if action is not None:
            return action
        batch, is_single = as_observations(observation, self._spec.observation_dim)
        actions = np.empty((len(batch), self._spec.action_dim), dtype=np.float32)
        if len(batch):
            self._trainer.act(batch, actions)
        return actions[0] if is_single else actions

    def policy(self) -> Policy:
        """The policy as it stands now, with where it comes from and some observations it has met."""
        spec = self._spec
        name = self._training.interface_name
        return Policy(
            name=(spec.environment or self._algorithm.name) if name == "default" else name,
            layers=self._algorithm.modules(spec, self._numbers),
            observation=spec.observation,
            action=spec.action,
            control_period_s=spec.control_period_s,
            example_observations=self._example_observations(),
            provenance=Provenance(
                environment=spec.environment,
                algorithm=self._algorithm.name,
                seed=self.seed,
                steps=self._step_count,
                mean_return=self._curve[-1].mean_return if self._curve else None,
                versions=self._training.versions(),
            ),
        )

    def export_policy(self) -> str:
        """The policy as the text of a checkpoint.h."""
        from rltools_embed.policy import checkpoint  # a start does without

        return checkpoint.dumps(self.policy())

    def evaluate(self, num_episodes: int | None = None, seed: int | None = None) -> Evaluation:
        """The deterministic policy over whole episodes, each reset with a seed of its own.

        Without a limit of the environment or EPISODE_STEP_LIMIT an episode is cut after 1000 steps.
        """
        count = self._training.plan.episodes if num_episodes is None else num_episodes
        if count < 1:
            raise ValueError(f"num_episodes is {count}: it must be at least 1")
        sequence = np.random.SeedSequence(self._evaluation_seed if seed is None else seed)
        seeds = [int(start) for start in sequence.generate_state(count, np.uint32)]
        env = self._evaluation_env
        if env is not None and self._finalizer.alive:
            return self._evaluate_on(env, seeds)
        if self._finalizer.alive:
            self._evaluation_env = env = self._open()
            return self._evaluate_on(env, seeds)
        env = self._training.make_environment()
        with contextlib.closing(env):
            return self._evaluate_on(env, seeds)

    # ------------------------------------------------------------------------------------------------ saving

    def save(self, path: str | Path) -> None:
        """Write the whole run, for `load` to go on from: between any two steps, and at the end.

        The environments are pickled. One that cannot be is left out, and a message says so: then a resumed run begins
        new episodes, and its bits are not those of an uninterrupted one.

        Raises:
            TrainingError: a step was broken off, by an error or an interruption: there is nothing whole to save.
            OSError: the file cannot be written; the one that was there is as it was.
        """
        if not self._is_between_steps:
            raise TrainingError(f"the step after {self._step_count} was broken off", "save between steps")
        underway, evaluation, gap = self._last or self._underway()
        if gap:
            self._training.on_message(f"{gap}: a resumed run will begin new episodes")
        run = SavedRun(
            setup=self._training.setup(),
            seed=self.seed,
            step_count=self._step_count,
            calls=self._calls,
            elapsed_s=self._elapsed_s(),
            curve=self.learning_curve,
            episodes=self.episodes,
            trainer=saved_run.trainer_arrays(self._trainer.save()),
            underway=underway,
            evaluation=evaluation,
            gap=gap,
        )
        saved_run.write(Path(path), run)

    def _underway(self) -> tuple[Underway, bytes | None, str]:
        """The episodes, the evaluation environment's state, and why the former cannot be continued, if so."""
        environments = self._environments
        if not self._finalizer.alive:
            return environments.underway_without_environments(), None, "the run was closed before its end"
        try:
            env = self._evaluation_env
            evaluation = None if env is None or isinstance(env, VectorSideBySide) else env.snapshot()
            return environments.underway(), evaluation, ""
        except SnapshotError as reason:
            return environments.underway_without_environments(), None, f"{environments.name} cannot be saved: {reason}"

    def _resume(self, path: Path, run: SavedRun, continue_episodes: bool) -> None:
        try:
            self._trainer.load(saved_run.trainer_sections(run.trainer))
        except (ValueError, TypeError, OverflowError) as error:
            raise CheckpointError(f"{path} does not fit: {error}", "pass the options it was saved with") from error
        self._step_count = run.step_count
        self._calls = run.calls
        self._curve = list(run.curve)
        self._episodes.extend(run.episodes)
        self._started_s = time.perf_counter() - run.elapsed_s
        if self.finished:
            self._environments.observations[:] = run.underway.observations
            self._last = (run.underway, run.evaluation, run.gap)
            self.close()
        elif run.gap or not continue_episodes:
            if run.gap:
                self._training.on_message(f"{run.gap}: new episodes begin")
            # Other starts than those of the beginning.
            sequence = np.random.SeedSequence([self.seed, self._step_count])
            count = self._algorithm.environments
            self._environments.begin([int(seed) for seed in sequence.generate_state(count, np.uint32)])
        else:
            self._continue(path, run)

    def _continue(self, path: Path, run: SavedRun) -> None:
        try:
            self._environments.resume(run.underway)
            if run.evaluation is not None:
                self._evaluation_env = env = self._open()
                if not isinstance(env, VectorSideBySide):
                    env.restore(run.evaluation)
        except (SnapshotError, ValueError) as error:
            raise CheckpointError(
                f"{path}: the environment's state cannot be put back: {error}",
                "pass the factory that it was saved with, or continue_episodes=False to begin new episodes",
            ) from error

    def _elapsed_s(self) -> float:
        return 0.0 if self._started_s is None else time.perf_counter() - self._started_s

    # ------------------------------------------------------------------------------------------------ details

    def _open(self) -> OneEnvironment | VectorSideBySide:
        """An environment to evaluate in, closed with the run."""
        return self._resources.enter_context(contextlib.closing(self._training.make_environment()))

    def _call_back(self, ended: Sequence[Episode], evaluation: Evaluation | None) -> None:
        callbacks = self.callbacks
        if callbacks.on_episode is not None:
            for episode in ended:
                callbacks.on_episode(self, episode)
        if callbacks.on_evaluation is not None and evaluation is not None:
            callbacks.on_evaluation(self, evaluation)
        if callbacks.on_step is not None:
            callbacks.on_step(self)

    def _finish(self) -> None:
        if self._finalizer.alive:
            self._last = self._underway()
            self.close()
            self._training.on_message(f"Time: {self._elapsed_s():.3f}s")

    def _interact(self) -> list[Episode]:
        environments = self._environments
        self._trainer.explore(environments.observations, self._actions)
        environments.act(self._actions, self._step_count)
        finite = self._trainer.observe(
            environments.rewards, environments.next_observations, environments.terminated, environments.truncated
        )
        before = self._step_count
        self._step_count += len(self._actions)
        if not finite:
            raise TrainingError(
                f"{environments.name}: a weight or its gradient is not finite at step {self._step_count}: "
                "the optimisation diverged",
                "try a smaller OPTIMIZER_ALPHA, or scale the rewards down",
            )
        ended = list(environments.proceed(before, reset=not self.finished))
        self._episodes.extend(ended)
        return ended

    def _evaluate_if_due(self) -> Evaluation | None:
        plan = self._training.plan
        if not plan.enabled or (self._calls % plan.interval != 0 and not self.finished):
            return None
        result = self.evaluate()
        self._curve.append(result)
        self._training.on_message(
            f"Step: {self._step_count}/{self.step_limit} "
            f"Mean return: {result.mean_return:.6g} Mean episode length: {result.mean_length:.6g}"
        )
        return result

    def _evaluate_on(self, env: OneEnvironment | VectorSideBySide, seeds: list[int]) -> Evaluation:
        if isinstance(env, VectorSideBySide):
            episodes = self._run_episodes(env, seeds)
        else:
            limit = self._algorithm.episode_step_limit or env.episode_step_limit or EVALUATION_STEP_LIMIT
            episodes = [self._run_episode(env, seed, limit) for seed in seeds]
        returns, lengths = zip(*episodes, strict=True)
        return Evaluation(step=self._step_count, returns=returns, lengths=lengths)

    def _run_episode(self, env: OneEnvironment, seed: int, limit: int) -> tuple[float, int]:
        observation = env.reset(seed, "at an evaluation's reset")
        total = 0.0
        for length in range(1, limit + 1):
            step = env.step(self.action(observation), f"at step {length} of an evaluation")
            total += step.reward
            observation = step.observation
            if step.terminated or step.truncated:
                return total, length
        return total, limit

    def _run_episodes(self, env: VectorSideBySide, seeds: list[int]) -> list[tuple[float, int]]:
        """An episode from each seed, as many at a time as there are environments."""
        count = len(env.observations)
        found: list[tuple[float, int]] = []
        steps = 0
        for first in range(0, len(seeds), count):
            chunk = seeds[first : first + count]
            env.begin([*chunk, *range(count - len(chunk))])
            done: dict[int, Episode] = {}
            while any(index not in done for index in range(len(chunk))):
                env.act(self.action(env.observations), steps)
                for episode in env.proceed(steps, reset=True):
                    done.setdefault(episode.end_step - 1 - steps, episode)
                steps += count
            found += [(done[index].total_reward, done[index].length) for index in range(len(chunk))]
        return found

    def _numbers(self, name: str) -> Float32Array:
        return np.frombuffer(self._trainer.numbers(name), dtype=np.float32)

    def _example_observations(self) -> Float32Array:
        seen = self._numbers("observations").reshape(-1, self._spec.observation_dim)[-_RECENT_STEPS:]
        if len(seen) == 0:
            return self._environments.observations.copy()
        picked = np.unique(np.linspace(0, len(seen) - 1, min(_EXAMPLES, len(seen))).astype(int))
        return np.ascontiguousarray(seen[picked])


def _checked_seed(seed: object) -> int:
    try:
        number = operator.index(seed)  # type: ignore[arg-type]  # anything may be passed; index() refuses the rest
    except TypeError:
        raise TypeError(f"the seed is {seed!r}: it must be a whole number") from None
    if not 0 <= number < 2**64:
        raise ValueError(f"the seed is {number}: it must be from 0 to 2^64 - 1")
    return number
