"""What the trainer asks of an algorithm: a new one is a class of this shape, its options and its C++ trainer."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Template
from typing import Any, Protocol

import numpy as np

from rltools_embed import checks as of
from rltools_embed.checks import option
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.policy.model import Activation, Dense, Float32Array, Mlp, Module, Rescale

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


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """The options of every algorithm.

    Only sizes, layer counts and activation functions become code; everything else may change without a compilation.

    Attributes:
        GAMMA: discount per environment step.
        IGNORE_TERMINATION: bootstrap after terminated transitions too.
        ACTOR_HIDDEN_DIM: units per hidden layer of the actor.
        ACTOR_NUM_LAYERS: input, hidden and output layers: 3 means two hidden layers.
        ACTOR_ACTIVATION_FUNCTION: IDENTITY, RELU, GELU, TANH, FAST_TANH or SIGMOID, of the hidden layers.
        CRITIC_HIDDEN_DIM: units per hidden layer of each critic.
        CRITIC_NUM_LAYERS: as ACTOR_NUM_LAYERS.
        CRITIC_ACTIVATION_FUNCTION: as ACTOR_ACTIVATION_FUNCTION.
        OPTIMIZER_ALPHA: learning rate of Adam (arXiv:1412.6980), of actor and critics alike.
        OPTIMIZER_BETA_1: share of itself that Adam's first moment keeps at an update.
        OPTIMIZER_BETA_2: the same of the second moment.
        OPTIMIZER_EPSILON: added to the root of Adam's second moment.
        OPTIMIZER_EPSILON_SQRT: the least that stands under that root.
    """

    GAMMA: float = option(0.99, of.UNIT_INTERVAL)
    IGNORE_TERMINATION: bool = option(False, of.boolean)
    ACTOR_HIDDEN_DIM: int = option(64, of.DIM)
    ACTOR_NUM_LAYERS: int = option(3, of.LAYERS)
    ACTOR_ACTIVATION_FUNCTION: str = option("RELU", of.activation)
    CRITIC_HIDDEN_DIM: int = option(64, of.DIM)
    CRITIC_NUM_LAYERS: int = option(3, of.LAYERS)
    CRITIC_ACTIVATION_FUNCTION: str = option("RELU", of.activation)
    OPTIMIZER_ALPHA: float = option(1e-3, of.POSITIVE)
    OPTIMIZER_BETA_1: float = option(0.9, of.BETA)
    OPTIMIZER_BETA_2: float = option(0.999, of.BETA)
    OPTIMIZER_EPSILON: float = option(1e-7, of.POSITIVE)
    OPTIMIZER_EPSILON_SQRT: float = option(1e-7, of.NOT_NEGATIVE)

    def __post_init__(self) -> None:
        of.check_fields(self)

    def settings_of(self, *names: str) -> dict[str, float]:
        """The numbers of these options, and those of every algorithm that are no code."""
        return {name: getattr(self, name) for name in (*_COMMON_SETTINGS, *names)}


_COMMON_SETTINGS = (
    "GAMMA",
    "IGNORE_TERMINATION",
    "OPTIMIZER_ALPHA",
    "OPTIMIZER_BETA_1",
    "OPTIMIZER_BETA_2",
    "OPTIMIZER_EPSILON",
    "OPTIMIZER_EPSILON_SQRT",
)


class Algorithm(Protocol):
    """A training algorithm with its options."""

    @property
    def name(self) -> str:
        """As it stands in a checkpoint: "SAC"."""
        ...

    @property
    def options(self) -> CommonOptions:
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
    def warmup_notice(self) -> str:
        """A line if the training ends before the actor's or the critics' first update; else empty."""
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


def warmup_notice(training: str, length: int, unit: str, *, actor: int, critic: int) -> str:
    """The line for a training that is `length` long, with updates of actor and critic after so many; or none."""
    if length <= min(actor, critic):
        return f"{training} within the {min(actor, critic)} warm-up {unit}: nothing will be learned"
    if length <= actor:
        return f"{training} within the actor's {actor} warm-up {unit}: the policy will stay as it begins"
    if length <= critic:
        return f"{training} within the critic's {critic} warm-up {unit}: the policy will learn from an untrained critic"
    return ""


def translation_unit(algorithm: str, options: CommonOptions, spec: EnvSpec, **constants: bool | int) -> str:
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


def actor_of(
    options: CommonOptions,
    numbers: Numbers,
    inputs: int,
    outputs: int,
    last: Activation = Activation.IDENTITY,
    log_std: Float32Array | None = None,
) -> Mlp:
    """The actor's network as it stands now."""
    hidden = (options.ACTOR_HIDDEN_DIM,) * (options.ACTOR_NUM_LAYERS - 1)
    activation = Activation[options.ACTOR_ACTIVATION_FUNCTION]
    return mlp_of(numbers("actor"), (inputs, *hidden, outputs), activation, last, log_std)


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
