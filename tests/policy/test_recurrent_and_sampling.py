"""Recurrent policies step by step, and actions drawn from a policy, in C++ against the host references."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rltools_embed import process, resources
from rltools_embed.errors import CheckpointError
from rltools_embed.policy import checkpoint, functions, reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.layers import Gru, SampleAndSquash, Td3Sampling, number_count
from rltools_embed.policy.model import Policy
from tests import policies
from tests.cases import every_second
from tests.cpp_program import COMPILERS, compile_program

SOURCE = Path(__file__).parent.parent / "cpp" / "episode.cpp"
ROUNDING = {Arithmetic.SEPARATE: "Separate", Arithmetic.FUSED: "Fused"}
EPISODES = 3
STEPS = 60


def run_episodes(
    tmp_path: Path, policy: Policy, mode: Arithmetic, what: str, observations: np.ndarray, compiler: str, *flags: str
) -> np.ndarray:
    """Actions (steps, EPISODES, m) of tests/cpp/episode.cpp for observations (steps, EPISODES, n)."""
    (tmp_path / "checkpoint.h").write_text(checkpoint.dumps(policy), encoding="utf-8")
    arguments = (f"-I{tmp_path}", f"-DROUNDING={ROUNDING[mode]}", *flags)
    program = compile_program(SOURCE, tmp_path / "episode", compiler=compiler, flags=arguments)
    done = subprocess.run([program, what], input=observations.tobytes(), capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.float32).reshape(*observations.shape[:2], policy.action_dim)


def episodes_for(policy: Policy, seed: int = 0) -> np.ndarray:
    """(STEPS, EPISODES, n); the third episode saturates the gates now and then."""
    observations = np.random.default_rng(seed).normal(size=(STEPS, EPISODES, policy.observation_dim))
    observations[::7, 2] *= 1e4
    return observations.astype(np.float32)


def assert_same_bits(found: np.ndarray, expected: np.ndarray) -> None:
    differ = found.view(np.uint32) != expected.view(np.uint32)
    assert not differ.any(), f"{differ.sum()} of {differ.size} differ, first at {np.argwhere(differ)[0]}"


FLAGS = (("-O0",), ("-O3", "-march=native", "-ffp-contract=fast"), ("-O2", "-fsanitize=address,undefined"))


@pytest.mark.parametrize(("compiler", "flags", "mode"), every_second(COMPILERS, FLAGS, Arithmetic))
def test_every_step_of_an_episode_has_the_reference_bits(
    tmp_path: Path, compiler: str, flags: tuple[str, ...], mode: Arithmetic
) -> None:
    policy = policies.gru_policy()
    observations = episodes_for(policy)
    found = run_episodes(tmp_path, policy, mode, "episode", observations, compiler, *flags)
    for episode in range(EPISODES):
        expected = policy.evaluate_episode(observations[:, episode], mode)
        assert_same_bits(np.ascontiguousarray(found[:, episode]), expected)


@pytest.mark.parametrize("steps", [400, pytest.param(3400, marks=pytest.mark.long)])
def test_long_episodes_have_the_reference_bits(tmp_path: Path, steps: int) -> None:
    # Three of them; a difference in any step would stay in the state.
    policy = policies.gru_policy(hidden=6)
    observations = np.random.default_rng(1).normal(size=(steps, EPISODES, 4)).astype(np.float32)
    found = run_episodes(tmp_path, policy, Arithmetic.SEPARATE, "episode", observations, COMPILERS[0], "-O2")
    for episode in range(EPISODES):
        expected = policy.evaluate_episode(observations[:, episode], Arithmetic.SEPARATE)
        assert_same_bits(np.ascontiguousarray(found[:, episode]), expected)


def test_a_model_without_memory_steps_as_it_evaluates(tmp_path: Path) -> None:
    policy = policies.sac_policy(hidden=8)
    observations = episodes_for(policy)
    found = run_episodes(tmp_path, policy, Arithmetic.SEPARATE, "episode", observations, COMPILERS[0])
    expected = policy.evaluate(observations.reshape(-1, policy.observation_dim))
    assert_same_bits(found.reshape(expected.shape), expected)
    assert not policy.is_recurrent
    assert_same_bits(policy.evaluate_episode(observations[:, 0]), policy.evaluate(observations[:, 0]))


def test_evaluate_is_one_step_from_the_initial_state_and_an_episode_remembers() -> None:
    policy = policies.gru_policy()
    observations = episodes_for(policy)[:, 0]
    alone, together = policy.evaluate(observations), policy.evaluate_episode(observations)
    assert policy.is_recurrent
    assert_same_bits(alone[0], together[0])
    assert (np.abs(alone[1:] - together[1:]).max(axis=1) > 1e-4).mean() > 0.9


def test_unit_agrees_with_its_definition_in_float64() -> None:
    layer = policies.random_gru(np.random.default_rng(3), 5, 16)
    observations = np.random.default_rng(4).normal(size=(200, 5)).astype(np.float32)
    state = layer.initial_state.astype(np.float64)[None, :]
    found = reference.evaluate_episode((layer,), observations, Arithmetic.SEPARATE)
    for observation, row in zip(observations.astype(np.float64), found, strict=True):
        x = observation[None, :]
        state, _ = reference.gru_float64(layer, x, np.zeros_like(x), state)
        # 16 products of at most one, a few places lost in each sum; the state's factor z < 1 lets errors fade.
        assert np.abs(row - state[0]).max() < 2e-6


def test_allowance_for_rounding_covers_a_gru_and_not_a_wrong_gate() -> None:
    layer = policies.random_gru(np.random.default_rng(3), 5, 16)
    observations = np.random.default_rng(4).normal(size=(500, 5)).astype(np.float32)
    exact = reference.evaluate_float64((layer,), observations)
    found = reference.evaluate((layer,), observations, Arithmetic.SEPARATE)
    assert (np.abs(found - exact.values) < exact.allowance).all()
    swapped = dataclasses.replace(layer, biases_input=np.roll(layer.biases_input, 16))
    wrong = reference.evaluate((swapped,), observations, Arithmetic.SEPARATE)
    assert (np.abs(wrong - exact.values) > 100 * exact.allowance).mean() > 0.9


def test_gates_are_in_the_order_reset_update_new() -> None:
    # One hidden number and weights that close or open one gate at a time, worked out by hand.
    def unit(**gates: tuple[float, float, float]) -> Gru:
        return Gru(
            weights_input=np.array([[w] for w in gates["input"]]),
            biases_input=np.array(gates["bias"]),
            weights_hidden=np.array([[w] for w in gates["hidden"]]),
            biases_hidden=np.zeros(3),
            initial_state=np.array([0.5]),
        )

    x = np.array([[1.0]], np.float32)
    keep = unit(input=(0, 0, 1), bias=(0, 50, 0), hidden=(0, 0, 0))
    assert reference.evaluate((keep,), x, Arithmetic.SEPARATE)[0, 0] == pytest.approx(0.5, abs=1e-6)
    forget = unit(input=(0, 0, 1), bias=(0, -50, 0), hidden=(0, 0, 1))
    assert reference.evaluate((forget,), x, Arithmetic.SEPARATE)[0, 0] == pytest.approx(np.tanh(1.25), abs=1e-6)
    closed = unit(input=(0, 0, 1), bias=(-50, -50, 0), hidden=(0, 0, 1))
    assert reference.evaluate((closed,), x, Arithmetic.SEPARATE)[0, 0] == pytest.approx(np.tanh(1.0), abs=1e-6)


def test_wrong_shapes_and_numbers_of_a_gru_are_refused() -> None:
    good = policies.random_gru(np.random.default_rng(0), 2, 3)
    arrays = {name: getattr(good, name) for name in vars(good)}
    assert number_count(good) == 9 * 2 + 9 + 9 * 3 + 9 + 3
    for name in ("weights_input", "biases_input", "weights_hidden", "biases_hidden"):
        with pytest.raises(ValueError, match=f"{name} ha"):
            Gru(**{**arrays, name: arrays[name][:-1]})
    with pytest.raises(ValueError, match="initial_state has shape"):
        Gru(**{**arrays, "initial_state": np.zeros((0,), np.float32)})
    with pytest.raises(CheckpointError, match=r"biases_hidden\[0\] is nan"):
        Gru(**{**arrays, "biases_hidden": np.full(9, np.nan)})


# The generator of rl_tools/random/random.h, written again in Python integers.


def split_mix(state: int) -> Iterator[int]:
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        yield z ^ (z >> 31)


def xoshiro128_plus_plus(seed: int) -> Iterator[int]:
    def rotated(x: int, k: int) -> int:
        return (x << k | x >> (32 - k)) % 2**32

    low, high = itertools.islice(split_mix(seed), 2)
    s = [low % 2**32, low >> 32, high % 2**32, high >> 32]
    while True:
        yield (rotated((s[0] + s[3]) % 2**32, 7) + s[0]) % 2**32
        t = s[1] << 9 & 0xFFFFFFFF
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotated(s[3], 11)


def normals(seed: int) -> Iterator[np.float32]:
    """Marsaglia's polar method in float32."""
    uniforms = (np.float32((bits >> 8) * 2.0**-24) for bits in xoshiro128_plus_plus(seed))
    one, two = np.float32(1.0), np.float32(2.0)
    while True:
        u, v = two * next(uniforms) - one, two * next(uniforms) - one
        s = u * u + v * v
        if 0 < s < 1:
            yield u * np.sqrt(-two * functions.log(np.array([s], np.float32))[0] / s)


def multiply_add(c: np.float32, a: np.float32, b: np.float32, mode: Arithmetic) -> np.float32:
    if mode is Arithmetic.SEPARATE:
        return c + a * b
    return reference.fused_multiply_add(*(np.array([number], np.float32) for number in (a, b, c)))[0]


def sampled(policy: Policy, observations: np.ndarray, mode: Arithmetic) -> np.ndarray:
    """What mode::Sample must give, observation after observation, with a generator of seed 7."""
    noise = normals(7)
    heads = reference.trace(policy.layers, observations, mode)
    rescale = policy.layers[-1]
    rows = []
    for i in range(len(observations)):
        if isinstance(head := policy.layers[1], SampleAndSquash):
            raw, n = heads[-3][i], head.output_dim
            log_std = np.clip(raw[n:], np.float32(head.log_std_lower_bound), np.float32(head.log_std_upper_bound))
            std = functions.exp(log_std)
            drawn = [multiply_add(raw[j], std[j], next(noise), mode) for j in range(n)]
            actions = functions.tanh(np.array(drawn, np.float32))
        elif isinstance(head, Td3Sampling):
            raw, std = heads[-2][i], np.float32(head.std)
            drawn = [multiply_add(number, std, next(noise), mode) for number in raw]
            rows.append(np.clip(np.array(drawn, np.float32), -1, 1))
            continue
        else:
            std = functions.exp(head.log_std)
            drawn = [multiply_add(mean, std[j], next(noise), mode) for j, mean in enumerate(heads[-2][i])]
            actions = np.array(drawn, np.float32)
        rows.append(reference.evaluate((rescale,), actions[None, :], mode)[0])
    return np.array(rows, np.float32)


SAMPLED = {
    "sac": policies.sac_policy(action_dim=2, hidden=8),
    "td3": policies.td3_policy(hidden=8),
    "ppo": policies.ppo_policy(hidden=8),
}


@pytest.mark.parametrize("mode", Arithmetic)
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", SAMPLED)
def test_sampled_actions_have_the_reference_bits(tmp_path: Path, name: str, compiler: str, mode: Arithmetic) -> None:
    policy = SAMPLED[name]
    observations = np.random.default_rng(2).normal(size=(100, EPISODES, policy.observation_dim)).astype(np.float32)
    flags = ("-O3", "-march=native", "-ffp-contract=fast")
    found = run_episodes(tmp_path, policy, mode, "sample", observations, compiler, *flags)
    flat = observations.reshape(-1, policy.observation_dim)
    assert_same_bits(found.reshape(len(flat), -1), sampled(policy, flat, mode))
    # And they are samples: around the deterministic action, not at it.
    assert (found.reshape(len(flat), -1) != policy.evaluate(flat, mode)).mean() > 0.9


def test_normal_numbers_have_the_moments_of_a_normal_distribution() -> None:
    numbers = np.array(list(itertools.islice(normals(7), 20_000)), np.float64)
    # Four standard errors of mean, variance and fourth moment at 20,000 numbers.
    assert abs(numbers.mean()) < 4 / np.sqrt(20_000)
    assert abs(numbers.var() - 1) < 4 * np.sqrt(2 / 20_000)
    assert abs((numbers**4).mean() - 3) < 4 * np.sqrt(96 / 20_000)


PROGRAM = """
#include <rl_tools/operations/cpu.h>
#include <rl_tools/nn_models/sequential/operations_generic.h>
#include "checkpoint.h"
namespace rlt = rl_tools;
template <typename T, size_t R, size_t C> using Matrix = rlt::MatrixStatic<rlt::matrix::Specification<T, size_t, R, C>>;
int main() {
    rlt::devices::DefaultCPU device;
    Matrix<float, 4, 3> input{};
    Matrix<float, 4, 1> output{};
    policy::MODEL::Buffer<4> buffer;
    policy::MODEL::State<4> state;
    rlt::random::Engine engine{};
    rlt::reset(device, policy::module, state);
    rlt::evaluate_step(device, policy::module, input, state, output, buffer, engine);
}
"""
MISTAKES = {
    "columns of the input": (("<float, 4, 3> input", "<float, 4, 2> input"), "the input needs INPUT_DIM columns"),
    "columns of the output": (("<float, 4, 1> output", "<float, 4, 2> output"), "the output needs OUTPUT_DIM columns"),
    "rows": (("<float, 4, 1> output", "<float, 3, 1> output"), "input and output need the same number of rows"),
    "buffer": (("Buffer<4>", "Buffer<3>"), "the buffer is for a smaller batch"),
    "state": (("State<4>", "State<3>"), "the state needs as many rows as the input"),
    "type": (("<float, 4, 3> input", "<double, 4, 3> input"), "numbers of the model's type"),
    "device": (("rlt::devices::DefaultCPU device", "struct {} device"), "the device is a tag of rl_tools::devices"),
    "mode": (("engine);", "engine, 1);"), "the mode is mode::Deterministic or mode::Sample"),
    "engine": (("engine);", "buffer, rlt::mode::Sample{});"), "sampling needs a random::Engine"),
}


def test_the_program_without_a_mistake_compiles(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.h").write_text(checkpoint.dumps(policies.sac_policy(hidden=4)), encoding="utf-8")
    (tmp_path / "main.cpp").write_text(PROGRAM, encoding="utf-8")
    compile_program(tmp_path / "main.cpp", tmp_path / "main", flags=("-fsyntax-only",))


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize(("change", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_readable_error(tmp_path: Path, change: tuple[str, str], sentence: str, compiler: str) -> None:
    assert change[0] in PROGRAM
    (tmp_path / "checkpoint.h").write_text(checkpoint.dumps(policies.sac_policy(hidden=4)), encoding="utf-8")
    (tmp_path / "main.cpp").write_text(PROGRAM.replace(*change), encoding="utf-8")
    # Clang's notes repeat the model's whole type: the sentence stands far above them.
    command = [compiler, "-std=c++17", f"-I{resources.include_dir()}", "-fsyntax-only", tmp_path / "main.cpp"]
    errors = [line for line in process.run(command).output.splitlines() if "error:" in line]
    assert len(errors) == 1, errors
    assert sentence in errors[0]


DOUBLE_LAYER = """
#include <rl_tools/nn/layers/dense/operations_arm/opt.h>
namespace dense = rl_tools::nn::layers::dense;
void run(const dense::Layer<dense::Specification<double, size_t, 3, 2, rl_tools::nn::ActivationFunction::RELU>>& layer,
         const double* input, double* output) {
    evaluate(DEVICE{}, layer, input, output);
}
"""


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("device", ["Generic<>", "ARM<>", "CortexM3<>"])
def test_a_layer_of_doubles_is_refused_instead_of_rounded(tmp_path: Path, device: str, compiler: str) -> None:
    source = tmp_path / "double.cpp"
    source.write_text(DOUBLE_LAYER.replace("DEVICE", f"rl_tools::devices::{device}"), encoding="utf-8")
    command = [compiler, "-std=c++17", f"-I{resources.include_dir()}", "-fsyntax-only", source]
    errors = [line for line in process.run(command).output.splitlines() if "error:" in line]
    assert any("layers are evaluated in float" in line for line in errors), errors
