"""A target in memory has the reference's bits, honest figures, and the faults that a test gives it, and no others."""

from __future__ import annotations

import dataclasses
import doctest
import time
from collections.abc import Callable

import numpy as np
import pytest

from rltools_embed.errors import LinkError
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import Float32Array, Mlp
from rltools_embed.policy.model import Policy
from rltools_embed.target import Target, memory, memory_target
from rltools_embed.validation import Counts, Report, Settings, validate
from tests import policies

POLICY = policies.sac_policy(hidden=8)
OBSERVATIONS = np.random.default_rng(0).normal(0, 2, (300, 3)).astype(np.float32)
FEW = Settings(counts=Counts(rollout=0, random=40, kinks=8, denormals=8, extremes=8), benchmark_repeats=2)


def validated(target: Target, policy: Policy | None = None) -> Report:
    with target:
        return validate(target, policy=policy, settings=FEW)


def failing(report: Report) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


@pytest.mark.parametrize("arithmetic", Arithmetic)
@pytest.mark.parametrize("policy", [POLICY, policies.td3_policy(), policies.ppo_policy(), policies.gru_policy()])
def test_a_validation_of_it_passes(policy: Policy, arithmetic: Arithmetic) -> None:
    report = validated(memory_target(policy, arithmetic=arithmetic))

    assert report.passed, report.checks
    assert report.arithmetic == arithmetic.value
    assert report.cost is not None and report.cost.unit == "ns" and report.cost.per_inference > 1_000
    assert report.stack.used_bytes is None


@pytest.mark.parametrize("arithmetic", Arithmetic)
def test_it_gives_the_references_bits(arithmetic: Arithmetic) -> None:
    with memory_target(POLICY, arithmetic=arithmetic) as target:
        hello = target.hello()
        batch, one = target.evaluate(OBSERVATIONS), target.evaluate(OBSERVATIONS[0])
        traced = target.trace(len(POLICY.primitives) - 1, OBSERVATIONS[0])

    assert (hello.board, hello.digest, hello.arithmetic) == ("memory", digest(POLICY), arithmetic)
    assert batch.tobytes() == POLICY.evaluate(OBSERVATIONS, arithmetic).tobytes()
    assert one.tobytes() == traced.tobytes() == batch[0].tobytes()


def test_its_figures_are_honest() -> None:
    evaluations = 0

    def count(index: int, output: Float32Array) -> Float32Array:
        nonlocal evaluations
        evaluations += index == 0
        return output

    with memory_target(POLICY, alter=count) as target:
        start = time.perf_counter_ns()
        benchmark = target.benchmark(repeats=50)
        took = time.perf_counter_ns() - start
        self_test, statistics = target.self_test(), target.statistics()

    # An evaluation is some hundred calls of NumPy, which take 100 ns and more each.
    assert 50 * 10_000 < benchmark.evaluation_ticks < took
    assert 0 < benchmark.empty_ticks < took - benchmark.evaluation_ticks
    assert benchmark.tick_hz == 1_000_000_000
    assert (self_test.examples, self_test.mismatches) == (len(POLICY.example_observations), 0)
    assert evaluations == 50 + self_test.examples
    # hello, benchmark, self test, statistics
    assert (statistics.stack_bytes, statistics.frames_accepted, statistics.frames_rejected) == (0, 4, 0)


def with_a_changed_weight(policy: Policy) -> Policy:
    mlp = policy.layers[0]
    assert isinstance(mlp, Mlp)
    weights = mlp.layers[1].weights.copy()
    weights[0, 0] += np.float32(0.25)
    layers = (mlp.layers[0], dataclasses.replace(mlp.layers[1], weights=weights), *mlp.layers[2:])
    return dataclasses.replace(policy, layers=(dataclasses.replace(mlp, layers=layers), *policy.layers[1:]))


def test_a_changed_weight_is_named() -> None:
    changed = with_a_changed_weight(POLICY)
    report = validated(memory_target(POLICY, holds=changed))

    assert failing(report) == {"digest", "bits", "float64", "self-test"}
    assert report.digest_found == digest(changed)
    assert report.first_difference is not None
    assert report.first_difference.layer.startswith("layer 1 (dense 8 → 8")


def test_a_board_with_another_policy_of_its_own_is_named() -> None:
    report = validated(memory_target(policies.sac_policy(hidden=8, seed=9)), policy=POLICY)

    assert failing(report) == {"digest", "bits", "float64"}  # its own examples are its own


def flip_once(layer: int) -> Callable[[int, Float32Array], Float32Array]:
    """The lowest bit of one number of that layer, the first time only."""
    count = 0

    def alter(index: int, output: Float32Array) -> Float32Array:
        nonlocal count
        count += index == layer
        if index != layer or count > 1:
            return output
        flipped = output.copy()
        flipped.view(np.uint32)[0] ^= 1
        return flipped

    return alter


def test_one_flipped_bit_in_one_answer_is_named() -> None:
    report = validated(memory_target(POLICY, alter=flip_once(len(POLICY.primitives) - 1)))

    assert failing(report) == {"bits"}
    assert report.total is not None and report.total.outputs - report.total.equal == 1
    assert report.first_difference is not None and report.first_difference.row == 0


def test_a_layer_that_is_always_wrong_is_the_one_that_is_named() -> None:
    def without_tanh(index: int, output: Float32Array) -> Float32Array:
        return np.float32(0.5) * output if index == 2 else output

    report = validated(memory_target(POLICY, alter=without_tanh))

    assert failing(report) == {"bits", "float64", "self-test"}
    assert report.first_difference is not None
    assert report.first_difference.layer.startswith("layer 2 (dense 8 → 2")


def test_the_self_test_of_a_recurrent_policy_is_one_episode() -> None:
    """A fault that begins with the second step is seen in all the steps that follow."""
    policy = policies.gru_policy()
    gru = next(i for i, layer in enumerate(policy.primitives) if type(layer).__name__ == "Gru")
    calls = 0

    def alter(index: int, output: Float32Array) -> Float32Array:
        nonlocal calls
        calls += index == gru
        return output + np.float32(0.125) if index == gru and calls == 2 else output

    with memory_target(policy, alter=alter) as target:
        result = target.self_test()

    assert result.mismatches == result.examples - 1


def test_another_digest_is_named() -> None:
    report = validated(memory_target(POLICY, digest="ab" * 32))

    assert failing(report) == {"digest"}
    assert report.digest_found == "ab" * 32


def test_a_policy_of_other_sizes_cannot_be_held() -> None:
    with pytest.raises(ValueError, match=r"holds a policy 5 → 2, not 3 → 1"):
        memory_target(POLICY, holds=policies.td3_policy())


def test_it_is_on_until_it_is_switched_off() -> None:
    with memory_target(POLICY) as target:
        target.evaluate(OBSERVATIONS[0])
        target.reset()
        assert target.statistics().frames_accepted == 2
        target.power_off()
        with pytest.raises(LinkError, match="the board in memory is off"):
            target.hello()
        target.flash()
        assert target.hello().board == "memory"
        assert (target.port, target.folder, target.elf) == (target.link.name, None, None)


def test_the_documented_example_is_true() -> None:
    examples = doctest.testmod(memory, extraglobs={"policy": POLICY, "observations": OBSERVATIONS})

    assert examples.attempted >= 4
    assert examples.failed == 0
