"""PPO: what of it is code, what is a number, and what its policy is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rltools_embed import checks as of
from rltools_embed.checks import option
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.policy.model import Module, Standardize
from rltools_embed.training.algorithm import (
    CommonOptions,
    Numbers,
    actor_of,
    bounds_of,
    translation_unit,
    warmup_notice,
)

_EPISODES_KEPT = 1000
# More is likelier a slip than a wish: gigabytes, which the system would give and then end the process for.
_MOST_STEPS_PER_ITERATION = 2**24


@dataclass(frozen=True, kw_only=True)
class PpoOptions(CommonOptions):
    """Options of proximal policy optimisation (Schulman et al., arXiv:1707.06347), besides the common ones.

    Of these only BATCH_SIZE, N_ENVIRONMENTS and NORMALIZE_OBSERVATIONS become code. An iteration is one call of
    `step`: a collection of experience and the training on it.

    Attributes:
        LAMBDA: discount of the advantage's sum (arXiv:1506.02438).
        EPSILON_CLIP: how far a probability ratio may leave 1 before its gradient ends.
        INITIAL_ACTION_STD: first standard deviation of an action, in units of the action's half range.
        LEARN_ACTION_STD: learn it, one per action.
        ACTION_ENTROPY_COEFFICIENT: weight of the policy's entropy, in units of normalised advantage per nat.
        ADVANTAGE_EPSILON: added to the standard deviation that advantages are divided by.
        NORMALIZE_ADVANTAGE: to mean 0 and standard deviation 1 in each minibatch.
        ADAPTIVE_LEARNING_RATE: change the actor's learning rate with the divergence from the collecting policy.
        ADAPTIVE_LEARNING_RATE_POLICY_KL_THRESHOLD: nats; the rate falls above twice this, and rises below half of it.
        POLICY_KL_EPSILON: added to the ratio of standard deviations in the divergence's logarithm.
        ADAPTIVE_LEARNING_RATE_DECAY: factor by which the rate falls, and one over that by which it rises.
        ADAPTIVE_LEARNING_RATE_MIN: the rate falls no further.
        ADAPTIVE_LEARNING_RATE_MAX: the rate rises no further.
        NORMALIZE_OBSERVATIONS: subtract the running mean and divide by the running standard deviation.
        NORMALIZE_VALUES: the critic learns returns less their running mean, by their running standard deviation; not
            in RLtools (arXiv:1602.07714).
        N_WARMUP_STEPS_CRITIC: iterations before the first critic update.
        N_WARMUP_STEPS_ACTOR: iterations before the first actor update.
        N_EPOCHS: passes over the experience of an iteration.
        STEP_LIMIT: iterations of the whole training; None: as many as fit into TOTAL_STEP_LIMIT.
        TOTAL_STEP_LIMIT: environment steps of the whole training, all environments together.
        EPISODE_STEP_LIMIT: steps after which an episode is truncated; None: only the environment decides.
        N_ENVIRONMENTS: environments stepped side by side.
        ON_POLICY_RUNNER_STEPS_PER_ENV: steps of each of them per iteration.
        BATCH_SIZE: transitions per update.
    """

    LAMBDA: float = option(0.95, of.UNIT_INTERVAL)
    EPSILON_CLIP: float = option(0.2, of.POSITIVE)
    INITIAL_ACTION_STD: float = option(0.5, of.POSITIVE)
    LEARN_ACTION_STD: bool = option(True, of.boolean)
    ACTION_ENTROPY_COEFFICIENT: float = option(0.01, of.NOT_NEGATIVE)
    ADVANTAGE_EPSILON: float = option(1e-8, of.POSITIVE)
    NORMALIZE_ADVANTAGE: bool = option(True, of.boolean)
    ADAPTIVE_LEARNING_RATE: bool = option(False, of.boolean)
    ADAPTIVE_LEARNING_RATE_POLICY_KL_THRESHOLD: float = option(0.008, of.POSITIVE)
    POLICY_KL_EPSILON: float = option(1e-5, of.NOT_NEGATIVE)
    ADAPTIVE_LEARNING_RATE_DECAY: float = option(1 / 1.5, of.real("a number above 0, up to 1", lambda x: 0 < x <= 1))
    ADAPTIVE_LEARNING_RATE_MIN: float = option(1e-6, of.POSITIVE)
    ADAPTIVE_LEARNING_RATE_MAX: float = option(1e-2, of.POSITIVE)
    NORMALIZE_OBSERVATIONS: bool = option(False, of.boolean)
    NORMALIZE_VALUES: bool = option(True, of.boolean)
    N_WARMUP_STEPS_CRITIC: int = option(0, of.COUNT_FROM_ZERO)
    N_WARMUP_STEPS_ACTOR: int = option(0, of.COUNT_FROM_ZERO)
    N_EPOCHS: int = option(10, of.COUNT)
    STEP_LIMIT: int | None = option(None, of.COUNT_OR_NONE)
    TOTAL_STEP_LIMIT: int = option(100_000, of.COUNT)
    EPISODE_STEP_LIMIT: int | None = option(1000, of.COUNT_OR_NONE)
    N_ENVIRONMENTS: int = option(64, of.integer(1, 4096))
    ON_POLICY_RUNNER_STEPS_PER_ENV: int = option(64, of.COUNT)
    BATCH_SIZE: int = option(64, of.BATCH)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps_per_iteration < self.BATCH_SIZE:
            raise ValueError(
                f"BATCH_SIZE is {self.BATCH_SIZE}, more than the {self.steps_per_iteration} steps of an iteration "
                "(N_ENVIRONMENTS * ON_POLICY_RUNNER_STEPS_PER_ENV)"
            )
        if self.steps_per_iteration > _MOST_STEPS_PER_ITERATION:
            raise ValueError(
                f"ON_POLICY_RUNNER_STEPS_PER_ENV is {self.ON_POLICY_RUNNER_STEPS_PER_ENV} in each of "
                f"{self.N_ENVIRONMENTS} environments: an iteration has at most {_MOST_STEPS_PER_ITERATION} steps"
            )
        if self.STEP_LIMIT is None and self.steps_per_iteration > self.TOTAL_STEP_LIMIT:
            raise ValueError(
                f"TOTAL_STEP_LIMIT is {self.TOTAL_STEP_LIMIT}, less than the {self.steps_per_iteration} steps of one "
                "iteration (N_ENVIRONMENTS * ON_POLICY_RUNNER_STEPS_PER_ENV)"
            )
        if self.ADAPTIVE_LEARNING_RATE_MIN > self.ADAPTIVE_LEARNING_RATE_MAX:
            raise ValueError(
                f"ADAPTIVE_LEARNING_RATE_MIN is {self.ADAPTIVE_LEARNING_RATE_MIN}, "
                f"above ADAPTIVE_LEARNING_RATE_MAX, {self.ADAPTIVE_LEARNING_RATE_MAX}"
            )

    @property
    def steps_per_iteration(self) -> int:
        """Environment steps of one iteration, all environments together."""
        return self.N_ENVIRONMENTS * self.ON_POLICY_RUNNER_STEPS_PER_ENV

    @property
    def iterations(self) -> int:
        """Iterations of the whole training."""
        return self.TOTAL_STEP_LIMIT // self.steps_per_iteration if self.STEP_LIMIT is None else self.STEP_LIMIT


@dataclass(frozen=True)
class PpoAlgorithm:
    """PPO with its options; an `Algorithm`."""

    options: PpoOptions

    name = "PPO"
    evaluation_interval = 10
    episodes_kept = _EPISODES_KEPT

    def lasting_options(self) -> dict[str, Any]:
        """All options as they are: none depends on another."""
        return dataclasses.asdict(self.options)

    @property
    def environments(self) -> int:
        """N_ENVIRONMENTS."""
        return self.options.N_ENVIRONMENTS

    @property
    def interactions_per_step(self) -> int:
        """ON_POLICY_RUNNER_STEPS_PER_ENV."""
        return self.options.ON_POLICY_RUNNER_STEPS_PER_ENV

    @property
    def step_limit(self) -> int:
        """Environment steps of whole iterations, all environments together."""
        return self.options.iterations * self.options.steps_per_iteration

    @property
    def warmup_notice(self) -> str:
        """A line if the training ends within a warm-up; else empty."""
        options = self.options
        return warmup_notice(
            f"a training of {options.iterations} iterations is",
            options.iterations,
            "iterations",
            actor=options.N_WARMUP_STEPS_ACTOR,
            critic=options.N_WARMUP_STEPS_CRITIC,
        )

    @property
    def episode_step_limit(self) -> int | None:
        """EPISODE_STEP_LIMIT."""
        return self.options.EPISODE_STEP_LIMIT

    def translation_unit(self, spec: EnvSpec) -> str:
        """C++ that makes PPO's trainer for these sizes."""
        options = self.options
        return translation_unit(
            "ppo",
            options,
            spec,
            BATCH_SIZE=options.BATCH_SIZE,
            N_ENVIRONMENTS=options.N_ENVIRONMENTS,
            NORMALIZE_OBSERVATIONS=options.NORMALIZE_OBSERVATIONS,
        )

    def settings(self, spec: EnvSpec) -> Mapping[str, float]:
        """The options that are numbers for C++."""
        return self.options.settings_of(
            "LAMBDA",
            "EPSILON_CLIP",
            "INITIAL_ACTION_STD",
            "LEARN_ACTION_STD",
            "ACTION_ENTROPY_COEFFICIENT",
            "ADVANTAGE_EPSILON",
            "NORMALIZE_ADVANTAGE",
            "NORMALIZE_VALUES",
            "ADAPTIVE_LEARNING_RATE",
            "ADAPTIVE_LEARNING_RATE_POLICY_KL_THRESHOLD",
            "POLICY_KL_EPSILON",
            "ADAPTIVE_LEARNING_RATE_DECAY",
            "ADAPTIVE_LEARNING_RATE_MIN",
            "ADAPTIVE_LEARNING_RATE_MAX",
            "N_WARMUP_STEPS_CRITIC",
            "N_WARMUP_STEPS_ACTOR",
            "N_EPOCHS",
            "ON_POLICY_RUNNER_STEPS_PER_ENV",
        )

    def modules(self, spec: EnvSpec, numbers: Numbers) -> tuple[Module, ...]:
        """Normaliser if there is one, actor with its log-std, and the bounds."""
        options = self.options
        mlp = actor_of(options, numbers, spec.observation_dim, spec.action_dim, log_std=numbers("log_std"))
        # The mean is not bounded by itself: the bounds clamp it, also where they are [-1, 1].
        if not options.NORMALIZE_OBSERVATIONS:
            return (mlp, bounds_of(spec))
        mean, precision = numbers("normalizer").reshape(2, -1)
        return (Standardize(mean=mean, precision=precision), mlp, bounds_of(spec))
