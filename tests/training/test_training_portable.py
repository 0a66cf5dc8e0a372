"""The headers without GNU's extensions, as Microsoft's compiler reads them: what can be known of that without it."""

from __future__ import annotations

import re
import shutil
import sysconfig
from pathlib import Path

import numpy as np
import pybind11
import pytest
from stand_in_cl import stand_in_cl
from training_envs import SMALL, Line, small

from rltools_embed import load_checkpoint, process, resources
from rltools_embed.compiling.cache import ENVIRONMENT_VARIABLE
from rltools_embed.environments.cpp_environment import CppEnvironment
from rltools_embed.policy import checkpoint
from rltools_embed.training import PPO, SAC, TD3, EnvSpec, Training
from tests import policies
from tests.cpp_program import COMPILERS

PORTABLE = "-DRL_TOOLS_NO_GNU_EXTENSIONS"
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cpp_environment"
PENDULUM = {"path": EXAMPLE, "observation_dim": 3, "action_dim": 1}
INCLUDE = re.compile(r"^#include <([a-z_]+(?:\.h)?)>", re.MULTILINE)
BUILTINS = (
    "clz clzl clzll constant_p convertvector ctz ctzll expect fabsf fma fmaf frame_address memcpy memset popcount "
    "prefetch shuffle shufflevector sqrt sqrtf unreachable"
)
FOREIGN_WORDS = (
    "asm __asm __asm__ __attribute __attribute__ __extension__ __int128 __inline__ __restrict__ __typeof__ typeof gnu "
    "ssize_t M_PI " + " ".join(f"__builtin_{name}" for name in BUILTINS.split())
)
# Those of <windows.h> that are words of everybody's.
WINDOWS_MACROS = {
    "min(a, b)": "(((a) < (b)) ? (a) : (b))",
    "max(a, b)": "(((a) > (b)) ? (a) : (b))",
    "small": "char",
    "interface": "struct",
    "ERROR": "0",
    "IGNORE": "0",
    "DELETE": "0x00010000L",
    **dict.fromkeys(("near", "far", "IN", "OUT", "OPTIONAL", "CONST"), ""),
}
INFERENCE = """
#include <rl_tools/operations/cpu.h>
#include <rl_tools/embed/policy.h>
#include <rl_tools/embed/control_loop.h>
#include "checkpoint.h"
using Policy = rl_tools::embed::Policy<rl_tools::devices::DefaultCPU, policy::Checkpoint>;
struct Board { static uint32_t micros() { return 0; } static void feed_watchdog() {} };
struct Control : rl_tools::embed::MiddleAsFallback<Policy> {
    static constexpr uint32_t period_us = 10'000, timeout_us = 30'000;
    static constexpr float margin = 0.05F;
};
rl_tools::embed::ControlLoop<Policy, Board, Control> control;
int main() {
    rl_tools::devices::DefaultCPU device;
    auto engine = rl_tools::random::default_engine(device.random, 1);
    decltype(policy::module)::Buffer<2> buffer;
    rl_tools::MatrixStatic<rl_tools::matrix::Specification<float, size_t, 2, policy::MODEL::INPUT_DIM>> input;
    rl_tools::MatrixStatic<rl_tools::matrix::Specification<float, size_t, 2, policy::MODEL::OUTPUT_DIM>> output;
    rl_tools::randn(device, input, engine);
    rl_tools::evaluate(device, policy::module, input, output, buffer, engine, rl_tools::mode::Sample{});
    rl_tools::print(device, output);
    uint32_t examples = 0;
    const bool good = control.step() != rl_tools::embed::Step::policy && Policy::self_test(examples) == 0;
    return good ? 0 : 1;
}
"""


def prelude(include: Path) -> str:
    """Every standard header of the library, and from then on only what is C++17, amid the macros of Windows."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((include / "rl_tools").rglob("*.h"))]
    headers = sorted({name for text in texts for name in INCLUDE.findall(text)})
    macros = [f"#define {name} {text}" for name, text in WINDOWS_MACROS.items()]
    poison = ("#undef M_PI", f"#pragma GCC poison {FOREIGN_WORDS}")
    return "\n".join([*(f"#include <{name}>" for name in headers), *macros, *poison, ""])


def trainer(kind: type[Training]) -> str:
    algorithm = kind.check_options({name: value for name, value in small(kind).items() if name.isupper()})
    return algorithm.translation_unit(EnvSpec.from_env(Line()))


def write_units(folder: Path, include: Path) -> list[Path]:
    """A program for each of our uses on a host."""
    texts = {kind.__name__: trainer(kind) for kind in (SAC, TD3, PPO)}
    (folder / "checkpoint.h").write_text(checkpoint.dumps(policies.ppo_policy()), encoding="utf-8")
    texts["inference"] = INFERENCE
    texts["environment"] = CppEnvironment.from_mapping(PENDULUM).translation_unit()
    texts["bindings"] = "#include <rl_tools/bindings/python.h>\n"
    for name, text in texts.items():
        first = "#include <pybind11/pytypes.h>\n" if name == "bindings" else ""
        (folder / f"{name}.cpp").write_text(first + prelude(include) + text, encoding="utf-8")
    return [folder / f"{name}.cpp" for name in texts]


def check(compiler: str, source: Path, include: Path, *flags: str) -> process.Completed:
    python = (f"-isystem{pybind11.get_include()}", f"-isystem{sysconfig.get_path('include')}")
    command = (compiler, "-std=c++17", "-fsyntax-only", PORTABLE, *flags, f"-I{include}", f"-I{source.parent}", *python)
    return process.run([*command, source], timeout_s=300)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_host_program_is_plain_cpp17(compiler: str, tmp_path: Path) -> None:
    warnings = ("-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-fvisibility=hidden")
    for source in write_units(tmp_path, resources.include_dir()):
        done = check(compiler, source, resources.include_dir(), *warnings)
        assert done.exit_code == 0, f"{source.name}: {done.output[:4000]}"


@pytest.mark.parametrize(
    ("header", "old", "new", "words"),
    [
        ("math/arithmetic.h", "return product;", "return __builtin_fmaf(product, 1, 0);", "poisoned"),
        ("rl/nn/adam.h", "RL_TOOLS_NOINLINE void", "__attribute__((noinline)) void", "poisoned"),
        ("rl/nn/gemm.h", "Narrow narrow_line;", "T zero[0]; Narrow narrow_line;", "zero-size"),
        (
            "random/random.h",
            "const uint32_t t ",
            "const uint32_t small = 0; const uint32_t t ",
            "expected unqualified-id",
        ),
    ],
)
@pytest.mark.skipif(COMPILERS[0] != "g++", reason="the words are GCC's")
def test_what_is_not_cpp17_is_found(header: str, old: str, new: str, words: str, tmp_path: Path) -> None:
    shutil.copytree(resources.include_dir(), tmp_path / "include")
    path = tmp_path / "include" / "rl_tools" / header
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    source = write_units(tmp_path, tmp_path / "include")[0]
    done = check("g++", source, tmp_path / "include", "-pedantic-errors")
    assert done.exit_code != 0
    assert words in done.output


@pytest.mark.skipif(not shutil.which("clang++"), reason="clang++ is not installed")
def test_clang_takes_the_headers_as_microsofts_compiler_would(tmp_path: Path) -> None:
    microsofts = ("-fms-compatibility", "-fms-extensions", "-fms-compatibility-version=19.40", "-D_MSC_VER=1940")
    templates = "-fdelayed-template-parsing"
    # What GNU's standard library needs and Clang has no more in this mode.
    library = ("-D__GCC_ATOMIC_TEST_AND_SET_TRUEVAL=1", "-D__STRICT_ANSI__")
    for source in write_units(tmp_path, resources.include_dir()):
        if source.name == "bindings.cpp":
            continue  # Python's headers for Windows are other ones
        done = check("clang++", source, resources.include_dir(), *microsofts, *library, templates)
        assert done.exit_code == 0, f"{source.name}: {done.output[:4000]}"


# Compiled as `cl` would be asked to, by a g++ that contracts where it can.
@pytest.mark.slow
@pytest.mark.skipif(COMPILERS[0] != "g++", reason="the stand-in calls g++")
def test_a_portable_training_exports_the_policy_that_acts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RL_TOOLS_COMPILER", str(stand_in_cl(tmp_path / "a folder")))
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path / "the cache"))
    state = SAC(PENDULUM, **{**SMALL, "ACTOR_HIDDEN_DIM": 19, "N_WARMUP_STEPS": 10}).State(0)
    before = state.export_policy()
    while not state.step():
        pass
    exported = state.export_policy()
    assert exported != before
    policy = load_checkpoint(exported)
    observations = np.random.default_rng(3).normal(size=(100, 3)).astype(np.float32)
    actions = np.array([state.action(observation) for observation in observations])
    assert actions.tobytes() == policy(observations).tobytes()
    # The linker's by-products are gone.
    assert {path.suffix for path in (tmp_path / "the cache" / "files").iterdir()} <= {".o", ".so", ".sha256", ".lock"}
