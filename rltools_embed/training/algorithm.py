"""What the trainer asks of an algorithm: a new one is a class of this shape, its options and its C++ trainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from rltools_embed.policy.model import Float32Array, Module
from rltools_embed.training.spaces import EnvSpec

# The trainer's numbers by name ("actor", …), one after another in visiting order.
Numbers = Callable[[str], Float32Array]


class Algorithm(Protocol):
    """A training algorithm with its options."""

    @property
    def name(self) -> str:
        """As it stands in a checkpoint: "SAC"."""
        ...

    @property
    def step_limit(self) -> int:
        """Environment steps of the whole training."""
        ...

    @property
    def episode_step_limit(self) -> int | None:
        """Steps after which an episode is truncated; None: only the environment decides."""
        ...

    @property
    def episodes_kept(self) -> int:
        """How many training episodes' statistics are kept."""
        ...

    def translation_unit(self, spec: EnvSpec) -> str:
        """C++ that defines `rl_tools::rl::make_trainer`. The same text means the same compiled code."""
        ...

    def settings(self, spec: EnvSpec) -> Mapping[str, float]:
        """The numbers that change without compiling."""
        ...

    def modules(self, spec: EnvSpec, numbers: Numbers) -> tuple[Module, ...]:
        """The deterministic policy as it stands now."""
        ...
