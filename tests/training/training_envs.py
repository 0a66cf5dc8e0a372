"""Small environments for the tests, right and wrong, and the small sizes that the tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

from rltools_embed.training import PPO, Training

SILENT = {"enable_evaluation": False, "on_message": lambda line: None}

SMALL = {
    "ACTOR_HIDDEN_DIM": 8,
    "CRITIC_HIDDEN_DIM": 8,
    "ACTOR_BATCH_SIZE": 5,
    "CRITIC_BATCH_SIZE": 5,
    "STEP_LIMIT": 40,
    **SILENT,
}

# Five iterations of eight steps: as many steps as above.
SMALL_PPO = {
    "ACTOR_HIDDEN_DIM": 8,
    "CRITIC_HIDDEN_DIM": 8,
    "N_ENVIRONMENTS": 2,
    "ON_POLICY_RUNNER_STEPS_PER_ENV": 4,
    "BATCH_SIZE": 4,
    "TOTAL_STEP_LIMIT": 40,
    **SILENT,
}


def small(kind: type[Training]) -> dict[str, Any]:
    """The small options of an algorithm."""
    return SMALL_PPO if kind is PPO else SMALL


class Line(gymnasium.Env[Any, Any]):
    """A point on a line. Its reward is the negative distance to the origin. It names no time limit.

    Args:
        truncate_after, terminate_after: steps of an episode, or never.
        spoil: changes what `step` returns, given the total number of steps so far.
    """

    made: ClassVar[list[Line]] = []

    def __init__(
        self,
        *,
        observation_space: spaces.Space[Any] | None = None,
        action_space: spaces.Space[Any] | None = None,
        truncate_after: int | None = None,
        terminate_after: int | None = None,
        spoil: Callable[[int, list[Any]], Any] = lambda step, result: tuple(result),
    ) -> None:
        self.observation_space = observation_space or spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = action_space or spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.truncate_after = truncate_after
        self.terminate_after = terminate_after
        self.spoil = spoil
        self.total = 0
        self.closed = 0
        self.seeds: list[int | None] = []
        self.starts: list[float] = []
        self.actions: list[Any] = []
        Line.made.append(self)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.position = float(self.np_random.uniform(-1, 1))
        self.starts.append(self.position)
        self.length = 0
        return self._observation(), {}

    def step(self, action: Any) -> Any:
        self.actions.append(action)
        self.position += 0.1 * float(np.clip(action[0], -1, 1))
        self.length += 1
        self.total += 1
        result = [
            self._observation(),
            -abs(self.position),
            self.length == self.terminate_after,
            self.length == self.truncate_after,
            {},
        ]
        return self.spoil(self.total, result)

    def close(self) -> None:
        self.closed += 1

    def _observation(self) -> Any:
        return np.array([self.position, self.length / 10], dtype=np.float32)


def replacing(index: int, value: Any, at_step: int) -> Callable[[int, list[Any]], Any]:
    """Put `value` at `index` of what `step` returns, from step `at_step` on."""

    def spoil(step: int, result: list[Any]) -> Any:
        if step >= at_step:
            result[index] = value
        return tuple(result)

    return spoil
