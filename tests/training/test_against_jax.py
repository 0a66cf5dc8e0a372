"""Whole updates of the C++ trainers against JAX: its derivatives, its Adam, its densities, in float64.

The tests of updates beside this one use finite differences and formulas of their own; this one shares neither, and
takes sizes that fill vectors and tiles, and every activation function.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.example_libraries import optimizers
from jax.scipy.stats import norm
from update_reference import ACTIONS, BETA_1, BETA_2, GAMMA, OBSERVATIONS, POLYAK, RATE, batch_of, interact, make
from update_reference import check as check_moved
from update_reference import numbers as read

from rltools_embed.training import PPO, SAC, TD3

# Adam as published has nothing under its root. A large epsilon keeps its first step from being a sign, which a float32
# rounding near zero would turn.
EPSILON = 1e-3
UNITS, BATCH = 33, 29
OPTIONS = {
    "ACTOR_HIDDEN_DIM": UNITS,
    "CRITIC_HIDDEN_DIM": UNITS,
    "OPTIMIZER_EPSILON": EPSILON,
    "OPTIMIZER_EPSILON_SQRT": 0.0,
}
OFF_POLICY = {**OPTIONS, "ACTOR_BATCH_SIZE": BATCH, "CRITIC_BATCH_SIZE": BATCH, "N_WARMUP_STEPS": BATCH}

CRITICS, CRITIC_TARGETS = ("critic_1", "critic_2"), ("critic_target_1", "critic_target_2")

Array = Any  # of JAX
Batch = dict[str, Array]


@pytest.fixture(autouse=True)
def _float64() -> Any:
    with jax.enable_x64(True):
        yield


def numbers(trainer: Any, name: str) -> Array:
    return jnp.asarray(read(trainer, name))


def check(trainer: Any, before: dict[str, Array], after: dict[str, Array]) -> None:
    check_moved(trainer, *({name: np.asarray(part) for name, part in parts.items()} for parts in (before, after)))


class Adam:
    """JAX's own, over one array."""

    def __init__(self, at: Array) -> None:
        start, update, self._parameters = optimizers.adam(RATE, BETA_1, BETA_2, EPSILON)
        self._update = jax.jit(update)
        self._state, self._step = start(at), 0

    def __call__(self, by: Array) -> Array:
        self._state = self._update(self._step, by, self._state)
        self._step += 1
        return self._parameters(self._state)


def fast_tanh(x: Array) -> Array:
    x = jnp.clip(x, -3, 3)
    return x * (27 + x**2) / (27 + 9 * x**2)


def mlp(parameters: Array, inputs: int, outputs: int, activation: Callable[[Array], Array], x: Array) -> Array:
    begin = 0
    for layer, (width, rows) in enumerate(itertools.pairwise((inputs, UNITS, UNITS, outputs))):
        if layer > 0:
            x = activation(x)
        weights = parameters[begin : begin + rows * width].reshape(rows, width)
        x = x @ weights.T + parameters[begin + rows * width : begin + rows * (width + 1)]
        begin += rows * (width + 1)
    return x


def q(critic: Array, activation: Callable[[Array], Array], observation: Array, action: Array) -> Array:
    return mlp(critic, OBSERVATIONS + ACTIONS, 1, activation, jnp.concatenate([observation, action], axis=1))[:, 0]


@partial(jax.jit, static_argnums=1)
def by_critic(critic: Array, activation: Callable[[Array], Array], batch: Batch, target: Array) -> Array:
    def loss(critic: Array) -> Array:
        return 0.5 * jnp.mean((q(critic, activation, batch["observation"], batch["action"]) - target) ** 2)

    return jax.grad(loss)(critic)


def fill(kind: Any, rng: np.random.Generator, **options: Any) -> Any:
    """A trainer with as many transitions as a batch, ends of both kinds among them."""
    trainer = make(kind, **{**OFF_POLICY, **options})
    for step in range(BATCH):
        interact(trainer, rng, step % 5 == 2, step % 5 == 3)
    return trainer


def squashed_sample(actor: Array, observation: Array, noise: Array) -> tuple[Array, Array]:
    """Actions, and their log-density by the change of variables."""
    mean, log_std = jnp.split(mlp(actor, OBSERVATIONS, 2 * ACTIONS, jax.nn.gelu, observation), 2, axis=1)
    std = jnp.exp(log_std)
    before = mean + std * noise
    jacobian = jax.vmap(jax.vmap(jax.grad(jnp.tanh)))(before)
    return jnp.tanh(before), jnp.sum(norm.logpdf(before, mean, std) - jnp.log(jacobian + 1e-6), axis=1)


@jax.jit
def sac_target(before: Batch, alpha: Array, batch: Batch) -> Array:
    action, density = squashed_sample(before["actor"], batch["next"], batch["next_noise"])
    values = (q(before[name], jax.nn.relu, batch["next"], action) for name in CRITIC_TARGETS)
    return batch["reward"] + GAMMA * (1 - batch["terminated"]) * (jnp.minimum(*values) - alpha * density)


@jax.jit
def by_sac_actor_and_log_alpha(actor: Array, log_alpha: Array, critics: Batch, batch: Batch) -> tuple[Array, Array]:
    def actor_loss(actor: Array) -> Array:
        action, density = squashed_sample(actor, batch["observation"], batch["noise"])
        values = (q(critics[name], jax.nn.relu, batch["observation"], action) for name in CRITICS)
        return jnp.mean(jnp.exp(log_alpha) * density - jnp.minimum(*values))

    def alpha_loss(log_alpha: Array) -> Array:
        _, density = squashed_sample(actor, batch["observation"], batch["noise"])
        return -jnp.mean(jnp.exp(log_alpha) * (density - ACTIONS))

    return jax.grad(actor_loss)(actor), jax.grad(alpha_loss)(log_alpha)


def polyak(before: Array, learner: Array) -> Array:
    return POLYAK * before + (1 - POLYAK) * learner


def test_sac() -> None:
    rng = np.random.default_rng(1)
    trainer = fill(SAC, rng, ACTOR_ACTIVATION_FUNCTION="GELU", CRITIC_ACTIVATION_FUNCTION="RELU")
    adam = {name: Adam(numbers(trainer, name)) for name in ("actor", *CRITICS)}
    adam_alpha = Adam(jnp.log(numbers(trainer, "alpha")))
    for _ in range(3):
        before = {name: numbers(trainer, name) for name in ("actor", *CRITICS, *CRITIC_TARGETS)}
        alpha = numbers(trainer, "alpha")[0]
        interact(trainer, rng, False, False)
        batch = {name: jnp.asarray(part) for name, part in batch_of(trainer, "next_noise", "noise").items()}
        target = sac_target(before, alpha, batch)
        np.testing.assert_allclose(batch["target"], target, atol=1e-5)
        after = {name: adam[name](by_critic(before[name], jax.nn.relu, batch, target)) for name in CRITICS}
        by_actor, by_log_alpha = by_sac_actor_and_log_alpha(before["actor"], jnp.log(alpha), after, batch)
        after_alpha = jnp.exp(adam_alpha(by_log_alpha[None]))
        after |= {
            name: polyak(before[name], after[learner]) for name, learner in zip(CRITIC_TARGETS, CRITICS, strict=True)
        }
        after["actor"] = adam["actor"](by_actor)
        np.testing.assert_allclose(read(trainer, "alpha"), after_alpha, atol=2e-5)
        check(trainer, before, after)


def td3_action(actor: Array, observation: Array) -> Array:
    return jnp.tanh(mlp(actor, OBSERVATIONS, ACTIONS, jnp.tanh, observation))


@jax.jit
def td3_target(before: Batch, batch: Batch) -> Array:
    shift = jnp.clip(0.9 * batch["next_noise"], -0.8, 0.8)
    action = jnp.clip(td3_action(before["actor_target"], batch["next"]) + shift, -1, 1)
    values = (q(before[name], jax.nn.sigmoid, batch["next"], action) for name in CRITIC_TARGETS)
    return batch["reward"] + GAMMA * (1 - batch["terminated"]) * jnp.minimum(*values)


@jax.jit
def by_td3_actor(actor: Array, critic: Array, batch: Batch) -> Array:
    def loss(actor: Array) -> Array:
        return -jnp.mean(q(critic, jax.nn.sigmoid, batch["observation"], td3_action(actor, batch["observation"])))

    return jax.grad(loss)(actor)


def test_td3() -> None:
    noise = {"TARGET_NEXT_ACTION_NOISE_STD": 0.9, "TARGET_NEXT_ACTION_NOISE_CLIP": 0.8, "ACTOR_POLYAK": POLYAK}
    rng = np.random.default_rng(1)
    trainer = fill(TD3, rng, **noise, CRITIC_ACTIVATION_FUNCTION="SIGMOID")
    learners, targets = ("actor", *CRITICS), ("actor_target", *CRITIC_TARGETS)
    adam = {name: Adam(numbers(trainer, name)) for name in learners}
    for step in range(BATCH + 1, BATCH + 5):
        before = {name: numbers(trainer, name) for name in (*learners, *targets)}
        interact(trainer, rng, False, False)
        batch = {name: jnp.asarray(part) for name, part in batch_of(trainer, "next_noise").items()}
        target = td3_target(before, batch)
        after = {name: adam[name](by_critic(before[name], jax.nn.sigmoid, batch, target)) for name in CRITICS}
        if step % 2 == 0:  # the actor and all targets wait for every other step
            after["actor"] = adam["actor"](by_td3_actor(before["actor"], after["critic_1"], batch))
            after |= {
                name: polyak(before[name], after[learner]) for name, learner in zip(targets, learners, strict=True)
            }
        check(trainer, before, after)


STEPS, ENVIRONMENTS = 11, 3
ROWS = STEPS * ENVIRONMENTS


@jax.jit
def generalised_advantages(rollout: Batch) -> Array:
    """Backwards through the steps of all environments at once (Schulman et al., arXiv:1506.02438)."""

    def one(following: Array, step: Batch) -> tuple[Array, Array]:
        error = step["reward"] + GAMMA * (1 - step["terminated"]) * step["next_value"] - step["value"]
        goes_on = (1 - step["terminated"]) * (1 - step["truncated"])
        advantage = error + GAMMA * 0.8 * goes_on * following
        return advantage, advantage

    names = ("reward", "value", "next_value", "terminated", "truncated")
    steps = {name: rollout[name].reshape(STEPS, ENVIRONMENTS) for name in names}
    _, found = jax.lax.scan(one, jnp.zeros(ENVIRONMENTS), steps, reverse=True)
    return found.reshape(-1)


@jax.jit
def density(actor: Array, log_std: Array, rollout: Batch) -> Array:
    mean = mlp(actor, OBSERVATIONS, ACTIONS, fast_tanh, rollout["input"])
    return jnp.sum(norm.logpdf(rollout["action"], mean, jnp.exp(log_std)), axis=1)


@jax.jit
def by_ppo_actor_and_log_std(actor: Array, log_std: Array, old: Array, advantage: Array, rollout: Batch) -> Any:
    normalised = jax.nn.standardize(advantage, epsilon=0.0)

    def loss(actor: Array, log_std: Array) -> Array:
        ratio = jnp.exp(density(actor, log_std, rollout) - old)
        surrogate = jnp.minimum(ratio * normalised, jnp.clip(ratio, 0.8, 1.2) * normalised)
        entropy = jnp.sum(log_std + 0.5 * jnp.log(2 * jnp.pi * jnp.e))
        return -jnp.mean(surrogate) - 0.1 * entropy

    return jax.grad(loss, argnums=(0, 1))(actor, log_std)


@jax.jit
def by_ppo_critic(critic: Array, advantage: Array, rollout: Batch) -> Array:
    def loss(critic: Array) -> Array:
        value = mlp(critic, OBSERVATIONS, 1, jnp.tanh, rollout["input"])[:, 0]
        return 0.5 * jnp.mean((value - (advantage + rollout["value"])) ** 2)

    return jax.grad(loss)(critic)


def test_ppo() -> None:
    sizes = {"N_ENVIRONMENTS": ENVIRONMENTS, "ON_POLICY_RUNNER_STEPS_PER_ENV": STEPS, "BATCH_SIZE": ROWS}
    options = {"LAMBDA": 0.8, "EPSILON_CLIP": 0.2, "ACTION_ENTROPY_COEFFICIENT": 0.1, "N_EPOCHS": 3, "STEP_LIMIT": 10}
    trainer = make(
        PPO,
        **{**sizes, **options, **OPTIONS},
        ACTOR_ACTIVATION_FUNCTION="FAST_TANH",
        ADAPTIVE_LEARNING_RATE=False,
        NORMALIZE_VALUES=False,
    )
    rng = np.random.default_rng(1)
    adam = {name: Adam(numbers(trainer, name)) for name in ("actor", "critic", "log_std")}
    for _ in range(3):
        before = {name: numbers(trainer, name) for name in adam}
        for step in range(STEPS):
            draw = rng.uniform(-1, 1, (2, ENVIRONMENTS, OBSERVATIONS)).astype(np.float32)
            trainer.explore(draw[0], np.empty((ENVIRONMENTS, ACTIONS), np.float32))
            ends = np.array([step % 4 == 1, False, step == 3]), np.array([False, step == 2, False])
            assert trainer.observe(rng.uniform(-1, 1, ENVIRONMENTS).astype(np.float32), draw[1], *ends)
        names = ("input", "action", "old", "value", "reward", "next_value", "terminated", "truncated", "advantage")
        widths = (OBSERVATIONS, ACTIONS, *(1 for _ in range(7)))
        parts = np.split(read(trainer, "rollout").reshape(ROWS, -1), np.cumsum(widths)[:-1], axis=1)
        rollout = {name: jnp.asarray(part).squeeze() for name, part in zip(names, parts, strict=True)}
        advantage = generalised_advantages(rollout)
        np.testing.assert_allclose(rollout["advantage"], advantage, atol=1e-6)
        old = density(before["actor"], before["log_std"], rollout)
        np.testing.assert_allclose(rollout["old"], old, atol=1e-5)
        after = dict(before)
        for _ in range(3):
            by = by_ppo_actor_and_log_std(after["actor"], after["log_std"], old, advantage, rollout)
            after = {
                "critic": adam["critic"](by_ppo_critic(after["critic"], advantage, rollout)),
                "actor": adam["actor"](by[0]),
                "log_std": adam["log_std"](by[1]),
            }
        check(trainer, before, after)
