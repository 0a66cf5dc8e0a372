"""checkpoint.h: a policy as C++ that a person can read, and back.

The writer is a pure function of the policy. The reader parses, it never compiles or executes: it builds a policy from
the manifest and the byte arrays, writes that policy again, and accepts the file only if the text is the same.
So whatever was edited, in a number, a type or a comment, is found, and named where it can be; what the text would not
contradict (a return, a version) the last line's checksum does. That is against accidents, not against an attacker.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rltools_embed.errors import CheckpointError
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.cpp import byte_array, float_literal, nested
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import (
    Activation,
    Dense,
    Float32Array,
    Gru,
    Mlp,
    Module,
    Rescale,
    SampleAndSquash,
    Standardize,
    Td3Sampling,
)
from rltools_embed.policy.model import Policy, Provenance, Signal
from rltools_embed.text import c_string

FORMAT = 2
_FIRST_LINE = "// rltools_embed checkpoint, format "
_LAST_LINE = "// end of checkpoint, SHA-256 of the lines above: "
_MANIFEST_BEGIN = "// manifest:"
_MANIFEST_END = "// end of manifest"
_EXPORT_AGAIN = "export the policy again, or use the file as it was exported"

_ARRAY = re.compile(r"^ *alignas\(float\) constexpr unsigned char (\w+)\[(\d+)\] = \{$")
_NAMESPACE = re.compile(r"^ *namespace (\w+) \{")
_HEADERS = {
    "standardize": "nn/layers/standardize",
    "gru": "nn/layers/gru",
    "mlp": "nn_models/mlp",
    "mlp_unconditional_stddev": "nn_models/mlp_unconditional_stddev",
    "sample_and_squash": "nn/layers/sample_and_squash",
    "td3_sampling": "nn/layers/td3_sampling",
    "rescale": "nn/layers/rescale",
}


# ---------------------------------------------------------------------------------------------------------- reading


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
    told = _parse_manifest(lines)
    arrays = _parse_arrays(lines)
    try:
        policy = _policy(told, arrays)
        found, expected = digest(policy), dumps(policy)
    except (AttributeError, KeyError, OverflowError, TypeError, UnicodeError, ValueError) as error:
        raise CheckpointError(f"the manifest does not fit the numbers: {error}", _EXPORT_AGAIN) from error
    if found != told.get("digest"):
        raise CheckpointError(
            f"a number was changed after the export: their digest is {found[:16]}…, "
            f"the manifest says {str(told.get('digest'))[:16]}…",
            _EXPORT_AGAIN,
        )
    _check_text(lines, expected.rstrip("\n").split("\n"))
    return policy


def _check_frame(lines: Sequence[str]) -> None:
    first = lines[0]
    if not first.startswith(_FIRST_LINE):
        if first.startswith("\ufeff"):
            raise CheckpointError("the file begins with a byte-order mark", "save it as UTF-8 without one")
        if any("rl_tools" in line for line in lines):
            raise CheckpointError(
                "this header was not exported by rltools_embed",
                "RLtools' own exports are another format: train or export it with rltools_embed",
            )
        raise CheckpointError(f"not a checkpoint: the first line is {first[:60]!r}", "pass a checkpoint.h")
    version = first.removeprefix(_FIRST_LINE)
    if version != str(FORMAT):
        raise CheckpointError(
            f"checkpoint format {version}; this version of rltools_embed reads {FORMAT}",
            "use the version of rltools_embed that exported it (its manifest names it), or export again",
        )
    if not lines[-1].startswith(_LAST_LINE):
        raise CheckpointError(f"the checkpoint is truncated after line {len(lines)}", "copy the whole file again")


def _parse_manifest(lines: Sequence[str]) -> Mapping[str, Any]:
    try:
        begin, end = lines.index(_MANIFEST_BEGIN), lines.index(_MANIFEST_END)
        told = json.loads("\n".join(line.removeprefix("// ") for line in lines[begin + 1 : end]))
    except (ValueError, RecursionError) as error:  # JSONDecodeError is a ValueError
        raise CheckpointError(f"the manifest cannot be read: {error}", _EXPORT_AGAIN) from error
    if not isinstance(told, dict):
        raise CheckpointError("the manifest is not a JSON object", _EXPORT_AGAIN)
    return told


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
        if found != wanted and not found.startswith(_LAST_LINE):
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


def _numbers(arrays: Mapping[str, bytes], name: str, shape: tuple[int, ...] = (-1,)) -> Float32Array:
    numbers = np.frombuffer(arrays[name], dtype="<f4").reshape(shape)
    if not np.isfinite(numbers).all():
        index = [int(i) for i in np.argwhere(~np.isfinite(numbers))[0]]
        raise CheckpointError(f"{name}{index} is {numbers[tuple(index)]}", "a policy must be finite: train again")
    return numbers.astype(np.float32)


def _is(value: Any, *kinds: type) -> Any:
    """`value`, if it is of one of these types; a flag is not a number."""
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not of type {' or '.join(kind.__name__ for kind in kinds)}")
    return value


def _policy(told: Mapping[str, Any], arrays: Mapping[str, bytes]) -> Policy:
    layers = tuple(_module(entry, arrays, f"layer_{i}") for i, entry in enumerate(told["modules"]))
    observation = tuple(_signal(entry) for entry in told["observation"])
    return Policy(
        name=_is(told["name"], str),
        layers=layers,
        observation=observation,
        action=tuple(_signal(entry) for entry in told["action"]),
        actuator=tuple(_signal(entry) for entry in told.get("actuator", ())),
        example_observations=_numbers(arrays, "example::observations", (-1, len(observation))),
        control_period_s=_is(told["control_period_s"], int, float, type(None)),
        provenance=_provenance(told["provenance"]),
    )


def _provenance(told: Mapping[str, Any]) -> Provenance:
    return Provenance(
        environment=_is(told["environment"], str),
        algorithm=_is(told["algorithm"], str),
        seed=_is(told["seed"], int, type(None)),
        steps=_is(told["steps"], int, type(None)),
        mean_return=_is(told["mean_return"], int, float, type(None)),
        versions=tuple((name, _is(version, str)) for name, version in told["versions"].items()),
    )


def _module(entry: Mapping[str, Any], arrays: Mapping[str, bytes], scope: str) -> Module:
    match entry["kind"]:
        case "standardize":
            return Standardize(
                mean=_numbers(arrays, f"{scope}::mean"), precision=_numbers(arrays, f"{scope}::precision")
            )
        case "mlp" | "mlp_unconditional_stddev" as kind:
            layers = tuple(_dense(layer, arrays, f"{scope}::dense_{i}") for i, layer in enumerate(entry["layers"]))
            log_std = None if kind == "mlp" else _numbers(arrays, f"{scope}::log_std")
            return Mlp(layers=layers, log_std=log_std)
        case "gru":
            inputs, hidden = entry["inputs"], entry["outputs"]
            return Gru(
                weights_input=_numbers(arrays, f"{scope}::weights_input", (3 * hidden, inputs)),
                biases_input=_numbers(arrays, f"{scope}::biases_input"),
                weights_hidden=_numbers(arrays, f"{scope}::weights_hidden", (3 * hidden, hidden)),
                biases_hidden=_numbers(arrays, f"{scope}::biases_hidden"),
                initial_state=_numbers(arrays, f"{scope}::initial_state"),
            )
        case "sample_and_squash":
            return SampleAndSquash(
                output_dim=entry["outputs"],
                log_std_lower_bound=entry["log_std_lower_bound"],
                log_std_upper_bound=entry["log_std_upper_bound"],
            )
        case "td3_sampling":
            return Td3Sampling(output_dim=entry["outputs"], std=entry["std"])
        case "rescale":
            return Rescale(low=_numbers(arrays, f"{scope}::low"), high=_numbers(arrays, f"{scope}::high"))
        case other:
            raise ValueError(f"unknown module kind {other!r}")


def _dense(entry: Mapping[str, Any], arrays: Mapping[str, bytes], scope: str) -> Dense:
    return Dense(
        weights=_numbers(arrays, f"{scope}::weights", (entry["outputs"], entry["inputs"])),
        biases=_numbers(arrays, f"{scope}::biases"),
        activation=Activation[entry["activation"]],
    )


def _signal(entry: Mapping[str, Any]) -> Signal:
    low, high = entry["low"], entry["high"]
    return Signal(
        name=_is(entry["name"], str),
        low=-math.inf if low is None else _is(low, int, float),
        high=math.inf if high is None else _is(high, int, float),
        unit=_is(entry["unit"], str),
    )


# ---------------------------------------------------------------------------------------------------------- writing


def dumps(policy: Policy) -> str:
    """The policy as the text of a checkpoint.h: valid C++17 on any target, and all that `loads` needs."""
    kinds = [_kind(module) for module in policy.layers]
    sections = [
        *_preamble(policy),
        *_manifest_lines(policy),
        "#pragma once",
        "",
        *(f"#include <rl_tools/{_HEADERS[kind]}/operations_generic.h>" for kind in sorted(set(kinds))),
        "#include <rl_tools/nn_models/sequential/operations_generic.h>",
        "",
        "namespace policy {",
        "",
    ]
    for index, module in enumerate(policy.layers):
        sections += [f"namespace layer_{index} {{", *_module_lines(module), f"}}  // namespace layer_{index}", ""]
    modules = ", ".join(f"layer_{index}::MODULE" for index in range(len(policy.layers)))
    values = nested([f"layer_{index}::module" for index in range(len(policy.layers))])
    sections += [
        f"using MODEL = rl_tools::nn_models::sequential::Model<{modules}>;",
        f"constexpr MODEL module = {{{values}}};",
        "",
        *_example_lines(policy),
        "",
        *_meta_lines(policy),
        "",
        *_CHECKPOINT_STRUCT.format(count=len(policy.example_observations)).splitlines(),
        *(_ACTUATOR_BOUNDS if policy.actuator else ()),
        "};",
        "",
        "}  // namespace policy",
    ]
    text = "\n".join(sections) + "\n"
    return f"{text}{_LAST_LINE}{hashlib.sha256(text.encode()).hexdigest()}\n"


_CHECKPOINT_STRUCT = """\
// What rl_tools::embed::Policy asks of a checkpoint.
struct Checkpoint {{
    using MODEL = policy::MODEL;
    static constexpr uint32_t EXAMPLE_COUNT = {count};
    static constexpr const MODEL& module() {{ return policy::module; }}
    static const float* example_observations() {{ return reinterpret_cast<const float*>(example::observations); }}
    // 0: separate rounding, 1: fused multiply-add.
    static const float* example_actions(uint8_t arithmetic) {{
        return reinterpret_cast<const float*>(arithmetic == 0 ? example::actions_separate : example::actions_fused);
    }}
    static constexpr const float* observation_low() {{ return meta::observation_low; }}
    static constexpr const float* observation_high() {{ return meta::observation_high; }}
    static constexpr const float* action_low() {{ return meta::action_low; }}
    static constexpr const float* action_high() {{ return meta::action_high; }}"""
# Where they are, rl_tools/embed/actuators.h scales.
_ACTUATOR_BOUNDS = (
    "    static constexpr const float* actuator_low() { return meta::actuator_low; }",
    "    static constexpr const float* actuator_high() { return meta::actuator_high; }",
)


def _preamble(policy: Policy) -> Iterator[str]:
    yield f"{_FIRST_LINE}{FORMAT}"
    yield "//"
    yield (
        f"// {policy.observation_dim} observation numbers to {policy.action_dim} action numbers, "
        f"{policy.parameter_count} parameters."
    )
    yield "// Every number is stored as its exact IEEE-754 bytes, little-endian; weights row by row, [output][input]."
    yield "// The bytes have internal linkage: include this file in one translation unit, or they are there twice."
    yield "// rltools_embed reads this file back and refuses it when anything in it was edited."
    yield "//"


def manifest(policy: Policy) -> dict[str, Any]:
    """What a checkpoint says of its policy besides the numbers, ready for JSON."""
    return {
        "name": policy.name,
        "digest": digest(policy),
        "modules": [_module_entry(module) for module in policy.layers],
        "observation": [_signal_entry(signal) for signal in policy.observation],
        "action": [_signal_entry(signal) for signal in policy.action],
        **({"actuator": [_signal_entry(signal) for signal in policy.actuator]} if policy.actuator else {}),
        "control_period_s": policy.control_period_s,
        "provenance": {
            "environment": policy.provenance.environment,
            "algorithm": policy.provenance.algorithm,
            "seed": policy.provenance.seed,
            "steps": policy.provenance.steps,
            "mean_return": policy.provenance.mean_return,
            "versions": dict(policy.provenance.versions),
        },
    }


def _manifest_lines(policy: Policy) -> Iterator[str]:
    yield _MANIFEST_BEGIN
    # ASCII only: no line separator of Unicode, no byte-order mark and no look-alike can hide in a comment.
    text = json.dumps(manifest(policy), indent=1, ensure_ascii=True, allow_nan=False)
    yield from (f"// {line}" for line in text.splitlines())
    yield _MANIFEST_END


def _kind(module: Module) -> str:
    match module:
        case Standardize():
            return "standardize"
        case Mlp():
            return "mlp" if module.log_std is None else "mlp_unconditional_stddev"
        case Gru():
            return "gru"
        case SampleAndSquash():
            return "sample_and_squash"
        case Td3Sampling():
            return "td3_sampling"
        case Rescale():
            return "rescale"


def _module_entry(module: Module) -> dict[str, Any]:
    entry: dict[str, Any] = {"kind": _kind(module)}
    match module:
        case Mlp():
            entry["layers"] = [
                {"inputs": layer.input_dim, "outputs": layer.output_dim, "activation": layer.activation.name}
                for layer in module.layers
            ]
        case Gru():
            entry["inputs"] = module.input_dim
            entry["outputs"] = module.output_dim
        case SampleAndSquash():
            entry["outputs"] = module.output_dim
            entry["log_std_lower_bound"] = module.log_std_lower_bound
            entry["log_std_upper_bound"] = module.log_std_upper_bound
        case Td3Sampling():
            entry["outputs"] = module.output_dim
            entry["std"] = module.std
        case Standardize() | Rescale():
            entry["outputs"] = module.output_dim
    return entry


def _signal_entry(signal: Signal) -> dict[str, Any]:
    low = signal.low if math.isfinite(signal.low) else None
    high = signal.high if math.isfinite(signal.high) else None
    return {"name": signal.name, "low": low, "high": high, "unit": signal.unit}


def _module_lines(module: Module) -> Iterator[str]:
    layers = "rl_tools::nn::layers"
    read_only = "rl_tools::parameters::ReadOnly"
    match module:
        case Standardize():
            yield from byte_array("mean", module.mean)
            yield from byte_array("precision", module.precision)
            specification = f"Specification<float, size_t, {module.output_dim}, {read_only}>"
            yield f"using MODULE = {layers}::standardize::Layer<{layers}::standardize::{specification}>;"
            yield "constexpr MODULE module = {{mean}, {precision}};"
        case Mlp():
            yield from _mlp_lines(module)
        case Gru():
            names = ("weights_input", "biases_input", "weights_hidden", "biases_hidden", "initial_state")
            for name in names:
                yield from byte_array(name, getattr(module, name))
            sizes = f"float, size_t, {module.input_dim}, {module.output_dim}"
            yield f"using MODULE = {layers}::gru::Layer<{layers}::gru::Specification<{sizes}, {read_only}>>;"
            gates = "{{weights_input}, {biases_input}}, {{weights_hidden}, {biases_hidden}}"
            yield f"constexpr MODULE module = {{{gates}, {{initial_state}}}};"
        case SampleAndSquash():
            kind = f"{layers}::sample_and_squash"
            yield f"using MODULE = {kind}::Layer<{kind}::Specification<float, size_t, {module.output_dim}>>;"
            bounds = f"{float_literal(module.log_std_lower_bound)}, {float_literal(module.log_std_upper_bound)}"
            yield f"constexpr MODULE module = {{{bounds}}};"
        case Td3Sampling():
            kind = f"{layers}::td3_sampling"
            yield f"using MODULE = {kind}::Layer<{kind}::Specification<float, size_t, {module.output_dim}>>;"
            yield f"constexpr MODULE module = {{{float_literal(module.std)}}};"
        case Rescale():
            yield from byte_array("low", module.low)
            yield from byte_array("high", module.high)
            specification = f"Specification<float, size_t, {module.output_dim}, {read_only}>"
            yield f"using MODULE = {layers}::rescale::Layer<{layers}::rescale::{specification}>;"
            yield "constexpr MODULE module = {{low}, {high}};"


def _mlp_lines(module: Mlp) -> Iterator[str]:
    kind = "rl_tools::nn::layers::dense"
    for index, layer in enumerate(module.layers):
        function = f"rl_tools::nn::ActivationFunction::{layer.activation.name}"
        sizes = f"float, size_t, {layer.input_dim}, {layer.output_dim}"
        specification = f"Specification<{sizes}, {function}, rl_tools::parameters::ReadOnly>"
        yield f"namespace dense_{index} {{"
        yield from byte_array("weights", layer.weights)
        yield from byte_array("biases", layer.biases)
        yield f"using LAYER = {kind}::Layer<{kind}::{specification}>;"
        yield "constexpr LAYER layer = {{weights}, {biases}};"
        yield f"}}  // namespace dense_{index}"
    types = ", ".join(f"dense_{index}::LAYER" for index in range(len(module.layers)))
    values = nested([f"dense_{index}::layer" for index in range(len(module.layers))])
    if module.log_std is None:
        yield f"using MODULE = rl_tools::nn_models::mlp::NeuralNetwork<{types}>;"
        yield f"constexpr MODULE module = {{{values}}};"
    else:
        yield from byte_array("log_std", module.log_std)
        model = "rl_tools::nn_models::mlp_unconditional_stddev::NeuralNetwork"
        yield f"using MODULE = {model}<rl_tools::parameters::ReadOnly, {types}>;"
        yield f"constexpr MODULE module = {{{{{values}}}, {{log_std}}}};"


def _example_lines(policy: Policy) -> Iterator[str]:
    yield "// Observations and the bits that every target must give for them, as the steps of one episode."
    yield "namespace example {"
    yield from byte_array("observations", policy.example_observations)
    for mode in Arithmetic:
        actions = policy.evaluate_episode(policy.example_observations, mode)
        yield from byte_array(f"actions_{mode.value}", actions)
    yield "}  // namespace example"


def _meta_lines(policy: Policy) -> Iterator[str]:
    yield "namespace meta {"
    yield f"constexpr char name[] = {c_string(policy.name)};"
    yield f"constexpr char environment[] = {c_string(policy.provenance.environment)};"
    yield f"constexpr char algorithm[] = {c_string(policy.provenance.algorithm)};"
    yield f"constexpr char digest[] = {c_string(digest(policy))};  // as exported; the firmware computes its own"
    yield f"constexpr float control_period_s = {float_literal(policy.control_period_s or 0.0)};  // 0: not known"
    groups = (("observation", policy.observation), ("action", policy.action), ("actuator", policy.actuator))
    for group, signals in groups:
        if not signals:
            continue
        names = ", ".join(c_string(signal.name) for signal in signals)
        units = ", ".join(c_string(signal.unit) for signal in signals)
        yield f"constexpr const char* {group}_names[] = {{{names}}};"
        yield f"constexpr const char* {group}_units[] = {{{units}}};"
        for bound in ("low", "high"):
            values = ", ".join(float_literal(getattr(signal, bound)) for signal in signals)
            yield f"constexpr float {group}_{bound}[] = {{{values}}};"
    yield "}  // namespace meta"
