"""The wrappers around an environment: what they do to actions and observations, which a board would have to do too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv

_WRAPPERS = (gymnasium.Wrapper, gymnasium.vector.VectorWrapper)
_ACTION_WRAPPERS = (gymnasium.ActionWrapper, gymnasium.vector.VectorActionWrapper)
_CLIPPING = (gymnasium.wrappers.ClipAction, gymnasium.wrappers.vector.ClipAction)
_RESCALING = (gymnasium.wrappers.RescaleAction, gymnasium.wrappers.vector.RescaleAction)


def box_behind_rescaling(env: object) -> spaces.Box | None:
    """The box that the innermost environment takes, where `RescaleAction` is all that changes actions on the way to it.

    Several of them are one affine map, from the outermost box to the innermost.
    None: there is none, it changes nothing, or something else acts on actions too.
    """
    outer, inner = action_space_of(env), _innermost_box(env)
    if not isinstance(inner, spaces.Box) or not isinstance(outer, spaces.Box) or inner.shape != outer.shape:
        return None
    unchanged = np.array_equal(inner.low, outer.low) and np.array_equal(inner.high, outer.high)
    return None if unchanged else inner


def outside_of_policy(env: object) -> list[str]:
    """A line for each wrapper around `env` that a board would have to do without: what it does is not in the policy."""
    lines = []
    inner = box_behind_rescaling(env)
    if inner is not None:
        lines.append(
            f"RescaleAction is outside of the policy: a checkpoint gives {_first_bounds(action_space_of(env))}, "
            f"and holds the scaling to the environment's own {_first_bounds(inner)}"
        )
    for wrapper in _wrappers(env):
        before, after = action_space_of(wrapper), action_space_of(wrapper.env)
        if inner is None and isinstance(wrapper, _RESCALING) and before != after:
            lines.append(
                f"RescaleAction is outside of the policy: a checkpoint gives {_first_bounds(before)}, "
                f"and {_first_bounds(after)} if you leave it out"
            )
        if isinstance(wrapper, gymnasium.wrappers.NormalizeObservation):
            lines.append(
                "NormalizeObservation is outside of the policy: a checkpoint needs observations that are normalised "
                "already (PPO's NORMALIZE_OBSERVATIONS is inside)"
            )
    return lines


def has_clipping(env: object) -> bool:
    """Whether gymnasium's `ClipAction`, whose box is unbounded, is among the wrappers around `env`."""
    return any(isinstance(wrapper, _CLIPPING) for wrapper in _wrappers(env))


def action_space_of(env: Any) -> Any:
    """The space of one environment's actions, also where `env` is several in one."""
    return env.single_action_space if isinstance(env, gymnasium.vector.VectorEnv) else env.action_space


def _wrappers(env: Any) -> Iterator[Any]:
    """From the outside inwards; of several environments in one those of the first come last."""
    while True:
        if isinstance(env, _WRAPPERS):
            yield env
            env = env.env
        elif isinstance(env, SyncVectorEnv):
            env = env.envs[0]
        else:
            return


def _innermost_box(env: Any) -> Any:
    if isinstance(env, SyncVectorEnv):
        boxes = [_innermost_box(each) for each in env.envs]
        return boxes[0] if all(box == boxes[0] for box in boxes) else None
    if not isinstance(env, _WRAPPERS):
        return action_space_of(env)
    # A subclass may do anything. Any other wrapper that keeps the box may delay or repeat actions, not scale them.
    is_transparent = not isinstance(env, _ACTION_WRAPPERS) and action_space_of(env) == action_space_of(env.env)
    return _innermost_box(env.env) if type(env) in _RESCALING or is_transparent else None


def _first_bounds(box: Any) -> str:
    return f"{np.ravel(box.low)[0]:g}..{np.ravel(box.high)[0]:g}"
