"""From a policy to the text of its checkpoint.h."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from typing import Any

from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.cpp import byte_array, float_literal, nested
from rltools_embed.policy.digest import digest
from rltools_embed.policy.model import Policy, Signal
from rltools_embed.text import c_string

FORMAT = 2
FIRST_LINE = "// rltools_embed checkpoint, format "
LAST_LINE = "// end of checkpoint, SHA-256 of the lines above: "
MANIFEST_BEGIN = "// manifest:"
MANIFEST_END = "// end of manifest"


def dumps(policy: Policy) -> str:
    """The policy as the text of a checkpoint.h: valid C++17 on any target, and all that `loads` needs.

    Written once for each policy.
    """
    return policy.once(_text)


def _text(policy: Policy) -> str:
    sections = [
        *_preamble(policy),
        *_manifest_lines(policy),
        "#pragma once",
        "",
        *(f"#include <{header}>" for header in _headers(policy)),
        "#include <rl_tools/nn_models/sequential/operations_generic.h>",
        "",
        "namespace policy {",
        "",
    ]
    for index, module in enumerate(policy.layers):
        sections += [f"namespace layer_{index} {{", *module.lines(), f"}}  // namespace layer_{index}", ""]
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
    return f"{text}{LAST_LINE}{hashlib.sha256(text.encode()).hexdigest()}\n"


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
    yield f"{FIRST_LINE}{FORMAT}"
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
        "modules": [{"kind": module.kind, **module.settings()} for module in policy.layers],
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
    yield MANIFEST_BEGIN
    # ASCII only: no line separator of Unicode, no byte-order mark and no look-alike can hide in a comment.
    text = json.dumps(manifest(policy), indent=1, ensure_ascii=True, allow_nan=False)
    yield from (f"// {line}" for line in text.splitlines())
    yield MANIFEST_END


def _signal_entry(signal: Signal) -> dict[str, Any]:
    low = signal.low if math.isfinite(signal.low) else None
    high = signal.high if math.isfinite(signal.high) else None
    return {"name": signal.name, "low": low, "high": high, "unit": signal.unit}


def _headers(policy: Policy) -> list[str]:
    """The modules' headers, in the order of the kinds' names."""
    headers = {module.kind: module.header for module in policy.layers}
    return [headers[kind] for kind in sorted(headers)]


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
