"""A `Training` and a plan in another process; what is bound to its process refuses to leave it."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from training_envs import SILENT, Line, small

from rltools_embed import PPO, SAC, TD3, TrainingPlan
from rltools_embed.training import Training

HERE = Path(__file__).resolve().parent
PENDULUM = {
    "path": HERE.parents[1] / "examples" / "cpp_environment",
    "observation_dim": 3,
    "action_dim": 1,
    "action_low": -2.0,
    "action_high": 2.0,
}
# What a program in another process does with each pickle that it is given: unpickle, train, export.
PROGRAM = """\
import pathlib, pickle, sys
from rltools_embed import TrainingPlan
for name in sys.argv[1:]:
    found = pickle.loads(pathlib.Path(name).read_bytes())
    state = found.start() if isinstance(found, TrainingPlan) else found.State(3)
    while not state.step():
        pass
    pathlib.Path(name).with_suffix(".h").write_text(state.export_policy())
"""


def make_line() -> Line:
    return Line(truncate_after=7)


def silent(line: str) -> None:
    """Takes a line. A lambda could not be pickled."""


def trained(training: Training) -> str:
    state = training.State(3)
    while not state.step():
        pass
    return state.export_policy()


def options(kind: type[Training]) -> dict[str, Any]:
    return {**small(kind), **SILENT, "on_message": silent}


def in_another_process(folder: Path, pickles: dict[str, bytes], python_path: tuple[Path, ...] = (HERE,)) -> list[str]:
    """The checkpoints that a process makes of these pickles; it knows the modules in `python_path`, and this cache."""
    for name, content in pickles.items():
        (folder / name).with_suffix(".pickle").write_bytes(content)
    paths = [(folder / name).with_suffix(".pickle") for name in pickles]
    python_path_text = os.pathsep.join((*map(str, python_path), os.environ.get("PYTHONPATH", ""), str(HERE.parents[1])))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *paths],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": python_path_text},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [path.with_suffix(".h").read_text() for path in paths]


def test_a_training_and_a_plan_are_trained_in_another_process_with_the_same_bits(tmp_path: Path) -> None:
    pickles: dict[str, bytes] = {}
    expected: list[str] = []
    for kind in (SAC, TD3, PPO):
        by_name, by_value = kind(make_line, **options(kind)), kind(lambda: make_line(), **options(kind))
        pickles[f"{kind.__name__}-name"] = pickle.dumps(by_name)
        pickles[f"{kind.__name__}-value"] = cloudpickle.dumps(by_value)
        expected += [trained(by_name)] * 2
    cpp = SAC(PENDULUM, **options(SAC))
    pickles["SAC-cpp"] = pickle.dumps(cpp)
    expected.append(trained(cpp))
    sizes = {name: value for name, value in options(SAC).items() if name.isupper() and name != "STEP_LIMIT"}
    plan = TrainingPlan(environment=make_line, options=sizes, steps=40, seed=3)
    for name, content in {"plan": pickle.dumps(plan), "plan-value": cloudpickle.dumps(plan)}.items():
        pickles[name] = content
        expected.append(expected[0])
    found = in_another_process(tmp_path, pickles)
    for name, text, other in zip(pickles, found, expected, strict=True):
        # The mean return stands in a comment, and a plan evaluates.
        assert numbers(text) == numbers(other), name


def numbers(checkpoint: str) -> list[str]:
    """The lines that hold a policy's numbers."""
    found = [line for line in checkpoint.splitlines() if "{" in line or line.strip()[:1] in "-0123456789."]
    assert len(found) > 10
    return [line for line in found if "mean_return" not in line]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ({}, "this SAC cannot be pickled: env_factory is nothing that another process can import"),
        ({"on_message": lambda line: None}, "on_message is nothing that another process can import"),
    ],
)
def test_a_function_without_a_name_needs_cloudpickle(argument: dict[str, Any], words: str) -> None:
    factory: Callable[[], Line] = make_line if argument else lambda: make_line()
    training = SAC(factory, **{**options(SAC), **argument})
    for dump in (pickle.dumps, lambda each: pickle._dumps(each)):  # type: ignore[attr-defined]  # Python's own, too
        with pytest.raises(pickle.PicklingError, match=words) as caught:
            dump([training])
        assert str(caught.value).endswith("define it with def at the top of a module, or use cloudpickle")
        assert "\n" not in str(caught.value)
    assert cloudpickle.loads(cloudpickle.dumps([training]))[0].spec == training.spec
    if not argument:
        plan = TrainingPlan(environment=factory)
        with pytest.raises(pickle.PicklingError, match="this TrainingPlan cannot be pickled: environment is nothing"):
            pickle.dumps(plan)
        assert cloudpickle.loads(cloudpickle.dumps(plan)).seed == 0


def test_a_copy_of_a_training_is_itself() -> None:
    training = SAC(lambda: make_line(), **options(SAC))
    assert copy.deepcopy([training])[0] is copy.copy(training) is training


@pytest.mark.parametrize("leave", [pickle.dumps, cloudpickle.dumps, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("kind", [SAC, TD3, PPO])
def test_a_state_stays_and_names_what_to_do(kind: type[Training], leave: Callable[[object], object]) -> None:
    state = kind(make_line, **options(kind)).State(0)
    with pytest.raises(TypeError) as caught:
        leave(state)
    assert str(caught.value) == (
        "a State is neither pickled nor copied: state.save(path) writes the whole run, "
        f"and {kind.__name__}.load(path, env_factory) goes on with it"
    )


@pytest.mark.parametrize("leave", [pickle.dumps, cloudpickle.dumps])
def test_what_else_holds_compiled_code_is_refused_when_it_is_pickled(leave: Callable[[object], object]) -> None:
    python, cpp = (SAC(given, **options(SAC)) for given in (make_line, PENDULUM))
    state, cpp_state = python.State(0), cpp.State(0)
    holders = [python.compiled, python.compiled.interface, state._trainer, state._act]
    holders += [cpp_state._environments, cpp.compiled.make_evaluator()]
    for holder in holders:
        with pytest.raises(TypeError, match=r"cannot pickle 'rl_tools_interface\.|compiled code stays in its process"):
            leave(holder)
