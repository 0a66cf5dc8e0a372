"""Soft actor-critic: what of it is code, what is a number, and what its policy is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rltools_embed import checks as of
from rltools_embed.checks import option
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.policy.model import Module, SampleAndSquash
from rltools_embed.training import off_policy
from rltools_embed.training.algorithm import Numbers, actor_of, bounds_of
from rltools_embed.training.off_policy import OffPolicyAlgorithm, OffPolicyOptions


@dataclass(frozen=True, kw_only=True)
class SacOptions(OffPolicyOptions):
    """Options of soft actor-critic (Haarnoja et al., arXiv:1812.05905), besides those it shares with TD3.

    Attributes:
        ACTOR_TRAINING_INTERVAL: environment steps between updates of actor and temperature.
        ACTOR_POLYAK: known for RLtools' sake; SAC has no target actor.
        N_WARMUP_STEPS_ACTOR: environment steps before the first actor update; None: N_WARMUP_STEPS.
        N_WARMUP_STEPS_CRITIC: environment steps before the first critic update; None: N_WARMUP_STEPS.
        TARGET_ENTROPY: nats that the temperature aims for; None: minus the number of actions.
        ALPHA: first temperature, in units of reward per nat.
        ADAPTIVE_ALPHA: learn the temperature.
        LOG_STD_LOWER_BOUND: the least log standard deviation of the policy, in nats, before squashing.
        LOG_STD_UPPER_BOUND: the greatest.
        LOG_PROBABILITY_EPSILON: keeps log(1 - action²) finite.
    """

    ACTOR_POLYAK: float = option(0.995, of.only(0.995, "SAC has no target actor"))
    N_WARMUP_STEPS_ACTOR: int | None = option(None, of.COUNT_FROM_ZERO_OR_NONE)
    N_WARMUP_STEPS_CRITIC: int | None = option(None, of.COUNT_FROM_ZERO_OR_NONE)
    TARGET_ENTROPY: float | None = option(None, of.or_none(of.FINITE))
    ALPHA: float = option(0.5, of.POSITIVE)
    ADAPTIVE_ALPHA: bool = option(True, of.boolean)
    LOG_STD_LOWER_BOUND: float = option(-20.0, of.FINITE)
    LOG_STD_UPPER_BOUND: float = option(2.0, of.FINITE)
    LOG_PROBABILITY_EPSILON: float = option(1e-6, of.POSITIVE)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.LOG_STD_LOWER_BOUND < self.LOG_STD_UPPER_BOUND:
            raise ValueError(
                f"LOG_STD_LOWER_BOUND is {self.LOG_STD_LOWER_BOUND}, "
                f"not below LOG_STD_UPPER_BOUND, {self.LOG_STD_UPPER_BOUND}"
            )

    @property
    def warmup_steps_actor(self) -> int:
        """N_WARMUP_STEPS_ACTOR, or N_WARMUP_STEPS."""
        return self.warmup_steps if self.N_WARMUP_STEPS_ACTOR is None else self.N_WARMUP_STEPS_ACTOR

    @property
    def warmup_steps_critic(self) -> int:
        """N_WARMUP_STEPS_CRITIC, or N_WARMUP_STEPS."""
        return self.warmup_steps if self.N_WARMUP_STEPS_CRITIC is None else self.N_WARMUP_STEPS_CRITIC


@dataclass(frozen=True)
class SacAlgorithm(OffPolicyAlgorithm):
    """SAC with its options; an `Algorithm`."""

    options: SacOptions

    name = "SAC"

    def translation_unit(self, spec: EnvSpec) -> str:
        """C++ that makes SAC's trainer for these sizes."""
        return off_policy.translation_unit("sac", self.options, spec)

    def settings(self, spec: EnvSpec) -> Mapping[str, float]:
        """The options that are numbers for C++."""
        options = self.options
        return {
            **off_policy.settings(
                options,
                "ALPHA",
                "ADAPTIVE_ALPHA",
                "LOG_STD_LOWER_BOUND",
                "LOG_STD_UPPER_BOUND",
                "LOG_PROBABILITY_EPSILON",
            ),
            "TARGET_ENTROPY": -float(spec.action_dim) if options.TARGET_ENTROPY is None else options.TARGET_ENTROPY,
        }

    def modules(self, spec: EnvSpec, numbers: Numbers) -> tuple[Module, ...]:
        """Actor, squashing, and the bounds where they are not [-1, 1]."""
        squash = SampleAndSquash(
            output_dim=spec.action_dim,
            log_std_lower_bound=self.options.LOG_STD_LOWER_BOUND,
            log_std_upper_bound=self.options.LOG_STD_UPPER_BOUND,
        )
        mlp = actor_of(self.options, numbers, spec.observation_dim, 2 * spec.action_dim)
        return (mlp, squash, bounds_of(spec)) if spec.is_rescaled else (mlp, squash)
