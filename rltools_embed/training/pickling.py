"""What `pickle` can do with functions: it knows them by their names only, and extensions of it know more."""

from __future__ import annotations

import pickle
import sys

_PICKLERS = (pickle.Pickler, pickle._Pickler)


def check_named(owner: str, **values: object) -> None:
    """Refuse functions that another process could not import; to be called by the `__reduce__` of `owner`.

    An extension of `pickle`, such as cloudpickle, may pickle any function by value: it is left to try.

    Raises:
        pickle.PicklingError: names the value, and what to do.
    """
    # An extension's `dump` is in Python's stack, right above `__reduce__`; `pickle` itself is not.
    caller = sys._getframe(2).f_locals.get("self")
    if isinstance(caller, _PICKLERS) and type(caller) not in _PICKLERS:
        return
    for name, value in values.items():
        try:
            pickle.dumps(value)
        except Exception as error:  # a user's object may fail in any way of its own
            raise pickle.PicklingError(
                f"this {owner} cannot be pickled: {name} is nothing that another process can import ({error}); "
                "define it with def at the top of a module, or use cloudpickle"
            ) from error
