"""An environment's state in mid-episode as bytes, put into a freshly made environment of the same kind.

What is kept are the attributes of every wrapper and of the environment itself, as one pickle: its random engine, its
counters, the wrappers' statistics. What only its making decides is taken from the fresh one: functions, `spec`.
A pickle can run any code when it is read: a snapshot is to be trusted like a program.
"""

from __future__ import annotations

import io
import pickle
from types import FunctionType
from typing import Any

import gymnasium

# What making the environment decides, and may hold functions.
_NOT_STATE = frozenset({"env", "spec", "_cached_spec", "_saved_kwargs"})

_Key = tuple[int, str]


class SnapshotError(Exception):
    """Why an environment's state cannot be kept, or put back."""


def take(env: object) -> bytes:
    """The state of `env`.

    Raises:
        SnapshotError: it holds something that cannot be pickled.
    """
    layers = _layers(env)
    states = [_state(layer) for layer in layers]
    kinds = [_kind(layer) for layer in layers]
    try:
        return _pickled((kinds, states), _fixed(layers))
    except Exception as error:  # pickling runs the environment's own methods
        raise SnapshotError(_culprit(layers, states) or f"{type(error).__name__}: {error}") from error


def restore(env: object, snapshot: bytes) -> None:
    """Put a state that was taken into `env`, which the same factory made.

    Raises:
        SnapshotError: it is another environment's, or it cannot be read.
    """
    layers = _layers(env)
    try:
        kinds, states = _Unpickler(io.BytesIO(snapshot), {key: item for item, key in _fixed(layers).values()}).load()
    except Exception as error:  # a pickle may fail in any way, an environment's own classes may as well
        raise SnapshotError(f"{type(error).__name__}: {error}") from error
    found = [_kind(layer) for layer in layers]
    if kinds != found:
        raise SnapshotError(f"it was {' in '.join(reversed(kinds))}, and is {' in '.join(reversed(found))} now")
    for layer, state in zip(layers, states, strict=True):
        attributes = vars(layer)
        for name in _state(layer).keys() - state.keys():
            del attributes[name]
        attributes.update(state)


def _layers(env: object) -> list[object]:
    """The wrappers from the outside inwards, then the environment."""
    layers = [env]
    while isinstance(layers[-1], gymnasium.Wrapper):
        layers.append(layers[-1].env)
    return layers


def _kind(layer: object) -> str:
    return type(layer).__qualname__


def _state(layer: object) -> dict[str, Any]:
    try:
        attributes = vars(layer)
    except TypeError:
        raise SnapshotError(f"{_kind(layer)} keeps its state outside of Python") from None
    return {name: value for name, value in attributes.items() if name not in _NOT_STATE}


def _fixed(layers: list[object]) -> dict[int, tuple[object, _Key]]:
    """By identity what is not copied but found again in the fresh environment: the layers, and nameless functions."""
    fixed: dict[int, tuple[object, _Key]] = {}
    for index, layer in enumerate(layers):
        fixed[id(layer)] = (layer, (index, ""))
        for name, value in getattr(layer, "__dict__", {}).items():
            if isinstance(value, FunctionType) and "<" in value.__qualname__:
                fixed[id(value)] = (value, (index, name))
    return fixed


def _pickled(value: object, fixed: dict[int, tuple[object, _Key]]) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, fixed).dump(value)
    return stream.getvalue()


def _culprit(layers: list[object], states: list[dict[str, Any]]) -> str:
    for layer, state in zip(layers, states, strict=True):
        for name, value in state.items():
            try:
                _pickled(value, _fixed(layers))
            except Exception:  # as in take()
                return f"{_kind(layer)}.{name}, a {type(value).__qualname__}, cannot be pickled"
    return ""


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, fixed: dict[int, tuple[object, _Key]]) -> None:
        super().__init__(stream, protocol=4)
        self._fixed = fixed

    def persistent_id(self, item: object) -> _Key | None:
        found = self._fixed.get(id(item))
        return None if found is None else found[1]


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, fixed: dict[_Key, object]) -> None:
        super().__init__(stream)
        self._fixed = fixed

    def persistent_load(self, key: _Key) -> object:
        return self._fixed[key]
