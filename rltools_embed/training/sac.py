"""Soft actor-critic: what of it is code, what is a number, and what its policy is made of."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template

import numpy as np

from rltools_embed.policy.model import Activation, Dense, Float32Array, Mlp, Module, Rescale, SampleAndSquash
from rltools_embed.training.algorithm import Numbers
from rltools_embed.training.options import SacOptions
from rltools_embed.training.spaces import EnvSpec

_TRANSLATION_UNIT = Template("""\
#include <rl_tools/rl/algorithms/sac/trainer.h>

namespace {
struct Config {
    static constexpr size_t OBSERVATION_DIM = $observation_dim;
    static constexpr size_t ACTION_DIM = $action_dim;
    static constexpr size_t BATCH_SIZE = $batch_size;
    static constexpr size_t ACTOR_HIDDEN_DIM = $actor_hidden_dim;
    static constexpr size_t ACTOR_NUM_LAYERS = $actor_num_layers;
    static constexpr size_t CRITIC_HIDDEN_DIM = $critic_hidden_dim;
    static constexpr size_t CRITIC_NUM_LAYERS = $critic_num_layers;
    static constexpr auto ACTOR_ACTIVATION_FUNCTION = rl_tools::nn::ActivationFunction::$actor_activation_function;
    static constexpr auto CRITIC_ACTIVATION_FUNCTION = rl_tools::nn::ActivationFunction::$critic_activation_function;
    static constexpr bool RESCALE = $rescale;
};
}  // namespace

std::unique_ptr<rl_tools::rl::Trainer> rl_tools::rl::make_trainer(const Settings& settings) {
    return std::make_unique<sac::Trainer<Config>>(settings);
}
""")


@dataclass(frozen=True)
class SacAlgorithm:
    """SAC with its options; an `Algorithm`."""

    options: SacOptions

    @property
    def name(self) -> str:
        return "SAC"

    @property
    def step_limit(self) -> int:
        return self.options.STEP_LIMIT

    @property
    def episode_step_limit(self) -> int | None:
        return self.options.EPISODE_STEP_LIMIT

    @property
    def episodes_kept(self) -> int:
        return self.options.EPISODE_STATS_BUFFER_SIZE if self.options.COLLECT_EPISODE_STATS else 0

    def translation_unit(self, spec: EnvSpec) -> str:
        options = self.options
        return _TRANSLATION_UNIT.substitute(
            observation_dim=spec.observation_dim,
            action_dim=spec.action_dim,
            batch_size=options.ACTOR_BATCH_SIZE,
            actor_hidden_dim=options.ACTOR_HIDDEN_DIM,
            actor_num_layers=options.ACTOR_NUM_LAYERS,
            critic_hidden_dim=options.CRITIC_HIDDEN_DIM,
            critic_num_layers=options.CRITIC_NUM_LAYERS,
            actor_activation_function=options.ACTOR_ACTIVATION_FUNCTION,
            critic_activation_function=options.CRITIC_ACTIVATION_FUNCTION,
            rescale="true" if spec.is_rescaled else "false",
        )

    def settings(self, spec: EnvSpec) -> Mapping[str, float]:
        options = self.options
        cap = options.STEP_LIMIT if options.REPLAY_BUFFER_CAP is None else options.REPLAY_BUFFER_CAP
        return {
            "GAMMA": options.GAMMA,
            "CRITIC_POLYAK": options.CRITIC_POLYAK,
            "TARGET_ENTROPY": -float(spec.action_dim) if options.TARGET_ENTROPY is None else options.TARGET_ENTROPY,
            "ALPHA": options.ALPHA,
            "LOG_STD_LOWER_BOUND": options.LOG_STD_LOWER_BOUND,
            "LOG_STD_UPPER_BOUND": options.LOG_STD_UPPER_BOUND,
            "LOG_PROBABILITY_EPSILON": options.LOG_PROBABILITY_EPSILON,
            "OPTIMIZER_ALPHA": options.OPTIMIZER_ALPHA,
            "OPTIMIZER_BETA_1": options.OPTIMIZER_BETA_1,
            "OPTIMIZER_BETA_2": options.OPTIMIZER_BETA_2,
            "OPTIMIZER_EPSILON": options.OPTIMIZER_EPSILON,
            "OPTIMIZER_EPSILON_SQRT": options.OPTIMIZER_EPSILON_SQRT,
            "IGNORE_TERMINATION": options.IGNORE_TERMINATION,
            "ADAPTIVE_ALPHA": options.ADAPTIVE_ALPHA,
            "SHARED_BATCH": options.SHARED_BATCH,
            "CRITIC_TRAINING_INTERVAL": options.CRITIC_TRAINING_INTERVAL,
            "ACTOR_TRAINING_INTERVAL": options.ACTOR_TRAINING_INTERVAL,
            "CRITIC_TARGET_UPDATE_INTERVAL": options.CRITIC_TARGET_UPDATE_INTERVAL,
            "N_WARMUP_STEPS": options.warmup_steps,
            "N_WARMUP_STEPS_ACTOR": options.warmup_steps_actor,
            "N_WARMUP_STEPS_CRITIC": options.warmup_steps_critic,
            "REPLAY_BUFFER_CAP": cap,
        }

    def modules(self, spec: EnvSpec, numbers: Numbers) -> tuple[Module, ...]:
        options = self.options
        hidden = (options.ACTOR_HIDDEN_DIM,) * (options.ACTOR_NUM_LAYERS - 1)
        widths = (spec.observation_dim, *hidden, 2 * spec.action_dim)
        squash = SampleAndSquash(
            output_dim=spec.action_dim,
            log_std_lower_bound=options.LOG_STD_LOWER_BOUND,
            log_std_upper_bound=options.LOG_STD_UPPER_BOUND,
        )
        mlp = mlp_of(numbers("actor"), widths, Activation[options.ACTOR_ACTIVATION_FUNCTION])
        if not spec.is_rescaled:
            return (mlp, squash)
        low, high = np.array(spec.action_low, np.float32), np.array(spec.action_high, np.float32)
        return (mlp, squash, Rescale(low=low, high=high))


def mlp_of(numbers: Float32Array, widths: tuple[int, ...], hidden: Activation) -> Mlp:
    """An mlp from its numbers in visiting order: per layer the weights row by row, then the biases."""
    layers = []
    begin = 0
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        end = begin + inputs * outputs
        layers.append(
            Dense(
                weights=numbers[begin:end].reshape(outputs, inputs),
                biases=numbers[end : end + outputs],
                activation=Activation.IDENTITY if index == len(widths) - 2 else hidden,
            )
        )
        begin = end + outputs
    if begin != len(numbers):
        raise ValueError(f"{len(numbers)} numbers for layers of {widths}, which hold {begin}")
    return Mlp(layers=tuple(layers))
