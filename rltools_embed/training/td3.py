"""TD3: what of it is code, what is a number, and what its policy is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rltools_embed import checks as of
from rltools_embed.checks import option
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.policy.model import Activation, Module, Td3Sampling
from rltools_embed.training import off_policy
from rltools_embed.training.algorithm import Numbers, actor_of, bounds_of
from rltools_embed.training.off_policy import OffPolicyAlgorithm, OffPolicyOptions

# The paper's, for all but HalfCheetah and Ant (section 6.1).
_RANDOM_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class Td3Options(OffPolicyOptions):
    """Options of TD3 (Fujimoto et al., arXiv:1802.09477), besides those it shares with SAC.

    Attributes:
        N_RANDOM_STEPS: steps with uniform random actions, not in RLtools; None: 1000, or a tenth of STEP_LIMIT where
            that is less, and at least N_WARMUP_STEPS (docs/learning_decisions.md says why).
        ACTOR_TARGET_UPDATE_INTERVAL: environment steps between updates of the target actor.
        TARGET_NEXT_ACTION_NOISE_STD: noise on the target actor's action, in units of the action's half range.
        TARGET_NEXT_ACTION_NOISE_CLIP: the largest such noise.
        EXPLORATION_NOISE: standard deviation of the noise on training actions, in the same unit.
    """

    ACTOR_TRAINING_INTERVAL: int = option(2, of.COUNT)
    CRITIC_TARGET_UPDATE_INTERVAL: int = option(2, of.COUNT)
    ACTOR_TARGET_UPDATE_INTERVAL: int = option(2, of.COUNT)
    TARGET_NEXT_ACTION_NOISE_STD: float = option(0.2, of.NOT_NEGATIVE)
    TARGET_NEXT_ACTION_NOISE_CLIP: float = option(0.5, of.NOT_NEGATIVE)
    EXPLORATION_NOISE: float = option(0.1, of.NOT_NEGATIVE)

    @property
    def random_steps(self) -> int:
        """N_RANDOM_STEPS, or a tenth of STEP_LIMIT, at most 1000 and at least the warm-up."""
        if self.N_RANDOM_STEPS is not None:
            return self.N_RANDOM_STEPS
        return max(self.warmup_steps, min(_RANDOM_STEPS, self.STEP_LIMIT // 10))


@dataclass(frozen=True)
class Td3Algorithm(OffPolicyAlgorithm):
    """TD3 with its options; an `Algorithm`."""

    options: Td3Options

    name = "TD3"

    def translation_unit(self, spec: EnvSpec) -> str:
        """C++ that makes TD3's trainer for these sizes."""
        return off_policy.translation_unit("td3", self.options, spec)

    def settings(self, spec: EnvSpec) -> Mapping[str, float]:
        """The options that are numbers for C++."""
        return off_policy.settings(
            self.options,
            "ACTOR_POLYAK",
            "ACTOR_TARGET_UPDATE_INTERVAL",
            "TARGET_NEXT_ACTION_NOISE_STD",
            "TARGET_NEXT_ACTION_NOISE_CLIP",
            "EXPLORATION_NOISE",
        )

    def modules(self, spec: EnvSpec, numbers: Numbers) -> tuple[Module, ...]:
        """Actor, clamp, and the bounds where they are not [-1, 1]."""
        mlp = actor_of(self.options, numbers, spec.observation_dim, spec.action_dim, Activation.TANH)
        clamp = Td3Sampling(output_dim=spec.action_dim, std=self.options.EXPLORATION_NOISE)
        return (mlp, clamp, bounds_of(spec)) if spec.is_rescaled else (mlp, clamp)
