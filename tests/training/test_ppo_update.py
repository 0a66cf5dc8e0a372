"""Whole iterations of PPO's C++ trainer against the papers' formulas in NumPy float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from update_reference import ACTIONS, OBSERVATIONS, Adam, Array, check, forward, gradient, make, numbers

from rltools_embed.training import PPO

ENVIRONMENTS, STEPS = 3, 4
ROWS = ENVIRONMENTS * STEPS
ACTOR_WIDTHS = (OBSERVATIONS, 8, 8, ACTIONS)
CRITIC_WIDTHS = (OBSERVATIONS, 8, 8, 1)
GAMMA, LAMBDA, CLIP, ENTROPY = 0.9, 0.8, 0.02, 0.05
# One minibatch is the whole rollout, so that its order does not matter.
SIZES = {
    "N_ENVIRONMENTS": ENVIRONMENTS,
    "ON_POLICY_RUNNER_STEPS_PER_ENV": STEPS,
    "BATCH_SIZE": ROWS,
    "STEP_LIMIT": 10,
    "LAMBDA": LAMBDA,
    "EPSILON_CLIP": CLIP,
    "ACTION_ENTROPY_COEFFICIENT": ENTROPY,
    "N_EPOCHS": 3,
}


def trainer_of(**options: Any) -> Any:
    return make(PPO, **{**SIZES, **options})


def collect(trainer: Any, rng: np.random.Generator, scale: float = 1.0) -> Array:
    """One iteration with ends of both kinds in the middle and at the end; the observations acted on."""
    seen = []
    for step in range(STEPS):
        observations = (scale * rng.uniform(-1, 1, (ENVIRONMENTS, OBSERVATIONS))).astype(np.float32)
        seen.append(observations)
        trainer.explore(observations, np.empty((ENVIRONMENTS, ACTIONS), np.float32))
        following = (scale * rng.uniform(-1, 1, (ENVIRONMENTS, OBSERVATIONS))).astype(np.float32)
        terminated = np.array([step == 1, False, step == 3])
        truncated = np.array([False, step == 2, False])
        rewards = rng.uniform(-1, 1, ENVIRONMENTS).astype(np.float32)
        assert trainer.observe(rewards, following, terminated, truncated)
    return np.array(seen, np.float64)


def rollout_of(trainer: Any) -> dict[str, Array]:
    names = ("input", "action", "log_probability", "value", "reward", "next_value", "terminated", "truncated")
    sizes = (OBSERVATIONS, ACTIONS, *(1 for _ in range(7)))
    parts = np.split(numbers(trainer, "rollout").reshape(ROWS, -1), np.cumsum(sizes)[:-1], axis=1)
    named = zip((*names, "advantage"), sizes, parts, strict=True)
    return {name: part[:, 0] if size == 1 else part for name, size, part in named}


def advantages(rollout: dict[str, Array], ignore_termination: bool = False) -> Array:
    """By the definition: the sum over all later errors of the same episode, discounted."""
    names = ("reward", "value", "next_value", "terminated", "truncated")
    reward, value, next_value, terminated, truncated = (rollout[name].reshape(STEPS, ENVIRONMENTS) for name in names)
    bootstrap = np.ones_like(terminated) if ignore_termination else 1 - terminated
    error = reward + GAMMA * bootstrap * next_value - value
    result = np.zeros_like(error)
    for environment in range(ENVIRONMENTS):
        for start in range(STEPS):
            weight = 1.0
            for step in range(start, STEPS):
                result[start, environment] += weight * error[step, environment]
                if terminated[step, environment] or truncated[step, environment]:
                    break
                weight *= GAMMA * LAMBDA
    return result.reshape(-1)


def log_probability(mean: Array, log_std: Array, action: Array) -> Array:
    return (-0.5 * ((action - mean) / np.exp(log_std)) ** 2 - log_std - 0.5 * np.log(2 * np.pi)).sum(axis=1)


def test_advantages_keep_termination_and_truncation_apart() -> None:
    trainer = trainer_of()
    critic = numbers(trainer, "critic")
    rng = np.random.default_rng(4)
    state = rng.bit_generator.state
    collect(trainer, rng)
    rollout = rollout_of(trainer)
    np.testing.assert_allclose(rollout["advantage"], advantages(rollout), atol=1e-6)
    assert rollout["terminated"].sum() == 2
    assert rollout["truncated"].sum() == 1
    # The values after a truncated and after the last step are of where the step led, not of where a reset leads.
    rng.bit_generator.state = state
    following = np.empty((STEPS, ENVIRONMENTS, OBSERVATIONS), np.float32)
    for step in range(STEPS):
        rng.uniform(-1, 1, (ENVIRONMENTS, OBSERVATIONS))
        following[step] = rng.uniform(-1, 1, (ENVIRONMENTS, OBSERVATIONS))
        rng.uniform(-1, 1, ENVIRONMENTS)
    found = rollout["next_value"].reshape(STEPS, ENVIRONMENTS)
    expected = forward(critic, CRITIC_WIDTHS, following.astype(np.float64))[..., 0]
    np.testing.assert_allclose(found[2, 1], expected[2, 1], atol=1e-6)
    np.testing.assert_allclose(found[3], expected[3], atol=1e-6)
    np.testing.assert_array_equal(found[0], rollout["value"].reshape(STEPS, ENVIRONMENTS)[1])


def test_ignore_termination_bootstraps_always() -> None:
    trainer = trainer_of(IGNORE_TERMINATION=True)
    collect(trainer, np.random.default_rng(4))
    rollout = rollout_of(trainer)
    np.testing.assert_allclose(rollout["advantage"], advantages(rollout, ignore_termination=True), atol=1e-6)


class ValueUnit:
    """Mean and standard deviation of all returns so far; each iteration's weigh 0.9 of the next one's."""

    def __init__(self) -> None:
        self.mean, self.std = 0.0, 1.0
        self._returns: list[Array] = []

    def follow(self, returns: Array, critic: Array) -> Array:
        """The critic with its last layer changed so that its values stay."""
        old_mean, old_std = self.mean, self.std
        self._returns.append(returns)
        weights = 0.9 ** np.arange(len(self._returns))[::-1].repeat(len(returns))
        everything = np.concatenate(self._returns)
        self.mean = float(np.average(everything, weights=weights))
        variance = np.average((everything - self.mean) ** 2, weights=weights)
        self.std = float(np.sqrt(variance + 1e-8))
        body, weights, bias = np.split(critic, [-CRITIC_WIDTHS[-2] - 1, -1])
        return np.concatenate([body, weights * old_std / self.std, (old_std * bias + old_mean - self.mean) / self.std])


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("adaptive", [False, True])
def test_updates_agree_with_the_formulas_in_float64(adaptive: bool, normalized: bool) -> None:
    # Each divergence of the run is met: below half, between, and above twice the threshold.
    options = {"ADAPTIVE_LEARNING_RATE": adaptive, "ADAPTIVE_LEARNING_RATE_POLICY_KL_THRESHOLD": 1e-3}
    trainer = trainer_of(**options, NORMALIZE_VALUES=normalized)
    unit = ValueUnit()
    rng = np.random.default_rng(1)
    adam = {name: Adam() for name in ("actor", "critic", "log_std")}
    clipped = 0
    rates = [1e-2]
    for _ in range(3):
        before = {name: numbers(trainer, name) for name in adam}
        seen = collect(trainer, rng)
        rollout = rollout_of(trainer)
        after = dict(before)

        observation, action = rollout["input"], rollout["action"]
        np.testing.assert_array_equal(observation, seen.reshape(ROWS, OBSERVATIONS))
        old_mean = forward(before["actor"], ACTOR_WIDTHS, observation)
        old = log_probability(old_mean, before["log_std"], action)
        np.testing.assert_allclose(rollout["log_probability"], old, atol=1e-5)
        value = unit.mean + unit.std * forward(before["critic"], CRITIC_WIDTHS, observation)[:, 0]
        np.testing.assert_allclose(rollout["value"], value, atol=1e-5)
        advantage = advantages(rollout)
        returns = advantage + rollout["value"]
        if normalized:
            after["critic"] = unit.follow(returns, before["critic"])
            assert np.abs(after["critic"] - before["critic"]).max() > 0.01
        returns = (returns - unit.mean) / unit.std
        normalised = (advantage - advantage.mean()) / (advantage.std() + 1e-8)

        def actor_loss(actor: Array, log_std: Array) -> float:
            ratio = np.exp(log_probability(forward(actor, ACTOR_WIDTHS, observation), log_std, action) - old)  # noqa: B023  called here only
            objective = np.minimum(ratio * normalised, np.clip(ratio, 1 - CLIP, 1 + CLIP) * normalised)  # noqa: B023  as above
            entropy = (log_std + 0.5 * np.log(2 * np.pi * np.e)).sum()
            return float(-objective.mean() - ENTROPY * entropy)

        def critic_loss(critic: Array) -> float:
            return float(0.5 * np.mean((forward(critic, CRITIC_WIDTHS, observation)[:, 0] - returns) ** 2))  # noqa: B023  as above

        for _ in range(3):
            after["critic"] = adam["critic"](after["critic"], gradient(critic_loss, after["critic"]))
            actor, log_std = after["actor"], after["log_std"]
            mean = forward(actor, ACTOR_WIDTHS, observation)
            clipped += int((np.abs(np.exp(log_probability(mean, log_std, action) - old) - 1) > CLIP).sum())
            variance, old_variance = np.exp(2 * log_std), np.exp(2 * before["log_std"])
            spread = np.log(np.sqrt(variance / old_variance) + 1e-5)
            kl = (spread + (old_variance + (mean - old_mean) ** 2) / (2 * variance) - 0.5).sum(axis=1).mean()
            factor = 1 / 1.5 if kl > 2e-3 else 1.5 if kl < 5e-4 else 1.0
            rates.append(float(np.clip(rates[-1] * factor, 1e-6, 1e-2)) if adaptive else rates[-1])
            by_actor = gradient(lambda numbers: actor_loss(numbers, log_std), actor)  # noqa: B023  as above
            by_log_std = gradient(lambda numbers: actor_loss(actor, numbers), log_std)  # noqa: B023  as above
            after["actor"] = adam["actor"](actor, by_actor, rates[-1])
            after["log_std"] = adam["log_std"](log_std, by_log_std, rates[-1])
        check(trainer, before, after)
        np.testing.assert_allclose(numbers(trainer, "learning_rate"), rates[-1], rtol=1e-5)
        np.testing.assert_allclose(numbers(trainer, "value_unit"), [unit.mean, unit.std], atol=1e-5)
    assert clipped > 0
    assert (len(set(rates)) > 2) == adaptive


def test_warm_up_and_a_fixed_std_leave_numbers_as_they_are() -> None:
    options = {"LEARN_ACTION_STD": False, "NORMALIZE_VALUES": False}
    trainer = trainer_of(N_WARMUP_STEPS_CRITIC=1, N_WARMUP_STEPS_ACTOR=2, **options)
    rng = np.random.default_rng(3)
    changed: dict[str, list[int]] = {}
    before = {name: numbers(trainer, name) for name in ("actor", "critic", "log_std")}
    for iteration in range(1, 5):
        collect(trainer, rng)
        for name, old in before.items():
            new = numbers(trainer, name)
            if not np.array_equal(new, old):
                changed.setdefault(name, []).append(iteration)
            before[name] = new
    assert changed == {"critic": [2, 3, 4], "actor": [3, 4]}
    np.testing.assert_allclose(before["log_std"], np.log(0.5), rtol=1e-6)


def test_values_stay_when_their_unit_changes() -> None:
    trainer = trainer_of(N_WARMUP_STEPS_CRITIC=10**6)
    rng = np.random.default_rng(3)
    observations = rng.uniform(-1, 1, (50, OBSERVATIONS))
    first = forward(numbers(trainer, "critic"), CRITIC_WIDTHS, observations)
    units = set()
    for _ in range(5):
        collect(trainer, rng)
        mean, std = numbers(trainer, "value_unit")
        units.add((mean, std))
        values = mean + std * forward(numbers(trainer, "critic"), CRITIC_WIDTHS, observations)
        np.testing.assert_allclose(values, first, atol=1e-5)
    assert len(units) == 5


def test_the_first_policy_is_the_middle_of_the_range_whatever_it_observes() -> None:
    trainer = trainer_of()
    observations = np.random.default_rng(7).uniform(-1, 1, (50, OBSERVATIONS)).astype(np.float32)
    for observation in observations:
        action = np.empty(ACTIONS, np.float32)
        trainer.act(observation, action)
        # A hundredth of: a unit vector times 8 units in [-1, 1], and a bias of at most 1/sqrt(8).
        assert np.abs(action).max() <= 0.01 * (np.sqrt(8) + 1 / np.sqrt(8))
    assert np.abs(numbers(trainer, "critic")[-9:]).max() > 0.1  # the critic starts as large as ever


def test_exploration_has_the_initial_standard_deviation_and_is_clamped_for_the_environment() -> None:
    trainer = trainer_of(INITIAL_ACTION_STD=2.0, N_WARMUP_STEPS_ACTOR=10**6)
    observations = np.zeros((ENVIRONMENTS, OBSERVATIONS), np.float32)
    given = np.empty((ENVIRONMENTS, ACTIONS), np.float32)
    stored = []
    for step in range(1, 1001):
        trainer.explore(observations, given)
        assert np.abs(given).max() <= 1
        no = np.zeros(ENVIRONMENTS, bool)
        assert trainer.observe(np.zeros(ENVIRONMENTS, np.float32), observations, no, no)
        if step % STEPS == 0:
            rollout = rollout_of(trainer)
            stored.append(rollout["action"])
            np.testing.assert_array_equal(given, np.clip(rollout["action"][-ENVIRONMENTS:], -1, 1))
    # 3,000 samples of each action: the standard error of a standard deviation of 2 is 0.026.
    np.testing.assert_allclose(np.concatenate(stored).std(axis=0), 2.0, atol=0.12)


def test_normalised_observations_use_all_that_were_seen_up_to_the_same_step() -> None:
    trainer = trainer_of(NORMALIZE_OBSERVATIONS=True)
    rng = np.random.default_rng(5)
    seen = np.concatenate([collect(trainer, rng, scale=1000.0) + 0.0 for _ in range(3)])
    inputs = rollout_of(trainer)["input"].reshape(STEPS, ENVIRONMENTS, OBSERVATIONS)
    for step in range(STEPS):
        known = seen[: 2 * STEPS + step + 1].reshape(-1, OBSERVATIONS)
        expected = (seen[2 * STEPS + step] - known.mean(axis=0)) / known.std(axis=0)
        np.testing.assert_allclose(inputs[step], expected, atol=1e-5)
    mean, precision = numbers(trainer, "normalizer").reshape(2, -1)
    every = seen.reshape(-1, OBSERVATIONS)
    np.testing.assert_allclose(mean, every.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(precision, 1 / every.std(axis=0), rtol=1e-6)


def test_an_observation_that_never_changes_is_normalised_to_zero() -> None:
    trainer = trainer_of(NORMALIZE_OBSERVATIONS=True)
    constant = np.full((ENVIRONMENTS, OBSERVATIONS), 123.5, np.float32)
    no = np.zeros(ENVIRONMENTS, bool)
    for _ in range(STEPS):
        trainer.explore(constant, np.empty((ENVIRONMENTS, ACTIONS), np.float32))
        assert trainer.observe(np.zeros(ENVIRONMENTS, np.float32), constant, no, no)
    np.testing.assert_array_equal(rollout_of(trainer)["input"], 0.0)


def test_what_does_not_fill_a_minibatch_waits_for_the_next_epoch() -> None:
    # One minibatch of 7 of the 12 rows per epoch.
    trainer = trainer_of(BATCH_SIZE=7)
    before = numbers(trainer, "actor")
    collect(trainer, np.random.default_rng(6))
    assert not np.array_equal(numbers(trainer, "actor"), before)
