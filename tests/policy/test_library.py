"""The C++ library, compiled natively, against the Python references and the public interface of the design."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from rltools_embed import process, resources
from rltools_embed.policy import checkpoint, reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import Activation
from rltools_embed.policy.model import Policy
from tests import policies
from tests.cases import every_second
from tests.cpp_program import COMPILERS, compile_program

# Reads observations from stdin as raw float32, writes actions, the trace of each, and the digest.
EVALUATOR = """
#include <rl_tools/operations/arm.h>
#include <rl_tools/operations/cpu.h>
#include <rl_tools/devices/esp32.h>
#include <rl_tools/devices/riscv.h>
#include <rl_tools/embed/policy.h>
#include "checkpoint.h"
#include <cstdio>
using P = rl_tools::embed::Policy<DEVICE, policy::Checkpoint>;
int main() {
    float observation[P::observation_dim], action[P::action_dim], layer[P::widest_layer];
    uint8_t digest[32];
    uint32_t examples = 0;
    const uint32_t mismatches = P::self_test(examples);
    P::digest(digest);
    for (const uint8_t byte : digest) printf("%02x", byte);
    printf(" %u %u\\n", unsigned(examples), unsigned(mismatches));
    while (fread(observation, sizeof observation, 1, stdin) == 1) {
        P::evaluate(observation, action);
        fwrite(action, sizeof action, 1, stdout);
        for (uint32_t i = 0; i < P::layer_count; i++) {
            const uint32_t width = P::trace(i, observation, layer);
            fwrite(layer, sizeof(float), width, stdout);
        }
    }
}
"""

MODES = {Arithmetic.SEPARATE: "rl_tools::arithmetic::Separate", Arithmetic.FUSED: "rl_tools::arithmetic::Fused"}
POLICIES = {
    "sac": policies.sac_policy(),
    "td3": policies.td3_policy(),
    "ppo": policies.ppo_policy(),
    "gru": policies.gru_policy(),
    **{activation.name.lower(): policies.activation_policy(activation) for activation in Activation},
}


def observations_for(policy: Policy, count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(5)
    n = policy.observation_dim
    tiny = np.float32(1e-40)
    special = np.array([0.0, -0.0, tiny, -tiny, 1e-30, 1e4, -1e4, 1e20, -1e30, 3e38], np.float32)
    edges = np.array([rng.choice(special, n) for _ in range(count // 4)], np.float32)
    return np.concatenate([rng.normal(size=(count, n)).astype(np.float32), edges])


def run_evaluator(
    tmp_path: Path, policy: Policy, mode: Arithmetic, device: str, compiler: str, flags: tuple[str, ...]
) -> tuple[list[str], np.ndarray, tuple[np.ndarray, ...]]:
    (tmp_path / "checkpoint.h").write_text(checkpoint.dumps(policy), encoding="utf-8")
    source = tmp_path / "evaluator.cpp"
    source.write_text(EVALUATOR.replace("DEVICE", f"rl_tools::devices::{device}<{MODES[mode]}>"), encoding="utf-8")
    program = compile_program(source, tmp_path / "evaluator", compiler=compiler, flags=flags)
    observations = observations_for(policy)
    done = subprocess.run([program], input=observations.tobytes(), capture_output=True, check=True)
    head, _, body = done.stdout.partition(b"\n")
    widths = [layer.output_dim for layer in policy.primitives]
    rows = np.frombuffer(body, np.float32).reshape(len(observations), policy.action_dim + sum(widths))
    parts = np.split(rows, np.cumsum([policy.action_dim, *widths])[:-1], axis=1)
    return head.decode().split(), parts[0], tuple(parts[1:])


def assert_same_bits(found: np.ndarray, expected: np.ndarray) -> None:
    differ = (found.view(np.uint32) != expected.view(np.uint32)) & ~(np.isnan(found) & np.isnan(expected))
    assert not differ.any(), f"{differ.sum()} of {differ.size} differ, first at {np.argwhere(differ)[0]}"


@pytest.mark.parametrize("mode", Arithmetic)
@pytest.mark.parametrize("name", POLICIES)
def test_library_and_reference_give_the_same_bits(tmp_path: Path, name: str, mode: Arithmetic) -> None:
    policy = POLICIES[name]
    head, actions, trace = run_evaluator(tmp_path, policy, mode, "Generic", COMPILERS[0], ("-O1",))
    observations = observations_for(policy)
    assert head == [digest(policy), "8", "0"]
    assert_same_bits(actions, reference.evaluate(policy.layers, observations, mode))
    for found, expected in zip(trace, reference.trace(policy.layers, observations, mode), strict=True):
        assert_same_bits(found, expected)


TAGS = (
    "CortexM0Plus",
    "CortexM3",
    "CortexM4F",
    "CortexM7F",
    "CortexM33",
    "CortexM55",
    "RISCV",
    "RISCVF",
    "XtensaF",
    "Xtensa",
    "CPU",
)


# Off the core, a tag still means its layout: panels that the compiler made of the checkpoint's rows, and their digest.
@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("name", ["td3", "ppo"])
def test_every_tag_gives_the_same_bits_and_digest(tmp_path: Path, name: str, tag: str) -> None:
    policy = POLICIES[name]
    compiler = COMPILERS[TAGS.index(tag) % len(COMPILERS)]
    head, actions, trace = run_evaluator(tmp_path, policy, Arithmetic.SEPARATE, tag, compiler, ("-O2",))
    observations = observations_for(policy)
    assert head == [digest(policy), "8", "0"]
    assert_same_bits(actions, reference.evaluate(policy.layers, observations, Arithmetic.SEPARATE))
    for found, expected in zip(trace, reference.trace(policy.layers, observations, Arithmetic.SEPARATE), strict=True):
        assert_same_bits(found, expected)


# -ffp-contract=fast with -march=native invites the compiler to fuse: the library must not let it.
FLAGS = (("-O0",), ("-O3",), ("-O3", "-march=native", "-ffp-contract=fast"))


@pytest.mark.parametrize(
    ("name", "device", "compiler", "flags"), every_second(("sac", "ppo", "gru"), ("Generic", "ARM"), COMPILERS, FLAGS)
)
def test_compiler_flags_change_no_bit(
    tmp_path: Path, name: str, device: str, compiler: str, flags: tuple[str, ...]
) -> None:
    policy = POLICIES[name]
    _, actions, _ = run_evaluator(tmp_path, policy, Arithmetic.SEPARATE, device, compiler, flags)
    expected = reference.evaluate(policy.layers, observations_for(policy), Arithmetic.SEPARATE)
    assert_same_bits(actions, expected)


def test_the_two_modes_differ() -> None:
    policy = POLICIES["sac"]
    observations = observations_for(policy)
    separate, fused = (reference.evaluate(policy.layers, observations, mode) for mode in Arithmetic)
    assert (separate != fused).mean() > 0.3  # 89 % of outputs of such a net were seen to differ


def test_fast_math_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "fast.cpp"
    source.write_text("#include <rl_tools/rl_tools.h>\nint main() {}\n", encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match="-ffast-math"):
        compile_program(source, tmp_path / "fast", flags=("-ffast-math",))


def test_a_gcc_that_is_too_old_is_refused_by_one_line(tmp_path: Path) -> None:
    source = tmp_path / "old.cpp"
    source.write_text("#include <rl_tools/rl_tools.h>\nint main() {}\n", encoding="utf-8")
    claims = [("-U__GNUC__", f"-D__GNUC__={version}") for version in (7, 8)]
    include = ("-E", "-I", str(resources.include_dir()))

    old, new = (process.run(["g++", "-std=c++17", *include, *flags, source]) for flags in claims)

    assert old.exit_code != 0
    assert "GCC is older than 8" in old.output
    assert "platform_packages" in old.output
    assert new.exit_code == 0, new.output


DESIGN_PROGRAM = (Path(__file__).parent.parent / "cpp" / "design_program.cpp").read_text(encoding="utf-8")


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", ["sac", "td3", "ppo"])
def test_program_of_the_design_compiles_verbatim_and_runs(tmp_path: Path, name: str, compiler: str) -> None:
    policy = POLICIES[name]
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (tmp_path / "pendulum_ppo_checkpoint.h").write_text(checkpoint.dumps(policy), encoding="utf-8")
    (folder / "main.cpp").write_text(DESIGN_PROGRAM, encoding="utf-8")
    program = compile_program(folder / "main.cpp", tmp_path / "program", compiler=compiler)
    printed = subprocess.run([program], capture_output=True, check=True, text=True).stdout
    rows = [line.split() for line in printed.removeprefix("Result: ").splitlines()]
    assert len(rows) == 15
    assert all(len(row) == policy.action_dim and np.isfinite(np.float32(row)).all() for row in rows)


def headers() -> list[Path]:
    """All but the bindings, which need pybind11; tests/training compiles them."""
    root = resources.include_dir()
    found = (path.relative_to(root) for path in sorted((root / "rl_tools").rglob("*.h")))
    return [header for header in found if "bindings" not in header.parts]


def check_syntax(folder: Path, compiler: str, included: Iterable[Path]) -> None:
    source = folder / "headers.cpp"
    lines = (f"#include <{header}>" for header in included)
    source.write_text("\n".join((*lines, "int main() {}", "")), encoding="utf-8")
    compile_program(source, folder / "headers", compiler=compiler, flags=("-fsyntax-only",))


def test_every_header_compiles_alone(tmp_path: Path) -> None:
    for header in headers():
        check_syntax(tmp_path, COMPILERS[0], (header, header))


# What a header includes itself is the same for all compilers; what they warn of is not.
@pytest.mark.parametrize("compiler", COMPILERS)
def test_headers_compile_in_any_order(tmp_path: Path, compiler: str) -> None:
    for order in (headers(), headers()[::-1]):
        check_syntax(tmp_path, compiler, order)


def test_a_header_that_relies_on_another_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "needs.h").write_text("inline float f(float x) { return rl_tools::math::tanh(x); }\n", encoding="utf-8")
    check_syntax(tmp_path, COMPILERS[0], (Path("rl_tools/math/functions.h"), tmp_path / "needs.h"))
    with pytest.raises(pytest.fail.Exception, match="rl_tools"):
        check_syntax(tmp_path, COMPILERS[0], (tmp_path / "needs.h",))


def test_a_module_of_a_chain_is_found_by_its_type(tmp_path: Path) -> None:
    source = tmp_path / "get.cpp"
    program = """\
#include <rl_tools/nn/chain.h>
template <int NUMBER>
struct Module {
    static constexpr int INPUT_DIM = 1, OUTPUT_DIM = 1;
    int value;
};
using Two = rl_tools::nn::Chain<Module<0>, Module<1>>;
constexpr Two modules{{5}, {{7}}};
static_assert(rl_tools::nn::get<Module<0>>(modules).value == 5, "the first");
static_assert(rl_tools::nn::get<Module<1>>(modules).value == 7, "the last");
"""
    source.write_text(program, encoding="utf-8")
    compile_program(source, tmp_path / "get", flags=("-fsyntax-only",))

    source.write_text(f"{program}int f() {{ return rl_tools::nn::get<Module<2>>(modules).value; }}\n", encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match="the chain has no module of this type"):
        compile_program(source, tmp_path / "get", flags=("-fsyntax-only",))
