"""What depends on a size is on the heap: the largest training needs no more of the stack than a small one."""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pybind11
import pytest
from training_envs import SILENT

from rltools_embed import process, resources
from rltools_embed.training import PPO
from rltools_embed.training.ppo import PpoOptions
from tests.cpp_program import COMPILERS

FRAMES = Path(__file__).parent.parent / "cpp" / "training" / "frames.cpp"
PYTHON = sysconfig.get_path("include")
LARGEST_DIM, LARGEST_BATCH, MOST_ENVIRONMENTS = 4096, 16384, 4096
# Bytes that one function may have on the stack: room for a few vectors of the CPU, not for an array of numbers.
LIMIT = 4096


@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_function_has_an_array_of_the_trainings_sizes_on_the_stack(tmp_path: Path, compiler: str) -> None:
    sizes = (f"-DLARGEST_DIM={LARGEST_DIM}", f"-DLARGEST_BATCH={LARGEST_BATCH}")
    flags = (
        "-std=c++17",
        "-O0",
        "-c",
        "-fvisibility=hidden",
        *sizes,
        f"-DMOST_ENVIRONMENTS={MOST_ENVIRONMENTS}",
        "-DSEEDED_FAULT",
    )
    warnings = ("-Wall", "-Wextra", f"-Wframe-larger-than={LIMIT}")
    includes = (f"-I{resources.include_dir()}", *(f"-isystem{path}" for path in (pybind11.get_include(), PYTHON)))
    command = [compiler, *flags, *warnings, *includes, FRAMES, "-o", tmp_path / "frames.o"]
    done = process.run(command)
    assert done.exit_code == 0, done.output
    warned = [line for line in done.output.splitlines() if "warning:" in line]
    # The one function that the program adds to ours.
    assert len(warned) == 1, done.output
    assert "frame size" in warned[0]
    assert "sum_of_a_row" in done.output


@pytest.mark.parametrize(
    ("option", "largest"),
    [("ACTOR_HIDDEN_DIM", LARGEST_DIM), ("BATCH_SIZE", LARGEST_BATCH), ("N_ENVIRONMENTS", MOST_ENVIRONMENTS)],
)
def test_no_option_allows_a_larger_size(option: str, largest: int) -> None:
    with pytest.raises(ValueError, match=option):
        PpoOptions(**{option: largest + 1})


ENVIRONMENT = """\
#include <rl_tools/rl/environment.h>

struct Environment {
    static constexpr size_t OBSERVATION_DIM = 600;
    static constexpr size_t ACTION_DIM = 1;
    float position = 0;
    void reset(rl_tools::random::Engine& random) { position = rl_tools::random::uniform(random); }
    void observe(float (&observation)[OBSERVATION_DIM]) const {
        for (float& number : observation) {
            number = position;
        }
    }
    rl_tools::rl::StepResult step(const float (&action)[ACTION_DIM], rl_tools::random::Engine&) {
        position += 0.01F * action[0];
        return {-position * position, false, false};
    }
};
"""


def test_ppo_trains_on_thousands_of_environments_with_wide_observations(tmp_path: Path) -> None:
    (tmp_path / "environment.h").write_text(ENVIRONMENT, encoding="utf-8")
    sizes = {"ACTOR_HIDDEN_DIM": 8, "CRITIC_HIDDEN_DIM": 8, "N_ENVIRONMENTS": MOST_ENVIRONMENTS}
    steps = {"ON_POLICY_RUNNER_STEPS_PER_ENV": 1, "TOTAL_STEP_LIMIT": MOST_ENVIRONMENTS, "N_EPOCHS": 1}
    environment = {"path": tmp_path, "observation_dim": 600, "action_dim": 1}
    with PPO(environment, **sizes, **steps, **SILENT).State(0) as state:
        assert state.step()
        assert state.step_count == MOST_ENVIRONMENTS
