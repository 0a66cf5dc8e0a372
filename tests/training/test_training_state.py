"""A training run as a user sees it: steps, actions, exports, evaluation, ends and errors."""

from __future__ import annotations

import gc
import itertools
import math
import re
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from training_envs import SMALL, SMALL_PPO, Line, replacing
from training_envs import small as small_options

from rltools_embed.errors import TrainingError
from rltools_embed.policy import checkpoint
from rltools_embed.policy.model import Rescale
from rltools_embed.training import PPO, SAC, TD3, State, Training

ALGORITHMS = [SAC, TD3, PPO]


def finish(state: State) -> State:
    while not state.step():
        pass
    return state


def small(kind: type[Training] = SAC, **options: Any) -> Training:
    return kind(options.pop("factory", Line), **{**small_options(kind), **options})


def weights(state: State) -> bytes:
    return b"".join(layer.weights.tobytes() for layer in state.policy().layers[0].layers)  # type: ignore[union-attr]


def test_training_ends_after_step_limit_steps_and_stays_ended() -> None:
    state = small().State(0)
    results = [state.step() for _ in range(40)]
    assert results == [False] * 39 + [True]
    assert state.step_count == 40
    assert state.step()
    assert state.step_count == 40


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_the_same_seed_gives_the_same_bits_again_and_another_seed_others(kind: type[Training]) -> None:
    training = small(kind)
    first, again, other = (weights(finish(training.State(seed))) for seed in (3, 3, 4))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("kind", "options", "notice"),
    [
        (SAC, {"STEP_LIMIT": 5}, "STEP_LIMIT 5 is within the 5 warm-up steps: nothing will be learned"),
        (TD3, {"N_WARMUP_STEPS": 50}, "STEP_LIMIT 40 is within the 50 warm-up steps: nothing will be learned"),
        (
            SAC,
            {"N_WARMUP_STEPS_ACTOR": 40},
            "STEP_LIMIT 40 is within the actor's 40 warm-up steps: the policy will stay as it begins",
        ),
        (
            SAC,
            {"N_WARMUP_STEPS_CRITIC": 99},
            "STEP_LIMIT 40 is within the critic's 99 warm-up steps: the policy will learn from an untrained critic",
        ),
        (SAC, {"STEP_LIMIT": 6}, None),
        (TD3, {}, None),
        (
            PPO,
            {"N_WARMUP_STEPS_ACTOR": 9, "N_WARMUP_STEPS_CRITIC": 5},
            "a training of 5 iterations is within the 5 warm-up iterations: nothing will be learned",
        ),
        (PPO, {"N_WARMUP_STEPS_ACTOR": 4}, None),
    ],
)
def test_a_run_that_ends_in_its_warm_up_is_reported_at_its_beginning(
    kind: type[Training], options: dict[str, Any], notice: str | None
) -> None:
    lines: list[str] = []
    training = small(kind, **options, on_message=lines.append)
    lines.clear()
    before = weights(state := training.State(0))
    assert lines == ([notice] if notice else [])
    has_learned = weights(finish(state)) != before
    assert has_learned == (notice is None or "untrained critic" in notice)


def test_two_option_sets_in_one_process_are_independent() -> None:
    wide, narrow = small(ACTOR_HIDDEN_DIM=11, STEP_LIMIT=30), small()
    states = [wide.State(0), narrow.State(0)]
    for state in states:
        finish(state)
    widths = [state.policy().layers[0].layers[0].output_dim for state in states]  # type: ignore[union-attr]
    assert widths == [11, 8]
    assert [state.step_count for state in states] == [30, 40]
    assert weights(states[1]) == weights(finish(small().State(0)))


@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize("box", [None, spaces.Box(np.float32([-2]), np.float32([5]))])
def test_the_exported_policy_has_the_bits_of_action(kind: type[Training], box: Any) -> None:
    state = finish(small(kind, factory=lambda: Line(action_space=box)).State(0))
    observations = np.random.default_rng(0).normal(0, 3, (2000, 2)).astype(np.float32)
    policy = checkpoint.loads(state.export_policy())
    np.testing.assert_array_equal(
        state.action(observations).view(np.uint32), policy.evaluate(observations).view(np.uint32)
    )
    assert isinstance(policy.layers[-1], Rescale) == (box is not None or kind is PPO)


def test_a_ppo_policy_keeps_its_normaliser_its_log_std_and_its_bounds() -> None:
    box = spaces.Box(np.float32([-0.25]), np.float32([0.5]))
    state = finish(small(PPO, factory=lambda: Line(action_space=box), NORMALIZE_OBSERVATIONS=True).State(3))
    observations = np.random.default_rng(0).normal(0, 30_000, (2000, 2)).astype(np.float32)
    policy = checkpoint.loads(state.export_policy())
    actions = state.action(observations)
    np.testing.assert_array_equal(actions.view(np.uint32), policy.evaluate(observations).view(np.uint32))
    assert {float(actions.min()), float(actions.max())} == {-0.25, 0.5}
    standardize, mlp, rescale = policy.layers
    np.testing.assert_array_equal(standardize.mean, state._numbers("normalizer")[:2])  # type: ignore[union-attr]
    np.testing.assert_array_equal(mlp.log_std, state._numbers("log_std"))  # type: ignore[union-attr]
    assert isinstance(rescale, Rescale)


def test_environments_that_give_other_types_are_each_stepped_once_and_train_the_same_bits() -> None:
    """Lists, whole numbers and the like are taken in Python, and the rest of the environments follow in C++."""
    made = itertools.count()

    def mixed() -> Line:
        index = next(made)

        def spoil(step: int, result: list[Any]) -> Any:
            if index % 2 == 1 and step % 3 != 0:
                result[0], result[2] = result[0].tolist(), int(result[2])
            return tuple(result)

        return Line(truncate_after=3, spoil=spoil)

    options = {"N_ENVIRONMENTS": 4}
    Line.made.clear()
    state = finish(small(PPO, factory=mixed, **options).State(1))
    trained = [environment.total for environment in Line.made if environment.total > 1]  # not the one that was tried
    plain = finish(small(PPO, factory=lambda: Line(truncate_after=3), **options).State(1))
    assert trained == [state.step_count // 4] * 4
    assert state.episodes == plain.episodes
    assert weights(state) == weights(plain)


def test_an_environment_may_change_its_own_step() -> None:
    class Changing(Line):
        calls = 0

        def reset(self, **arguments: Any) -> Any:
            self.step = self.counted  # type: ignore[method-assign]  # as a mock or a plug-in does
            return super().reset(**arguments)

        def counted(self, action: Any) -> Any:
            Changing.calls += 1
            return Line.step(self, action)

    state = small(factory=Changing).State(0)
    before = Changing.calls
    finish(state)
    assert Changing.calls - before == state.step_count


def test_a_step_of_ppo_is_one_iteration_in_all_environments() -> None:
    Line.made.clear()
    state = small(PPO, factory=lambda: Line(truncate_after=3)).State(0)
    assert [state.step() for _ in range(5)] == [False] * 4 + [True]
    assert (state.step_count, state.step_limit) == (40, 40)
    training = Line.made[1:]
    assert [len(env.actions) for env in training] == [20, 20]
    assert training[0].starts[0] != training[1].starts[0]
    assert [(episode.length, episode.end_step) for episode in state.episodes[:3]] == [(3, 5), (3, 6), (3, 11)]
    assert all(env.closed == 1 for env in Line.made)


def test_ppo_is_evaluated_every_ten_iterations_and_at_the_end() -> None:
    options = {**SMALL_PPO, "TOTAL_STEP_LIMIT": 100, "enable_evaluation": True}
    state = finish(PPO(lambda: Line(truncate_after=3), **options).State(0))
    assert [point.step for point in state.learning_curve] == [80, 96]


def test_action_takes_what_holds_the_same_numbers() -> None:
    state = small().State(0)
    plain = state.action(np.array([0.5, -2.0], np.float32))
    assert plain.shape == (1,)
    assert plain.dtype == np.float32
    strided = np.array([[0.5, 9], [-2.0, 9]], np.float32)[:, 0]
    reverse = np.array([-2.0, 0.5], np.float32)[::-1]
    for same in ([0.5, -2.0], (0.5, -2), np.array([0.5, -2.0]), strided, reverse, np.array([0.5, -2], np.float16)):
        np.testing.assert_array_equal(state.action(same), plain)
    np.testing.assert_array_equal(state.action([1, 2]), state.action(np.array([1, 2], np.int64)))


def test_action_takes_a_batch() -> None:
    state = small().State(0)
    batch = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)[:, ::2]
    actions = state.action(batch)
    assert actions.shape == (7, 1)
    np.testing.assert_array_equal(actions, [state.action(row) for row in batch])
    assert state.action(np.zeros((0, 2))).shape == (0, 1)


@pytest.mark.parametrize("wrong", [[1.0], [1.0, 2.0, 3.0], 1.0, [[[1.0, 2.0]]], np.zeros((2, 3))])
def test_action_names_expected_and_given_shape(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"\(2,\).*not \("):
        small().State(0).action(wrong)


@pytest.mark.parametrize(
    "wrong", [np.array([0, np.nan], np.float32), [0, math.inf], np.array([0, 1e39]), [[0, 0], [0, math.nan]]]
)
def test_action_names_the_number_that_is_not_finite(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"observation\[(1|1, 1)\] is (nan|inf|1e\+39)"):
        small().State(0).action(wrong)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (None, "an observation is None: pass an array (2,) or (batch, 2) of real numbers"),
        ({"a": 1}, "an observation is {'a': 1}: pass an array"),
        ("abc", "an observation is 'abc': pass an array"),
        ([[1, 2], [1, 2, 3]], "differ in their lengths: pass an array (2,)"),
    ],
)
def test_action_says_what_it_was_given_and_what_it_takes(wrong: Any, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        small().State(0).action(wrong)


@pytest.mark.parametrize(("seed", "kind"), [(-1, ValueError), (2**64, ValueError), (1.5, TypeError), ("a", TypeError)])
def test_a_wrong_seed_is_refused(seed: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="the seed is"):
        small().State(seed)


def test_a_large_seed_is_fine() -> None:
    small().State(2**64 - 1).step()


def transitions(state: State) -> np.ndarray[Any, Any]:
    return np.frombuffer(state._trainer.numbers("transitions"), np.float32).reshape(-1, 2 + 1 + 1 + 2 + 2)


def test_truncation_is_respected_and_the_reset_observation_is_never_a_next_observation() -> None:
    state = finish(small(factory=lambda: Line(truncate_after=5)).State(0))
    stored = transitions(state)
    terminated, truncated = stored[:, 6], stored[:, 7]
    assert not terminated.any()
    assert np.flatnonzero(truncated).tolist() == list(range(4, 40, 5))
    # The second observation counts steps: 0.5 is where the fifth led to, 0 where a reset leads to.
    np.testing.assert_allclose(stored[:, 5], np.tile([0.1, 0.2, 0.3, 0.4, 0.5], 8), atol=1e-6)
    assert (stored[5::5, 1] == 0).all()
    assert [episode.length for episode in state.episodes] == [5] * 8


def test_termination_is_stored_as_such() -> None:
    stored = transitions(finish(small(factory=lambda: Line(terminate_after=5)).State(0)))
    assert np.flatnonzero(stored[:, 6]).tolist() == list(range(4, 40, 5))
    assert not stored[:, 7].any()


def test_episode_step_limit_truncates() -> None:
    stored = transitions(finish(small(EPISODE_STEP_LIMIT=4).State(0)))
    assert np.flatnonzero(stored[:, 7]).tolist() == list(range(3, 40, 4))


def test_an_environment_without_a_time_limit_works_and_its_evaluation_ends() -> None:
    state = finish(small().State(0))
    assert state.evaluate(2).lengths == (1000, 1000)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (replacing(1, math.nan, 17), "Line: the reward is nan at step 17"),
        (replacing(0, np.array([0, math.nan], np.float32), 17), "Line: observation[1] is nan at step 17"),
        (lambda step, result: tuple(result[:4]) if step >= 17 else tuple(result), "a tuple of 4 at step 17"),
    ],
)
def test_a_number_that_is_not_finite_stops_training_and_the_policy_survives(spoil: Any, words: str) -> None:
    Line.made.clear()
    state = small(factory=lambda: Line(spoil=spoil)).State(0)
    with pytest.raises(TrainingError) as caught:
        finish(state)
    assert words in caught.value.message
    assert all(env.closed == 1 for env in Line.made)
    checkpoint.loads(state.export_policy())
    with pytest.raises(TrainingError):
        state.step()


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_weights_that_diverge_stop_training(kind: type[Training]) -> None:
    # A reward at float32's edge, too late for the unit of rewards: the squared error is infinite, so are the gradients.
    state = small(kind, factory=lambda: Line(spoil=replacing(1, 3e38, 13))).State(0)
    with pytest.raises(TrainingError, match=r"Line: a weight or its gradient is not finite at step \d+"):
        finish(state)


def test_environments_are_closed_at_the_end_by_close_and_with_the_object() -> None:
    sac = small(factory=lambda: Line(truncate_after=5), enable_evaluation=True, evaluation_interval=10)
    Line.made.clear()
    finish(sac.State(0))
    assert [env.closed for env in Line.made] == [1, 1]
    Line.made.clear()
    state = sac.State(0)
    state.close()
    state.close()
    assert [env.closed for env in Line.made] == [1]
    with pytest.raises(TrainingError, match="closed at step 0 of 40"):
        state.step()
    Line.made.clear()
    with sac.State(0) as state:
        state.step()
    del state
    sac.State(0)
    gc.collect()
    assert [env.closed for env in Line.made] == [1, 1]


class Seeded(Line):
    """A factory may reset with a seed of its own, as the example of RLtools does."""

    def __init__(self) -> None:
        super().__init__(truncate_after=5)
        self.reset(seed=0)


def test_evaluation_starts_are_distinct_even_where_the_factory_seeds() -> None:
    Line.made.clear()
    state = small(factory=Seeded).State(0)
    state.evaluate(10)
    starts = Line.made[-1].starts[1:]
    assert len(set(starts)) == 10
    state.evaluate(10)
    assert Line.made[-1].starts[11:] == starts


def test_progress_lines_are_those_of_rltools(capsys: pytest.CaptureFixture[str]) -> None:
    options = {**SMALL, "enable_evaluation": True}
    del options["on_message"]
    SAC(lambda: Line(truncate_after=5), **options)
    sac = SAC(lambda: Line(truncate_after=5), **options, evaluation_interval=20, num_evaluation_episodes=2)
    state = finish(sac.State(0))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-4] == "Using cached RLtools interface."
    number = r"-?\d+(\.\d+)?"
    for line, step in zip(lines[-3:-1], (20, 40), strict=True):
        assert re.fullmatch(rf"Step: {step}/40 Mean return: {number} Mean episode length: 5", line), line
    assert re.fullmatch(r"Time: \d+\.\d{3}s", lines[-1])
    assert [point.step for point in state.learning_curve] == [20, 40]


def test_the_last_step_is_evaluated_whatever_the_interval() -> None:
    factory = lambda: Line(truncate_after=5)  # noqa: E731  one line says it
    sac = small(factory=factory, enable_evaluation=True, evaluation_interval=30)
    state = finish(sac.State(0))
    assert [point.step for point in state.learning_curve] == [30, 40]
    assert state.policy().provenance.mean_return == state.learning_curve[-1].mean_return


def test_the_environment_gets_its_own_units_and_dtype_and_an_array_to_keep() -> None:
    Line.made.clear()
    box = spaces.Box(np.array([-2.0]), np.array([5.0]), dtype=np.float64)
    finish(small(factory=lambda: Line(action_space=box)).State(0))
    actions = Line.made[-1].actions
    assert {action.dtype for action in actions} == {np.dtype(np.float64)}
    values = np.array([action[0] for action in actions])
    assert len(set(values)) > 30
    assert values.min() < -1 < 4 < values.max()
    assert all(box.contains(action) for action in actions)


# Nearly every explored action is at a bound.
LOUD = {SAC: {"LOG_STD_LOWER_BOUND": 1.9}, TD3: {"EXPLORATION_NOISE": 10.0}, PPO: {"INITIAL_ACTION_STD": 10.0}}


@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (-0.1, 0.3), (0.7, 1e6)])
def test_explored_actions_are_within_the_bounds(kind: type[Training], bounds: tuple[float, float]) -> None:
    Line.made.clear()
    box = spaces.Box(*np.float32([[low] for low in bounds]), dtype=np.float32)
    finish(small(kind, factory=lambda: Line(action_space=box), **LOUD[kind]).State(0))
    actions = [action for environment in Line.made for action in environment.actions]
    assert all(box.contains(action) for action in actions)
    values = np.array(actions)
    assert np.ptp(values) > 0.9 * (box.high - box.low)


def test_a_reward_of_one_element_is_a_number() -> None:
    finish(small(factory=lambda: Line(spoil=replacing(1, np.array([0.5]), 1))).State(0))


def test_the_policy_says_where_it_comes_from() -> None:
    policy = finish(small(factory=lambda: gymnasium.make("Pendulum-v1")).State(7)).policy()
    assert policy.provenance.environment == "Pendulum-v1"
    assert (policy.provenance.algorithm, policy.provenance.seed, policy.provenance.steps) == ("SAC", 7, 40)
    assert policy.control_period_s == 0.05
    assert len(policy.example_observations) == 16
    assert {"rltools_embed", "python", "numpy", "gymnasium", "compiler"} == {
        name for name, _ in policy.provenance.versions
    }


def test_a_factory_that_changes_its_mind_is_refused() -> None:
    boxes = iter([spaces.Box(-1, 1, (1,), np.float32), spaces.Box(-2, 2, (1,), np.float32)])
    sac = small(factory=lambda: Line(action_space=next(boxes)))
    with pytest.raises(Exception, match="the same environment each time"):
        sac.State(0)
