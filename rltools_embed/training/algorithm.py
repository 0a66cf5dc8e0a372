"""What the trainer asks of an algorithm: a new one is a class of this shape, its options and its C++ trainer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from string import Template
from typing import Any, Protocol

import numpy as np

from rltools_embed.policy.model import Activation, Dense, Float32Array, Mlp, Module, Rescale
from rltools_embed.training.spaces import EnvSpec

_TRANSLATION_UNIT = Template("""\
#include <rl_tools/rl/algorithms/$algorithm/trainer.h>

namespace {
struct Config {
    static constexpr size_t OBSERVATION_DIM = $observation_dim;
    static constexpr size_t ACTION_DIM = $action_dim;
    static constexpr size_t ACTOR_HIDDEN_DIM = $actor_hidden_dim;
    static constexpr size_t ACTOR_NUM_LAYERS = $actor_num_layers;
    static constexpr size_t CRITIC_HIDDEN_DIM = $critic_hidden_dim;
    static constexpr size_t CRITIC_NUM_LAYERS = $critic_num_layers;
    static constexpr auto ACTOR_ACTIVATION_FUNCTION = rl_tools::nn::ActivationFunction::$actor_activation_function;
    static constexpr auto CRITIC_ACTIVATION_FUNCTION = rl_tools::nn::ActivationFunction::$critic_activation_function;
$constants
};
}  // namespace

std::unique_ptr<rl_tools::rl::Trainer> rl_tools::rl::make_trainer(const Settings& settings) {
    return std::make_unique<$algorithm::Trainer<Config>>(settings);
}
""")

# The trainer's numbers by name ("actor", …), one after another in visiting order.
Numbers = Callable[[str], Float32Array]


class Algorithm(Protocol):
    """A training algorithm with its options."""

    @property
    def name(self) -> str:
        """As it stands in a checkpoint: "SAC"."""
        ...

    @property
    def options(self) -> Any:
        """A frozen dataclass of the options by their upper-case names."""
        ...

    def lasting_options(self) -> dict[str, Any]:
        """The options as a saved run keeps them: what must stay when it is made longer is a number, not a default."""
        ...

    @property
    def environments(self) -> int:
        """How many environments are stepped side by side."""
        ...

    @property
    def interactions_per_step(self) -> int:
        """How often a `step` acts in each of them."""
        ...

    @property
    def step_limit(self) -> int:
        """Environment steps of the whole training, all environments together."""
        ...

    @property
    def evaluation_interval(self) -> int:
        """Calls of `step` between evaluations, unless the user says otherwise."""
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


def translation_unit(algorithm: str, options: Any, spec: EnvSpec, **constants: bool | int) -> str:
    """C++ that makes the trainer of namespace `algorithm` for these sizes.

    Args:
        options: those of actor and critic are code.
        constants: what else is, in this algorithm.
    """
    lines = [
        f"    static constexpr bool {name} = {str(value).lower()};"
        if isinstance(value, bool)
        else f"    static constexpr size_t {name} = {value};"
        for name, value in constants.items()
    ]
    return _TRANSLATION_UNIT.substitute(
        algorithm=algorithm,
        observation_dim=spec.observation_dim,
        action_dim=spec.action_dim,
        actor_hidden_dim=options.ACTOR_HIDDEN_DIM,
        actor_num_layers=options.ACTOR_NUM_LAYERS,
        critic_hidden_dim=options.CRITIC_HIDDEN_DIM,
        critic_num_layers=options.CRITIC_NUM_LAYERS,
        actor_activation_function=options.ACTOR_ACTIVATION_FUNCTION,
        critic_activation_function=options.CRITIC_ACTIVATION_FUNCTION,
        constants="\n".join(lines),
    )


def mlp_of(
    numbers: Float32Array,
    widths: tuple[int, ...],
    hidden: Activation,
    last: Activation = Activation.IDENTITY,
    log_std: Float32Array | None = None,
) -> Mlp:
    """An mlp from its numbers in visiting order: per layer the weights row by row, then the biases."""
    layers = []
    begin = 0
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        end = begin + inputs * outputs
        layers.append(
            Dense(
                weights=numbers[begin:end].reshape(outputs, inputs),
                biases=numbers[end : end + outputs],
                activation=last if index == len(widths) - 2 else hidden,
            )
        )
        begin = end + outputs
    if begin != len(numbers):
        raise ValueError(f"{len(numbers)} numbers for layers of {widths}, which hold {begin}")
    return Mlp(layers=tuple(layers), log_std=log_std)


def bounds_of(spec: EnvSpec) -> Rescale:
    """From [-1, 1] to the environment's action box."""
    return Rescale(low=np.array(spec.action_low, np.float32), high=np.array(spec.action_high, np.float32))
