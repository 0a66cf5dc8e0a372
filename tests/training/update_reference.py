"""What the tests of whole updates share: the papers' formulas in NumPy float64, and a trainer to compare with.

Gradients are finite differences: no derivative, kernel or optimiser is shared with what is checked.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from training_envs import Line, small

from rltools_embed.training import PPO, Training

Array = npt.NDArray[np.float64]

OBSERVATIONS, ACTIONS, BATCH = 3, 2, 5
CRITIC_WIDTHS = (OBSERVATIONS + ACTIONS, 8, 8, 1)
GAMMA, POLYAK, RATE, BETA_1, BETA_2, EPSILON = 0.9, 0.9, 1e-2, 0.9, 0.999, 1e-7
# float32 sums of about ten terms, through one Adam step of RATE / sqrt(EPSILON) at the steepest.
TOLERANCE = 2e-5


def forward(
    numbers: Array,
    widths: tuple[int, ...],
    x: Array,
    activation: Callable[[Array], Array] = np.tanh,
    last: Callable[[Array], Array] = lambda x: x,
) -> Array:
    begin = 0
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        weights = numbers[begin : begin + inputs * outputs].reshape(outputs, inputs)
        begin += inputs * outputs
        x = x @ weights.T + numbers[begin : begin + outputs]
        begin += outputs
        x = last(x) if index == len(widths) - 2 else activation(x)
    return x


def critic_value(critic: Array, observations: Array, actions: Array) -> Array:
    return forward(critic, CRITIC_WIDTHS, np.hstack([observations, actions]))[:, 0]


def critic_loss(batch: dict[str, Array], target: Array) -> Callable[[Array], float]:
    return lambda critic: float(
        0.5 * np.mean((critic_value(critic, batch["observation"], batch["action"]) - target) ** 2)
    )


def gradient(loss: Callable[[Array], float], at: Array) -> Array:
    result = np.empty_like(at)
    for i in range(at.size):
        step = np.zeros_like(at)
        step[i] = 1e-6
        result[i] = (loss(at + step) - loss(at - step)) / 2e-6
    return result


class Adam:
    def __init__(self) -> None:
        self.step, self.first, self.second = 0, 0.0, 0.0

    def __call__(self, numbers: Array, by_numbers: Array, rate: float = RATE) -> Array:
        self.step += 1
        self.first = BETA_1 * self.first + (1 - BETA_1) * by_numbers
        self.second = BETA_2 * self.second + (1 - BETA_2) * by_numbers**2
        first = self.first / (1 - BETA_1**self.step)
        second = self.second / (1 - BETA_2**self.step)
        return numbers - rate * first / (np.sqrt(np.maximum(second, EPSILON)) + EPSILON)


def make(kind: type[Training], **options: Any) -> Any:
    """A C++ trainer of small sizes with smooth activations."""
    box = spaces.Box(-1, 1, (ACTIONS,), np.float32)
    seen = spaces.Box(-9, 9, (OBSERVATIONS,), np.float32)

    class Wide(Line):
        def _observation(self) -> Any:
            return np.zeros(OBSERVATIONS, np.float32)

    settings = {"ACTOR_ACTIVATION_FUNCTION": "TANH", "CRITIC_ACTIVATION_FUNCTION": "TANH", "GAMMA": GAMMA}
    settings |= {"OPTIMIZER_ALPHA": RATE, "OPTIMIZER_EPSILON_SQRT": EPSILON}
    if kind is not PPO:
        settings["CRITIC_POLYAK"] = POLYAK
    training = kind(lambda: Wide(observation_space=seen, action_space=box), **{**small(kind), **settings, **options})
    return training.compiled.make_trainer(4)


def numbers(trainer: Any, name: str) -> Array:
    return np.frombuffer(trainer.numbers(name), np.float32).astype(np.float64)


def interact(
    trainer: Any, rng: np.random.Generator, terminated: bool, truncated: bool, *, largest_reward: float = 1
) -> None:
    observation = rng.uniform(-1, 1, OBSERVATIONS).astype(np.float32)
    trainer.explore(observation, np.zeros(ACTIONS, np.float32))
    following = rng.uniform(-1, 1, OBSERVATIONS).astype(np.float32)
    assert observe(trainer, largest_reward * rng.uniform(-1, 1), following, terminated, truncated)


def observe(trainer: Any, reward: float, following: Any, terminated: bool, truncated: bool) -> bool:
    """What one environment answered."""
    rewards = np.array([reward], np.float32)
    return bool(trainer.observe(rewards, following, np.array([terminated]), np.array([truncated])))


def batch_of(trainer: Any, *noises: str) -> dict[str, Array]:
    """The last batch of an off-policy trainer by column; `noises` as the algorithm names what it adds."""
    names = ("observation", "action", "reward", "next", "terminated", *noises, "target")
    sizes = (OBSERVATIONS, ACTIONS, 1, OBSERVATIONS, 1, *(ACTIONS for _ in noises), 1)
    rows = numbers(trainer, "last_batch").reshape(-1, sum(sizes))
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    return {name: part[:, 0] if size == 1 else part for name, size, part in zip(names, sizes, parts, strict=True)}


def check_unit(trainer: Any, batch: dict[str, Array], unit: float) -> None:
    """The batch holds rewards of the replay buffer in `unit`."""
    assert numbers(trainer, "reward_unit") == np.float32(unit)
    assert np.isin(
        batch["reward"].astype(np.float32), (rewards_of(trainer) / np.float32(unit)).astype(np.float32)
    ).all()


def rewards_of(trainer: Any) -> Array:
    """All rewards of the replay buffer."""
    rows = numbers(trainer, "transitions").reshape(-1, 2 * OBSERVATIONS + ACTIONS + 3)
    return rows[:, OBSERVATIONS + ACTIONS].astype(np.float32)


def check(trainer: Any, before: dict[str, Array], after: dict[str, Array]) -> None:
    """The trainer's numbers are those of `after`, and the update moved them enough to prove it."""
    for name, expected in after.items():
        np.testing.assert_allclose(numbers(trainer, name), expected, atol=TOLERANCE, err_msg=name)
        moved = np.abs(expected - before[name]).max()
        assert moved > 20 * TOLERANCE, f"{name} moved by {moved} only: this would prove nothing"
