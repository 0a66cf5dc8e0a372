"""Training under the interface that RLtools' users know: `SAC(env_factory)`, `State(seed)`, `step()`."""

from __future__ import annotations

import collections
import contextlib
import importlib.metadata
import operator
import platform
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

import rltools_embed
from rltools_embed.errors import TrainingError
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Float32Array, Policy, Provenance, as_observations
from rltools_embed.training import compiler
from rltools_embed.training.algorithm import Algorithm
from rltools_embed.training.environment import EVALUATION_STEP_LIMIT, EnvFactory, Environment, probe
from rltools_embed.training.options import SacOptions, from_keywords
from rltools_embed.training.sac import SacAlgorithm
from rltools_embed.training.spaces import EnvSpec

_EXAMPLES = 16
_RECENT_STEPS = 1000

# Called with each line of progress, without its newline.
Say = Callable[[str], None]


def print_line(line: str) -> None:
    """One line to stdout, at once: training is watched."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The deterministic policy over whole episodes: undiscounted returns and lengths in steps."""

    returns: tuple[float, ...]
    lengths: tuple[int, ...]

    @property
    def mean_return(self) -> float:
        return sum(self.returns) / len(self.returns)

    @property
    def mean_length(self) -> float:
        return sum(self.lengths) / len(self.lengths)


@dataclass(frozen=True, kw_only=True)
class Episode:
    """A finished training episode: undiscounted return, length in steps, and the step of training it ended at."""

    total_reward: float
    length: int
    end_step: int


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """When the policy is evaluated during training: every `interval` steps and at the end, or never."""

    enabled: bool = True
    interval: int = 1000
    episodes: int = 10

    def __post_init__(self) -> None:
        for name, value in (("evaluation_interval", self.interval), ("num_evaluation_episodes", self.episodes)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}: it must be a whole number of at least 1")


class Training:
    """An algorithm compiled for one environment. `State(seed)` starts a run; runs are independent of each other."""

    def __init__(
        self,
        env_factory: EnvFactory,
        algorithm: Algorithm,
        *,
        plan: EvaluationPlan,
        verbose: bool,
        force_recompile: bool,
        interface_name: str,
        on_message: Say,
    ) -> None:
        if not isinstance(interface_name, str) or not interface_name.isidentifier():
            raise ValueError(f"interface_name is {interface_name!r}: it must be a name of letters, digits and _")
        self.algorithm = algorithm
        self.env_factory = env_factory
        self.plan = plan
        self.interface_name = interface_name
        self.on_message = on_message
        self.spec: EnvSpec = probe(env_factory)
        self._interface, self._compiler = compiler.load(
            algorithm.translation_unit(self.spec), force_recompile=force_recompile, verbose=verbose, say=on_message
        )

    def State(self, seed: int) -> State:  # noqa: N802  RLtools' users know it by this name
        """A training run. The same seed gives the same bits again, on the same machine and compiler."""
        return State(self, seed)

    def versions(self) -> tuple[tuple[str, str], ...]:
        """What shaped a run, for the policy's provenance."""
        return (
            ("rltools_embed", rltools_embed.__version__),
            ("python", platform.python_version()),
            ("numpy", np.__version__),
            ("gymnasium", importlib.metadata.version("gymnasium")),
            ("compiler", self._compiler.version),
        )

    def make_trainer(self, seed: int) -> Any:
        """The C++ trainer behind a `State`."""
        settings = dict(self.algorithm.settings(self.spec))
        return self._interface.Trainer(seed, settings, self.spec.action_low, self.spec.action_high)


class SAC(Training):
    """Soft actor-critic on a Gymnasium environment, compiled for exactly its sizes or taken from the cache.

    Args:
        env_factory: makes the environment, without arguments. It is called once here, and for each `State` once to
            train and once to evaluate.
        verbose: show the compiler's commands and output.
        force_recompile: do not use the cache.
        evaluation_interval: environment steps between evaluations.
        num_evaluation_episodes: episodes per evaluation, each from a start of its own.
        interface_name: part of the policy's name; the cache does not need it.
        on_message: takes each line of progress; prints to stdout by default.
        options: see `SacOptions`.

    Raises:
        UnsupportedEnvError: the environment's spaces cannot become static sizes.
        TrainingError: the environment breaks Gymnasium's contract on its first step.
        ToolchainError, BuildError: there is no compiler, or it refused.
        TypeError, ValueError: an unknown option, or a value that is not allowed.
    """

    def __init__(
        self,
        env_factory: EnvFactory,
        *,
        verbose: bool = False,
        force_recompile: bool = False,
        enable_evaluation: bool = True,
        evaluation_interval: int = 1000,
        num_evaluation_episodes: int = 10,
        interface_name: str = "default",
        on_message: Say = print_line,
        **options: Any,
    ) -> None:
        super().__init__(
            env_factory,
            SacAlgorithm(from_keywords(SacOptions, options)),
            plan=EvaluationPlan(
                enabled=enable_evaluation, interval=evaluation_interval, episodes=num_evaluation_episodes
            ),
            verbose=verbose,
            force_recompile=force_recompile,
            interface_name=interface_name,
            on_message=on_message,
        )

    @staticmethod
    def check_options(options: Mapping[str, Any]) -> None:
        """Refuse what the constructor would refuse, without an environment.

        Raises:
            TypeError, ValueError: an unknown option, or a value that is not allowed.
        """
        from_keywords(SacOptions, options)


_TRAINERS: dict[str, type[SAC]] = {"sac": SAC}


def trainer_of(algorithm: str) -> type[SAC]:
    """The class that trains with `algorithm`, by its name in any case.

    Raises:
        ValueError: there is none of this name.
    """
    found = _TRAINERS.get(algorithm.lower())
    if found is None:
        raise ValueError(f"no algorithm is called {algorithm!r}: there is {', '.join(_TRAINERS)}")
    return found


class State:
    """One training run. Environments are closed at its end, on an error, by `close()`, or with the object."""

    def __init__(self, training: Training, seed: int) -> None:
        self.seed = _checked_seed(seed)
        self._training = training
        self._spec = training.spec
        self._algorithm = training.algorithm
        self._trainer = training.make_trainer(self.seed)
        seeds = np.random.SeedSequence(self.seed).generate_state(2, np.uint32)
        self._reset_seed = int(seeds[0])
        self._evaluation_seed = int(seeds[1])
        self._action = np.zeros(self._spec.action_dim, dtype=np.float32)
        self._shape = (self._spec.observation_dim,)
        self._step_count = 0
        self._episode_return = 0.0
        self._episode_length = 0
        self._curve: list[tuple[int, float, float]] = []
        self._episodes: collections.deque[Episode] = collections.deque(maxlen=self._algorithm.episodes_kept)
        self._started_s: float | None = None
        self._failure: TrainingError | None = None
        self._resources = contextlib.ExitStack()
        self._finalizer = weakref.finalize(self, self._resources.close)
        self._env = self._open()
        self._evaluation_env: Environment | None = None
        try:
            self._observation = self._env.reset(self._reset_seed, "at reset")
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------------------------------------ training

    def step(self) -> bool:
        """One environment step and the updates that are due after it. True when training has finished.

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
        try:
            self._interact()
            self._evaluate_if_due()
        except TrainingError as error:
            self._failure = error
            self.close()
            raise
        except BaseException:
            self.close()
            raise
        if self.finished:
            self.close()
            self._training.on_message(f"Time: {time.perf_counter() - self._started_s:.3f}s")
        return self.finished

    @property
    def finished(self) -> bool:
        """Whether all steps have been taken."""
        return self._step_count >= self.step_limit

    @property
    def step_count(self) -> int:
        """Environment steps taken so far."""
        return self._step_count

    @property
    def step_limit(self) -> int:
        """Environment steps of the whole training."""
        return self._algorithm.step_limit

    @property
    def learning_curve(self) -> tuple[tuple[int, float, float], ...]:
        """Per evaluation: environment step, mean return, mean episode length."""
        return tuple(self._curve)

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """The last training episodes, oldest first."""
        return tuple(self._episodes)

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
        if (
            type(observation) is np.ndarray
            and observation.dtype == np.float32
            and observation.shape == self._shape
            and observation.flags.c_contiguous
        ):
            action = np.empty_like(self._action)
            index = self._trainer.act(observation, action)
            if index >= 0:
                raise ValueError(f"observation[{index}] is {observation[index]}")
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
                mean_return=self._curve[-1][1] if self._curve else None,
                versions=self._training.versions(),
            ),
        )

    def export_policy(self) -> str:
        """The policy as the text of a checkpoint.h."""
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
        env = Environment(self._training.env_factory, self._spec)
        with contextlib.closing(env):
            return self._evaluate_on(env, seeds)

    # ------------------------------------------------------------------------------------------------ details

    def _open(self) -> Environment:
        env = Environment(self._training.env_factory, self._spec)
        self._resources.callback(env.close)
        return env

    def _interact(self) -> None:
        where = f"at step {self._step_count + 1}"
        self._trainer.explore(self._observation, self._action)
        step = self._env.step(self._action, where)
        self._episode_length += 1
        self._episode_return += step.reward
        truncated = step.truncated or self._episode_length == self._algorithm.episode_step_limit
        finite = self._trainer.observe(step.reward, step.observation, step.terminated, truncated)
        self._step_count += 1
        if not finite:
            raise TrainingError(
                f"{self._env.name}: a weight or its gradient is not finite {where}: the optimisation diverged",
                "try a smaller OPTIMIZER_ALPHA, or scale the rewards down",
            )
        self._observation = step.observation
        if step.terminated or truncated:
            self._end_episode()

    def _end_episode(self) -> None:
        self._episodes.append(
            Episode(total_reward=self._episode_return, length=self._episode_length, end_step=self._step_count)
        )
        self._episode_return = 0.0
        self._episode_length = 0
        if not self.finished:
            self._observation = self._env.reset(None, f"at the reset after step {self._step_count}")

    def _evaluate_if_due(self) -> None:
        plan = self._training.plan
        if not plan.enabled or (self._step_count % plan.interval != 0 and not self.finished):
            return
        result = self.evaluate()
        self._curve.append((self._step_count, result.mean_return, result.mean_length))
        self._training.on_message(
            f"Step: {self._step_count}/{self.step_limit} "
            f"Mean return: {result.mean_return:.6g} Mean episode length: {result.mean_length:.6g}"
        )

    def _evaluate_on(self, env: Environment, seeds: list[int]) -> Evaluation:
        limit = self._algorithm.episode_step_limit or env.episode_step_limit or EVALUATION_STEP_LIMIT
        episodes = [self._run_episode(env, seed, limit) for seed in seeds]
        returns, lengths = zip(*episodes, strict=True)
        return Evaluation(returns=returns, lengths=lengths)

    def _run_episode(self, env: Environment, seed: int, limit: int) -> tuple[float, int]:
        observation = env.reset(seed, "at an evaluation's reset")
        total = 0.0
        for length in range(1, limit + 1):
            step = env.step(self.action(observation), f"at step {length} of an evaluation")
            total += step.reward
            observation = step.observation
            if step.terminated or step.truncated:
                return total, length
        return total, limit

    def _numbers(self, name: str) -> Float32Array:
        return np.frombuffer(self._trainer.numbers(name), dtype=np.float32)

    def _example_observations(self) -> Float32Array:
        seen = self._numbers("observations").reshape(-1, self._spec.observation_dim)[-_RECENT_STEPS:]
        if len(seen) == 0:
            return self._observation[np.newaxis]
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
