"""Vectorised environments and the usual wrappers: the same steps as the single ones, whatever resets them."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces, wrappers
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from training_envs import SMALL, SMALL_PPO, Line, replacing

from rltools_embed.environments.side_by_side import SideBySide
from rltools_embed.errors import TrainingError, UnsupportedEnvError
from rltools_embed.policy import checkpoint
from rltools_embed.training import PPO, SAC, TD3, State, Training

EVALUATED = {**SMALL_PPO, "enable_evaluation": True, "evaluation_interval": 2, "num_evaluation_episodes": 3}
MODES = list(AutoresetMode)


def single(**arguments: Any) -> Line:
    return Line(**{"truncate_after": 7, **arguments})


def vector(mode: AutoresetMode = AutoresetMode.NEXT_STEP, count: int = 2, **arguments: Any) -> VectorEnv:
    return SyncVectorEnv([partial(single, **arguments)] * count, autoreset_mode=mode)


def finish(state: State) -> State:
    while not state.step():
        pass
    return state


def without_n(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "N_ENVIRONMENTS"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "arguments", [{}, {"terminate_after": 5}, {"action_space": spaces.Box(-2.0, 5.0, (1,), np.float64)}]
)
def test_every_autoreset_mode_trains_as_single_environments_do(mode: AutoresetMode, arguments: dict[str, Any]) -> None:
    expected = finish(PPO(partial(single, **arguments), **EVALUATED).State(3))
    found = finish(PPO(partial(vector, mode, **arguments), **without_n(EVALUATED)).State(3))
    assert found._trainer.save() == expected._trainer.save()
    assert found.episodes == expected.episodes
    assert found.learning_curve == expected.learning_curve


# Two environments of 20 steps each.
SIDE_BY_SIDE = {**SMALL, "STEP_LIMIT": 20, "N_WARMUP_STEPS": 6, "N_ENVIRONMENTS": 2, "enable_evaluation": True}


@pytest.mark.parametrize("kind", [SAC, TD3])
@pytest.mark.parametrize("arguments", [{}, {"action_space": spaces.Box(-2.0, 5.0, (1,), np.float64)}])
def test_off_policy_training_steps_several_environments(kind: type[Training], arguments: dict[str, Any]) -> None:
    options = {**SIDE_BY_SIDE, "evaluation_interval": 10, "num_evaluation_episodes": 2}
    Line.made.clear()
    expected = finish(kind(partial(single, **arguments), **options).State(3))
    first, second = (env for env in Line.made if len(env.actions) == 20)  # others: to look at, to evaluate in
    found = finish(kind(partial(vector, **arguments), **without_n(options)).State(3))

    assert (expected.step_count, [point.step for point in expected.learning_curve]) == (40, [20, 40])
    assert found._trainer.save() == expected._trainer.save()
    assert found.episodes == expected.episodes
    # The two take turns in the replay buffer: observation, action in [-1, 1], reward, next observation, two flags.
    rows = np.frombuffer(expected._trainer.numbers("transitions"), np.float32).reshape(40, 8)
    low, high = expected._spec.action_low[0], expected._spec.action_high[0]
    for env, own in ((first, rows[::2]), (second, rows[1::2])):
        given = np.array(env.actions)[:, 0]
        np.testing.assert_allclose(low + (own[:, 2] + 1) / 2 * (high - low), given, rtol=1e-5, atol=1e-6)
        assert own[:, 7].tolist() == [float(step % 7 == 6) for step in range(20)]
        followed = own[:, 7] == 0
        assert (own[:-1, 4:6][followed[:-1]] == own[1:, 0:2][followed[:-1]]).all()


@pytest.mark.parametrize("kind", [SAC, TD3])
def test_the_updates_are_as_many_as_the_steps_whatever_the_environments(kind: type[Training]) -> None:
    options = {**SIDE_BY_SIDE, "enable_evaluation": False}
    for environments in (1, 3):
        state = kind(single, **{**options, "N_ENVIRONMENTS": environments}).State(0)
        critics = [state._trainer.numbers("critic_1")]
        while not state.finished:
            state.step()
            critics.append(state._trainer.numbers("critic_1"))
        changed = [before != after for before, after in itertools.pairwise(critics)]
        assert changed == [step > 6 for step in range(1, 21)]
        assert len(state._trainer.numbers("transitions")) == 4 * 8 * 20 * environments  # float32, all kept


@pytest.mark.parametrize("kind", [SAC, TD3])
def test_an_off_policy_run_of_several_environments_is_resumed_with_the_same_bits(
    kind: type[Training], tmp_path: Path
) -> None:
    uninterrupted = finish(kind(single, **SIDE_BY_SIDE).State(3))
    state = kind(single, **SIDE_BY_SIDE).State(3)
    for _ in range(11):
        state.step()
    state.save(tmp_path / "run.state")
    resumed = finish(kind.load(tmp_path / "run.state", single, on_message=len))
    assert resumed._trainer.save() == uninterrupted._trainer.save()
    assert resumed.episodes == uninterrupted.episodes


@pytest.mark.parametrize("mode", MODES)
def test_our_own_step_limit_resets_as_well(mode: AutoresetMode) -> None:
    options = {**EVALUATED, "EPISODE_STEP_LIMIT": 3}
    expected = finish(PPO(single, **options).State(3))
    found = finish(PPO(partial(vector, mode), **without_n(options)).State(3))
    assert {episode.length for episode in found.episodes} == {3}
    assert found._trainer.save() == expected._trainer.save()
    assert found.learning_curve == expected.learning_curve


def test_environments_in_processes_of_their_own_train_as_single_ones_do() -> None:
    # Not forked: other tests of this process may have started threads.
    training = PPO(lambda: AsyncVectorEnv([single] * 2, context="spawn"), **without_n(EVALUATED))
    expected = finish(PPO(single, **EVALUATED).State(3))
    state = training.State(3)
    for _ in range(2):
        state.step()
    children = list(state._environments._env.processes)  # type: ignore[attr-defined]
    finish(state)
    assert state._trainer.save() == expected._trainer.save()
    assert state.learning_curve == expected.learning_curve
    assert not any(child.is_alive() for child in children)


@pytest.mark.parametrize("steps", [2, 5])
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(steps: int, tmp_path: Path) -> None:
    training = PPO(vector, **without_n(EVALUATED))
    longer = {"TOTAL_STEP_LIMIT": 64}
    uninterrupted = finish(PPO(vector, **without_n({**EVALUATED, **longer})).State(3))
    state = training.State(3)
    for _ in range(steps):
        state.step()
    state.save(tmp_path / "run.state")
    lines: list[str] = []
    resumed = finish(PPO.load(tmp_path / "run.state", vector, on_message=lines.append, **longer))
    assert not any("new episodes" in line for line in lines)
    assert resumed._trainer.save() == uninterrupted._trainer.save()
    assert resumed.episodes == uninterrupted.episodes


def test_a_wrapped_vector_is_saved_without_its_episodes(tmp_path: Path) -> None:
    lines: list[str] = []
    make = lambda: wrappers.vector.RecordEpisodeStatistics(vector())  # noqa: E731  one line says it
    state = PPO(make, **{**without_n(EVALUATED), "on_message": lines.append}).State(3)
    state.step()
    state.save(tmp_path / "run.state")
    assert (
        "RecordEpisodeStatistics keeps its environments to itself: a resumed run will begin new episodes" in lines[-1]
    )
    assert finish(PPO.load(tmp_path / "run.state", make, on_message=len)).step_count == 40


def test_vectorised_environments_are_closed() -> None:
    training = PPO(vector, **without_n(EVALUATED))
    assert [env.closed for env in Line.made[-2:]] == [1, 1]
    Line.made.clear()
    finish(training.State(0))
    assert [env.closed for env in Line.made] == [1] * 4  # two to train in, two to evaluate in
    Line.made.clear()
    for options, words in ((SMALL_PPO, "at step 17"), (EVALUATED, "at step 17 of an evaluation")):
        state = PPO(partial(vector, spoil=replacing(1, float("nan"), 9)), **without_n(options)).State(0)
        with pytest.raises(TrainingError, match=f"SyncVectorEnv: the reward is nan {words}"):
            finish(state)
    assert all(env.closed == 1 for env in Line.made)


def test_a_registered_vector_names_its_environment() -> None:
    state = PPO(lambda: gymnasium.make_vec("Pendulum-v1", 2), **without_n(SMALL_PPO)).State(0)
    policy = finish(state).policy()
    assert policy.provenance.environment == "Pendulum-v1"
    assert policy.control_period_s == 0.05
    assert (policy.action[0].low, policy.action[0].high) == (-2.0, 2.0)


class Forgetful(SyncVectorEnv):
    """Resets all of its environments, whatever the mask says."""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return super().reset(seed=seed)


class Spoiled(SyncVectorEnv):
    """Gives `value` at `index` of what `step` returns."""

    def __init__(self, index: int, value: Any) -> None:
        super().__init__([single] * 2)
        self.index, self.value = index, value

    def step(self, actions: Any) -> Any:
        result: list[Any] = list(super().step(actions))
        result[self.index] = self.value
        return tuple(result)


@pytest.mark.parametrize(
    ("kind", "factory", "options", "error", "words"),
    [
        (SAC, vector, {"N_ENVIRONMENTS": 1}, ValueError, "N_ENVIRONMENTS is 1, and env_factory makes 2"),
        (PPO, partial(vector, count=3), SMALL_PPO, ValueError, "N_ENVIRONMENTS is 2, and env_factory makes 3"),
        (PPO, lambda: gymnasium.make_vec("CartPole-v1", 2), {}, UnsupportedEnvError, "the action space is Discrete"),
        (PPO, lambda: Forgetful([single] * 2), {}, TrainingError, "resets environments that are not in options"),
        (PPO, partial(vector, spoil=replacing(1, np.inf, 1)), {}, TrainingError, "the reward is inf at step 1"),
        (
            PPO,
            lambda: wrappers.vector.NormalizeObservation(vector()),
            {},
            UnsupportedEnvError,
            "NormalizeObservation cannot reset one environment of several",
        ),
        (PPO, lambda: Spoiled(1, 0.5), {}, TrainingError, r"the reward at step 1 is float64 of shape \(\), not \(2,\)"),
        (PPO, lambda: Spoiled(2, [None, "a"]), {}, TrainingError, "terminated at step 1 is object of shape"),
        (PPO, lambda: Spoiled(3, np.zeros((2, 1), bool)), {}, TrainingError, "truncated at step 1 is bool of shape"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_a_compiler_starts(
    kind: type[Training], factory: Any, options: Any, error: type[Exception], words: str, no_compiler: None
) -> None:
    Line.made.clear()
    with pytest.raises(error, match=words):
        kind(factory, **options)
    assert all(env.closed == 1 for env in Line.made)


def test_a_vector_of_one_serves_any_algorithm() -> None:
    for kind in (SAC, TD3):
        expected = finish(kind(single, **SMALL).State(3))
        found = finish(kind(partial(vector, count=1), **SMALL).State(3))
        assert found._trainer.save() == expected._trainer.save()


# ------------------------------------------------------------------------------------------------ wrappers

BOX = spaces.Box(np.array([-2.0]), np.array([5.0]), dtype=np.float64)


def driven(environments: SideBySide) -> list[Any]:
    """What five actions from end to end lead to."""
    environments.begin([3])
    reported = []
    for step, action in enumerate((-1.0, -0.5, 0.0, 0.5, 1.0)):
        environments.act(np.array([[action]], np.float32), step)
        reported.append((environments.next_observations.tolist(), environments.rewards.tolist()))
        environments.proceed(step, reset=True)
    return reported


@pytest.mark.parametrize(
    ("wrap", "seen"),
    [
        (lambda env: wrappers.RescaleAction(env, -1.0, 1.0), [-2.0, -0.25, 1.5, 3.25, 5.0]),
        (lambda env: wrappers.TransformAction(env, lambda action: 2 * action, BOX), [-2.0, -1.0, 0.0, 1.0, 2.0]),
        (lambda env: wrappers.TimeLimit(wrappers.OrderEnforcing(env), 3), [-1.0, -0.5, 0.0, 0.5, 1.0]),
    ],
)
def test_the_environment_behind_a_wrapper_gets_what_the_wrapper_makes(wrap: Any, seen: list[float]) -> None:
    training = SAC(lambda: wrap(Line(action_space=BOX)), **SMALL)
    state = training.State(0)
    Line.made[-1].actions.clear()
    driven(state._environments)
    np.testing.assert_allclose([float(action[0]) for action in Line.made[-1].actions], seen, atol=1e-6)


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (lambda: wrappers.ClipAction(Line()), "leave ClipAction out"),
        (lambda: wrappers.ClipAction(wrappers.RescaleAction(Line(action_space=BOX), -1, 1)), "leave ClipAction out"),
        (lambda: Line(action_space=spaces.Box(-np.inf, np.inf, (1,))), "finite bounds"),
    ],
)
def test_an_unbounded_box_is_refused_with_what_helps(factory: Any, words: str, no_compiler: None) -> None:
    with pytest.raises(UnsupportedEnvError, match="unbounded at index 0") as caught:
        SAC(factory, **SMALL)
    assert words in caught.value.hint


@pytest.mark.parametrize(
    ("factory", "lines"),
    [
        (
            lambda: wrappers.RescaleAction(Line(action_space=BOX), np.float32(-1), np.float32(1)),
            ["a checkpoint gives -1..1, and holds the scaling to the environment's own -2..5"],
        ),
        (lambda: wrappers.RescaleAction(Line(), np.float32(-1), np.float32(1)), []),
        (lambda: wrappers.TimeLimit(wrappers.NormalizeObservation(Line()), 5), ["NormalizeObservation is outside"]),
        (
            lambda: wrappers.vector.RescaleAction(vector(), np.float32(-2), np.float32(2)),
            ["a checkpoint gives -2..2, and holds the scaling to the environment's own -1..1"],
        ),
        (
            lambda: wrappers.TransformAction(
                wrappers.RescaleAction(Line(action_space=BOX), np.float32(-1), np.float32(1)), lambda a: -a, None
            ),
            ["a checkpoint gives -1..1, and -2..5 if"],
        ),
        (lambda: Line(action_space=BOX), []),
    ],
)
def test_a_wrapper_that_a_board_would_lack_is_reported(factory: Any, lines: list[str]) -> None:
    reported: list[str] = []
    PPO(factory, **{**SMALL_PPO, "on_message": reported.append})
    found = [line for line in reported if "outside of the policy" in line]
    assert len(found) == len(lines)
    assert all(words in line for words, line in zip(lines, found, strict=True))


def rescaled(env: Any, low: float = -1.0, high: float = 1.0) -> Any:
    return wrappers.RescaleAction(env, np.float32(low), np.float32(high))


def boxed(low: float = -2.0, high: float = 5.0) -> Line:
    return Line(action_space=spaces.Box(low, high, (1,), np.float32))


class Doubled(wrappers.RescaleAction):
    def action(self, action: Any) -> Any:
        return 2 * super().action(action)


@pytest.mark.parametrize(
    ("factory", "bounds"),
    [
        (lambda: rescaled(boxed()), ((-2.0, 5.0),)),
        (lambda: wrappers.TimeLimit(wrappers.OrderEnforcing(rescaled(boxed())), 9), ((-2.0, 5.0),)),
        (lambda: rescaled(wrappers.TimeLimit(boxed(), 9)), ((-2.0, 5.0),)),
        (lambda: rescaled(rescaled(boxed(), 0.0, 3.0)), ((-2.0, 5.0),)),
        (lambda: wrappers.vector.RescaleAction(vector(), np.float32(-2), np.float32(2)), ((-1.0, 1.0),)),
        (lambda: SyncVectorEnv([lambda: rescaled(boxed())] * 2), ((-2.0, 5.0),)),
        (boxed, ()),
        (lambda: rescaled(Line()), ()),
        (lambda: rescaled(rescaled(boxed()), -2.0, 5.0), ()),
        (lambda: wrappers.TransformAction(rescaled(boxed()), lambda action: -action, None), ()),
        (lambda: rescaled(wrappers.TransformAction(boxed(), lambda action: -action, None)), ()),
        (lambda: Doubled(boxed(), np.float32(-1), np.float32(1)), ()),
        (lambda: SyncVectorEnv([lambda: rescaled(boxed()), lambda: rescaled(boxed(-3.0))]), ()),
    ],
)
def test_the_box_behind_rescale_action_is_found_where_nothing_else_changes_actions(factory: Any, bounds: Any) -> None:
    training = PPO(factory, **SMALL_PPO)
    assert training.spec.actuator_bounds == bounds
    assert [(signal.low, signal.high) for signal in training.State(0).policy().actuator] == list(bounds)


def test_an_export_behind_rescale_action_gives_its_actions_and_holds_the_scaling() -> None:
    training = SAC(lambda: rescaled(gymnasium.make("Pendulum-v1")), **SMALL)
    state = finish(training.State(0))
    policy = checkpoint.loads(state.export_policy())
    observations = np.random.default_rng(0).normal(0, 1, (50, 3)).astype(np.float32)
    assert policy.evaluate(observations).tobytes() == state.action(observations).tobytes()
    assert [(signal.low, signal.high) for signal in policy.action] == [(-1.0, 1.0)]
    assert [(signal.low, signal.high) for signal in policy.actuator] == [(-2.0, 2.0)]


def test_a_factory_that_changes_what_is_behind_rescale_action_is_refused() -> None:
    highs = iter((5.0, 6.0))
    training = SAC(lambda: rescaled(boxed(high=next(highs))), **SMALL)
    with pytest.raises(UnsupportedEnvError, match=r"-2\.0, 6\.0.* behind RescaleAction, after"):
        training.State(0)
