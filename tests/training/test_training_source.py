"""Sources of environments: three kinds behind one protocol, a fourth without a change, and no trainer behind them."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from training_envs import SMALL, SMALL_PPO, Line

import rltools_embed.compiling
import rltools_embed.environments
from rltools_embed.environments.cpp_environment import CppEnvironment
from rltools_embed.environments.environment import Environment
from rltools_embed.environments.episodes import OneAtATime
from rltools_embed.environments.side_by_side import OneByOne, SideBySide
from rltools_embed.environments.source import PythonEnvironments, Source, source_of
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.environments.vector import VectorEnvironments
from rltools_embed.training import PPO, SAC

single = partial(Line, truncate_after=7)
CPP = {
    "path": Path(__file__).resolve().parents[2] / "examples" / "cpp_environment",
    "observation_dim": 3,
    "action_dim": 1,
}


@pytest.mark.parametrize(
    ("given", "kind", "count", "sizes"),
    [
        (single, PythonEnvironments, None, (2, 1)),
        (lambda: SyncVectorEnv([single] * 3), VectorEnvironments, 3, (2, 1)),
        (CPP, CppEnvironment, None, (3, 1)),
    ],
)
def test_each_kind_gives_its_spec_its_count_and_its_translation_unit(
    given: Any, kind: type, count: int | None, sizes: tuple[int, int]
) -> None:
    source = source_of(given)
    assert type(source) is kind
    assert source_of(source) is source
    assert (source.count, (source.spec.observation_dim, source.spec.action_dim)) == (count, sizes)
    assert (source.translation_unit() is not None) == (kind is CppEnvironment)


def test_a_factory_is_called_once_to_look_at_it_when_a_run_is_loaded(tmp_path: Path) -> None:
    made: list[Line] = []

    def make() -> Line:
        made.append(single())
        return made[-1]

    state = SAC(make, **SMALL).State(0)
    state.save(tmp_path / "run.state")
    made.clear()
    SAC.load(tmp_path / "run.state", make, **SMALL)
    assert len(made) == 2  # one to look at, one to train in


@dataclass(frozen=True)
class Recorded:
    """A fourth kind of source: environments that keep the seeds of all of them."""

    seeds: list[Any]
    spec: EnvSpec
    count: None = None

    def translation_unit(self) -> None:
        """None: they are Python's."""

    def make_evaluator(self, compiled: Any, episode_step_limit: int | None) -> OneAtATime:
        return OneAtATime(self._made(), episode_step_limit)

    def make_side_by_side(self, compiled: Any, count: int, episode_step_limit: int | None) -> SideBySide:
        return OneByOne([self._made() for _ in range(count)], episode_step_limit, compiled.Stepper)

    def _made(self) -> Environment:
        line = single()
        line.seeds = self.seeds
        return Environment(lambda: line, self.spec)


def test_another_kind_of_source_is_one_class_and_trains_as_a_factory_does() -> None:
    options = {**SMALL_PPO, "enable_evaluation": True, "num_evaluation_episodes": 2}
    seeds: list[Any] = []
    recorded = Recorded(seeds, source_of(single).spec)
    assert isinstance(recorded, Source)
    ends = []
    for given in (single, recorded):
        state = PPO(given, **options).State(3)
        while not state.step():
            pass
        ends.append((state.export_policy(), state.learning_curve, state.episodes))
    assert ends[0] == ends[1]
    assert len([seed for seed in seeds if seed is not None]) == 4  # two to train in, two evaluations


class Counted(SideBySide):
    """Counts rewards that are its actions; nothing else happens."""

    def act(self, actions: Any, steps_before: int) -> None:
        self.terminated[:] = self.truncated[:] = False
        self.count(actions[:, 0].astype(np.float64))


def test_an_episodes_steps_are_counted_in_float64_and_cut_at_the_limit() -> None:
    environments = Counted((), 3, count=2, spec=source_of(single).spec)
    rewards = np.array([[0.1], [1e9]], np.float32)
    found = []
    for step in range(0, 14, 2):
        environments.act(rewards, step)
        if step == 2:  # an episode of one environment alone goes on
            environments.count(0.5, 1)
        found += environments.proceed(step, reset=False)
    reported = [(episode.total_reward, episode.length, episode.end_step) for episode in found]
    tenth = float(np.float32(0.1))
    assert reported[0] == (3e9 + 0.5 - 1e9, 3, 4)
    assert reported[1] == (tenth + tenth + tenth, 3, 5)
    assert [length for _, length, _ in reported] == [3] * len(reported)
    assert isinstance(reported[0][0], float)


def imported(modules: list[str], but: str = "") -> list[str]:
    """What a fresh process has of training after it has imported these modules."""
    program = (
        f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\n{but}\n"
        "print(sorted(name for name in sys.modules if name.startswith('rltools_embed.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names: list[str] = eval(done.stdout)
    return [name for name in names if name.split(".")[1] in ("training", "pipeline", "cli", "validation")]


def test_environments_and_compiling_import_nothing_of_training() -> None:
    packages = (rltools_embed.environments, rltools_embed.compiling)
    modules = [
        f"{package.__name__}.{module.name}" for package in packages for module in pkgutil.iter_modules(package.__path__)
    ]
    assert len(modules) > 12
    assert imported(modules) == []
    assert "rltools_embed.training.sac" in imported(modules, "from rltools_embed.training import SAC")


def test_the_compiler_knows_no_algorithm() -> None:
    for path in Path(rltools_embed.compiling.__file__).parent.glob("*.py"):
        text = path.read_text(encoding="utf-8").lower()
        assert not [name for name in ("sac", "td3", "ppo", "rl/algorithms") if name in text]
