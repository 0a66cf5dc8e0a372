"""The kinds of layers that there are."""

from __future__ import annotations

from typing import TypeVar

from rltools_embed.policy.layers.kind import Layer, Module

_Kind = TypeVar("_Kind", bound=type[Layer])
_registered: list[type[Layer]] = []


def register(kind: _Kind) -> _Kind:
    """Make a kind known to the reader of checkpoints; a class decorator.

    Raises:
        TypeError: a part is missing.
        ValueError: its digest tag or its name belongs to another kind.
    """
    missing = sorted(getattr(kind, "__abstractmethods__", ()))
    missing += [name for name in _parts_of(kind) if not _has(kind, name)]
    if missing:
        raise TypeError(f"the layer kind {kind.__name__} lacks {', '.join(missing)}")
    if not 0 <= kind.TAG <= 0xFF:
        raise ValueError(f"the digest tag of {kind.__name__} is {kind.TAG}: it is one byte")
    for other in _registered:
        if other.TAG == kind.TAG:
            raise ValueError(f"{kind.__name__} and {other.__name__} have the digest tag {kind.TAG:#04x} both")
        if shared := set(names_of(other)) & set(names_of(kind)):
            raise ValueError(f"{kind.__name__} and {other.__name__} are both called {', '.join(sorted(shared))}")
    _registered.append(kind)
    return kind


def kinds() -> tuple[type[Layer], ...]:
    """Every registered kind, in the order of registration."""
    return tuple(_registered)


def names_of(kind: type[Layer]) -> tuple[str, ...]:
    """The names of a kind in manifests; none for one that only stands inside others."""
    return kind.KINDS if issubclass(kind, Module) else ()


def module_kind(name: str) -> type[Module]:
    """The kind that a manifest names.

    Raises:
        ValueError: there is none.
    """
    for kind in _registered:
        if issubclass(kind, Module) and name in kind.KINDS:
            return kind
    raise ValueError(f"unknown module kind {name!r}")


def _parts_of(kind: type[Layer]) -> tuple[str, ...]:
    """What a class has to have besides methods: constants, and sizes as properties or fields."""
    constants = ("TAG", "KINDS") if issubclass(kind, Module) else ("TAG",)
    return (*constants, "input_dim", "output_dim")


def _has(kind: type[Layer], name: str) -> bool:
    return hasattr(kind, name) or name in getattr(kind, "__dataclass_fields__", {})
