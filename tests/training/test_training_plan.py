"""A training as one value: checked when it is made, the same run as its settings, and handed on as it is."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from training_envs import SMALL_PPO, Line

import rltools_embed
from rltools_embed import EvaluationPlan, TrainingPlan, run, train
from rltools_embed.errors import CheckpointError, ProjectError, UnsupportedEnvError
from rltools_embed.pipeline import Files, Hooks
from rltools_embed.training import PPO, Callbacks

CPP = {
    "path": Path(rltools_embed.__file__).parents[1] / "examples" / "cpp_environment",
    "observation_dim": 3,
    "action_dim": 1,
}
# Of the sizes of other tests, which are compiled once.
LINE = "PlanLine-v0"
gymnasium.register(LINE, entry_point=lambda: Line(truncate_after=7))
OPTIONS = {"ACTOR_HIDDEN_DIM": 8, "CRITIC_HIDDEN_DIM": 8, "ACTOR_BATCH_SIZE": 5, "CRITIC_BATCH_SIZE": 5}
PLAN = TrainingPlan(
    environment=LINE,
    algorithm="SAC",
    options=OPTIONS,
    steps=30,
    seed=4,
    evaluation=EvaluationPlan(interval=20, episodes=1),
)
SETTINGS: Any = {
    "algorithm": "sac",
    "options": OPTIONS,
    "steps": 30,
    "seed": 4,
    "evaluation_interval": 20,
    "num_evaluation_episodes": 1,
}


def silent(line: str) -> None:
    """Takes a line."""


def test_a_plan_leaves_nothing_open_and_does_not_change() -> None:
    plan = TrainingPlan(environment=LINE, algorithm="PPO")
    assert (plan.algorithm, plan.steps, plan.seed, plan.backend) == ("ppo", 100_000, 0, "own")
    assert plan.evaluation == EvaluationPlan(enabled=True, interval=10, episodes=10)
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.seed = 1  # type: ignore[misc]  # on purpose
    options: Any = plan.options
    with pytest.raises(TypeError):
        options["GAMMA"] = 0.5
    assert TrainingPlan.of(LINE, **plan.settings()) == plan == copy.deepcopy(plan)
    assert dataclasses.replace(plan, seed=1) != plan
    assert TrainingPlan.of(LINE, **SETTINGS) == PLAN


def test_the_path_of_a_header_does_not_depend_on_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(CPP["path"])
    plan = TrainingPlan(environment={**CPP, "path": "environment.h"})
    monkeypatch.chdir(tmp_path)
    assert dataclasses.replace(plan, seed=1).environment["path"] == CPP["path"] / "environment.h"  # type: ignore[index]


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"environment": "NoSuch-v0"}, UnsupportedEnvError, "no environment is called 'NoSuch-v0'"),
        ({"environment": 3}, TypeError, "env_factory is a int, not a function"),
        ({"environment": Line()}, TypeError, "env_factory is an environment, not a function"),
        ({"environment": {"path": "/nowhere"}}, TypeError, "a C\\+\\+ environment needs 'observation_dim'"),
        ({"environment": {**CPP, "path": "/nowhere"}}, UnsupportedEnvError, "there is no /nowhere"),
        ({"algorithm": "dqn"}, ValueError, "no algorithm is called 'dqn': there is sac, td3, ppo"),
        ({"options": {"GAMA": 1}}, TypeError, "'GAMA' is not an option: did you mean GAMMA?"),
        ({"options": {"GAMMA": 2}}, ValueError, "GAMMA is 2"),
        ({"options": {"STEP_LIMIT": 9}}, ValueError, "STEP_LIMIT is the number of steps: use `steps`"),
        ({"algorithm": "ppo", "options": {"STEP_LIMIT": 9}}, ValueError, "STEP_LIMIT is the number of steps"),
        ({"algorithm": "ppo", "options": {"TOTAL_STEP_LIMIT": 9}}, ValueError, "TOTAL_STEP_LIMIT is the number"),
        ({"steps": 0}, ValueError, "STEP_LIMIT is 0"),
        ({"algorithm": "ppo", "steps": 10, "options": {}}, ValueError, "TOTAL_STEP_LIMIT is 10, less than"),
        ({"seed": -1}, ValueError, "the seed is -1"),
        ({"seed": "a"}, TypeError, "the seed is 'a'"),
        ({"backend": "atlas"}, ValueError, "backend is 'atlas'"),
    ],
)
def test_a_plan_refuses_what_a_training_would(
    changed: dict[str, Any], error: type[Exception], words: str, no_compiler: None
) -> None:
    with pytest.raises(error, match=words):
        dataclasses.replace(PLAN, **changed)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"evaluation_interval": 0}, "evaluation_interval is 0"),
        ({"num_evaluation_episodes": 0}, "num_evaluation_episodes is 0"),
        ({"enable_evaluation": 1}, "enable_evaluation is 1"),
    ],
)
def test_settings_of_an_evaluation_are_refused_by_their_names(setting: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TrainingPlan.of(LINE, **setting)


def test_a_plan_trains_what_its_settings_train(tmp_path: Path) -> None:
    lines: list[str] = []
    steps: list[tuple[int, int]] = []
    train(PLAN, tmp_path / "plan", hooks=Hooks(on_message=lines.append, progress=lambda *done: steps.append(done)))
    found: list[Any] = []
    train(
        LINE,
        tmp_path / "settings",
        on_message=silent,
        callbacks=Callbacks(on_evaluation=lambda state, evaluation: found.append(evaluation.step)),
        save=tmp_path / "run.state",
        **SETTINGS,
    )
    state = PLAN.start(on_message=silent)
    while not state.step():
        pass
    names = ("checkpoint.h", "run.json")
    texts = [[(tmp_path / folder / name).read_text() for name in names] for folder in ("plan", "settings")]
    assert texts[0] == texts[1]
    assert texts[0][0] == state.export_policy()
    assert json.loads(texts[0][1])["settings"] == PLAN.as_json()
    assert (steps[0], steps[-1], found) == ((0, 30), (30, 30), [20, 30])
    assert any("Step: 20/30" in line for line in lines)
    # Another plan is another run, and the same one may be trained again in its place.
    with pytest.raises(ProjectError, match="holds a run with other settings"):
        train(dataclasses.replace(PLAN, seed=5), tmp_path / "plan", on_message=silent)
    # A plan that goes on with a saved run is that run.
    longer = dataclasses.replace(PLAN, steps=40)
    train(longer, tmp_path / "resumed", files=Files(resume=tmp_path / "run.state"), on_message=silent)
    train(longer, tmp_path / "whole", on_message=silent)
    ends = [(tmp_path / name / "checkpoint.h").read_text() for name in ("resumed", "whole", "plan")]
    assert ends[0] == ends[1] != ends[2]
    assert json.loads((tmp_path / "resumed" / "run.json").read_text())["settings"] == longer.as_json()
    with pytest.raises(CheckpointError, match="holds a run of seed 4, not 5"):
        train(dataclasses.replace(PLAN, seed=5), tmp_path / "other", resume=tmp_path / "run.state")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: train(LINE, "x", stesp=1), r"train\(\) has no argument 'stesp': did you mean steps\?"),
        (lambda: train(LINE, "x", file=1), r"train\(\) has no argument 'file': did you mean files\?"),
        (lambda: run(LINE, "x", board="b", see=1), r"run\(\) has no argument 'see': did you mean seed\?"),
        (lambda: run(LINE, "x", board="b", save="f"), r"run\(\) has no argument 'save'"),
        (lambda: train(PLAN, "x", steps=1), "steps is the plan's: change it there"),
        (lambda: run(PLAN, "x", board="b", seed=1), "seed is the plan's: change it there"),
        (lambda: TrainingPlan.of(LINE, stesp=1), r"has no argument 'stesp': did you mean steps\?"),
    ],
)
def test_an_unknown_argument_and_one_besides_a_plan_are_refused(call: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call()


def test_six_parameters_are_enough() -> None:
    assert len(inspect.signature(train).parameters) == 6


def test_a_saved_run_of_iterations_goes_on_for_as_many_steps(tmp_path: Path) -> None:
    make = lambda: Line(truncate_after=7)  # noqa: E731  one line says it
    training = PPO(make, **{**SMALL_PPO, "STEP_LIMIT": 3})
    with training.State(0) as state:
        state.step()
        state.save(tmp_path / "run.state")
    plan = TrainingPlan.from_saved(tmp_path / "run.state", make)
    assert (plan.steps, plan.evaluation.enabled, plan.algorithm) == (24, False, "ppo")
    state = plan.start(on_message=silent, resume=tmp_path / "run.state")
    assert (state.step_count, state.step_limit) == (8, 24)
    longer = TrainingPlan.from_saved(tmp_path / "run.state", make, steps=32)
    assert longer.start(on_message=silent, resume=tmp_path / "run.state").step_limit == 32
    with pytest.raises(CheckpointError, match="cannot go on so: STEP_LIMIT is the number of steps"):
        TrainingPlan.from_saved(tmp_path / "run.state", make, options={"STEP_LIMIT": 9})


def test_a_run_of_a_plan_is_called_off_by_its_preflight(tmp_path: Path) -> None:
    def refuse(policy: rltools_embed.Policy) -> None:
        raise ProjectError(f"{policy.observation_dim} observations are too many")

    for arguments in ({"preflight": refuse}, {"hooks": Hooks(preflight=refuse)}):
        with pytest.raises(ProjectError, match="2 observations are too many"):
            train(PLAN, tmp_path / "run", **{"on_message": silent, **arguments})  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
