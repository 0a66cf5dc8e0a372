"""Options under the names that RLtools' users know, checked before a compiler starts."""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import numpy as np

from rltools_embed.policy.model import Activation

# A check takes a value and returns it in its plain type, or raises ValueError with what is allowed.
Check = Callable[[object], object]
_Options = TypeVar("_Options")

# Sizes above these are more likely a slip than a wish: a compiler would work on them for minutes.
_LARGEST_DIM = 4096
_LARGEST_BATCH = 16384
# A count above this is no longer exact as a double, which carries it to C++.
_LARGEST_COUNT = 2**53
_LONGEST_VALUE = 80  # letters of a value in an error
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


# RLtools' keyword arguments where one of the algorithm's options is expected, and what takes their place.
_OF_RLTOOLS = {
    "enable_blas": 'backend="own" computes without one, and is the default',
    "force_blas": 'backend="blas" takes the first that is here',
    "disable_tensorboard": "nothing here writes for it; state.learning_curve and Callbacks hold the numbers",
}


class _NotAllowedError(ValueError):
    """What is allowed, for the sentence that names option and value."""


def integer(at_least: int, at_most: int = _LARGEST_COUNT) -> Check:
    """A check for a whole number within these bounds, both included."""
    is_open = at_most == _LARGEST_COUNT
    allowed = f"a whole number of at least {at_least}" if is_open else f"a whole number, {at_least} to {at_most}"

    def check(value: object) -> int:
        try:
            number = operator.index(cast(Any, value))
        except TypeError:
            raise _NotAllowedError(allowed) from None
        if number > _LARGEST_COUNT:
            raise _NotAllowedError(f"a whole number, {at_least} to {at_most}")
        if isinstance(value, bool) or not at_least <= number <= at_most:
            raise _NotAllowedError(allowed)
        return number

    return check


def real(allowed: str, accepts: Callable[[float], bool]) -> Check:
    """A number for training, which computes in float32: one that those round to something else is refused as well."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise _NotAllowedError(allowed)
        try:
            number = float(value)
        except OverflowError:
            raise _NotAllowedError(allowed) from None
        if not math.isfinite(number) or not accepts(number):
            raise _NotAllowedError(allowed)
        if abs(number) > _LARGEST_FLOAT32 or not accepts(float(np.float32(number))):
            raise _NotAllowedError(f"{allowed} as float32, which training computes in")
        return number

    return check


def boolean(value: object) -> bool:
    """A check for True or False; numbers are refused."""
    if not isinstance(value, bool):
        raise _NotAllowedError("True or False")
    return value


def activation(value: object) -> str:
    """A check for an activation function's name."""
    names = [activation.name for activation in Activation]
    if not isinstance(value, str) or value not in names:
        near = difflib.get_close_matches(str(value).upper(), names, n=1)
        raise _NotAllowedError(f"one of {', '.join(names)}" + (f" (did you mean {near[0]}?)" if near else ""))
    return value


def function(value: object) -> object:
    """A check for what can be called."""
    if not callable(value):
        raise _NotAllowedError("a function")
    return value


def only(allowed_value: object, reason: str) -> Check:
    """A check for one value alone, with the reason why there is no other."""

    def check(value: object) -> object:
        if isinstance(value, bool) != isinstance(allowed_value, bool) or value != allowed_value:
            raise _NotAllowedError(f"{allowed_value}: {reason}")
        return allowed_value

    return check


def or_none(check: Check) -> Check:
    """A check that also lets None pass."""
    return lambda value: None if value is None else check(value)


COUNT = integer(1)
COUNT_OR_NONE = or_none(COUNT)
COUNT_FROM_ZERO = integer(0)
COUNT_FROM_ZERO_OR_NONE = or_none(COUNT_FROM_ZERO)
UNIT_INTERVAL = real("a number from 0 to 1", lambda x: 0 <= x <= 1)
BETA = real("a number from 0 to below 1", lambda x: 0 <= x < 1)
POSITIVE = real("a number above 0", lambda x: x > 0)
NOT_NEGATIVE = real("a number of at least 0", lambda x: x >= 0)
FINITE = real("a finite number", lambda x: True)
DIM = integer(1, _LARGEST_DIM)
BATCH = integer(1, _LARGEST_BATCH)
LAYERS = integer(2, 32)


def option(default: Any, check: Check) -> Any:
    """A field of an options class: its default and its check."""
    return dataclasses.field(default=default, metadata={"check": check})


def checked(name: str, value: object, check: Check) -> Any:
    """`value` in its plain type.

    Raises:
        ValueError: names it, its value, and what is allowed.
    """
    try:
        return check(value)
    except _NotAllowedError as allowed:
        text = repr(value)
        shown = text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
        raise ValueError(f"{name} is {shown}: it must be {allowed}") from None


def checked_seed(seed: object) -> int:
    """`seed` as a plain whole number.

    Raises:
        TypeError: it is no whole number.
        ValueError: it is below 0, or not below 2^64.
    """
    try:
        number = operator.index(cast(Any, seed))
    except TypeError:
        raise TypeError(f"the seed is {seed!r}: it must be a whole number") from None
    if not 0 <= number < 2**64:
        raise ValueError(f"the seed is {number}: it must be from 0 to 2^64 - 1")
    return number


def refuse_unknown(function: str, keywords: Iterable[str], known: Iterable[str]) -> None:
    """Refuse keyword arguments that `function` does not have.

    Raises:
        TypeError: names the first of them, and the nearest that there is.
    """
    names = tuple(known)
    for name in keywords:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            help_ = f"did you mean {near[0]}?" if near else f"there is {', '.join(names)}"
            raise TypeError(f"{function}() has no argument {name!r}: {help_}")


def check_fields(options: object) -> None:
    """Check every option by its own rule and store it in its plain type.

    Raises:
        ValueError: names the option, its value, and what is allowed.
    """
    for field in dataclasses.fields(cast(Any, options)):
        value = checked(field.name, getattr(options, field.name), field.metadata["check"])
        object.__setattr__(options, field.name, value)


def from_keywords(kind: type[_Options], keywords: Mapping[str, object]) -> _Options:
    """Options of `kind` from a call's keyword arguments.

    Raises:
        TypeError: a name that is not an option, with the nearest that is.
    """
    names = [field.name for field in dataclasses.fields(cast(Any, kind))]
    for name in keywords:
        if name not in names:
            near = difflib.get_close_matches(name.upper(), names, n=1)
            known = f"did you mean {near[0]}?" if near else f"the options are {', '.join(names)}"
            known = _OF_RLTOOLS.get(name, known)
            raise TypeError(f"{name!r} is not an option: {known}")
    return kind(**keywords)
