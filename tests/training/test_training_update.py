"""Whole updates of SAC's C++ trainer against the paper's formulas in NumPy float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from update_reference import (
    ACTIONS,
    BATCH,
    GAMMA,
    OBSERVATIONS,
    POLYAK,
    Adam,
    Array,
    batch_of,
    check,
    check_unit,
    critic_loss,
    critic_value,
    forward,
    gradient,
    interact,
    make,
    numbers,
    observe,
    rewards_of,
)

from rltools_embed.training import SAC

ACTOR_WIDTHS = (OBSERVATIONS, 8, 8, 2 * ACTIONS)
NOISES = ("next_noise", "noise")


def actor_sample(actor: Array, observations: Array, noise: Array) -> tuple[Array, Array]:
    head = forward(actor, ACTOR_WIDTHS, observations)
    mean, log_std = head[:, :ACTIONS], np.clip(head[:, ACTIONS:], -20, 2)
    action = np.tanh(mean + np.exp(log_std) * noise)
    density = -0.5 * noise**2 - log_std - 0.5 * np.log(2 * np.pi)
    return action, (density - np.log(1 - action**2 + 1e-6)).sum(axis=1)


@pytest.mark.parametrize(("largest_reward", "normalized"), [(1, True), (40, True), (40, False)])
def test_updates_agree_with_the_formulas_in_float64(largest_reward: float, normalized: bool) -> None:
    trainer = make(SAC, NORMALIZE_REWARDS=normalized)
    rng = np.random.default_rng(1)
    for step in range(BATCH):
        interact(trainer, rng, step == 2, step == 3, largest_reward=largest_reward)
    assert numbers(trainer, "reward_unit") == 0
    unit = 0.0
    adam = {name: Adam() for name in ("critic_1", "critic_2", "actor", "alpha")}
    names = ("actor", "critic_1", "critic_2", "critic_target_1", "critic_target_2")
    for _ in range(3):
        before = {name: numbers(trainer, name) for name in names}
        temperature = numbers(trainer, "alpha")
        interact(trainer, rng, False, False, largest_reward=largest_reward)
        batch = batch_of(trainer, *NOISES)
        unit = unit or (max(1, np.abs(rewards_of(trainer)).mean()) if normalized else 1)
        assert (unit > 1) == (normalized and largest_reward > 1)
        check_unit(trainer, batch, unit)
        alpha = temperature[0] / unit

        action, log_probability = actor_sample(before["actor"], batch["next"], batch["next_noise"])
        value = np.minimum(*(critic_value(before[f"critic_target_{i}"], batch["next"], action) for i in (1, 2)))
        target = batch["reward"] + GAMMA * (1 - batch["terminated"]) * (value - alpha * log_probability)
        np.testing.assert_allclose(batch["target"], target, atol=1e-5)

        after = {}
        for name in ("critic_1", "critic_2"):
            after[name] = adam[name](before[name], gradient(critic_loss(batch, target), before[name]))

        def actor_loss(actor: Array) -> float:
            action, log_probability = actor_sample(actor, batch["observation"], batch["noise"])  # noqa: B023  called here only
            values = [critic_value(after[f"critic_{i}"], batch["observation"], action) for i in (1, 2)]  # noqa: B023  as above
            return float(np.mean(alpha * log_probability - np.minimum(*values)))  # noqa: B023  as above

        after["actor"] = adam["actor"](before["actor"], gradient(actor_loss, before["actor"]))
        _, log_probability = actor_sample(before["actor"], batch["observation"], batch["noise"])
        by_log_alpha = -alpha * np.mean(log_probability - ACTIONS)
        after["alpha"] = np.exp(adam["alpha"](np.log(temperature), np.array([by_log_alpha])))
        for i in (1, 2):
            after[f"critic_target_{i}"] = POLYAK * before[f"critic_target_{i}"] + (1 - POLYAK) * after[f"critic_{i}"]

        np.testing.assert_allclose(numbers(trainer, "alpha"), after.pop("alpha"), atol=2e-5)
        check(trainer, before, after)


def test_a_truncated_transition_bootstraps_and_a_terminated_one_does_not() -> None:
    trainer = make(SAC)
    rng = np.random.default_rng(2)
    for step in range(12):
        interact(trainer, rng, step % 3 == 0, step % 3 == 1)
    batch = batch_of(trainer, *NOISES)
    ended = batch["terminated"] == 1
    assert ended.any()
    np.testing.assert_array_equal(batch["target"][ended], batch["reward"][ended])
    assert (batch["target"][~ended] != batch["reward"][~ended]).all()


def test_ignore_termination_bootstraps_always() -> None:
    trainer = make(SAC, IGNORE_TERMINATION=True)
    rng = np.random.default_rng(2)
    for _ in range(8):
        interact(trainer, rng, True, False)
    batch = batch_of(trainer, *NOISES)
    assert (batch["target"] != batch["reward"]).all()


def test_intervals_and_warm_up_decide_what_is_updated() -> None:
    trainer = make(SAC, N_WARMUP_STEPS_ACTOR=8, N_WARMUP_STEPS_CRITIC=6, CRITIC_TARGET_UPDATE_INTERVAL=2)
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


def test_a_full_replay_buffer_forgets_the_oldest() -> None:
    trainer = make(SAC, REPLAY_BUFFER_CAP=4, N_WARMUP_STEPS=100)
    for step in range(6):
        trainer.explore(np.full(OBSERVATIONS, step, np.float32), np.zeros(ACTIONS, np.float32))
        assert observe(trainer, step, np.full(OBSERVATIONS, step + 1, np.float32), False, False)
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
def test_the_interface_checks_its_buffers_itself(observation: Any, action: Any) -> None:
    with pytest.raises(ValueError):
        make(SAC).act(observation, action)


def test_the_interface_refuses_a_strided_buffer() -> None:
    with pytest.raises((ValueError, BufferError)):
        make(SAC).act(np.zeros(2 * OBSERVATIONS, np.float32)[::2], np.zeros(ACTIONS, np.float32))
