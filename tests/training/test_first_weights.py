"""What networks are before they learn, of the compiled trainers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from update_reference import ACTIONS, OBSERVATIONS, Array, make, numbers

from rltools_embed.training import PPO, SAC, TD3, Training

Layer = tuple[Array, Array]


def first_layers(all_numbers: Array, *widths: int) -> Iterator[Layer]:
    """Weights, a row per unit, and biases of each layer."""
    for inputs, units in itertools.pairwise(widths):
        weights, biases, all_numbers = np.split(all_numbers, [inputs * units, inputs * units + units])
        yield weights.reshape(units, inputs), biases
    assert len(all_numbers) == 0


def assert_orthogonal(weights: Array, length: float) -> None:
    """Its rows, or its columns where they are fewer."""
    matrix = weights.astype(np.float64) / length
    products = matrix @ matrix.T if len(matrix) <= len(matrix.T) else matrix.T @ matrix
    # In float32 the last vector of a square matrix, of which little is left, is a hundredth as exact as the others.
    np.testing.assert_allclose(products, np.eye(len(products)), atol=1e-4)


@pytest.mark.parametrize("kind", [SAC, PPO])
def test_the_first_weights_of_an_actor_are_orthonormal_and_its_outputs_small(kind: type[Training]) -> None:
    outputs = ACTIONS if kind is PPO else 2 * ACTIONS
    layers = first_layers(numbers(make(kind), "actor"), OBSERVATIONS, 8, 8, outputs)
    for (weights, biases), scale in zip(layers, (1.0, 1.0, 0.01), strict=True):
        assert_orthogonal(weights, scale)
        assert biases.any() == (kind is PPO)
        assert np.abs(biases).max() <= scale / np.sqrt(weights.shape[1])


@pytest.mark.parametrize("kind", [SAC, TD3])
def test_the_first_weights_of_critics_are_orthogonal_and_as_long_as_pytorchs(kind: type[Training]) -> None:
    trainer = make(kind)
    first, second = (numbers(trainer, name) for name in ("critic_1", "critic_2"))
    assert not np.isin(first, second).any()
    for name, critic in (("critic_target_1", first), ("critic_target_2", second)):
        np.testing.assert_array_equal(numbers(trainer, name), critic)
        for weights, biases in first_layers(critic, OBSERVATIONS + ACTIONS, 8, 8, 1):
            assert_orthogonal(weights, 1 / np.sqrt(3))
            assert biases.all()
            assert np.abs(biases).max() <= 1 / np.sqrt(weights.shape[1])
