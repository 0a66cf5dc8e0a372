"""Small policies with made-up weights, for tests that need no training."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from rltools_embed.policy.layers import (
    Activation,
    Dense,
    Float32Array,
    Gru,
    Mlp,
    Module,
    Rescale,
    SampleAndSquash,
    Standardize,
    Td3Sampling,
)
from rltools_embed.policy.model import Policy, Provenance, Signal


def random_mlp(
    rng: np.random.Generator,
    sizes: tuple[int, ...],
    hidden: Activation = Activation.RELU,
    output: Activation = Activation.IDENTITY,
    log_std: bool = False,
) -> Mlp:
    layers = []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        bound = 1.0 / np.sqrt(inputs)
        layers.append(
            Dense(
                weights=rng.uniform(-bound, bound, (outputs, inputs)).astype(np.float32),
                biases=rng.uniform(-bound, bound, outputs).astype(np.float32),
                activation=output if index == len(sizes) - 2 else hidden,
            )
        )
    return Mlp(layers=tuple(layers), log_std=rng.normal(size=sizes[-1]).astype(np.float32) if log_std else None)


def policy_of(*layers: Module, seed: int = 0, name: str = "made-up", environment: str = "") -> Policy:
    rng = np.random.default_rng(seed)
    examples: Float32Array = rng.normal(size=(8, layers[0].input_dim)).astype(np.float32)
    return Policy(
        name=name,
        layers=layers,
        observation=tuple(Signal(name=f"observation[{i}]", low=-8.0, high=8.0) for i in range(layers[0].input_dim)),
        action=tuple(Signal(name=f"action[{i}]", low=-1.0, high=1.0) for i in range(layers[-1].output_dim)),
        example_observations=examples,
        provenance=Provenance(environment=environment, algorithm="SAC", seed=seed, steps=0),
    )


def sac_policy(observation_dim: int = 3, action_dim: int = 1, hidden: int = 64, seed: int = 0, **kwargs: str) -> Policy:
    """The shape of a SAC export for an environment whose actions are in [-2, 2]."""
    mlp = random_mlp(np.random.default_rng(seed), (observation_dim, hidden, hidden, 2 * action_dim))
    squash = SampleAndSquash(output_dim=action_dim, log_std_lower_bound=-20.0, log_std_upper_bound=2.0)
    bound = np.full(action_dim, 2.0, np.float32)
    return policy_of(mlp, squash, Rescale(low=-bound, high=bound), seed=seed, **kwargs)


def rescaled_sac_policy(hidden: int = 64, environment: str = "") -> Policy:
    """As `sac_policy`, with actions in [-2, 2] that a wrapper scales to a box of the environment's own."""
    policy = sac_policy(hidden=hidden, environment=environment)
    return replace(
        policy,
        action=tuple(replace(signal, low=-2.0, high=2.0) for signal in policy.action),
        actuator=(Signal(name="torque", low=-0.5, high=7.25, unit="N m"),),
    )


def td3_policy(observation_dim: int = 5, action_dim: int = 2, hidden: int = 17, seed: int = 1) -> Policy:
    mlp = random_mlp(
        np.random.default_rng(seed), (observation_dim, hidden, hidden, action_dim), Activation.TANH, Activation.TANH
    )
    return policy_of(mlp, Td3Sampling(output_dim=action_dim, std=0.1), seed=seed)


def ppo_policy(observation_dim: int = 4, action_dim: int = 3, hidden: int = 30, seed: int = 2) -> Policy:
    rng = np.random.default_rng(seed)
    standardize = Standardize(
        mean=rng.normal(size=observation_dim).astype(np.float32),
        precision=rng.uniform(0.1, 3.0, observation_dim).astype(np.float32),
    )
    mlp = random_mlp(rng, (observation_dim, hidden, action_dim), log_std=True)
    bound = np.linspace(0.5, 3.0, action_dim).astype(np.float32)
    return policy_of(standardize, mlp, Rescale(low=-bound, high=2 * bound), seed=seed)


def small_number_policy() -> Policy:
    """No biases, so that subnormal numbers come out if nothing else goes in."""
    rng = np.random.default_rng(0)
    hidden, output = (rng.uniform(-1.0, 1.0, shape).astype(np.float32) for shape in ((8, 3), (2, 8)))
    layers = (
        Dense(weights=hidden, biases=np.zeros(8, np.float32), activation=Activation.RELU),
        Dense(weights=output, biases=np.zeros(2, np.float32), activation=Activation.IDENTITY),
    )
    return policy_of(Mlp(layers=layers), name="small numbers")


def signed_zero_policy() -> Policy:
    """Sums of zeros: -0 comes out where only -0 goes in."""
    weights = np.random.default_rng(0).uniform(0.1, 1.0, (2, 3)).astype(np.float32)
    layer = Dense(weights=weights, biases=np.full(2, -0.0, np.float32), activation=Activation.IDENTITY)
    return policy_of(Mlp(layers=(layer,)), name="signed zeros")


def random_gru(rng: np.random.Generator, input_dim: int, hidden: int) -> Gru:
    bound = 1.0 / np.sqrt(hidden)
    shapes = {
        "weights_input": (3 * hidden, input_dim),
        "biases_input": (3 * hidden,),
        "weights_hidden": (3 * hidden, hidden),
        "biases_hidden": (3 * hidden,),
        "initial_state": (hidden,),
    }
    return Gru(**{name: rng.uniform(-bound, bound, shape).astype(np.float32) for name, shape in shapes.items()})


def gru_policy(observation_dim: int = 4, action_dim: int = 2, hidden: int = 13, seed: int = 4) -> Policy:
    """Two recurrent layers with a dense one between, so that each must find its own state."""
    rng = np.random.default_rng(seed)
    return policy_of(
        random_gru(rng, observation_dim, hidden),
        random_mlp(rng, (hidden, 9)),
        random_gru(rng, 9, 5),
        random_mlp(rng, (5, action_dim), output=Activation.TANH),
        seed=seed,
    )


def activation_policy(activation: Activation, seed: int = 3) -> Policy:
    return policy_of(random_mlp(np.random.default_rng(seed), (6, 9, 7, 2), activation, activation), seed=seed)
