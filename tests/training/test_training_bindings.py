"""The compiled interface as Python sees it: what it holds on to, and what it refuses."""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np
import pytest
from training_envs import SMALL, Line

from rltools_embed.training import SAC

CALLS = 1000


@pytest.fixture
def trainer() -> Any:
    return SAC(Line, **SMALL).make_trainer(0)


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
        SAC(Line, **SMALL).make_trainer(1)  # would take the memory
        assert act(np.ones(2, np.float32)) == expected


def test_arrays_may_change_from_call_to_call(trainer: Any) -> None:
    """The last ones are remembered: others must not be taken for them."""
    other = SAC(Line, **SMALL).make_trainer(0)
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
