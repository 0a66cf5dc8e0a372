"""What a core does to subnormal numbers and to signs of zeros must show in the outputs that a validation compares."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from rltools_embed.device import Hello, MemoryBoard, MemoryLink
from rltools_embed.firmware import board as boards
from rltools_embed.policy import reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import Float32Array, Layer
from rltools_embed.policy.model import Policy
from rltools_embed.validation import Counts, Report, Settings, measure
from tests import policies

SMALLEST_NORMAL = np.finfo(np.float32).tiny
SETTINGS = Settings(counts=Counts(rollout=0, random=8, kinks=0, extremes=0), benchmark_repeats=0)
Change = Callable[[Float32Array], Float32Array]


def kept(x: Float32Array) -> Float32Array:
    return x


def flushed(x: Float32Array) -> Float32Array:
    return np.where(np.abs(x) < SMALLEST_NORMAL, np.copysign(np.float32(0.0), x), x).astype(np.float32)


def without_signs_of_zeros(x: Float32Array) -> Float32Array:
    return np.where(x == 0, np.float32(0.0), x).astype(np.float32)


def report_of(policy: Policy, *, operands: Change = kept, results: Change = kept) -> Report:
    """Of a board on which every layer's inputs or outputs are changed."""

    def output(layer: Layer, x: Float32Array) -> Float32Array:
        return results(reference.trace([layer], operands(x)[None, :], Arithmetic.SEPARATE)[-1][0])

    hello = Hello(
        largest_payload=1000,
        observation_dim=policy.observation_dim,
        action_dim=policy.action_dim,
        layer_count=len(policy.primitives),
        arithmetic=Arithmetic.SEPARATE,
        tick_hz=1_000_000,
        digest=digest(policy),
        board="host",
    )
    layers = [partial(output, layer) for layer in policy.primitives]
    board = MemoryBoard(layers, observation_dim=policy.observation_dim, action_dim=policy.action_dim, hello=hello)
    return measure(MemoryLink(board), policy, boards.load("host"), settings=SETTINGS)


SUBNORMAL, SIGNED_ZEROS = policies.small_number_policy(), policies.signed_zero_policy()


@pytest.mark.parametrize("policy", [SUBNORMAL, SIGNED_ZEROS], ids=lambda policy: policy.name)
def test_a_board_that_keeps_them_passes(policy: Policy) -> None:
    assert report_of(policy).passed


@pytest.mark.parametrize(
    ("policy", "changes"),
    [
        (SUBNORMAL, {"operands": flushed}),
        (SUBNORMAL, {"results": flushed}),
        (SIGNED_ZEROS, {"operands": without_signs_of_zeros}),
        (SIGNED_ZEROS, {"results": without_signs_of_zeros}),
    ],
    ids=["subnormal operands", "subnormal results", "-0 as operand", "-0 as result"],
)
def test_a_board_that_loses_them_fails(policy: Policy, changes: dict[str, Change]) -> None:
    report = report_of(policy, **changes)

    assert [check.name for check in report.checks if not check.passed] == ["bits"]
