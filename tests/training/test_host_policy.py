"""The policy as its trainer evaluates it: the bits of the library's generic kernels, and never an older policy's."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from training_envs import Line, small

from rltools_embed import process
from rltools_embed.training import PPO, SAC, TD3, Training
from tests.cpp_program import COMPILERS, compile_program

SOURCE = Path(__file__).parent.parent / "cpp" / "training" / "host_policy.cpp"
PORTABLE = "-DRL_TOOLS_NO_GNU_EXTENSIONS"
SHORT = ("-O2",)
X86 = platform.machine() in {"x86_64", "AMD64"}
CONTRACTING = ("-O2", "-mavx2", "-mfma", "-ffp-contract=fast") if X86 else SHORT
NATIVE = ("-O2", "-march=native", "-ffp-contract=fast") if X86 else SHORT


def check(folder: Path, compiler: str, *flags: str) -> process.Completed:
    return process.run([compile_program(SOURCE, folder / "check", compiler=compiler, flags=flags)], timeout_s=300)


FLAGS = {
    "short": SHORT,
    "contracting": CONTRACTING,
    "native": NATIVE,
    "portable": (*CONTRACTING, PORTABLE),
    "sanitized": ("-O0", "-g", "-fsanitize=address,undefined"),
}
# The vectors' width is the same in these as in one beside them: by `make test-all`.
LONG = {("short", "clang++"), ("contracting", "g++"), ("portable", "clang++"), ("sanitized", "clang++")}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "compiler"),
    [
        pytest.param(
            flags, compiler, id=f"{name}-{compiler}", marks=pytest.mark.long if (name, compiler) in LONG else ()
        )
        for name, flags in FLAGS.items()
        for compiler in COMPILERS
    ],
)
def test_every_size_gives_the_bits_of_the_generic_kernels(
    flags: tuple[str, ...], compiler: str, tmp_path: Path
) -> None:
    done = check(tmp_path, compiler, *flags)
    assert done.exit_code == 0, done.output
    found = re.fullmatch(r"(\d+) outputs compared, 0 different\n", done.output)
    assert found
    assert int(found[1]) > 40_000


def test_weights_that_change_behind_the_policys_back_are_noticed(tmp_path: Path) -> None:
    done = check(tmp_path, COMPILERS[0], "-O1", "-DSEEDED_FAULT")
    assert done.exit_code == 1, done.output


@pytest.mark.parametrize("kind", [SAC, TD3, PPO])
def test_action_is_that_of_the_policy_after_each_step(kind: type[Training]) -> None:
    options = {"NORMALIZE_OBSERVATIONS": True} if kind is PPO else {"N_WARMUP_STEPS": 10}
    state = kind(Line, **{**small(kind), **options}).State(0)
    observations = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    policies = set()
    while not state.step():
        actions = [state.action(observation) for observation in observations]
        assert np.stack(actions).tobytes() == state.policy().evaluate(observations).tobytes()
        policies.add(np.stack(actions).tobytes())
    # One per iteration of PPO, one per update of the others; the last step is not compared.
    assert len(policies) == {SAC: 30, TD3: 15, PPO: 4}[kind]


# A policy of 1.4 MB on a stack of 0.5 MB, in a process of its own: an overflow ends it.
WIDE = """
import threading
from training_envs import SMALL, Line
from rltools_embed import SAC

def train():
    state = SAC(Line, **{**SMALL, "ACTOR_HIDDEN_DIM": 600, "STEP_LIMIT": 8}).State(0)
    while not state.step():
        pass
    print(state.action([0.5, 0.5]).size)

threading.stack_size(2**19)
thread = threading.Thread(target=train)
thread.start()
thread.join()
"""


def test_a_wide_policy_needs_no_stack() -> None:
    variables = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = process.run([sys.executable, "-c", WIDE], environment=variables, timeout_s=300)
    assert (done.exit_code, done.output) == (0, "1\n")
