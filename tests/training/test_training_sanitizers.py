"""Whole training runs under the address and undefined-behaviour sanitizers, saved and resumed on the way."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from training_envs import SMALL, SMALL_PPO, Line

from rltools_embed import process, resources
from rltools_embed.training import PPO, SAC, TD3, EnvSpec, Training
from tests.cases import every_second

SOURCE = Path(__file__).parent.parent / "cpp" / "training" / "run.cpp"
COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]
FLAGS = ("-std=c++17", "-g", "-O0", "-march=native", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# Of hidden layers, batches and outputs that are no multiple of a vector.
ODD = {"ACTOR_HIDDEN_DIM": 19, "CRITIC_HIDDEN_DIM": 17}
OFF_POLICY = {**SMALL, **ODD, "ACTOR_BATCH_SIZE": 21, "CRITIC_BATCH_SIZE": 21, "REPLAY_BUFFER_CAP": 40}
OPTIONS: dict[type[Training], dict[str, Any]] = {
    SAC: {**OFF_POLICY, "N_WARMUP_STEPS": 10},
    TD3: {**OFF_POLICY, "N_WARMUP_STEPS": 10},
    PPO: {**SMALL_PPO, **ODD, "NORMALIZE_OBSERVATIONS": True},
}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "compiler"), every_second(OPTIONS, COMPILERS))
def test_no_sanitizer_complains_about_a_whole_run(kind: type[Training], compiler: str, tmp_path: Path) -> None:
    options = OPTIONS[kind]
    algorithm = kind.check_options({name: value for name, value in options.items() if name.isupper()})
    spec = EnvSpec.from_env(Line(action_space=spaces.Box(-2, 3, (2,), np.float32)))
    (unit := tmp_path / "a unit.cpp").write_text(algorithm.translation_unit(spec))
    include, define = f"-I{resources.include_dir()}", f'-DTRAINER="{unit}"'
    built = process.run([compiler, *FLAGS, include, define, SOURCE, "-o", tmp_path / "run"], timeout_s=600)
    assert built.exit_code == 0, built.output
    settings = "".join(f"{name} {float(value)!r}\n" for name, value in algorithm.settings(spec).items())
    (tmp_path / "settings").write_text(settings)
    done = process.run(["sh", "-c", f'"{tmp_path / "run"}" < "{tmp_path / "settings"}"'], timeout_s=600)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("same ")
