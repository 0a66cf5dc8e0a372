"""The words and figures of a report that the terminal and the page share."""

from __future__ import annotations

from rltools_embed.device import ControlStatistics
from rltools_embed.firmware.sizes import size_text
from rltools_embed.validation.compare import Agreement
from rltools_embed.validation.report import Cost, Outcome, Report, Size

COST_UNITS = {
    "instructions": "instructions per inference, counted by QEMU; not cycles",
    "modelled cycles": "cycles per inference, by rp2040js's model of the core; not a chip's, whose flash takes longer",
    "cycles": "cycles per inference, by the board's own counter",
    "us": "µs per inference, by the board's clock; its core counts no cycles",
    "ns": "ns per inference, a process on this computer; says nothing about a board",
}
# Not a board's time.
_EMULATED_UNITS = ("instructions", "modelled cycles")


def share(agreement: Agreement) -> str:
    """Rounded down: where one output of a million differs, it must not read 100 %."""
    return f"{int(agreement.share * 10000) / 100:.6g} %"


def float64(agreement: Agreement) -> str:
    """The largest difference from the float64 reference, where it was compared."""
    return "-" if agreement.max_abs_float64 is None else f"{agreement.max_abs_float64:.2g}"


def size(size: Size) -> str:
    """Bytes used, and of how many."""
    if size.used_bytes is None:
        return "not measured"
    return size_text(size.used_bytes, size.offered_bytes)


def cost(cost: Cost) -> str:
    """The figure and what kind of figure it is."""
    if cost.per_inference is None:
        return f"not measured: {cost.problem}"
    return f"{cost.per_inference:.0f} {unit(cost.unit)}"


def unit(name: str) -> str:
    """What is counted per inference, in words; a runner of somebody's own may count in another unit."""
    return COST_UNITS.get(name, f"{name} per inference")


def control(control: ControlStatistics) -> str:
    """What a control loop did while it ran beside the link."""
    if control.steps == 0:
        return "no step yet"
    return (
        f"{control_steps(control)}, latest {milliseconds(control.worst_lateness_us)} late, "
        f"{control.late_steps} late by a period or more; {control_details(control)}"
    )


def control_steps(control: ControlStatistics) -> str:
    """How many, and at which period."""
    return f"{control.steps} steps at {milliseconds(control.period_us)}"


def control_details(control: ControlStatistics) -> str:
    """What the first look can do without."""
    return (
        f"mean {milliseconds(control.mean_lateness_us)} late, longest step {milliseconds(control.worst_execution_us)}, "
        f"{control.overruns} ended after their period, {control.fallbacks} with the fallback action"
    )


def milliseconds(microseconds: float) -> str:
    """Microseconds as milliseconds, with three digits or to the microsecond."""
    return f"{round(microseconds / 1000, 3):g} ms"


def summary(report: Report) -> str:
    """The verdict in one line."""
    if report.outcome is Outcome.PASSED:
        return f"{report.observations} observations, every output bit equal, policy {report.digest_found[:16]}…"
    failed = ", ".join(check.name for check in report.checks_that(Outcome.FAILED))
    missing = ", ".join(check.name for check in report.checks_that(Outcome.INCOMPLETE))
    parts = ([f"failed: {failed}"] if failed else []) + ([f"not measured: {missing}"] if missing else [])
    return "; ".join(parts)


def limits(report: Report) -> tuple[str, ...]:
    """What the claim rests on and where it ends."""
    lines = [
        "Same bits: every output of the firmware equals the host's float32 reference in every bit; "
        "a NaN equals any other NaN.",
        "The digest was computed by the board from the numbers in its own memory.",
    ]
    if report.cost is not None and report.cost.unit in _EMULATED_UNITS:
        lines.append("The board is emulated: that shows the numbers and the protocol, and nothing about speed.")
    return (*lines, *report.notes)
