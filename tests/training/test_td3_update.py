"""Whole updates of TD3's C++ trainer against the paper's formulas in NumPy float64."""

from __future__ import annotations

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

from rltools_embed.training import TD3

ACTOR_WIDTHS = (OBSERVATIONS, 8, 8, ACTIONS)
# Noise so strong that both of its clips are met.
NOISE = {"TARGET_NEXT_ACTION_NOISE_STD": 0.9, "TARGET_NEXT_ACTION_NOISE_CLIP": 0.8, "ACTOR_POLYAK": POLYAK}
TARGETS = ("actor_target", "critic_target_1", "critic_target_2")
LEARNERS = ("actor", "critic_1", "critic_2")


def actor_action(actor: Array, observations: Array) -> Array:
    return forward(actor, ACTOR_WIDTHS, observations, last=np.tanh)


@pytest.mark.parametrize(("largest_reward", "normalized"), [(1, True), (40, True), (40, False)])
def test_updates_agree_with_the_formulas_in_float64(largest_reward: float, normalized: bool) -> None:
    trainer = make(TD3, **NOISE, NORMALIZE_REWARDS=normalized)
    rng = np.random.default_rng(1)
    for step in range(BATCH):
        interact(trainer, rng, step == 2, step == 3, largest_reward=largest_reward)
    unit = 0.0
    adam = {name: Adam() for name in LEARNERS}
    clipped = bounded = 0
    for step in range(BATCH + 1, BATCH + 5):
        before = {name: numbers(trainer, name) for name in (*LEARNERS, *TARGETS)}
        interact(trainer, rng, False, False, largest_reward=largest_reward)
        batch = batch_of(trainer, "next_noise")
        unit = unit or (max(1, np.abs(rewards_of(trainer)).mean()) if normalized else 1)
        assert (unit > 1) == (normalized and largest_reward > 1)
        check_unit(trainer, batch, unit)

        shift = np.clip(0.9 * batch["next_noise"], -0.8, 0.8)
        action = actor_action(before["actor_target"], batch["next"]) + shift
        clipped += int((np.abs(shift) == 0.8).sum())
        bounded += int((np.abs(action) > 1).sum())
        action = np.clip(action, -1, 1)
        value = np.minimum(*(critic_value(before[f"critic_target_{i}"], batch["next"], action) for i in (1, 2)))
        target = batch["reward"] + GAMMA * (1 - batch["terminated"]) * value
        np.testing.assert_allclose(batch["target"], target, atol=1e-5)

        after = {}
        for name in ("critic_1", "critic_2"):
            after[name] = adam[name](before[name], gradient(critic_loss(batch, target), before[name]))
        if step % 2 == 1:  # the actor and all targets wait for every other step
            check(trainer, before, after)
            for name in ("actor", *TARGETS):
                np.testing.assert_array_equal(numbers(trainer, name), before[name])
            continue

        def actor_loss(actor: Array) -> float:
            action = actor_action(actor, batch["observation"])  # noqa: B023  called here only
            return float(-np.mean(critic_value(after["critic_1"], batch["observation"], action)))  # noqa: B023  as above

        after["actor"] = adam["actor"](before["actor"], gradient(actor_loss, before["actor"]))
        for name, source in zip(TARGETS, LEARNERS, strict=True):
            after[name] = POLYAK * before[name] + (1 - POLYAK) * after[source]
        check(trainer, before, after)
    assert clipped > 0
    assert bounded > 0


def test_a_truncated_transition_bootstraps_and_a_terminated_one_does_not() -> None:
    trainer = make(TD3)
    rng = np.random.default_rng(2)
    for step in range(12):
        interact(trainer, rng, step % 3 == 0, step % 3 == 1)
    batch = batch_of(trainer, "next_noise")
    ended = batch["terminated"] == 1
    assert ended.any()
    np.testing.assert_array_equal(batch["target"][ended], batch["reward"][ended])
    assert (batch["target"][~ended] != batch["reward"][~ended]).all()


def test_each_interval_is_its_own() -> None:
    trainer = make(
        TD3,
        CRITIC_TRAINING_INTERVAL=2,
        ACTOR_TRAINING_INTERVAL=3,
        CRITIC_TARGET_UPDATE_INTERVAL=4,
        ACTOR_TARGET_UPDATE_INTERVAL=5,
    )
    rng = np.random.default_rng(3)
    changed: dict[str, list[int]] = {}
    before = {name: numbers(trainer, name) for name in ("actor", "critic_1", "critic_target_1", "actor_target")}
    for step in range(1, 13):
        interact(trainer, rng, False, False)
        for name, old in before.items():
            new = numbers(trainer, name)
            if not np.array_equal(new, old):
                changed.setdefault(name, []).append(step)
            before[name] = new
    assert changed == {
        "critic_1": [6, 8, 10, 12],
        "actor": [6, 9, 12],
        "critic_target_1": [8, 12],
        "actor_target": [10],
    }


def test_exploration_is_the_policy_with_noise_of_the_given_width_within_the_bounds() -> None:
    trainer = make(TD3, EXPLORATION_NOISE=0.7, N_RANDOM_STEPS=0, STEP_LIMIT=5000, ACTOR_TRAINING_INTERVAL=10**6)
    observation = np.zeros(OBSERVATIONS, np.float32)
    mean = np.zeros(ACTIONS, np.float32)
    trainer.act(observation, mean)
    seen = np.empty((4000, ACTIONS), np.float32)
    for row in seen:
        trainer.explore(observation, row)
        assert observe(trainer, 0.0, observation, False, False)
    expected = np.clip(mean + 0.7 * np.random.default_rng(0).normal(size=(100_000, ACTIONS)), -1, 1)
    # 4,000 samples: the standard error of a mean is 0.011, of a standard deviation less.
    np.testing.assert_allclose(seen.mean(axis=0), expected.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(seen.std(axis=0), expected.std(axis=0), atol=0.05)
    assert np.abs(seen).max() == 1.0


def test_actions_are_random_for_as_long_as_asked_and_the_updates_do_not_wait() -> None:
    trainer = make(TD3, EXPLORATION_NOISE=0.0, N_WARMUP_STEPS=4, N_RANDOM_STEPS=9)
    critic = numbers(trainer, "critic_1")
    by_the_policy, changed = [], []
    for step in range(1, 13):
        observation = np.random.default_rng(step).uniform(-1, 1, OBSERVATIONS).astype(np.float32)
        wanted, given = np.empty((2, ACTIONS), np.float32)
        trainer.act(observation, wanted)
        trainer.explore(observation, given)
        if np.array_equal(wanted, given):
            by_the_policy.append(step)
        assert observe(trainer, 1.0, observation, False, False)
        if not np.array_equal(critic, critic := numbers(trainer, "critic_1")):
            changed.append(step)
    assert by_the_policy == [10, 11, 12]
    assert changed == [5, 6, 7, 8, 9, 10, 11, 12]
