"""Faults of RLtools 2.2.1 that no other test has for its subject, and that docs/upstream_faults.md names real tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit
from training_envs import Line, small

from rltools_embed import load_checkpoint_from_path
from rltools_embed.training import PPO, SAC, TD3, State, Training

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "upstream_faults.md"
ALGORITHMS = [SAC, TD3, PPO]


def finish(state: State) -> State:
    while not state.step():
        pass
    return state


def test_two_checkpoints_under_one_name_are_two_policies(tmp_path: Path) -> None:
    training = SAC(Line, **small(SAC))
    states = [finish(training.State(seed)) for seed in (0, 1)]
    path = tmp_path / "checkpoint.h"
    observation = np.array([0.5, -2.0], np.float32)
    loaded = []
    for state in states:
        path.write_text(state.export_policy(), encoding="utf-8")
        loaded.append(load_checkpoint_from_path(path))
    actions = [policy(observation) for policy in loaded]
    np.testing.assert_array_equal(actions, [state.action(observation) for state in states])
    assert actions[0] != actions[1]


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_an_environment_that_only_truncates_is_reset_there(kind: type[Training]) -> None:
    Line.made.clear()
    state = finish(kind(lambda: Line(truncate_after=5), **small(kind)).State(0))
    steps = 40 // state._algorithm.environments
    assert [episode.length for episode in state.episodes] == [5] * (40 // 5)
    # Its first start, and one after each episode but for the last, which ended with the training.
    assert all(len(env.starts) == steps // 5 for env in Line.made[1:])


def limited_by_hand() -> gymnasium.Env[Any, Any]:
    return TimeLimit(Line(), 5)


@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize(("factory", "length"), [(Line, 1000), (limited_by_hand, 5)])
def test_an_environment_without_a_spec_trains_and_its_evaluation_ends(
    kind: type[Training], factory: Any, length: int
) -> None:
    assert factory().spec is None
    state = finish(kind(factory, **small(kind)).State(0))
    assert state.evaluate(1).lengths == (length,)


def test_every_fault_in_the_table_has_a_test_that_exists() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)[2:]
    assert len(rows) >= 12
    for fault, _, cell in rows:
        named = re.findall(r"`([\w/.]+)::(\w+)`", cell)
        assert named, f"no test for: {fault}"
        for file, name in named:
            tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in functions, f"tests/{file} has no {name}"
