"""From the text of a checkpoint.h to its policy."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rltools_embed.errors import CheckpointError
from rltools_embed.policy.checkpoint.writing import (
    FIRST_LINE,
    FORMAT,
    LAST_LINE,
    MANIFEST_BEGIN,
    MANIFEST_END,
    dumps,
)
from rltools_embed.policy.cpp import ByteArrays
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import Module
from rltools_embed.policy.layers.registry import module_kind
from rltools_embed.policy.model import Policy, Provenance, Signal

_EXPORT_AGAIN = "export the policy again, or use the file as it was exported"
_ARRAY = re.compile(r"^ *alignas\(float\) constexpr unsigned char (\w+)\[(\d+)\] = \{$")
_NAMESPACE = re.compile(r"^ *namespace (\w+) \{")


def load(path: str | Path) -> Policy:
    """The policy of a checkpoint file.

    Raises:
        CheckpointError: the file cannot be read, or is not exactly what `dumps` writes.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise CheckpointError(f"cannot read checkpoint {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path} is not text: byte {error.start} is no UTF-8", _EXPORT_AGAIN) from error
    try:
        return loads(text)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error.message}", error.hint) from error


def loads(text: str) -> Policy:
    """The policy of a checkpoint's text.

    Raises:
        CheckpointError: truncated, edited, of another program or version, or with a number that is not finite.
    """
    if not isinstance(text, str):
        raise TypeError(f"load_checkpoint takes the text of a checkpoint, not {type(text).__name__}")
    # Only what a C++ compiler takes for a line's end: splitlines() knows more, and could hide a line in a comment.
    lines = [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")]
    _check_frame(lines)
    manifest = _parse_manifest(lines)
    arrays = ByteArrays(contents=_parse_arrays(lines))
    try:
        policy = _policy(manifest, arrays)
        found, expected = digest(policy), dumps(policy)
    except (AttributeError, KeyError, OverflowError, TypeError, UnicodeError, ValueError) as error:
        raise CheckpointError(f"the manifest does not fit the numbers: {error}", _EXPORT_AGAIN) from error
    if found != manifest.get("digest"):
        raise CheckpointError(
            f"a number was changed after the export: their digest is {found[:16]}…, "
            f"the manifest says {str(manifest.get('digest'))[:16]}…",
            _EXPORT_AGAIN,
        )
    _check_text(lines, expected.rstrip("\n").split("\n"))
    return policy


def _check_frame(lines: Sequence[str]) -> None:
    first = lines[0]
    if not first.startswith(FIRST_LINE):
        if first.startswith("\ufeff"):
            raise CheckpointError("the file begins with a byte-order mark", "save it as UTF-8 without one")
        if any("rl_tools" in line for line in lines):
            raise CheckpointError(
                "this header was not exported by rltools_embed",
                "RLtools' own exports are another format: train or export it with rltools_embed",
            )
        raise CheckpointError(f"not a checkpoint: the first line is {first[:60]!r}", "pass a checkpoint.h")
    version = first.removeprefix(FIRST_LINE)
    if version != str(FORMAT):
        raise CheckpointError(
            f"checkpoint format {version}; this version of rltools_embed reads {FORMAT}",
            "use the version of rltools_embed that exported it (its manifest names it), or export again",
        )
    if not lines[-1].startswith(LAST_LINE):
        raise CheckpointError(f"the checkpoint is truncated after line {len(lines)}", "copy the whole file again")


def _parse_manifest(lines: Sequence[str]) -> Mapping[str, Any]:
    try:
        begin, end = lines.index(MANIFEST_BEGIN), lines.index(MANIFEST_END)
        manifest = json.loads("\n".join(line.removeprefix("// ") for line in lines[begin + 1 : end]))
    except (ValueError, RecursionError) as error:  # JSONDecodeError is a ValueError
        raise CheckpointError(f"the manifest cannot be read: {error}", _EXPORT_AGAIN) from error
    if not isinstance(manifest, dict):
        raise CheckpointError("the manifest is not a JSON object", _EXPORT_AGAIN)
    return manifest


def _parse_arrays(lines: Sequence[str]) -> dict[str, bytes]:
    """Every byte array by its name with its namespaces: `layer_0::dense_1::weights`."""
    arrays: dict[str, bytes] = {}
    scope: list[str] = []
    iterator = iter(enumerate(lines, start=1))
    for number, line in iterator:
        if namespace := _NAMESPACE.match(line):
            scope.append(namespace[1])
        elif line.lstrip().startswith("}  // namespace") and scope:
            scope.pop()
        elif array := _ARRAY.match(line):
            name = "::".join([*scope[1:], array[1]])
            arrays[name] = _parse_bytes(name, number, int(array[2]), iterator)
    return arrays


def _parse_bytes(name: str, line_number: int, size: int, lines: Iterator[tuple[int, str]]) -> bytes:
    values: list[int] = []
    for number, line in lines:
        if line.strip() == "};":
            break
        try:
            values += [int(token, 16) for token in line.replace(",", " ").split()]
        except ValueError as error:
            raise CheckpointError(
                f"line {number} is not a row of bytes: {line.strip()[:60]!r}", _EXPORT_AGAIN
            ) from error
    if len(values) != size or any(value > 0xFF for value in values):
        raise CheckpointError(f"{name} in line {line_number} holds {len(values)} bytes, not {size}", _EXPORT_AGAIN)
    return bytes(values)


def _check_text(lines: Sequence[str], expected: Sequence[str]) -> None:
    for number, (found, wanted) in enumerate(zip(lines, expected, strict=False), start=1):
        if found != wanted and not found.startswith(LAST_LINE):
            raise CheckpointError(
                f"line {number} was changed after the export: {found.strip()[:80]!r}, "
                f"exported as {wanted.strip()[:80]!r}",
                _EXPORT_AGAIN,
            )
    if len(lines) != len(expected):
        raise CheckpointError(f"the checkpoint has {len(lines)} lines, exported were {len(expected)}", _EXPORT_AGAIN)
    if lines[-1] != expected[-1]:
        message = "the manifest was changed after the export: the checksum in the last line differs"
        raise CheckpointError(message, _EXPORT_AGAIN)


def _is(value: Any, *kinds: type) -> Any:
    """`value`, if it is of one of these types; a flag is not a number."""
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not of type {' or '.join(kind.__name__ for kind in kinds)}")
    return value


def _policy(manifest: Mapping[str, Any], arrays: ByteArrays) -> Policy:
    observation = tuple(_signal(entry) for entry in manifest["observation"])
    return Policy(
        name=_is(manifest["name"], str),
        layers=tuple(_module(entry, arrays.inside(f"layer_{i}")) for i, entry in enumerate(manifest["modules"])),
        observation=observation,
        action=tuple(_signal(entry) for entry in manifest["action"]),
        actuator=tuple(_signal(entry) for entry in manifest.get("actuator", ())),
        example_observations=arrays.inside("example").numbers("observations", (-1, len(observation))),
        control_period_s=_is(manifest["control_period_s"], int, float, type(None)),
        provenance=_provenance(manifest["provenance"]),
    )


def _module(entry: Mapping[str, Any], arrays: ByteArrays) -> Module:
    return module_kind(entry["kind"]).read(entry, arrays)


def _provenance(entry: Mapping[str, Any]) -> Provenance:
    return Provenance(
        environment=_is(entry["environment"], str),
        algorithm=_is(entry["algorithm"], str),
        seed=_is(entry["seed"], int, type(None)),
        steps=_is(entry["steps"], int, type(None)),
        mean_return=_is(entry["mean_return"], int, float, type(None)),
        versions=tuple((name, _is(version, str)) for name, version in entry["versions"].items()),
    )


def _signal(entry: Mapping[str, Any]) -> Signal:
    low, high = entry["low"], entry["high"]
    return Signal(
        name=_is(entry["name"], str),
        low=-math.inf if low is None else _is(low, int, float),
        high=math.inf if high is None else _is(high, int, float),
        unit=_is(entry["unit"], str),
    )
