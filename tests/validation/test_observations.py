"""What a validation sends is what it says it is."""

from __future__ import annotations

import numpy as np
import pytest

from rltools_embed.policy import reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.layers import Activation
from rltools_embed.policy.model import Policy
from rltools_embed.validation.observations import Counts, samples
from tests import policies


def of_kind(policy: Policy, name: str, **counts: int) -> np.ndarray:
    found = samples(policy, counts=Counts(**counts), seed=1, rollout=None)
    (sample,) = (sample for sample in found if sample.name == name)
    return sample.observations


def test_everything_is_finite_float32_and_the_same_again() -> None:
    first, second = (samples(policies.sac_policy(), counts=Counts(), seed=3, rollout=None) for _ in range(2))
    assert sum(len(sample.observations) for sample in first) >= 1000
    for a, b in zip(first, second, strict=True):
        assert a.observations.dtype == np.float32
        assert np.isfinite(a.observations).all()
        assert a.observations.tobytes() == b.observations.tobytes()


def test_denormals_are_denormal_and_zeros_have_both_signs() -> None:
    denormals = of_kind(policies.sac_policy(), "denormals")
    assert (np.abs(denormals) < np.finfo(np.float32).tiny).all()
    assert (denormals != 0).all()
    zeros = of_kind(policies.sac_policy(), "zeros")
    assert (zeros == 0).all()
    assert {tuple(row) for row in np.signbit(zeros).tolist()} == {
        (False, False, False),
        (True, True, True),
        (True, False, True),
        (False, True, False),
    }


def test_random_ones_are_in_the_declared_range_and_fill_it() -> None:
    policy = policies.sac_policy()
    random = of_kind(policy, "random")
    low = np.array([signal.low for signal in policy.observation])
    high = np.array([signal.high for signal in policy.observation])
    assert (random >= low).all()
    assert (random <= high).all()
    assert (random.min(axis=0) < low + 0.02 * (high - low)).all()


@pytest.mark.parametrize("policy", [policies.sac_policy(), policies.ppo_policy()], ids=["sac", "ppo"])
def test_every_pair_of_kinks_lies_on_both_sides_of_one(policy: Policy) -> None:
    kinks = of_kind(policy, "relu kinks", kinks=128)
    assert len(kinks) == 128
    trace = reference.trace(policy.layers, kinks, Arithmetic.SEPARATE)
    relu = [
        output > 0
        for output, layer in zip(trace, policy.primitives, strict=True)
        if getattr(layer, "activation", None) is Activation.RELU
    ]
    on = np.concatenate(relu, axis=1)
    assert (on[::2] != on[1::2]).any(axis=1).all()
    # A last place or two apart, in units of the range.
    assert np.abs(kinks[::2] - kinks[1::2]).max() < 8 * 2.0**-22


def test_policy_without_relu_has_no_kinks() -> None:
    names = {sample.name for sample in samples(policies.td3_policy(), counts=Counts(), seed=0, rollout=None)}
    assert "relu kinks" not in names


@pytest.mark.parametrize("policy", [policies.sac_policy(), policies.td3_policy(), policies.ppo_policy()])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_float32_reference_stays_within_the_allowance_of_float64(policy: Policy, scale: float) -> None:
    for sample in samples(policy, counts=Counts(), seed=0, rollout=None):
        if sample.is_ordinary:
            observations = (sample.observations * np.float32(scale)).astype(np.float32)
            float64 = reference.evaluate_float64(policy.layers, observations)
            found = reference.evaluate(policy.layers, observations, Arithmetic.SEPARATE)
            assert (np.abs(found - float64.values) <= float64.allowance).all()
            # No blank cheque: in range it is about the 1e-5 that are allowed anyway.
            assert scale > 1.0 or float64.allowance.max() < 3e-5
