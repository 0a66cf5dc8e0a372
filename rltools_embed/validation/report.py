"""What a validation found, as data, and that data as JSON and JUnit XML."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any
from xml.etree import ElementTree

from rltools_embed.validation.compare import Agreement

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Check:
    """One claim about the board, whether it holds, and the values that show it."""

    name: str
    passed: bool
    message: str


@dataclass(frozen=True, kw_only=True)
class SampleResult:
    """How the outputs for one kind of observation agree."""

    name: str
    observations: int
    agreement: Agreement


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first output that differs.

    Attributes:
        sample, row: the kind of observation and its number within that kind.
        layer: the first layer of the trace that differs, in words; empty if the board's trace shows none.
        unit: the first number of that layer that differs.
        layer_found, layer_expected: that number.
    """

    sample: str
    row: int
    observation: tuple[float, ...]
    found: tuple[float, ...]
    expected: tuple[float, ...]
    layer: str = ""
    unit: int = 0
    layer_found: float = 0.0
    layer_expected: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What an inference costs, and what kind of figure that is.

    Attributes:
        per_inference: instructions, cycles or nanoseconds; see `unit`.
        unit: `instructions` (counted by QEMU; not cycles), `cycles` (a board's counter), `ns` (a host process).
    """

    per_inference: float
    unit: str


@dataclass(frozen=True, kw_only=True)
class Size:
    """Bytes used of bytes offered; None where it is not known or not limited."""

    used_bytes: int | None
    offered_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a validation. `passed` is the claim: the board computes the same.

    Attributes:
        digest_expected, digest_found: of the policy that should be on the board, and as the board computed it.
        notes: what limits the claim, for example a kind of observation that could not be made.
    """

    policy: str
    board: str
    port: str
    arithmetic: str
    digest_expected: str
    digest_found: str
    checks: tuple[Check, ...]
    samples: tuple[SampleResult, ...] = ()
    total: Agreement | None = None
    first_difference: Difference | None = None
    cost: Cost | None = None
    flash: Size
    ram: Size
    stack: Size
    notes: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def observations(self) -> int:
        """How many observations the board evaluated."""
        return sum(sample.observations for sample in self.samples)


def to_json(report: Report) -> str:
    """The report as JSON: what is not finite becomes a string, keys are those of `Report`."""
    document = {
        "format": FORMAT,
        "passed": report.passed,
        "observations": report.observations,
        **asdict(report),
    }
    document["versions"] = dict(report.versions)
    return json.dumps(_plain(document), indent=2, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def to_junit(report: Report) -> str:
    """The report as JUnit XML: one test case per check."""
    suite = ElementTree.Element(
        "testsuite",
        name=_xml_text(f"rltools_embed.validate.{report.board}"),
        tests=str(len(report.checks)),
        failures=str(sum(not check.passed for check in report.checks)),
        errors="0",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("policy", "board", "port", "arithmetic", "digest_expected", "digest_found"):
        ElementTree.SubElement(properties, "property", name=name, value=_xml_text(getattr(report, name)))
    for check in report.checks:
        classname = _xml_text(f"{report.board}.{report.digest_expected[:16]}")
        case = ElementTree.SubElement(suite, "testcase", classname=classname, name=check.name)
        message = _xml_text(check.message)
        if check.passed:
            ElementTree.SubElement(case, "system-out").text = message
        else:
            ElementTree.SubElement(case, "failure", message=message).text = message
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _xml_text(text: str) -> str:
    """XML 1.0 has no place for most control characters, not even escaped."""
    return "".join(character if character.isprintable() else " " for character in text)
