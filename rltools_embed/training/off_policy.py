"""What SAC and TD3 share: options, sizes, numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rltools_embed import checks as of
from rltools_embed.checks import option
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.training import algorithm as algorithms
from rltools_embed.training.algorithm import CommonOptions


@dataclass(frozen=True, kw_only=True)
class OffPolicyOptions(CommonOptions):
    """The options that SAC and TD3 share, besides the common ones.

    Of these only the batch size and N_ENVIRONMENTS become code. A step is one call of `step`: one step of each
    environment, and the updates that are due after it.

    Attributes:
        ACTOR_BATCH_SIZE: transitions per actor update.
        CRITIC_BATCH_SIZE: transitions per critic update; must equal ACTOR_BATCH_SIZE.
        CRITIC_TRAINING_INTERVAL: steps between critic updates.
        ACTOR_TRAINING_INTERVAL: steps between actor updates.
        CRITIC_TARGET_UPDATE_INTERVAL: steps between updates of the target critics.
        ACTOR_POLYAK: share of itself that a target actor keeps at an update.
        CRITIC_POLYAK: share of itself that a target critic keeps at an update.
        N_ENVIRONMENTS: environments stepped side by side; their transitions go into one replay buffer.
        N_WARMUP_STEPS: steps before the first update; None: the batch size.
        N_RANDOM_STEPS: steps with uniform random actions, before the algorithm explores by itself; not in RLtools.
            None: N_WARMUP_STEPS.
        STEP_LIMIT: steps of the whole training.
        REPLAY_BUFFER_CAP: transitions that are kept; None: all of the training's.
        EPISODE_STEP_LIMIT: steps after which an episode is truncated; None: only the environment decides.
        COLLECT_EPISODE_STATS: keep return and length of training episodes (`state.episodes`).
        EPISODE_STATS_BUFFER_SIZE: how many of them are kept.
        SHARED_BATCH: actor and critics are updated on the same transitions.
        NORMALIZE_REWARDS: the critics learn rewards by their mean size before the first update, where that is above 1;
            not in RLtools. The policy's, the temperature's and all returns' units stay the environment's.
    """

    ACTOR_BATCH_SIZE: int = option(100, of.BATCH)
    CRITIC_BATCH_SIZE: int = option(100, of.BATCH)
    CRITIC_TRAINING_INTERVAL: int = option(1, of.COUNT)
    ACTOR_TRAINING_INTERVAL: int = option(1, of.COUNT)
    CRITIC_TARGET_UPDATE_INTERVAL: int = option(1, of.COUNT)
    ACTOR_POLYAK: float = option(0.995, of.UNIT_INTERVAL)
    CRITIC_POLYAK: float = option(0.995, of.UNIT_INTERVAL)
    N_ENVIRONMENTS: int = option(1, of.integer(1, 4096))
    N_WARMUP_STEPS: int | None = option(None, of.COUNT_FROM_ZERO_OR_NONE)
    N_RANDOM_STEPS: int | None = option(None, of.COUNT_FROM_ZERO_OR_NONE)
    STEP_LIMIT: int = option(10000, of.COUNT)
    REPLAY_BUFFER_CAP: int | None = option(None, of.or_none(of.integer(1, 2**32 - 1)))
    EPISODE_STEP_LIMIT: int | None = option(None, of.COUNT_OR_NONE)
    COLLECT_EPISODE_STATS: bool = option(True, of.boolean)
    EPISODE_STATS_BUFFER_SIZE: int = option(1000, of.COUNT)
    SHARED_BATCH: bool = option(True, of.boolean)
    NORMALIZE_REWARDS: bool = option(True, of.boolean)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.CRITIC_BATCH_SIZE != self.ACTOR_BATCH_SIZE:
            raise ValueError(
                f"CRITIC_BATCH_SIZE is {self.CRITIC_BATCH_SIZE} and ACTOR_BATCH_SIZE is {self.ACTOR_BATCH_SIZE}: "
                "they must be equal"
            )

    @property
    def warmup_steps(self) -> int:
        """Steps before the first update: N_WARMUP_STEPS, or the batch size."""
        return self.ACTOR_BATCH_SIZE if self.N_WARMUP_STEPS is None else self.N_WARMUP_STEPS

    @property
    def random_steps(self) -> int:
        """Steps with uniform random actions: N_RANDOM_STEPS, or the warm-up."""
        return self.warmup_steps if self.N_RANDOM_STEPS is None else self.N_RANDOM_STEPS

    @property
    def warmup_steps_actor(self) -> int:
        """Steps before the actor's first update."""
        return self.warmup_steps

    @property
    def warmup_steps_critic(self) -> int:
        """Steps before the critics' first update."""
        return self.warmup_steps


_SETTINGS = (
    "CRITIC_POLYAK",
    "SHARED_BATCH",
    "NORMALIZE_REWARDS",
    "CRITIC_TRAINING_INTERVAL",
    "ACTOR_TRAINING_INTERVAL",
    "CRITIC_TARGET_UPDATE_INTERVAL",
)


@dataclass(frozen=True)
class OffPolicyAlgorithm:
    """The part of an `Algorithm` that SAC and TD3 share."""

    options: OffPolicyOptions

    interactions_per_step = 1
    evaluation_interval = 1000

    def lasting_options(self) -> dict[str, Any]:
        """See `Algorithm.lasting_options`: warm-up and random steps as numbers."""
        options = self.options
        lasting = {"N_WARMUP_STEPS": options.warmup_steps, "N_RANDOM_STEPS": options.random_steps}
        return {**dataclasses.asdict(options), **lasting}

    @property
    def environments(self) -> int:
        """N_ENVIRONMENTS."""
        return self.options.N_ENVIRONMENTS

    @property
    def step_limit(self) -> int:
        """STEP_LIMIT in each environment, all of them together."""
        return self.options.STEP_LIMIT * self.options.N_ENVIRONMENTS

    @property
    def warmup_notice(self) -> str:
        """A line if the training ends within a warm-up; else empty."""
        options = self.options
        return algorithms.warmup_notice(
            f"STEP_LIMIT {options.STEP_LIMIT} is",
            options.STEP_LIMIT,
            "steps",
            actor=options.warmup_steps_actor,
            critic=options.warmup_steps_critic,
        )

    @property
    def episode_step_limit(self) -> int | None:
        """EPISODE_STEP_LIMIT."""
        return self.options.EPISODE_STEP_LIMIT

    @property
    def episodes_kept(self) -> int:
        """EPISODE_STATS_BUFFER_SIZE, or 0 where no statistics are collected."""
        return self.options.EPISODE_STATS_BUFFER_SIZE if self.options.COLLECT_EPISODE_STATS else 0


def translation_unit(algorithm: str, options: OffPolicyOptions, spec: EnvSpec) -> str:
    """C++ that makes the trainer of namespace `algorithm` for these sizes."""
    return algorithms.translation_unit(
        algorithm,
        options,
        spec,
        BATCH_SIZE=options.ACTOR_BATCH_SIZE,
        N_ENVIRONMENTS=options.N_ENVIRONMENTS,
        RESCALE=spec.is_rescaled,
    )


def settings(options: OffPolicyOptions, *names: str) -> Mapping[str, float]:
    """The numbers of the shared options, and of those with these names."""
    cap = options.REPLAY_BUFFER_CAP or options.STEP_LIMIT * options.N_ENVIRONMENTS
    return {
        **options.settings_of(*_SETTINGS, *names),
        "N_WARMUP_STEPS": options.warmup_steps,
        "N_RANDOM_STEPS": options.random_steps,
        "N_WARMUP_STEPS_ACTOR": options.warmup_steps_actor,
        "N_WARMUP_STEPS_CRITIC": options.warmup_steps_critic,
        "REPLAY_BUFFER_CAP": cap,
    }
