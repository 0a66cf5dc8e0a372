"""A board in Python whose answers are known, and how its answers are compared. Time is simulated."""

from __future__ import annotations

import numpy as np

from rltools_embed.device import (
    Client,
    MemoryBoard,
    MemoryLink,
)
from rltools_embed.device.protocol import (
    Floats,
)

OBSERVATIONS = np.random.default_rng(3).standard_normal((37, 3)).astype(np.float32)
OBSERVATIONS[0] = [0.0, -0.0, 1e-42]
FEW = OBSERVATIONS[:3]


def doubled(observation: Floats) -> Floats:
    return observation * np.float32(2)


def widened(values: Floats) -> Floats:
    return values[np.arange(4) % 3] + np.arange(4, dtype=np.float32)


def zeros(values: Floats) -> Floats:
    return np.zeros(5, np.float32)


def expected_actions(observations: Floats) -> Floats:
    return np.stack([widened(doubled(observation)) for observation in observations])


def python_board(**options) -> MemoryBoard:
    return MemoryBoard([doubled, widened], observation_dim=3, action_dim=4, boot_text=b"boot\r\n", **options)


def client_of(link: MemoryLink, **options) -> Client:
    return Client(link, clock=link.clock, **options)


def assert_same_bits(actual: Floats, expected: Floats) -> None:
    np.testing.assert_array_equal(actual.view(np.uint32), expected.view(np.uint32))


def ended_within(link: MemoryLink, limit_s: float) -> bool:
    return link.clock() <= limit_s + 1e-9
