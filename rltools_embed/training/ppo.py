"""PPO: what of it is code, what is a number, and what its policy is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rltools_embed.policy.model import Activation, Module, Standardize
from rltools_embed.training import options as of
from rltools_embed.training.algorithm import Numbers, bounds_of, mlp_of, translation_unit
from rltools_embed.training.options import option
from rltools_embed.training.spaces import EnvSpec

_EPISODES_KEPT = 1000


@dataclass(frozen=True, kw_only=True)
class PpoOptions:
    """Options of proximal policy optimisation (Schulman et al., arXiv:1707.06347).

    Only sizes, layer counts, activation functions and NORMALIZE_OBSERVATIONS become code; everything else may change
    without a compilation. An iteration is one call of `step`: a collection of experience and the training on it.

    Attributes:
        GAMMA: discount per environment step.
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
        NORMALIZE_OBSERVATIONS: subtract the running mean and divide by the running standard deviation.
        N_WARMUP_STEPS_CRITIC: iterations before the first critic update.
        N_WARMUP_STEPS_ACTOR: iterations before the first actor update.
        N_EPOCHS: passes over the experience of an iteration.
        IGNORE_TERMINATION: bootstrap after terminated transitions too.
        STEP_LIMIT: iterations of the whole training; None: as many as fit into TOTAL_STEP_LIMIT.
        TOTAL_STEP_LIMIT: environment steps of the whole training, all environments together.
        ACTOR_HIDDEN_DIM: units per hidden layer.
        ACTOR_NUM_LAYERS: input, hidden and output layers: 3 means two hidden layers.
        ACTOR_ACTIVATION_FUNCTION: IDENTITY, RELU, GELU, TANH, FAST_TANH or SIGMOID, of the hidden layers.
        EPISODE_STEP_LIMIT: steps after which an episode is truncated; None: only the environment decides.
        N_ENVIRONMENTS: environments stepped side by side.
        ON_POLICY_RUNNER_STEPS_PER_ENV: steps of each of them per iteration.
        BATCH_SIZE: transitions per update.
        OPTIMIZER_ALPHA: learning rate of Adam (arXiv:1412.6980).
        OPTIMIZER_EPSILON: added to the root of Adam's second moment.
        OPTIMIZER_EPSILON_SQRT: the least that stands under that root; RLtools' default is 1e-7.
    """

    GAMMA: float = option(0.99, of.UNIT_INTERVAL)
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
    N_WARMUP_STEPS_CRITIC: int = option(0, of.COUNT_FROM_ZERO)
    N_WARMUP_STEPS_ACTOR: int = option(0, of.COUNT_FROM_ZERO)
    N_EPOCHS: int = option(10, of.COUNT)
    IGNORE_TERMINATION: bool = option(False, of.boolean)
    STEP_LIMIT: int | None = option(None, of.COUNT_OR_NONE)
    TOTAL_STEP_LIMIT: int = option(100_000, of.COUNT)
    ACTOR_HIDDEN_DIM: int = option(64, of.DIM)
    ACTOR_NUM_LAYERS: int = option(3, of.LAYERS)
    ACTOR_ACTIVATION_FUNCTION: str = option("RELU", of.activation)
    CRITIC_HIDDEN_DIM: int = option(64, of.DIM)
    CRITIC_NUM_LAYERS: int = option(3, of.LAYERS)
    CRITIC_ACTIVATION_FUNCTION: str = option("RELU", of.activation)
    EPISODE_STEP_LIMIT: int | None = option(1000, of.COUNT_OR_NONE)
    N_ENVIRONMENTS: int = option(64, of.integer(1, 4096))
    ON_POLICY_RUNNER_STEPS_PER_ENV: int = option(64, of.COUNT)
    BATCH_SIZE: int = option(64, of.BATCH)
    OPTIMIZER_ALPHA: float = option(1e-3, of.POSITIVE)
    OPTIMIZER_BETA_1: float = option(0.9, of.BETA)
    OPTIMIZER_BETA_2: float = option(0.999, of.BETA)
    OPTIMIZER_EPSILON: float = option(1e-7, of.POSITIVE)
    OPTIMIZER_EPSILON_SQRT: float = option(0.0, of.NOT_NEGATIVE)

    def __post_init__(self) -> None:
        of.check_fields(self)
        if self.steps_per_iteration < self.BATCH_SIZE:
            raise ValueError(
                f"BATCH_SIZE is {self.BATCH_SIZE}, more than the {self.steps_per_iteration} steps of an iteration "
                "(N_ENVIRONMENTS * ON_POLICY_RUNNER_STEPS_PER_ENV)"
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
        return self.N_ENVIRONMENTS * self.ON_POLICY_RUNNER_STEPS_PER_ENV

    @property
    def iterations(self) -> int:
        return self.TOTAL_STEP_LIMIT // self.steps_per_iteration if self.STEP_LIMIT is None else self.STEP_LIMIT


@dataclass(frozen=True)
class PpoAlgorithm:
    """PPO with its options; an `Algorithm`."""

    options: PpoOptions

    name = "PPO"
    evaluation_interval = 10
    episodes_kept = _EPISODES_KEPT

    def lasting_options(self) -> dict[str, Any]:
        return dataclasses.asdict(self.options)

    @property
    def environments(self) -> int:
        return self.options.N_ENVIRONMENTS

    @property
    def interactions_per_step(self) -> int:
        return self.options.ON_POLICY_RUNNER_STEPS_PER_ENV

    @property
    def step_limit(self) -> int:
        return self.options.iterations * self.options.steps_per_iteration

    @property
    def episode_step_limit(self) -> int | None:
        return self.options.EPISODE_STEP_LIMIT

    def translation_unit(self, spec: EnvSpec) -> str:
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
        options = self.options
        return {
            "GAMMA": options.GAMMA,
            "LAMBDA": options.LAMBDA,
            "EPSILON_CLIP": options.EPSILON_CLIP,
            "INITIAL_ACTION_STD": options.INITIAL_ACTION_STD,
            "LEARN_ACTION_STD": options.LEARN_ACTION_STD,
            "ACTION_ENTROPY_COEFFICIENT": options.ACTION_ENTROPY_COEFFICIENT,
            "ADVANTAGE_EPSILON": options.ADVANTAGE_EPSILON,
            "NORMALIZE_ADVANTAGE": options.NORMALIZE_ADVANTAGE,
            "ADAPTIVE_LEARNING_RATE": options.ADAPTIVE_LEARNING_RATE,
            "ADAPTIVE_LEARNING_RATE_POLICY_KL_THRESHOLD": options.ADAPTIVE_LEARNING_RATE_POLICY_KL_THRESHOLD,
            "POLICY_KL_EPSILON": options.POLICY_KL_EPSILON,
            "ADAPTIVE_LEARNING_RATE_DECAY": options.ADAPTIVE_LEARNING_RATE_DECAY,
            "ADAPTIVE_LEARNING_RATE_MIN": options.ADAPTIVE_LEARNING_RATE_MIN,
            "ADAPTIVE_LEARNING_RATE_MAX": options.ADAPTIVE_LEARNING_RATE_MAX,
            "N_WARMUP_STEPS_CRITIC": options.N_WARMUP_STEPS_CRITIC,
            "N_WARMUP_STEPS_ACTOR": options.N_WARMUP_STEPS_ACTOR,
            "N_EPOCHS": options.N_EPOCHS,
            "IGNORE_TERMINATION": options.IGNORE_TERMINATION,
            "ON_POLICY_RUNNER_STEPS_PER_ENV": options.ON_POLICY_RUNNER_STEPS_PER_ENV,
            "OPTIMIZER_ALPHA": options.OPTIMIZER_ALPHA,
            "OPTIMIZER_BETA_1": options.OPTIMIZER_BETA_1,
            "OPTIMIZER_BETA_2": options.OPTIMIZER_BETA_2,
            "OPTIMIZER_EPSILON": options.OPTIMIZER_EPSILON,
            "OPTIMIZER_EPSILON_SQRT": options.OPTIMIZER_EPSILON_SQRT,
        }

    def modules(self, spec: EnvSpec, numbers: Numbers) -> tuple[Module, ...]:
        options = self.options
        hidden = (options.ACTOR_HIDDEN_DIM,) * (options.ACTOR_NUM_LAYERS - 1)
        widths = (spec.observation_dim, *hidden, spec.action_dim)
        activation = Activation[options.ACTOR_ACTIVATION_FUNCTION]
        mlp = mlp_of(numbers("actor"), widths, activation, log_std=numbers("log_std"))
        # The mean is not bounded by itself: the bounds clamp it, also where they are [-1, 1].
        if not options.NORMALIZE_OBSERVATIONS:
            return (mlp, bounds_of(spec))
        mean, precision = numbers("normalizer").reshape(2, -1)
        return (Standardize(mean=mean, precision=precision), mlp, bounds_of(spec))
