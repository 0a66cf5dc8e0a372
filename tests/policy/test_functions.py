"""The elementary functions against mpmath and float64, and the fused multiply-add against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from rltools_embed.policy import functions, reference
from rltools_embed.policy.layers import Float32Array


def floats_between(low: float, high: float, stride: int) -> Float32Array:
    """Every `stride`-th float32 in [low, high], both positive."""
    first, last = (int(np.float32(bound).view(np.uint32)) for bound in (low, high))
    return np.arange(first, last, stride, dtype=np.uint32).view(np.float32)


def ulp_error(found: Float32Array, exact: np.ndarray) -> np.ndarray:
    return np.abs(found - exact) / np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)


def test_tanh_stays_below_two_ulp() -> None:
    # Float64's own tanh is good to 2^-52, 2^-28 of a float32 ULP. Stride 61 visits 3 million floats.
    x = floats_between(1e-6, 9.2, 61)
    error = ulp_error(functions.tanh(x), np.tanh(x.astype(np.float64)))
    assert error.max() < 2.0, f"{error.max()} ULP at {x[error.argmax()]!r}"


def test_exp_stays_below_two_ulp() -> None:
    magnitudes = floats_between(1e-6, 88.7, 101)
    for x in (magnitudes, -magnitudes[magnitudes < 87.0]):
        error = ulp_error(functions.exp(x), np.exp(x.astype(np.float64)))
        assert error.max() < 2.0, f"{error.max()} ULP at {x[error.argmax()]!r}"


@pytest.mark.parametrize("x", [1e-30, 1e-3, 0.0624, 0.0626, 0.4, 1.0, 4.4, 8.99])
def test_tanh_agrees_with_mpmath(x: float) -> None:
    argument = np.float32(x)
    exact = mpmath.tanh(mpmath.mpf(float(argument)))
    found = functions.tanh(np.array([argument]))[0]
    assert abs(mpmath.mpf(float(found)) - exact) < 2.0 * float(np.spacing(np.float32(exact)))


def test_tanh_is_odd_and_exact_where_it_must_be() -> None:
    x = np.array([0.0, -0.0, 1e-45, -1e-45, 9.125, -9.125, 3.4e38, np.inf, -np.inf], np.float32)
    expected = np.array([0.0, -0.0, 1e-45, -1e-45, 1.0, -1.0, 1.0, 1.0, -1.0], np.float32)
    assert (functions.tanh(x).view(np.uint32) == expected.view(np.uint32)).all()
    assert np.isnan(functions.tanh(np.array([np.nan, -np.nan], np.float32))).all()


def test_relu_gives_positive_zero_for_negative_zero_and_nan() -> None:
    x = np.array([-0.0, np.nan, -1.0, 2.0], np.float32)
    assert functions.relu(x).view(np.uint32).tolist() == [0, 0, 0, np.float32(2.0).view(np.uint32)]


def nearest_float32(exact: Fraction) -> np.float32:
    """The float32 nearest to `exact`, ties to even, by search among neighbours."""
    guess = np.float32(float(exact))
    candidates = [np.nextafter(guess, np.float32(-np.inf)), guess, np.nextafter(guess, np.float32(np.inf))]
    return min(candidates, key=lambda c: (abs(Fraction(float(c)) - exact), int(c.view(np.uint32)) & 1))


def test_fused_multiply_add_is_rounded_once() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=3000).astype(np.float32) for _ in range(2))
    # Sums that nearly cancel, or nearly tie, are where a second rounding shows.
    c = np.where(rng.random(3000) < 0.5, -(a * b), rng.normal(size=3000) * 2.0 ** rng.integers(-40, 40, 3000))
    c = c.astype(np.float32)
    found = reference.fused_multiply_add(a, b, c)
    for i in range(3000):
        exact = Fraction(float(a[i])) * Fraction(float(b[i])) + Fraction(float(c[i]))
        assert found[i] == nearest_float32(exact), (a[i], b[i], c[i])


def test_fused_multiply_add_resolves_a_double_rounding_trap() -> None:
    # 1 + 2^-24 + 2^-60: float64 drops the last term, and the tie would then go to even, downwards.
    a, b, c = (np.array([value], np.float32) for value in (2.0**-30, 2.0**-30, 1.0))
    half_ulp = np.array([2.0**-24], np.float32)
    total = reference.fused_multiply_add(a, b, c)
    assert total[0] == np.float32(1.0)
    tie = reference.fused_multiply_add(np.array([1.0 + 2.0**-23], np.float32), half_ulp, c)
    assert tie[0] == np.float32(1.0 + 2.0**-23)
