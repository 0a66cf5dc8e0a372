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
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

import rltools_embed
from rltools_embed.errors import TrainingError
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Float32Array, Policy, Provenance, as_observations
from rltools_embed.training import compiler
from rltools_embed.training.algorithm import Algorithm
from rltools_embed.training.environment import EVALUATION_STEP_LIMIT, EnvFactory, Environment, probe
from rltools_embed.training.options import from_keywords
from rltools_embed.training.ppo import PpoAlgorithm, PpoOptions
from rltools_embed.training.sac import SacAlgorithm, SacOptions
from rltools_embed.training.side_by_side import Episode, SideBySide
from rltools_embed.training.spaces import EnvSpec
from rltools_embed.training.td3 import Td3Algorithm, Td3Options

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
            environment to train in and once to evaluate.
        verbose: show the compiler's commands and output.
        force_recompile: do not use the cache.
        evaluation_interval: calls of `step` between evaluations; None: the algorithm's own.
        num_evaluation_episodes: episodes per evaluation, each from a start of its own.
        interface_name: part of the policy's name; the cache does not need it.
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
        env_factory: EnvFactory,
        *,
        verbose: bool = False,
        force_recompile: bool = False,
        enable_evaluation: bool = True,
        evaluation_interval: int | None = None,
        num_evaluation_episodes: int = 10,
        interface_name: str = "default",
        on_message: Say = print_line,
        **options: Any,
    ) -> None:
        self.algorithm = self.check_options(options)
        self.plan = EvaluationPlan(
            enabled=enable_evaluation,
            interval=self.algorithm.evaluation_interval if evaluation_interval is None else evaluation_interval,
            episodes=num_evaluation_episodes,
        )
        if not isinstance(interface_name, str) or not interface_name.isidentifier():
            raise ValueError(f"interface_name is {interface_name!r}: it must be a name of letters, digits and _")
        self.env_factory = env_factory
        self.interface_name = interface_name
        self.on_message = on_message
        self.spec: EnvSpec = probe(env_factory)
        self._interface, self._compiler = compiler.load(
            self.algorithm.translation_unit(self.spec), force_recompile=force_recompile, verbose=verbose, say=on_message
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


class State:
    """One training run. Environments are closed at its end, on an error, by `close()`, or with the object."""

    def __init__(self, training: Training, seed: int) -> None:
        self.seed = _checked_seed(seed)
        self._training = training
        self._spec = training.spec
        self._algorithm = training.algorithm
        self._trainer = training.make_trainer(self.seed)
        count = self._algorithm.environments
        seeds = [int(seed) for seed in np.random.SeedSequence(self.seed).generate_state(count + 1, np.uint32)]
        self._evaluation_seed = seeds.pop(1)
        self._actions = np.zeros((count, self._spec.action_dim), dtype=np.float32)
        self._no_action = np.zeros(self._spec.action_dim, dtype=np.float32)
        self._shape = (self._spec.observation_dim,)
        self._step_count = 0
        self._calls = 0
        self._curve: list[tuple[int, float, float]] = []
        self._episodes: collections.deque[Episode] = collections.deque(maxlen=self._algorithm.episodes_kept)
        self._started_s: float | None = None
        self._failure: TrainingError | None = None
        self._resources = contextlib.ExitStack()
        self._finalizer = weakref.finalize(self, self._resources.close)
        self._evaluation_env: Environment | None = None
        try:
            environments = [self._open() for _ in range(count)]
            self._environments = SideBySide(environments, seeds, self._algorithm.episode_step_limit)
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
        try:
            for _ in range(self._algorithm.interactions_per_step):
                self._interact()
            self._calls += 1
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
        """Environment steps taken so far, in all environments together."""
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
            action = np.empty_like(self._no_action)
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
        self._episodes.extend(environments.proceed(before, reset=not self.finished))

    def _evaluate_if_due(self) -> None:
        plan = self._training.plan
        if not plan.enabled or (self._calls % plan.interval != 0 and not self.finished):
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
