"""Which environments are in use: one that a factory gives twice would be reset by one user under the other."""

from __future__ import annotations

import weakref
from typing import Any

from rltools_embed.errors import UnsupportedEnvError

# By the innermost environment's identity, which lasts as long as what stands here: its user, who holds it, and itself.
_users: weakref.WeakValueDictionary[int, object] = weakref.WeakValueDictionary()
_closed: weakref.WeakValueDictionary[int, object] = weakref.WeakValueDictionary()


def claim(env: object, user: object) -> None:
    """`user` alone steps `env`, and what it wraps, until `release`.

    Raises:
        UnsupportedEnvError: somebody does already, or did and has closed it.
    """
    innermost = _innermost(env)
    if id(innermost) in _closed or _users.setdefault(id(innermost), user) is not user:
        when = "after it was closed" if id(innermost) in _closed else "while it is in use"
        raise UnsupportedEnvError(
            f"env_factory gave the same {type(env).__name__} again, {when}",
            "make a new one each time: lambda: gymnasium.make(id), not lambda: env",
        )


def release(env: object, user: object) -> None:
    """The opposite of `claim`: `env` is about to be closed."""
    innermost = _innermost(env)
    if _users.get(id(innermost)) is not user:
        return
    del _users[id(innermost)]
    if getattr(type(innermost), "__weakrefoffset__", 0):
        _closed[id(innermost)] = innermost


def _innermost(env: object) -> Any:
    return getattr(env, "unwrapped", env)
