"""What a validation sends to the board: ordinary observations, and those where implementations tend to differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rltools_embed.policy import reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.layers import Float32Array
from rltools_embed.policy.model import Policy

_LARGEST = float(np.finfo(np.float32).max)
_SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
_KINK_ATTEMPTS = 20
# 24 bits of mantissa and some exponents: further steps change nothing.
_BISECTIONS = 40


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Observations of one kind.

    Attributes:
        name: the kind, in a word or two.
        observations: (k, n).
        is_ordinary: within the range the policy is made for, so that float32 and float64 must agree as well.
            Where intermediate sums overflow or cancel, only the bits are compared.
    """

    name: str
    observations: Float32Array
    is_ordinary: bool = True


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many observations of each kind, besides the checkpoint's examples and four of zeros."""

    rollout: int = 512
    random: int = 512
    kinks: int = 128
    denormals: int = 64
    extremes: int = 128

    def __post_init__(self) -> None:
        for name, count in vars(self).items():
            if count < 0:
                raise ValueError(f"{name} is {count}; a count is not negative")


Rollout = Callable[[int, int], Float32Array]


def samples(
    policy: Policy,
    *,
    counts: Counts,
    seed: int,
    rollout: Rollout | None,
    arithmetic: Arithmetic = Arithmetic.SEPARATE,
) -> tuple[Sample, ...]:
    """Every kind of observation for `policy`; the same for the same arguments.

    Args:
        rollout: called with a count and a seed, gives that many states (count, n) of the policy in its environment.
            Without it the random share is larger by as many.
    """
    rng = np.random.default_rng(seed)
    ranges = _ranges(policy)
    random_count = counts.random + (0 if rollout else counts.rollout)
    found = [Sample(name="examples", observations=policy.example_observations)]
    if rollout and counts.rollout:
        found.append(Sample(name="rollout", observations=rollout(counts.rollout, seed)))
    found += [
        Sample(name="random", observations=_uniform(rng, ranges, random_count)),
        Sample(name="zeros", observations=_zeros(policy.observation_dim)),
        Sample(name="denormals", observations=_denormals(rng, policy.observation_dim, counts.denormals)),
        Sample(name="relu kinks", observations=_kinks(rng, policy, ranges, counts.kinks, arithmetic)),
        Sample(name="extremes", observations=_extremes(rng, ranges, counts.extremes), is_ordinary=False),
    ]
    return tuple(sample for sample in found if len(sample.observations))


def _ranges(policy: Policy) -> Float32Array:
    """(2, n), low and high; where the environment gives no bound, 1.5 times what the examples span, at least ±1."""
    span = 1.5 * np.abs(policy.example_observations).max(axis=0, initial=2.0 / 3.0)
    low = [max(signal.low, -bound) for signal, bound in zip(policy.observation, span, strict=True)]
    high = [min(signal.high, bound) for signal, bound in zip(policy.observation, span, strict=True)]
    bounded = [abs(signal.low) < 1e6 and abs(signal.high) < 1e6 for signal in policy.observation]
    declared = np.array([[signal.low, signal.high] for signal in policy.observation]).T
    return np.where(bounded, declared, np.array([low, high])).astype(np.float32)


def _uniform(rng: np.random.Generator, ranges: Float32Array, count: int) -> Float32Array:
    low, high = ranges.astype(np.float64)
    return rng.uniform(low, high, (count, ranges.shape[1])).astype(np.float32)


def _zeros(dim: int) -> Float32Array:
    """All +0, all -0, and alternating signs: a sign of zero must not matter to any core in its own way."""
    signs = np.ones((4, dim), np.float32)
    signs[1] = -1.0
    signs[2, ::2] = -1.0
    signs[3, 1::2] = -1.0
    return np.copysign(np.float32(0.0), signs)


def _denormals(rng: np.random.Generator, dim: int, count: int) -> Float32Array:
    magnitude = rng.integers(1, 0x00800000, (count, dim), dtype=np.uint32)
    sign = rng.integers(0, 2, (count, dim), dtype=np.uint32) << np.uint32(31)
    return (magnitude | sign).view(np.float32)


def _extremes(rng: np.random.Generator, ranges: Float32Array, count: int) -> Float32Array:
    """Corners of the range, and every mixture of huge, tiny and ordinary numbers."""
    dim = ranges.shape[1]
    corners = np.where(rng.random((count // 4, dim)) < 0.5, *ranges)
    special = np.array([1e3, 1e6, 1e18, 1e30, _LARGEST, _SMALLEST_NORMAL, 1e-30, 1.0, 0.0], np.float32)
    mixed = rng.choice(special, (count - len(corners), dim))
    signs = rng.choice(np.array([-1.0, 1.0], np.float32), mixed.shape)
    return np.concatenate([corners, mixed * signs]).astype(np.float32)


def _kinks(
    rng: np.random.Generator, policy: Policy, ranges: Float32Array, count: int, arithmetic: Arithmetic
) -> Float32Array:
    """Pairs of observations on both sides of the place where a ReLU turns on, a last place or two apart.

    Found by bisection on the float32 reference itself between two observations of which one turns the unit on.
    """
    layers = [index for index, layer in enumerate(policy.primitives) if layer.has_kink]
    found: list[Float32Array] = []
    for _ in range(_KINK_ATTEMPTS if layers else 0):
        found += _kink_pairs(rng, policy, ranges, count, int(rng.choice(layers)), arithmetic)
        if len(found) >= count:
            break
    return np.array(found[:count], np.float32).reshape(-1, policy.observation_dim)


def _kink_pairs(
    rng: np.random.Generator, policy: Policy, ranges: Float32Array, count: int, layer: int, arithmetic: Arithmetic
) -> list[Float32Array]:
    """Some pairs for units of one layer, the two of a pair one after the other."""
    a, b = (_uniform(rng, ranges, count) for _ in range(2))
    units = rng.integers(policy.primitives[layer].output_dim, size=count)

    def is_on(observations: Float32Array) -> npt.NDArray[np.bool_]:
        output = reference.trace(policy.layers, observations, arithmetic)[layer]
        return np.asarray(output[np.arange(len(units)), units] > 0, dtype=np.bool_)

    on_at_a = is_on(a)
    straddle = on_at_a != is_on(b)
    a, b, units, on_at_a = a[straddle], b[straddle], units[straddle], on_at_a[straddle]
    if not len(units):
        return []
    for _ in range(_BISECTIONS):
        middle = a + (b - a) * np.float32(0.5)
        same_as_a = (is_on(middle) == on_at_a)[:, None]
        a, b = np.where(same_as_a, middle, a), np.where(same_as_a, b, middle)
    return [observation for pair in zip(a, b, strict=True) for observation in pair]
