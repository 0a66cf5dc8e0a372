"""The report as one self-contained HTML page."""

from __future__ import annotations

from rltools_embed import templates
from rltools_embed.device import ControlStatistics
from rltools_embed.validation import wording
from rltools_embed.validation.report import Check, Cost, Difference, Outcome, Report, SampleResult

_SHOWN_NUMBERS = 16
# The colours of the template.
_TONES = {Outcome.PASSED: "pass", Outcome.FAILED: "fail", Outcome.INCOMPLETE: "open"}
_RESULTS = {Outcome.PASSED: "ok", Outcome.FAILED: "FAIL", Outcome.INCOMPLETE: "not measured"}


def to_html(report: Report) -> str:
    """The page: nothing is loaded from anywhere, so it can be kept with the firmware it speaks of."""
    return templates.html_page(
        "report.html.jinja",
        {
            "verdict": report.outcome.name,
            "tone": _TONES[report.outcome],
            "policy": report.policy,
            "board": report.board,
            "summary": wording.summary(report),
            "figures": _figures(report),
            "checks": [_check(check) for check in report.checks],
            "samples": [_sample(sample) for sample in _rows(report)],
            "differences": [_difference(report.first_difference)] if report.first_difference else [],
            "identity": _identity(report),
            "notes": wording.limits(report),
        },
    )


def _figures(report: Report) -> list[dict[str, str]]:
    figures = []
    if report.total is not None:
        outputs = f"{report.total.equal} of {report.total.outputs} outputs"
        figures.append({"value": wording.share(report.total), "name": "same bits", "detail": outputs})
    if report.cost is not None:
        figures.append(_cost(report.cost))
    for name, size in (
        ("flash", report.flash),
        ("RAM besides the stack", report.ram),
        ("stack, measured", report.stack),
    ):
        if size.used_bytes is not None:
            offered = f"of {size.offered_bytes} B" if size.offered_bytes else ""
            figures.append({"value": f"{size.used_bytes} B", "name": name, "detail": offered})
    if report.control is not None:
        figures.append(_control(report.control))
    return figures


def _control(control: ControlStatistics) -> dict[str, str]:
    name = f"control loop, {wording.control_steps(control)}"
    if control.steps == 0:
        return {"value": wording.control(control), "name": "control loop", "detail": ""}
    late = f"{control.late_steps} late by a period or more; {wording.control_details(control)}"
    return {"value": f"{wording.milliseconds(control.worst_lateness_us)} late at most", "name": name, "detail": late}


def _cost(cost: Cost) -> dict[str, str]:
    words, _, detail = wording.unit(cost.unit).partition(", ")
    if cost.per_inference is None:
        return {"value": "not measured", "name": words, "detail": cost.problem}
    return {"value": f"{cost.per_inference:.0f}", "name": words, "detail": detail}


def _check(check: Check) -> dict[str, str]:
    outcome = check.outcome
    return {"name": check.name, "result": _RESULTS[outcome], "tone": _TONES[outcome], "message": check.message}


def _rows(report: Report) -> tuple[SampleResult, ...]:
    if report.total is None:
        return report.samples
    return (*report.samples, SampleResult(name="all", observations=report.observations, agreement=report.total))


def _sample(sample: SampleResult) -> dict[str, object]:
    agreement = sample.agreement
    return {
        "name": sample.name,
        "observations": sample.observations,
        "outputs": agreement.outputs,
        "share": wording.share(agreement),
        "tone": "pass" if agreement.equal == agreement.outputs else "fail",
        "max_abs": f"{agreement.max_abs:.3g}",
        "max_ulp": agreement.max_ulp,
        "float64": wording.float64(agreement),
    }


def _difference(difference: Difference) -> list[dict[str, str]]:
    rows = [
        ("kind and number", f"{difference.sample} {difference.row}"),
        ("observation", _numbers(difference.observation)),
        ("board", _numbers(difference.found)),
        ("expected", _numbers(difference.expected)),
    ]
    if difference.layer:
        rows += [
            ("first differs in", f"{difference.layer}, unit {difference.unit}"),
            ("that unit on the board", f"{difference.layer_found!r}"),
            ("that unit expected", f"{difference.layer_expected!r}"),
        ]
    return [{"name": name, "value": value} for name, value in rows]


def _numbers(values: tuple[float, ...]) -> str:
    shown = ", ".join(f"{value:.9g}" for value in values[:_SHOWN_NUMBERS])
    return f"[{shown}{', …' if len(values) > _SHOWN_NUMBERS else ''}]"


def _identity(report: Report) -> list[dict[str, str]]:
    rows = [
        ("policy", report.policy),
        ("board", report.board),
        ("port", report.port),
        ("rounding", report.arithmetic),
        ("digest of the policy", report.digest_expected),
        ("digest from the board", report.digest_found),
        *report.versions,
    ]
    return [{"name": name, "value": value} for name, value in rows]
