"""An environment written in C++: a header, its sizes and bounds in Python, and its place beside Gymnasium's."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rltools_embed import checks as of
from rltools_embed.environments.environment import Step
from rltools_embed.environments.episodes import OneAtATime
from rltools_embed.environments.side_by_side import Compiled, SideBySide, check_finite
from rltools_embed.environments.snapshot import SnapshotError
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.errors import UnsupportedEnvError
from rltools_embed.policy.model import Float32Array, Signal

_HEADER = "environment.h"
_NEEDED = ("path", "observation_dim", "action_dim")
_KNOWN = (*_NEEDED, "action_low", "action_high", "control_period_s")

_TRANSLATION_UNIT = """\
#include "{path}"

std::unique_ptr<rl_tools::rl::Environments> rl_tools::rl::make_environments(size_t count) {{
    return environments_of<::Environment, {observation_dim}, {action_dim}>(count);
}}
"""


@dataclass(frozen=True, kw_only=True)
class CppEnvironment:
    """A header that defines `struct Environment` (rl_tools/rl/environment.h), what it takes and gives; a `Source`."""

    path: Path
    spec: EnvSpec

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> CppEnvironment:
        """From `{"path": …, "observation_dim": …, "action_dim": …}`.

        `path` is a header, or a folder that holds `environment.h`. "action_low" and "action_high" are numbers, one or
        as many as there are actions, -1 and 1 by default; "control_period_s" is in seconds.

        Raises:
            TypeError, ValueError: a key that is missing or unknown, or a value that is not allowed.
            UnsupportedEnvError: there is no such file.
        """
        for key in mapping:
            if key not in _KNOWN:
                near = difflib.get_close_matches(str(key), _KNOWN, n=1)
                known = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(_KNOWN)}"
                raise TypeError(f"a C++ environment has no {key!r}: {known}")
        for key in _NEEDED:
            if key not in mapping:
                raise TypeError(f"a C++ environment needs {key!r}: {', '.join(_NEEDED)}")
        observation_dim, action_dim = (of.checked(key, mapping[key], of.DIM) for key in _NEEDED[1:])
        low, high = (
            _bounds(key, mapping.get(key, default), action_dim)
            for key, default in (("action_low", -1.0), ("action_high", 1.0))
        )
        for index in range(action_dim):
            if not low[index] < high[index]:
                raise ValueError(f"action_low is {low[index]} at index {index}, not below {high[index]}")
        period_s = of.checked("control_period_s", mapping.get("control_period_s"), of.or_none(of.POSITIVE))
        unbounded = [Signal(name=f"observation_{index}", low=-np.inf, high=np.inf) for index in range(observation_dim)]
        spec = EnvSpec(
            action_low=low,
            action_high=high,
            observation=tuple(unbounded),
            action=tuple(
                Signal(name=f"action_{index}", low=low[index], high=high[index]) for index in range(action_dim)
            ),
            control_period_s=period_s,
        )
        return cls(path=_header(mapping["path"]), spec=spec)

    @property
    def name(self) -> str:
        """The header's name, for errors."""
        return self.path.name

    @property
    def count(self) -> None:
        """None: as many as are wanted."""

    def translation_unit(self) -> str:
        """C++ that defines `rl_tools::rl::make_environments`."""
        return _TRANSLATION_UNIT.format(
            path=self.path, observation_dim=self.spec.observation_dim, action_dim=self.spec.action_dim
        )

    def make_evaluator(self, compiled: Compiled, episode_step_limit: int | None) -> OneAtATime:
        """See `Source.make_evaluator`."""
        return OneAtATime(One(self, compiled.Environments(1)), episode_step_limit)

    def make_side_by_side(self, compiled: Compiled, count: int, episode_step_limit: int | None) -> CppSideBySide:
        """See `Source.make_side_by_side`."""
        return CppSideBySide(self, compiled.Environments(count), count, episode_step_limit)


def _header(path: object) -> Path:
    if not isinstance(path, (str, Path)):
        raise TypeError(f"path is {path!r}: it must be a header, or a folder that holds {_HEADER}")
    given = Path(path).expanduser().absolute()
    header = given / _HEADER if given.is_dir() else given
    if not header.is_file():
        raise UnsupportedEnvError(f"there is no {header}", f"path is a header, or a folder that holds {_HEADER}")
    if any(letter in str(header) for letter in '"\\\n'):
        raise UnsupportedEnvError(f"{str(header)!r} cannot stand in an #include", "move it to a plainer folder")
    return header


def _bounds(key: str, value: object, count: int) -> tuple[float, ...]:
    values = list(value) if isinstance(value, (list, tuple, np.ndarray)) else [value] * count
    if len(values) != count:
        raise ValueError(f"{key} has {len(values)} numbers for {count} actions")
    return tuple(float(np.float32(of.checked(key, number, of.FINITE))) for number in values)


class One:
    """One of several environments in C++; it looks like an `Environment` of Python."""

    def __init__(self, environment: CppEnvironment, batch: Any, index: int = 0) -> None:
        self.spec = environment.spec
        self.name = environment.name
        self.batch = batch
        self._index = index
        self._rewards = np.zeros(1, dtype=np.float32)
        self._terminated = np.zeros(1, dtype=np.bool_)
        self._truncated = np.zeros(1, dtype=np.bool_)

    @property
    def episode_step_limit(self) -> int | None:
        """It says itself when an episode is truncated."""
        return None

    def reset(self, seed: int | None, where: str) -> Float32Array:
        """The first observation of an episode."""
        observation = np.empty(self.spec.observation_dim, dtype=np.float32)
        self.batch.reset(self._index, seed, observation)
        check_finite(self.name, observation, np.zeros(1, np.float32), lambda index: where)
        return observation

    def step(self, action: Float32Array, where: str) -> Step:
        """Act once; of a batch of one."""
        observation = np.empty(self.spec.observation_dim, dtype=np.float32)
        self.batch.step(action, observation, self._rewards, self._terminated, self._truncated)
        check_finite(self.name, observation, self._rewards, lambda index: where)
        return Step(
            observation=observation,
            reward=float(self._rewards[0]),
            terminated=bool(self._terminated[0]),
            truncated=bool(self._truncated[0]),
        )

    def snapshot(self) -> bytes:
        """Its members and its random engine."""
        state: bytes = self.batch.save(self._index)
        return state

    def restore(self, taken: bytes) -> None:
        """Raises `SnapshotError` where the state has another size."""
        if not self.batch.load(self._index, taken):
            raise SnapshotError(f"the state has {len(taken)} B, which is not the size of Environment in {self.name}")

    def close(self) -> None:
        """Nothing is open."""


class CppSideBySide(SideBySide):
    """Environments in C++, stepped by one call."""

    def __init__(self, environment: CppEnvironment, batch: Any, count: int, episode_step_limit: int | None) -> None:
        super().__init__([One(environment, batch, index) for index in range(count)], episode_step_limit)
        self._batch = batch

    def act(self, actions: Float32Array, steps_before: int) -> None:
        """One action (N, m) in each, by one call of C++; see `SideBySide.act`."""
        self._batch.step(actions, self.next_observations, self.rewards, self.terminated, self.truncated)
        check_finite(
            self.name, self.next_observations, self.rewards, lambda index: f"at step {steps_before + index + 1}"
        )
        self.count(self.rewards)
