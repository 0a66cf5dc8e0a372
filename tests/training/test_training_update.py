"""Whole updates of the C++ trainer against the papers' formulas in NumPy float64, whose gradients are finite
differences: the reference shares no derivative, no kernel and no optimiser with what it checks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gymnasium import spaces
from training_envs import SMALL, Line

from rltools_embed.training import SAC

Array = npt.NDArray[np.float64]

OBSERVATIONS, ACTIONS, BATCH = 3, 2, 5
ACTOR_WIDTHS = (OBSERVATIONS, 8, 8, 2 * ACTIONS)
CRITIC_WIDTHS = (OBSERVATIONS + ACTIONS, 8, 8, 1)
GAMMA, POLYAK, RATE, BETA_1, BETA_2, EPSILON = 0.9, 0.9, 1e-2, 0.9, 0.999, 1e-7
# float32 sums of about ten terms, through one Adam step of RATE / sqrt(EPSILON) at the steepest.
TOLERANCE = 2e-5


def forward(numbers: Array, widths: tuple[int, ...], x: Array, activation: Callable[[Array], Array]) -> Array:
    begin = 0
    for index, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        weights = numbers[begin : begin + inputs * outputs].reshape(outputs, inputs)
        begin += inputs * outputs
        x = x @ weights.T + numbers[begin : begin + outputs]
        begin += outputs
        x = x if index == len(widths) - 2 else activation(x)
    return x


def actor_sample(actor: Array, observations: Array, noise: Array) -> tuple[Array, Array]:
    head = forward(actor, ACTOR_WIDTHS, observations, np.tanh)
    mean, log_std = head[:, :ACTIONS], np.clip(head[:, ACTIONS:], -20, 2)
    action = np.tanh(mean + np.exp(log_std) * noise)
    density = -0.5 * noise**2 - log_std - 0.5 * np.log(2 * np.pi)
    return action, (density - np.log(1 - action**2 + 1e-6)).sum(axis=1)


def critic_value(critic: Array, observations: Array, actions: Array) -> Array:
    return forward(critic, CRITIC_WIDTHS, np.hstack([observations, actions]), np.tanh)[:, 0]


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

    def __call__(self, numbers: Array, by_numbers: Array) -> Array:
        self.step += 1
        self.first = BETA_1 * self.first + (1 - BETA_1) * by_numbers
        self.second = BETA_2 * self.second + (1 - BETA_2) * by_numbers**2
        first = self.first / (1 - BETA_1**self.step)
        second = self.second / (1 - BETA_2**self.step)
        return numbers - RATE * first / (np.sqrt(second + EPSILON) + EPSILON)


@pytest.fixture(scope="module")
def interface(cache_directory: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RLTOOLS_EMBED_CACHE_DIR", str(cache_directory))
        yield make


def make(**options: Any) -> Any:
    box = spaces.Box(-1, 1, (ACTIONS,), np.float32)
    seen = spaces.Box(-9, 9, (OBSERVATIONS,), np.float32)

    class Wide(Line):
        def _observation(self) -> Any:
            return np.zeros(OBSERVATIONS, np.float32)

    settings = {"ACTOR_ACTIVATION_FUNCTION": "TANH", "CRITIC_ACTIVATION_FUNCTION": "TANH", "GAMMA": GAMMA}
    settings |= {"CRITIC_POLYAK": POLYAK, "OPTIMIZER_ALPHA": RATE}
    sac = SAC(lambda: Wide(observation_space=seen, action_space=box), **{**SMALL, **settings, **options})
    return sac.make_trainer(4)


def numbers(trainer: Any, name: str) -> Array:
    return np.frombuffer(trainer.numbers(name), np.float32).astype(np.float64)


def interact(trainer: Any, rng: np.random.Generator, terminated: bool, truncated: bool) -> None:
    observation = rng.uniform(-1, 1, OBSERVATIONS).astype(np.float32)
    trainer.explore(observation, np.zeros(ACTIONS, np.float32))
    following = rng.uniform(-1, 1, OBSERVATIONS).astype(np.float32)
    assert trainer.observe(float(rng.uniform(-1, 1)), following, terminated, truncated)


def batch_of(trainer: Any) -> dict[str, Array]:
    rows = numbers(trainer, "last_batch").reshape(BATCH, -1)
    names = ("observation", "action", "reward", "next", "terminated", "next_noise", "noise", "target")
    sizes = (OBSERVATIONS, ACTIONS, 1, OBSERVATIONS, 1, ACTIONS, ACTIONS, 1)
    parts = np.split(rows, np.cumsum(sizes)[:-1], axis=1)
    return {name: part[:, 0] if size == 1 else part for name, size, part in zip(names, sizes, parts, strict=True)}


def test_updates_agree_with_the_formulas_in_float64(interface: Any) -> None:
    trainer = interface()
    rng = np.random.default_rng(1)
    for step in range(BATCH):
        interact(trainer, rng, step == 2, step == 3)
    adam = {name: Adam() for name in ("critic_1", "critic_2", "actor", "alpha")}
    names = ("actor", "critic_1", "critic_2", "critic_target_1", "critic_target_2")
    for _ in range(3):
        before = {name: numbers(trainer, name) for name in names}
        alpha = numbers(trainer, "alpha")[0]
        interact(trainer, rng, False, False)
        batch = batch_of(trainer)

        action, log_probability = actor_sample(before["actor"], batch["next"], batch["next_noise"])
        value = np.minimum(*(critic_value(before[f"critic_target_{i}"], batch["next"], action) for i in (1, 2)))
        target = batch["reward"] + GAMMA * (1 - batch["terminated"]) * (value - alpha * log_probability)
        np.testing.assert_allclose(batch["target"], target, atol=1e-5)

        after = {}
        for name in ("critic_1", "critic_2"):

            def critic_loss(critic: Array) -> float:
                return float(
                    0.5 * np.mean((critic_value(critic, batch["observation"], batch["action"]) - target) ** 2)  # noqa: B023  called here only
                )

            after[name] = adam[name](before[name], gradient(critic_loss, before[name]))

        def actor_loss(actor: Array) -> float:
            action, log_probability = actor_sample(actor, batch["observation"], batch["noise"])  # noqa: B023  as above
            values = [critic_value(after[f"critic_{i}"], batch["observation"], action) for i in (1, 2)]  # noqa: B023  as above
            return float(np.mean(alpha * log_probability - np.minimum(*values)))  # noqa: B023  as above

        after["actor"] = adam["actor"](before["actor"], gradient(actor_loss, before["actor"]))
        _, log_probability = actor_sample(before["actor"], batch["observation"], batch["noise"])
        by_log_alpha = -alpha * np.mean(log_probability - ACTIONS)
        after["alpha"] = np.exp(adam["alpha"](np.log([alpha]), np.array([by_log_alpha])))
        for i in (1, 2):
            after[f"critic_target_{i}"] = POLYAK * before[f"critic_target_{i}"] + (1 - POLYAK) * after[f"critic_{i}"]

        for name, expected in after.items():
            np.testing.assert_allclose(numbers(trainer, name), expected, atol=TOLERANCE, err_msg=name)
            if name != "alpha":
                moved = np.abs(expected - before[name]).max()
                assert moved > 20 * TOLERANCE, f"{name} moved by {moved} only: this would prove nothing"


def test_a_truncated_transition_bootstraps_and_a_terminated_one_does_not(interface: Any) -> None:
    trainer = interface()
    rng = np.random.default_rng(2)
    for step in range(12):
        interact(trainer, rng, step % 3 == 0, step % 3 == 1)
    batch = batch_of(trainer)
    ended = batch["terminated"] == 1
    assert ended.any()
    np.testing.assert_array_equal(batch["target"][ended], batch["reward"][ended])
    assert (batch["target"][~ended] != batch["reward"][~ended]).all()


def test_ignore_termination_bootstraps_always(interface: Any) -> None:
    trainer = interface(IGNORE_TERMINATION=True)
    rng = np.random.default_rng(2)
    for _ in range(8):
        interact(trainer, rng, True, False)
    batch = batch_of(trainer)
    assert (batch["target"] != batch["reward"]).all()


def test_intervals_and_warm_up_decide_what_is_updated(interface: Any) -> None:
    trainer = interface(N_WARMUP_STEPS_ACTOR=8, N_WARMUP_STEPS_CRITIC=6, CRITIC_TARGET_UPDATE_INTERVAL=2)
    rng = np.random.default_rng(3)
    changed = {}
    before = {name: numbers(trainer, name) for name in ("actor", "critic_1", "critic_target_1")}
    for step in range(1, 11):
        interact(trainer, rng, False, False)
        for name, old in before.items():
            new = numbers(trainer, name)
            if not np.array_equal(new, old):
                changed.setdefault(name, []).append(step)
            before[name] = new
    assert changed == {"critic_1": [7, 8, 9, 10], "actor": [9, 10], "critic_target_1": [8, 10]}


def test_a_full_replay_buffer_forgets_the_oldest(interface: Any) -> None:
    trainer = interface(REPLAY_BUFFER_CAP=4, N_WARMUP_STEPS=100)
    for step in range(6):
        trainer.explore(np.full(OBSERVATIONS, step, np.float32), np.zeros(ACTIONS, np.float32))
        assert trainer.observe(float(step), np.full(OBSERVATIONS, step + 1, np.float32), False, False)
    seen = numbers(trainer, "observations").reshape(-1, OBSERVATIONS)[:, 0]
    assert sorted(seen) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("observation", "action"),
    [
        (np.zeros(2, np.float32), np.zeros(ACTIONS, np.float32)),
        (np.zeros(OBSERVATIONS), np.zeros(ACTIONS, np.float32)),
        (np.zeros(0, np.float32), np.zeros(0, np.float32)),
        (np.zeros((2, OBSERVATIONS), np.float32), np.zeros(ACTIONS, np.float32)),
    ],
)
def test_the_interface_checks_its_buffers_itself(interface: Any, observation: Any, action: Any) -> None:
    with pytest.raises(ValueError):
        interface().act(observation, action)


def test_the_interface_refuses_a_strided_buffer(interface: Any) -> None:
    with pytest.raises((ValueError, BufferError)):
        interface().act(np.zeros(2 * OBSERVATIONS, np.float32)[::2], np.zeros(ACTIONS, np.float32))
