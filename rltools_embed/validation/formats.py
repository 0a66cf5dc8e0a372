"""A report for programs: JSON and JUnit XML."""

from __future__ import annotations

import hashlib
import json
import math
import platform
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any
from xml.etree import ElementTree

from rltools_embed import text
from rltools_embed.validation.report import Outcome, Report

FORMAT = 1


def to_json(report: Report) -> str:
    """The report as JSON: what is not finite becomes a string, keys are those of `Report`."""
    document = {
        "format": FORMAT,
        "passed": report.passed,
        "outcome": report.outcome.value,
        "observations": report.observations,
        **asdict(report),
    }
    document["versions"] = dict(report.versions)
    return json.dumps(_plain(document), indent=2, allow_nan=False) + "\n"


def _xml_text(value: str) -> str:
    """XML 1.0 has no place for most control characters, not even escaped."""
    return text.printable(value, " ")


def to_evidence(report: Report, *, unit: str | None) -> str:
    """What a validation shows of a board, in a few keys: JSON for whoever collects such rows.

    Args:
        unit: which one of such boards it was, for example its USB serial number; None if it is not known.
    """
    total = report.total
    row = {
        "format": FORMAT,
        "board": report.board,
        "unit": unit,
        "outcome": report.outcome.value,
        "outputs": total.outputs if total else 0,
        "equal": total.equal if total else 0,
        "failed": [check.name for check in report.checks if not check.passed],
        "policy": report.digest_found,
        "arithmetic": report.arithmetic,
        "versions": {**dict(report.versions), "host": platform.platform()},
        "date": datetime.now(timezone.utc).date().isoformat(),
        "report_sha256": hashlib.sha256(to_json(report).encode()).hexdigest(),
    }
    return json.dumps(row, indent=2) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def to_junit(report: Report) -> str:
    """The report as JUnit XML: one test case per check; a difference is a failure, what was not measured an error."""
    suite = ElementTree.Element(
        "testsuite",
        name=_xml_text(f"rltools_embed.validate.{report.board}"),
        tests=str(len(report.checks)),
        failures=str(len(report.checks_that(Outcome.FAILED))),
        errors=str(len(report.checks_that(Outcome.INCOMPLETE))),
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("policy", "board", "port", "arithmetic", "digest_expected", "digest_found"):
        ElementTree.SubElement(properties, "property", name=name, value=_xml_text(getattr(report, name)))
    for name, number in asdict(report.control).items() if report.control is not None else ():
        ElementTree.SubElement(properties, "property", name=f"control_{name}", value=str(number))
    for check in report.checks:
        classname = _xml_text(f"{report.board}.{report.digest_expected[:16]}")
        case = ElementTree.SubElement(suite, "testcase", classname=classname, name=check.name)
        message = _xml_text(check.message)
        if check.passed:
            ElementTree.SubElement(case, "system-out").text = message
        else:
            kind = "failure" if check.measured else "error"
            ElementTree.SubElement(case, kind, message=message).text = message
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
