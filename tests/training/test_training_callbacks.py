"""What a run tells while it goes on: callbacks, statistics of its episodes, and its end by the user's wish."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_envs import Line
from training_envs import small as small_options

from rltools_embed.errors import TrainingError
from rltools_embed.training import PPO, SAC, TD3, Callbacks, Episode, Evaluation, State, Training

ALGORITHMS = [SAC, TD3, PPO]


def small(kind: type[Training], **options: Any) -> Training:
    interval = 2 if kind is PPO else 10
    evaluated = {"enable_evaluation": True, "num_evaluation_episodes": 2, "evaluation_interval": interval}
    return kind(lambda: Line(truncate_after=7), **{**small_options(kind), **evaluated, **options})


def finish(state: State) -> State:
    while not state.step():
        pass
    return state


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_callbacks_hear_every_step_episode_and_evaluation_and_change_nothing(kind: type[Training]) -> None:
    steps: list[int] = []
    episodes: list[Episode] = []
    evaluations: list[Evaluation] = []
    callbacks = Callbacks(
        on_step=lambda state: steps.append(state.step_count),
        on_episode=lambda state, episode: episodes.append(episode),
        on_evaluation=lambda state, evaluation: evaluations.append(evaluation),
    )
    state = finish(small(kind).State(3, callbacks))
    assert steps == ([8, 16, 24, 32, 40] if kind is PPO else list(range(1, 41)))
    assert tuple(episodes) == state.episodes
    assert tuple(evaluations) == state.learning_curve
    assert [point.step for point in evaluations] == ([16, 32, 40] if kind is PPO else [10, 20, 30, 40])
    assert state.export_policy() == finish(small(kind).State(3)).export_policy()


def test_an_evaluation_holds_the_return_and_length_of_each_episode() -> None:
    point = finish(small(SAC, num_evaluation_episodes=3).State(3)).learning_curve[-1]
    assert (point.step, point.lengths) == (40, (7, 7, 7))
    assert len(set(point.returns)) == 3
    assert point.mean_return == pytest.approx(statistics.fmean(point.returns))


@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize("name", ["on_episode", "on_evaluation", "on_step"])
def test_what_a_callback_raises_comes_out_and_the_run_goes_on(kind: type[Training], name: str) -> None:
    def complain(state: State, *_: object) -> None:
        raise KeyError(state.step_count)

    state = small(kind).State(3, Callbacks(**{name: complain}))
    complaints = 0
    while not state.finished:
        try:
            state.step()
        except KeyError:
            complaints += 1
    assert complaints >= 2
    assert state.step()
    assert state.export_policy() == finish(small(kind).State(3)).export_policy()


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_a_callback_may_act_evaluate_export_and_save(kind: type[Training], tmp_path: Path) -> None:
    path = tmp_path / "run.state"

    def use(state: State, episode: Episode) -> None:
        state.action(np.zeros(2, np.float32))
        state.evaluate(1)
        state.export_policy()
        state.save(path)

    state = finish(small(kind).State(3, Callbacks(on_episode=use)))
    resumed = finish(kind.load(path, lambda: Line(truncate_after=7), on_message=lambda text: None))
    assert resumed.export_policy() == state.export_policy() == finish(small(kind).State(3)).export_policy()


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_a_run_that_is_stopped_ends_there_and_can_be_resumed(kind: type[Training], tmp_path: Path) -> None:
    def stop(state: State) -> None:
        if state.step_count == 24:
            state.stop()

    Line.made.clear()
    state = finish(small(kind).State(3, Callbacks(on_step=stop)))
    assert (state.finished, state.step_count) == (True, 24)
    assert all(env.closed == 1 for env in Line.made)
    assert state.step()
    state.save(tmp_path / "run.state")
    resumed = kind.load(tmp_path / "run.state", lambda: Line(truncate_after=7), on_message=lambda text: None)
    assert not resumed.finished
    assert finish(resumed).export_policy() == finish(small(kind).State(3)).export_policy()


def test_callbacks_of_a_resumed_run_are_its_own(tmp_path: Path) -> None:
    state = small(SAC).State(3)
    for _ in range(23):
        state.step()
    state.save(tmp_path / "run.state")
    steps: list[int] = []
    callbacks = Callbacks(on_step=lambda resumed: steps.append(resumed.step_count))
    finish(SAC.load(tmp_path / "run.state", lambda: Line(truncate_after=7), callbacks=callbacks, on_message=len))
    assert steps == list(range(24, 41))


def test_statistics_of_the_last_episodes() -> None:
    state = small(SAC, enable_evaluation=False).State(3)
    assert state.episode_statistics() is None
    finish(state)
    returns = [episode.total_reward for episode in state.episodes]
    assert len(returns) == 5
    for last, expected in ((100, returns), (2, returns[-2:])):
        found = state.episode_statistics(last)
        assert found is not None
        assert (found.episodes, found.mean_length) == (len(expected), 7)
        assert (found.least_return, found.greatest_return) == (min(expected), max(expected))
        assert found.mean_return == pytest.approx(np.mean(expected))
        assert found.std_return == pytest.approx(np.std(expected))
    with pytest.raises(ValueError, match="last is 0"):
        state.episode_statistics(0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_episodes": 0}, "num_episodes is 0: it must be a whole number of at least 1"),
        ({"num_episodes": "3"}, "num_episodes is '3'"),
        ({"num_episodes": 1, "seed": -1}, "the seed is -1"),
    ],
)
def test_a_wrong_argument_of_an_evaluation_is_named(arguments: dict[str, Any], words: str) -> None:
    with small(SAC).State(0) as state, pytest.raises(ValueError, match=words):
        state.evaluate(**arguments)


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: Callbacks(on_step="x"), ValueError, "on_step is 'x': it must be a function"),  # type: ignore[arg-type]
        (lambda: {"on_step": print}, TypeError, r"callbacks is \{.*\}: pass Callbacks\(on_step=…\)"),
        (lambda: print, TypeError, "callbacks is <built-in function print>"),
    ],
)
def test_wrong_callbacks_are_refused_before_the_first_step(make: Any, kind: type[Exception], words: str) -> None:
    training = small(SAC)
    with pytest.raises(kind, match=words):
        training.State(0, make())


def test_a_callback_cannot_step() -> None:
    state = small(SAC).State(0, Callbacks(on_step=lambda state: state.step()))
    with pytest.raises(TrainingError, match=r"a callback called step\(\)"):
        state.step()
    state.callbacks = Callbacks()
    assert finish(state).step_count == 40
