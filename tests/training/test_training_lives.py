"""Many runs in one process: their memory comes back, and their environments are closed whatever ends them."""

from __future__ import annotations

import gc
import platform
import weakref
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from training_envs import SMALL, Line, small

from rltools_embed.errors import TrainingError, UnsupportedEnvError
from rltools_embed.training import PPO, SAC, TD3, State, Training

ALGORITHMS = [SAC, TD3, PPO]
# Bytes of each life, where a trainer of these sizes takes 23 kB; without a leak it is some pages of all.
MOST_GROWTH_BYTES = 100


class Point(gymnasium.Env[Any, Any]):
    """An environment that nothing else refers to."""

    observation_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
    action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
    alive = 0
    open = 0

    def __init__(self) -> None:
        Point.open += 1
        Point.alive += 1
        weakref.finalize(self, Point.forget)

    @staticmethod
    def forget() -> None:
        Point.alive -= 1

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.zeros(2, np.float32), 0.0, False, False, {}

    def close(self) -> None:
        Point.open -= 1


def resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def live(training: Training, index: int) -> None:
    """A short run, ended in each of the ways there are."""
    state = training.State(index)
    state.step()
    state.action(np.zeros(2, np.float32))
    if index % 3 == 0:
        state.close()
    elif index % 3 == 1:
        state.stop()
    if index % 100 == 0:
        state.policy()


@pytest.mark.slow
@pytest.mark.skipif(platform.system() != "Linux", reason="/proc/self/statm is Linux's")
@pytest.mark.parametrize("lives", [3000, pytest.param(10_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", ALGORITHMS)
def test_thousands_of_runs_leave_nothing_behind(kind: type[Training], lives: int) -> None:
    Point.alive = Point.open = 0
    training = kind(Point, **small(kind))
    for index in range(lives // 10):
        live(training, index)
    before = resident_bytes()
    for index in range(lives // 10, lives):
        live(training, index)
    growth = resident_bytes() - before
    assert growth < MOST_GROWTH_BYTES * lives, f"{growth} B more after {lives} runs"
    assert (Point.alive, Point.open) == (0, 0)


@pytest.mark.skipif(platform.system() != "Linux", reason="/proc/self/statm is Linux's")
def test_saving_and_loading_leaves_nothing_behind(tmp_path: Path) -> None:
    Point.alive = Point.open = 0
    state = SAC(Point, **{**SMALL, "STEP_LIMIT": 5000}).State(0)
    for _ in range(2000):
        state.step()  # 64 kB of transitions
    state.save(tmp_path / "run.state")

    def go_round(times: int) -> int:
        for _ in range(times):
            SAC.load(tmp_path / "run.state", Point, on_message=len).save(tmp_path / "run.state")
        return resident_bytes()

    before = go_round(5)
    growth = go_round(40) - before
    assert growth < 1e6, f"{growth} B more after 40 rounds"
    del state
    gc.collect()
    assert (Point.alive, Point.open) == (0, 0)


def closed(count: int) -> bool:
    return [env.closed for env in Line.made] == [1] * count


class Explodes(Line):
    def __init__(self, at_step: int = 0, at_reset: int = 0) -> None:
        super().__init__(truncate_after=5)
        self.at_step, self.at_reset = at_step, at_reset

    def reset(self, **arguments: Any) -> Any:
        if len(self.seeds) + 1 == self.at_reset:
            raise ArithmeticError("mine")
        return super().reset(**arguments)

    def step(self, action: Any) -> Any:
        if self.total + 1 == self.at_step:
            raise ArithmeticError("mine")
        return super().step(action)


@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize("fault", [{"at_step": 7}, {"at_reset": 3}])
def test_environments_are_closed_when_one_of_them_raises(kind: type[Training], fault: dict[str, int]) -> None:
    training = kind(lambda: Explodes(**fault), **small(kind))
    Line.made.clear()
    state: State = training.State(0)
    with pytest.raises(ArithmeticError, match="mine"):
        while not state.step():
            pass
    assert closed(training.algorithm.environments)
    state.export_policy()  # what was learned is still there
    with pytest.raises(TrainingError, match="this run was closed at step"):
        state.step()


def test_environments_are_closed_when_a_later_one_cannot_be_made() -> None:
    Line.made.clear()

    def factory() -> Line:
        if len(Line.made) == 2:  # one for its spaces, one of two to train in
            raise MemoryError
        return Line()

    training = PPO(factory, **small(PPO))
    with pytest.raises(TrainingError, match="env_factory raised MemoryError"):
        training.State(0)
    assert closed(2)


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_environments_are_closed_when_the_first_reset_raises(kind: type[Training]) -> None:
    made = 0

    def factory() -> Line:
        nonlocal made
        made += 1
        return Explodes(at_reset=1 if made > 1 else 0)

    training = kind(factory, **small(kind))
    Line.made.clear()
    with pytest.raises(ArithmeticError, match="mine"):
        training.State(0)
    assert closed(training.algorithm.environments)


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_environments_are_closed_by_a_with_block_that_an_exception_leaves(kind: type[Training]) -> None:
    training = kind(Line, **small(kind))
    Line.made.clear()
    with pytest.raises(KeyError), training.State(0) as state:
        state.step()
        state.evaluate(1)
        raise KeyError
    assert closed(training.algorithm.environments + 1)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("kind", ALGORITHMS)
def test_an_environment_that_the_factory_gives_twice_is_refused(kind: type[Training], wrapped: bool) -> None:
    env = Line(truncate_after=5)
    training = kind(lambda: TimeLimit(env, 5) if wrapped else env, **small(kind))
    with pytest.raises(UnsupportedEnvError, match=r"gave the same .* again, after it was closed"):
        training.State(0)


def test_an_environment_that_another_run_holds_is_refused_and_left_to_it() -> None:
    shared = Line(truncate_after=5)
    made = iter([Line(), shared, shared])
    training = SAC(lambda: next(made), **SMALL)
    with training.State(0) as state:
        with pytest.raises(UnsupportedEnvError, match="gave the same Line again, while it is in use"):
            training.State(1)
        assert shared.closed == 0
        while not state.step():
            pass
    assert shared.closed == 1


def test_an_evaluation_does_not_step_the_environment_that_is_trained_in() -> None:
    shared = Line(truncate_after=5)
    made = iter([Line(), shared, shared])
    with SAC(lambda: next(made), **SMALL).State(0) as state:
        state.step()
        with pytest.raises(UnsupportedEnvError, match="while it is in use"):
            state.evaluate(1)
        assert len(shared.starts) == 1


def test_vectorised_environments_that_the_factory_gives_twice_are_refused() -> None:
    env = SyncVectorEnv([Line, Line])
    training = PPO(lambda: env, **small(PPO))
    with pytest.raises(UnsupportedEnvError, match="gave the same SyncVectorEnv again, after it was closed"):
        training.State(0)
