"""An environment in C++ trains as one of Gymnasium, is saved with its bytes, and its mistakes are one line each."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from test_training_learning import GOOD_ENOUGH, mean_return, native
from training_envs import small

from rltools_embed.compiling import compiler
from rltools_embed.compiling.cache import Cache
from rltools_embed.environments.cpp_environment import CppEnvironment
from rltools_embed.errors import BuildError, CheckpointError, TrainingError, UnsupportedEnvError
from rltools_embed.policy import checkpoint
from rltools_embed.training import PPO, SAC, State, Training

PENDULUM = {
    "path": Path(__file__).resolve().parents[2] / "examples" / "cpp_environment",
    "observation_dim": 3,
    "action_dim": 1,
    "action_low": -2.0,
    "action_high": 2.0,
    "control_period_s": 0.05,
}

# A point on a line; where it is worth it, its numbers break.
LINE = """\
#include <rl_tools/rl/environment.h>
#include "length.h"

struct Environment {
    static constexpr size_t OBSERVATION_DIM = 2;
    static constexpr size_t ACTION_DIM = 1;
    float position = 0;
    size_t steps = 0;
    size_t total = 0;

    void reset(rl_tools::random::Engine& random) {
        position = rl_tools::random::uniform(random);
        steps = 0;
    }
    void observe(float (&observation)[OBSERVATION_DIM]) const {
        observation[0] = position;
        observation[1] = static_cast<float>(steps) / 10;
    }
    rl_tools::rl::StepResult step(const float (&action)[ACTION_DIM], rl_tools::random::Engine& random) {
        position += 0.1F * action[0] + 0.01F * rl_tools::random::uniform(random);
        steps++;
        total++;
        return {-position * position, steps == TERMINATED_AFTER, steps == TRUNCATED_AFTER};
    }
};
"""
LENGTH = "constexpr size_t TERMINATED_AFTER = 0, TRUNCATED_AFTER = 7;\n"


def line(folder: Path, *changes: tuple[str, str], length: str = LENGTH) -> dict[str, Any]:
    """The point on a line in `folder`, with so many replacements."""
    text = LINE
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    folder.mkdir(exist_ok=True)
    (folder / "environment.h").write_text(text, encoding="utf-8")
    (folder / "length.h").write_text(length, encoding="utf-8")
    return {"path": folder, "observation_dim": 2, "action_dim": 1}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    # A blank and a special letter: a path is a path.
    return line(tmp_path_factory.mktemp("a folder $x"))


def finish(state: State) -> State:
    while not state.step():
        pass
    return state


def test_the_pendulum_moves_as_that_of_gymnasium() -> None:
    state = SAC(PENDULUM, enable_evaluation=False, on_message=len).State(0)
    ours = state._training.make_evaluator().environment
    theirs: Any = gymnasium.make("Pendulum-v1")
    actions = np.random.default_rng(0).uniform(-2, 2, (200, 1)).astype(np.float32)
    for seed in range(3):
        observation = ours.reset(seed, "")
        theirs.reset()
        theirs.unwrapped.state = np.array([math.atan2(observation[1], observation[0]), observation[2]])
        for index, action in enumerate(actions):
            step = ours.step(action, "")
            expected, reward, terminated, truncated, _ = theirs.step(action)
            # The start was read from float32; 200 steps of a pendulum multiply that by less than 1000.
            np.testing.assert_allclose(step.observation, expected, atol=1e-3)
            assert step.reward == pytest.approx(float(reward), abs=2e-2)
            assert (step.terminated, step.truncated) == (terminated, truncated) == (False, index == 199)


@pytest.mark.slow
def test_what_was_learned_on_it_swings_the_pendulum_of_gymnasium_up() -> None:
    state = finish(SAC(PENDULUM, enable_evaluation=False, on_message=len).State(1))
    found = mean_return(state, native)
    assert found >= GOOD_ENOUGH, f"mean return {found:.1f}"
    policy = checkpoint.loads(state.export_policy())
    assert (policy.action[0].low, policy.action[0].high, policy.control_period_s) == (-2.0, 2.0, 0.05)
    observations = np.random.default_rng(0).normal(0, 2, (500, 3)).astype(np.float32)
    np.testing.assert_array_equal(policy.evaluate(observations), state.action(observations))


@pytest.mark.parametrize(("kind", "steps"), [(SAC, 23), (PPO, 2)])
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(
    kind: type[Training], steps: int, plain: Mapping[str, Any], tmp_path: Path
) -> None:
    interval = 2 if kind is PPO else 10
    options = {**small(kind), "enable_evaluation": True, "evaluation_interval": interval, "num_evaluation_episodes": 2}
    training = kind(plain, **options)
    uninterrupted = finish(training.State(3))
    assert [episode.length for episode in uninterrupted.episodes] == [7] * (4 if kind is PPO else 5)
    assert set(uninterrupted.learning_curve[-1].lengths) == {7}
    assert len(set(uninterrupted.learning_curve[-1].returns)) == 2
    interrupted = training.State(3)
    for _ in range(steps):
        interrupted.step()
    interrupted.save(tmp_path / "run.state")
    resumed = finish(kind.load(tmp_path / "run.state", plain, on_message=len))
    assert resumed._trainer.save() == uninterrupted._trainer.save()
    assert resumed.learning_curve == uninterrupted.learning_curve
    assert resumed.export_policy() == uninterrupted.export_policy()


def test_a_state_of_another_size_is_refused(plain: Mapping[str, Any], tmp_path: Path) -> None:
    finish(SAC(plain, **small(SAC)).State(3)).save(tmp_path / "run.state")
    other = line(tmp_path / "other", ("size_t total = 0;", "size_t total[2] = {};"), ("total++", "total[1]++"))
    with pytest.raises(CheckpointError, match="which is not the size of Environment"):
        SAC.load(tmp_path / "run.state", other, STEP_LIMIT=60, on_message=len)


def test_termination_and_the_step_limit_are_told_apart(tmp_path: Path) -> None:
    ends = line(tmp_path / "ends", length="constexpr size_t TERMINATED_AFTER = 4, TRUNCATED_AFTER = 0;\n")
    training = SAC(ends, **{**small(SAC), "EPISODE_STEP_LIMIT": 3})
    stored = np.frombuffer(finish(training.State(0))._trainer.numbers("transitions"), np.float32).reshape(-1, 8)
    assert np.flatnonzero(stored[:, 7]).tolist() == list(range(2, 40, 3))
    assert not stored[:, 6].any()
    stored = np.frombuffer(
        finish(SAC(ends, **small(SAC)).State(0))._trainer.numbers("transitions"), np.float32
    ).reshape(-1, 8)
    assert np.flatnonzero(stored[:, 6]).tolist() == list(range(3, 40, 4))


def test_a_number_that_is_not_finite_stops_training(tmp_path: Path) -> None:
    for change, words in (
        (("return {-position", "return {total == 9 ? 0.0F / 0.0F : -position"), "the reward is nan at step 9"),
        (
            ("= position;\n        observation[1]", "= total == 9 ? 1.0F / 0.0F : position;\n        observation[1]"),
            "[0]",
        ),
    ):
        broken = line(tmp_path / "broken", change)
        with pytest.raises(TrainingError) as caught:
            finish(SAC(broken, **small(SAC)).State(0))
        assert words in caught.value.message
        assert caught.value.message.startswith("environment.h: ")


@pytest.mark.parametrize(
    ("changes", "sizes", "words"),
    [
        ([], {"observation_dim": 4}, "rl_tools: observation_dim is not Environment::OBSERVATION_DIM"),
        ([], {"action_dim": 2}, "rl_tools: action_dim is not Environment::ACTION_DIM"),
        ([("void reset(", "void restart(")], {}, "rl_tools: Environment needs void reset(rl_tools::random::Engine&)"),
        ([("void observe(", "void look(")], {}, "rl_tools: Environment needs void observe("),
        ([("observation)[OBSERVATION_DIM]) const", "o)[9]) const"), ("observation[", "o[")], {}, "needs void observe("),
        (
            [("rl_tools::rl::StepResult step(", "rl_tools::rl::StepResult move(")],
            {},
            "needs rl_tools::rl::StepResult step(",
        ),
        ([("size_t total = 0;", "size_t total = 0; ~Environment() {}")], {}, "must be plain data"),
        ([("size_t total = 0;", "size_t totel = 0;")], {}, "'total' was not declared"),
        ([("length.h", "nowhere.h")], {}, "nowhere.h: No such file or directory"),
    ],
)
def test_a_mistake_in_the_header_is_one_line(
    tmp_path: Path, changes: list[tuple[str, str]], sizes: dict[str, int], words: str
) -> None:
    environment = {**line(tmp_path / "mistaken", *changes), **sizes}
    with pytest.raises(BuildError) as caught:
        SAC(environment, **small(SAC))
    lines = caught.value.message.splitlines()[1:]
    assert len(lines) == 1, lines
    assert words in re.sub("[\u2018\u2019]", "'", lines[0])


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"path": "/nowhere"}, UnsupportedEnvError, "there is no /nowhere"),
        ({"path": Path(__file__).parent}, UnsupportedEnvError, "there is no .*/environment.h"),
        ({"path": 3}, TypeError, "path is 3: it must be a header"),
        ({"observation_dim": 0}, ValueError, "observation_dim is 0: it must be a whole number, 1 to 4096"),
        ({"action_dim": None}, ValueError, "action_dim is None"),
        ({"action_low": [0, 0]}, ValueError, "action_low has 2 numbers for 1 actions"),
        ({"action_low": 2.0}, ValueError, "action_low is 2.0 at index 0, not below 2.0"),
        ({"action_high": math.inf}, ValueError, "action_high is inf: it must be a finite number"),
        ({"control_period_s": 0}, ValueError, "control_period_s is 0: it must be a number above 0"),
        ({"observaton_dim": 3}, TypeError, "has no 'observaton_dim': did you mean 'observation_dim'"),
    ],
)
def test_a_wrong_description_is_refused_before_a_compiler_starts(
    change: dict[str, Any], kind: type[Exception], words: str, no_compiler: None
) -> None:
    with pytest.raises(kind, match=words):
        SAC({**PENDULUM, **change}, **small(SAC))


@pytest.mark.parametrize("missing", ["path", "observation_dim", "action_dim"])
def test_what_is_missing_is_named(missing: str, no_compiler: None) -> None:
    with pytest.raises(TypeError, match=f"a C\\+\\+ environment needs '{missing}'"):
        SAC({key: value for key, value in PENDULUM.items() if key != missing}, **small(SAC))


def test_a_changed_header_is_compiled_again(tmp_path: Path) -> None:
    build = compiler._Build(
        compiler=compiler.find(), cache=Cache.open(tmp_path / "cache"), verbose=False, say=lambda text: None
    )
    environment = line(tmp_path / "a folder")

    def digest() -> str:
        return build._own_files_digest(CppEnvironment.from_mapping(environment).translation_unit())

    digests = {digest(), digest()}
    assert len(digests) == 1
    line(tmp_path / "a folder", length=LENGTH.replace("7", "8"))
    digests.add(digest())
    line(tmp_path / "a folder", ("0.1F", "0.2F"))
    digests.add(digest())
    assert len(digests) == 3
