"""Whole updates against PyTorch in float64: layers and their gradients, losses, densities, GAE, Adam, target networks.

A second reference beside finite differences, for sizes that fill vectors and tiles and for every activation function.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from update_reference import (
    ACTIONS,
    BETA_1,
    BETA_2,
    GAMMA,
    OBSERVATIONS,
    POLYAK,
    RATE,
    Array,
    batch_of,
    check,
    interact,
    make,
    numbers,
)

from rltools_embed.training import PPO, SAC, TD3

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'rltools_embed[torch]'")

UNITS, BATCH = 33, 29
UPDATES = 4
EPSILON = 1e-3
# PyTorch's Adam has no floor under its root, and this one's step is less steep than the default's.
OPTIONS = {
    "ACTOR_HIDDEN_DIM": UNITS,
    "CRITIC_HIDDEN_DIM": UNITS,
    "OPTIMIZER_EPSILON": EPSILON,
    "OPTIMIZER_EPSILON_SQRT": 0.0,
}
OFF_POLICY = {**OPTIONS, "ACTOR_BATCH_SIZE": BATCH, "CRITIC_BATCH_SIZE": BATCH, "N_WARMUP_STEPS": BATCH}


class FastTanh(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        x = x.clamp(-3, 3)
        return x * (27 + x**2) / (27 + 9 * x**2)


LAYERS = {
    "RELU": torch.nn.ReLU,
    "GELU": lambda: torch.nn.GELU(approximate="tanh"),
    "TANH": torch.nn.Tanh,
    "FAST_TANH": FastTanh,
    "SIGMOID": torch.nn.Sigmoid,
}


class Learner:
    """A network of PyTorch and its optimiser, with the numbers of the trainer's network `name` at the last `take`."""

    def __init__(self, name: str, inputs: int, outputs: int, activation: str, last: tuple[Any, ...] = ()) -> None:
        widths = (inputs, UNITS, UNITS, outputs)
        parts = [part for pair in itertools.pairwise(widths) for part in (torch.nn.Linear(*pair), LAYERS[activation]())]
        self.name = name
        self.network = torch.nn.Sequential(*parts[:-1], *last).double()
        self.optimiser = adam(self.network.parameters())

    def take(self, trainer: Any) -> None:
        values = torch.tensor(numbers(trainer, self.name))
        torch.nn.utils.vector_to_parameters(values, self.network.parameters())

    def __call__(self, *inputs: Any) -> Any:
        return self.network(torch.cat(inputs, dim=1))

    def descend(self, loss: Any, *others: Any) -> None:
        for optimiser in (self.optimiser, *others):
            optimiser.zero_grad()
        loss.backward()
        for optimiser in (self.optimiser, *others):
            optimiser.step()

    def values(self) -> Array:
        return torch.nn.utils.parameters_to_vector(self.network.parameters()).detach().numpy().copy()


def adam(parameters: Any) -> Any:
    return torch.optim.Adam(parameters, lr=RATE, betas=(BETA_1, BETA_2), eps=EPSILON)


def critics(activation: str) -> list[Learner]:
    return [Learner(f"critic_{i}", OBSERVATIONS + ACTIONS, 1, activation) for i in (1, 2)]


def targets(activation: str) -> list[Learner]:
    return [Learner(f"critic_target_{i}", OBSERVATIONS + ACTIONS, 1, activation) for i in (1, 2)]


def tensors(batch: dict[str, Array]) -> dict[str, Any]:
    return {name: torch.tensor(column if column.ndim == 2 else column[:, None]) for name, column in batch.items()}


def polyak(target: Learner, source: Learner, before: dict[str, Array]) -> Array:
    mixed = torch.lerp(torch.tensor(source.values()), torch.tensor(before[target.name]), POLYAK)
    return np.asarray(mixed)


def filled(kind: Any, **options: Any) -> tuple[Any, np.random.Generator]:
    trainer, rng = make(kind, **{**OFF_POLICY, **options}), np.random.default_rng(1)
    for step in range(BATCH):
        interact(trainer, rng, step % 5 == 2, step % 5 == 3)
    return trainer, rng


def test_sac_updates_are_those_of_pytorch() -> None:
    trainer, rng = filled(SAC, ACTOR_ACTIVATION_FUNCTION="GELU", CRITIC_ACTIVATION_FUNCTION="RELU")
    actor, both, both_targets = Learner("actor", OBSERVATIONS, 2 * ACTIONS, "GELU"), critics("RELU"), targets("RELU")
    log_alpha = torch.tensor(np.log(numbers(trainer, "alpha")), requires_grad=True)
    temperature = adam([log_alpha])

    def sample(observation: Any, noise: Any) -> tuple[Any, Any]:
        mean, log_std = actor(observation).chunk(2, dim=1)
        normal = torch.distributions.Normal(mean, log_std.clamp(-20, 2).exp())
        before_squashing = normal.mean + normal.stddev * noise
        action = before_squashing.tanh()
        density = normal.log_prob(before_squashing) - torch.log(1 - action**2 + 1e-6)
        return action, density.sum(dim=1, keepdim=True)

    for _ in range(UPDATES):
        learners = (actor, *both, *both_targets)
        before = {learner.name: numbers(trainer, learner.name) for learner in learners}
        for learner in learners:
            learner.take(trainer)
        interact(trainer, rng, False, False)
        batch = tensors(batch_of(trainer, "next_noise", "noise"))
        alpha = log_alpha.exp().detach()

        with torch.no_grad():
            action, log_probability = sample(batch["next"], batch["next_noise"])
            value = torch.minimum(*(critic(batch["next"], action) for critic in both_targets))
            target = batch["reward"] + GAMMA * (1 - batch["terminated"]) * (value - alpha * log_probability)
        np.testing.assert_allclose(batch["target"], target, atol=1e-5)
        for critic in both:
            value = critic(batch["observation"], batch["action"])
            critic.descend(0.5 * torch.nn.functional.mse_loss(value, target))
        action, log_probability = sample(batch["observation"], batch["noise"])
        value = torch.minimum(*(critic(batch["observation"], action) for critic in both))
        actor.descend((alpha * log_probability - value).mean())
        temperature.zero_grad()
        (-log_alpha.exp() * (log_probability.detach() - ACTIONS)).mean().backward()
        temperature.step()

        np.testing.assert_allclose(numbers(trainer, "alpha"), log_alpha.exp().detach(), atol=2e-5)
        after = {learner.name: learner.values() for learner in (actor, *both)}
        for target_network, critic in zip(both_targets, both, strict=True):
            after[target_network.name] = polyak(target_network, critic, before)
        check(trainer, before, after)


def test_td3_updates_are_those_of_pytorch() -> None:
    trainer, rng = filled(
        TD3,
        ACTOR_ACTIVATION_FUNCTION="TANH",
        CRITIC_ACTIVATION_FUNCTION="SIGMOID",
        TARGET_NEXT_ACTION_NOISE_STD=0.9,
        TARGET_NEXT_ACTION_NOISE_CLIP=0.8,
        ACTOR_POLYAK=POLYAK,
        ACTOR_TRAINING_INTERVAL=1,
        CRITIC_TARGET_UPDATE_INTERVAL=1,
        ACTOR_TARGET_UPDATE_INTERVAL=1,
    )
    bounded = (torch.nn.Tanh(),)
    actor, actor_target = (Learner(name, OBSERVATIONS, ACTIONS, "TANH", bounded) for name in ("actor", "actor_target"))
    both, both_targets = critics("SIGMOID"), targets("SIGMOID")
    for _ in range(UPDATES):
        learners = (actor, actor_target, *both, *both_targets)
        before = {learner.name: numbers(trainer, learner.name) for learner in learners}
        for learner in learners:
            learner.take(trainer)
        interact(trainer, rng, False, False)
        batch = tensors(batch_of(trainer, "next_noise"))

        with torch.no_grad():
            action = actor_target(batch["next"]) + (0.9 * batch["next_noise"]).clamp(-0.8, 0.8)
            value = torch.minimum(*(critic(batch["next"], action.clamp(-1, 1)) for critic in both_targets))
            target = batch["reward"] + GAMMA * (1 - batch["terminated"]) * value
        np.testing.assert_allclose(batch["target"], target, atol=1e-5)
        for critic in both:
            value = critic(batch["observation"], batch["action"])
            critic.descend(0.5 * torch.nn.functional.mse_loss(value, target))
        actor.descend(-both[0](batch["observation"], actor(batch["observation"])).mean())

        after = {learner.name: learner.values() for learner in (actor, *both)}
        for target_network, source in zip((actor_target, *both_targets), (actor, *both), strict=True):
            after[target_network.name] = polyak(target_network, source, before)
        check(trainer, before, after)


ENVIRONMENTS, STEPS, EPOCHS = 3, 11, 3
LAMBDA, CLIP, ENTROPY = 0.8, 0.02, 0.05


def rollout_of(trainer: Any, rng: np.random.Generator) -> dict[str, Any]:
    for step in range(STEPS):
        observations, following = rng.uniform(-1, 1, (2, ENVIRONMENTS, OBSERVATIONS)).astype(np.float32)
        trainer.explore(observations, np.empty((ENVIRONMENTS, ACTIONS), np.float32))
        rewards = rng.uniform(-1, 1, ENVIRONMENTS).astype(np.float32)
        terminated = np.array([step % 4 == 1, False, step == STEPS - 1])
        assert trainer.observe(rewards, following, terminated, np.array([False, step == 2, False]))
    names = ("input", "action", "old", "value", "reward", "next_value", "terminated", "truncated", "advantage")
    sizes = (OBSERVATIONS, ACTIONS, *(1 for _ in range(7)))
    rows = numbers(trainer, "rollout").reshape(STEPS * ENVIRONMENTS, -1)
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    return {name: torch.tensor(part) for name, part in zip(names, parts, strict=True)}


def advantages(rollout: dict[str, Any]) -> Any:
    """GAE from the last step to the first (arXiv:1506.02438)."""
    by_step = {name: column.reshape(STEPS, ENVIRONMENTS, -1)[..., 0] for name, column in rollout.items()}
    found, later = [], torch.zeros(ENVIRONMENTS).double()
    for step in reversed(range(STEPS)):
        row = {name: column[step] for name, column in by_step.items()}
        error = row["reward"] + GAMMA * (1 - row["terminated"]) * row["next_value"] - row["value"]
        later = error + GAMMA * LAMBDA * (1 - torch.maximum(row["terminated"], row["truncated"])) * later
        found.append(later)
    return torch.stack(found[::-1]).reshape(-1, 1)


def test_ppo_updates_are_those_of_pytorch() -> None:
    trainer = make(
        PPO,
        **OPTIONS,
        ACTOR_ACTIVATION_FUNCTION="FAST_TANH",
        CRITIC_ACTIVATION_FUNCTION="TANH",
        N_ENVIRONMENTS=ENVIRONMENTS,
        ON_POLICY_RUNNER_STEPS_PER_ENV=STEPS,
        BATCH_SIZE=ENVIRONMENTS * STEPS,
        STEP_LIMIT=10,
        LAMBDA=LAMBDA,
        EPSILON_CLIP=CLIP,
        ACTION_ENTROPY_COEFFICIENT=ENTROPY,
        N_EPOCHS=EPOCHS,
        ADAPTIVE_LEARNING_RATE=False,
    )
    rng = np.random.default_rng(1)
    actor, critic = Learner("actor", OBSERVATIONS, ACTIONS, "FAST_TANH"), Learner("critic", OBSERVATIONS, 1, "TANH")
    log_std = torch.tensor(numbers(trainer, "log_std"), requires_grad=True)
    spread = adam([log_std])
    clipped = 0
    for _ in range(UPDATES):
        before = {name: numbers(trainer, name) for name in ("actor", "critic", "log_std")}
        actor.take(trainer)
        critic.take(trainer)
        with torch.no_grad():
            log_std.copy_(torch.tensor(before["log_std"]))
        rollout = rollout_of(trainer, rng)

        advantage = advantages(rollout)
        np.testing.assert_allclose(rollout["advantage"], advantage, atol=1e-5)
        np.testing.assert_allclose(rollout["value"], critic(rollout["input"]).detach(), atol=1e-5)
        returns = advantage + rollout["value"]
        normalised = (advantage - advantage.mean()) / (advantage.std(unbiased=False) + 1e-8)
        for epoch in range(EPOCHS):
            normal = torch.distributions.Normal(actor(rollout["input"]), log_std.exp())
            log_probability = normal.log_prob(rollout["action"]).sum(dim=1, keepdim=True)
            if epoch == 0:
                np.testing.assert_allclose(rollout["old"], log_probability.detach(), atol=1e-5)
            ratio = (log_probability - rollout["old"]).exp()
            clipped += int(((ratio - 1).abs() > CLIP).sum())
            objective = torch.minimum(ratio * normalised, ratio.clamp(1 - CLIP, 1 + CLIP) * normalised)
            actor.descend(-objective.mean() - ENTROPY * normal.entropy()[0].sum(), spread)
            critic.descend(0.5 * torch.nn.functional.mse_loss(critic(rollout["input"]), returns))
        check(
            trainer,
            before,
            {"actor": actor.values(), "critic": critic.values(), "log_std": log_std.detach().numpy().copy()},
        )
    assert clipped > 0
