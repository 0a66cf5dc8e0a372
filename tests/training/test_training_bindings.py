"""The compiled interface as Python sees it: what it holds on to, and what it refuses."""

from __future__ import annotations

import gc
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from training_envs import SMALL, Line

from rltools_embed.training import SAC

CALLS = 1000


@pytest.fixture
def trainer() -> Any:
    return SAC(Line, **SMALL).compiled.make_trainer(0)


def arrays() -> list[Any]:
    flags = [np.zeros(1, np.bool_), np.zeros(1, np.bool_)]
    return [np.zeros((1, 2), np.float32), np.zeros((1, 1), np.float32), np.zeros(1, np.float32), *flags]


def call_everything(trainer: Any, given: list[Any], name: str, saved: dict[str, Any]) -> None:
    observation, action, reward, terminated, truncated = given
    trainer.explore(observation, action)
    trainer.observe(reward, observation, terminated, truncated)
    trainer.act(observation, action)
    trainer.numbers(name)
    trainer.load({entry[0]: entry[1:] for entry in trainer.save()})
    act = trainer.actor(action[0]).act
    assert act(observation[0]).shape == (1,)
    assert act(observation) is None  # not one row
    assert act([0.0, 0.0]) is None
    for wrong in (
        lambda: trainer.explore(observation, observation),
        lambda: trainer.explore(observation),
        lambda: trainer.observe(terminated, observation, terminated, truncated),
        lambda: trainer.act(None, action),
        lambda: trainer.numbers("no such numbers"),
        lambda: trainer.numbers(3),
        lambda: trainer.load({}),
        lambda: trainer.load(saved),
        lambda: trainer.load([1]),
        lambda: trainer.actor(reward.tobytes()),
        lambda: type(trainer)(0, {}, [1.0], [1.0]),
        lambda: type(trainer)(-1, {}, [1.0], [1.0]),
    ):
        with pytest.raises((TypeError, ValueError, OverflowError, AttributeError)):
            wrong()


def test_no_call_keeps_or_loses_a_reference(trainer: Any) -> None:
    """An object too few would be freed twice; one too many would never be."""
    # A name put together here belongs to nobody else; a literal is one object for all of Python.
    given, name, saved = arrays(), "".join(["act", "or"]), {"random": ("f", b"1234")}
    objects = [*given, name, saved, type(trainer), None]
    call_everything(trainer, given, name, saved)  # from here on it holds the arrays of the loop
    gc.collect()
    before = [sys.getrefcount(item) for item in objects]
    for _ in range(CALLS):
        call_everything(trainer, given, name, saved)
    gc.collect()
    after = [sys.getrefcount(item) for item in objects]
    # None's count moves with whatever else runs; one lost per call would be seen.
    for item, old, new in zip(objects, before, after, strict=True):
        assert abs(new - old) < CALLS // 2, item
        assert item is None or new == old, item


def test_a_trainer_lives_as_long_as_its_actor(trainer: Any) -> None:
    act = trainer.actor(np.zeros(1, np.float32)).act
    expected = act(np.ones(2, np.float32))
    del trainer
    gc.collect()
    for _ in range(100):
        SAC(Line, **SMALL).compiled.make_trainer(1)  # would take the memory
        assert act(np.ones(2, np.float32)) == expected


def test_arrays_may_change_from_call_to_call(trainer: Any) -> None:
    """The last ones are remembered: others must not be taken for them."""
    other = SAC(Line, **SMALL).compiled.make_trainer(0)
    observation, action, *_ = arrays()
    for step in range(20):
        mine = np.full((1, 2), step / 20, np.float32)
        observation[:] = step / 20
        written = np.zeros((1, 1), np.float32)
        trainer.explore(observation, action)
        other.explore(mine, written)
        assert action == written
        del mine, written


def test_an_array_of_another_size_in_the_place_of_a_remembered_one_is_refused(trainer: Any) -> None:
    observation, action, *_ = arrays()
    trainer.explore(observation, action)
    with pytest.raises(ValueError, match="expected 2 numbers, not 3"):
        trainer.explore(np.zeros(3, np.float32), action)
    trainer.explore(observation, action)
    with pytest.raises(ValueError, match="resize"):
        observation.resize((1, 3))  # NumPy knows that the memory is in use


def test_an_actor_is_made_by_a_trainer_only(trainer: Any) -> None:
    actor = trainer.actor(np.zeros(1, np.float32))
    with pytest.raises(TypeError, match="cannot create"):
        type(actor)()
    with pytest.raises(TypeError, match="expected 4 arguments, not 1"):
        type(trainer)(0)
    with pytest.raises(TypeError):
        type(trainer)(seed=0)


# ------------------------------------------------------------------------------------------------------------- stepper

OBSERVATION = np.array([1.0, -2.5], np.float32)


class Stepped:
    """Three environments of two observations behind a stepper, and what it writes to. `results`: what they give."""

    def __init__(self, limit: int = 0) -> None:
        self.next_observations = np.zeros((3, 2), np.float32)
        self.rewards = np.zeros(3, np.float32)
        self.terminated = np.zeros(3, np.bool_)
        self.truncated = np.zeros(3, np.bool_)
        self.returns = np.zeros(3)
        self.lengths = np.zeros(3, np.int64)
        self.results: list[Any] = [(OBSERVATION, 0.5, False, False, {})] * 3
        self.actions: list[Any] = []
        self.environments = tuple(SimpleNamespace(step=self.step_of(index)) for index in range(3))
        self.stepper = SAC(Line, **SMALL).compiled.interface.module.Stepper(*self.arguments(), limit, np.bool_)

    def arguments(self) -> list[Any]:
        arrays = [self.next_observations, self.rewards, self.terminated, self.truncated]
        return [*arrays, self.returns, self.lengths]

    def step_of(self, index: int) -> Any:
        def step(action: Any) -> Any:
            self.actions.append(action)
            return self.results[index]

        return step

    def step_each(self, first: int = 0) -> Any:
        return self.stepper.step_each(self.environments, np.array([[1.0], [2.0], [3.0]], np.float32), first)


def test_a_stepper_steps_each_environment_with_its_action() -> None:
    stepped = Stepped()
    stepped.results[1] = (np.array([0.1, 1e-50]), np.float64(0.1), np.True_, False, None)
    stepped.results[2] = (OBSERVATION * 2, 1.0, False, True, {})
    assert stepped.step_each() is None
    assert stepped.step_each(1) is None
    assert [float(action[0]) for action in stepped.actions] == [1, 2, 3, 2, 3]
    assert stepped.next_observations.tolist() == [[1, -2.5], [float(np.float32(0.1)), 0], [2, -5]]
    assert stepped.rewards.tolist() == [0.5, float(np.float32(0.1)), 1]
    assert (stepped.terminated.tolist(), stepped.truncated.tolist()) == ([False, True, False], [False, False, True])
    assert (stepped.returns.tolist(), stepped.lengths.tolist()) == ([0.5, 0.2, 2.0], [1, 2, 2])


def test_a_stepper_truncates_at_the_length_limit() -> None:
    stepped = Stepped(limit=2)
    stepped.step_each()
    assert not stepped.truncated.any()
    stepped.step_each(1)
    assert stepped.truncated.tolist() == [False, True, True]


@pytest.mark.parametrize(
    "result",
    [
        None,
        [OBSERVATION, 0.5, False, False, {}],
        (OBSERVATION, 0.5, False, {}),
        (OBSERVATION.tolist(), 0.5, False, False, {}),
        (OBSERVATION.astype(np.float16), 0.5, False, False, {}),
        (np.array([1, 2]), 0.5, False, False, {}),
        (np.zeros(4, np.float32)[::2], 0.5, False, False, {}),
        (np.zeros((1, 2), np.float32), 0.5, False, False, {}),
        (np.zeros(3, np.float32), 0.5, False, False, {}),
        (np.array([np.nan, 0], np.float32), 0.5, False, False, {}),
        (np.array([0, -np.inf]), 0.5, False, False, {}),
        (np.array([1e39, 0]), 0.5, False, False, {}),
        (OBSERVATION, 1, False, False, {}),
        (OBSERVATION, np.float32(1), False, False, {}),
        (OBSERVATION, float("nan"), False, False, {}),
        (OBSERVATION, 1e39, False, False, {}),
        (OBSERVATION, 0.5, 0, False, {}),
        (OBSERVATION, 0.5, False, None, {}),
    ],
)
def test_a_stepper_hands_back_what_is_not_as_expected_and_counts_nothing_of_it(result: Any) -> None:
    stepped = Stepped()
    stepped.results[1] = result
    untaken = stepped.step_each()
    assert untaken[0] == 1
    assert untaken[1] is result
    assert (stepped.returns.tolist(), stepped.lengths.tolist()) == ([0.5, 0, 0], [1, 0, 0])
    assert stepped.rewards.tolist() == [0.5, 0, 0]
    assert len(stepped.actions) == 2


def test_an_exception_of_a_step_passes_through_a_stepper() -> None:
    stepped = Stepped()

    def fail(action: Any) -> Any:
        raise LookupError("a sensor")

    stepped.environments[1].step = fail
    with pytest.raises(LookupError, match="a sensor"):
        stepped.step_each()
    assert stepped.lengths.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("position", "wrong"),
    [
        (0, np.zeros((3, 2))),
        (0, np.zeros(7, np.float32)),
        (1, np.zeros(0, np.float32)),
        (2, np.zeros(3, np.float32)),
        (3, np.zeros(2, np.bool_)),
        (4, [0.0, 0.0, 0.0]),
        (4, np.zeros(3, np.float32)),
        (4, np.zeros(2)),
        (5, [0, 0, 0]),
        (5, np.zeros(3, np.int32)),
        (5, np.zeros(2, np.int64)),
    ],
)
def test_a_stepper_refuses_what_it_cannot_write_to(position: int, wrong: Any) -> None:
    stepped = Stepped()
    arguments = stepped.arguments()
    arguments[position] = wrong
    with pytest.raises(ValueError, match="expected"):
        type(stepped.stepper)(*arguments, 0, np.bool_)


def test_a_stepper_refuses_other_environments_and_actions_than_it_has_environments() -> None:
    stepped = Stepped()
    with pytest.raises(ValueError, match="expected a tuple of 3"):
        stepped.stepper.step_each(stepped.environments[:2], np.zeros((3, 1), np.float32), 0)
    with pytest.raises(IndexError):
        stepped.stepper.step_each(stepped.environments, np.zeros((2, 1), np.float32), 0)


def test_a_stepper_keeps_and_loses_no_reference() -> None:
    stepped = Stepped()
    taken, untaken = stepped.results[0], ("not", "as", "expected")
    for index, environment in enumerate(stepped.environments):
        environment.step = lambda action, index=index: untaken if index == 1 else taken
    actions = np.zeros((3, 1), np.float32)
    environments = stepped.environments
    objects = [*taken[:2], taken, untaken, *stepped.arguments(), actions, *environments, environments, np.bool_]

    def call() -> None:
        assert stepped.stepper.step_each(environments, actions, 0)[1] is untaken
        assert stepped.stepper.step_each(environments, actions, 2) is None
        with pytest.raises(ValueError, match="expected"):
            stepped.stepper.step_each((), actions, 0)

    call()
    gc.collect()
    before = [sys.getrefcount(item) for item in objects]
    for _ in range(CALLS):
        call()
    gc.collect()
    assert [sys.getrefcount(item) for item in objects] == before
