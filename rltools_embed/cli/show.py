"""What a person sees: results as text for a terminal. Nothing here is meant to be parsed; `--json` is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rltools_embed.doctor import Finding
from rltools_embed.firmware import evidence
from rltools_embed.firmware.board import Board
from rltools_embed.firmware.evidence import Evidence
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import describe
from rltools_embed.policy.model import Policy, Signal
from rltools_embed.text import printable
from rltools_embed.validation import Report, wording
from rltools_embed.validation.compare import Agreement
from rltools_embed.validation.report import Check, Outcome


def plain(text: str) -> str:
    """Text from a file or a board, made safe to print: neither markup nor what would steer the terminal."""
    return escape(printable(text))


def console() -> Console:
    """stdout; wide when it is not a terminal, so that no line is cut."""
    found = Console(highlight=False, soft_wrap=True)
    return found if found.is_terminal else Console(highlight=False, soft_wrap=True, width=200)


@dataclass(frozen=True)
class Watched:
    """What goes to stderr while a stage runs: lines of progress, and how much is done."""

    say: Callable[[str], None]
    progress: Callable[[int, int], None]


@contextmanager
def watching(title: str) -> Iterator[Watched]:
    """Lines, and a bar if stderr is a terminal, while the block runs. stdout stays the result's."""
    to = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=to, transient=True, disable=not to.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield Watched(
            say=lambda line: to.print(plain(line)),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def policy(policy: Policy) -> None:
    """A policy's origin, layers, signals and digest."""
    out = console()
    origin = policy.provenance
    out.print(f"[bold]{plain(policy.name)}[/]  {policy.observation_dim} → {policy.action_dim} (observation → action)")
    trained = [
        origin.algorithm,
        f"on {origin.environment}" if origin.environment else "",
        f"{origin.steps} steps" if origin.steps is not None else "",
        f"seed {origin.seed}" if origin.seed is not None else "",
        f"mean return {origin.mean_return:.1f}" if origin.mean_return is not None else "",
    ]
    out.print("trained      " + plain(", ".join(part for part in trained if part)))
    out.print(f"parameters   {policy.parameter_count} float32, {4 * policy.parameter_count} bytes")
    period = "not known" if policy.control_period_s is None else f"{policy.control_period_s * 1e3:g} ms"
    out.print(f"control      every {period}" if policy.control_period_s else f"control      period {period}")
    out.print(f"digest       {digest(policy)}")
    out.print("versions     " + plain(", ".join(f"{name} {version}" for name, version in origin.versions)))
    layers = Table("layer", "computes", box=None, pad_edge=False)
    for index, layer in enumerate(policy.primitives):
        layers.add_row(str(index), describe(layer))
    out.print(layers)
    signals = Table("signal", "name", "low", "high", "unit", box=None, pad_edge=False)
    groups = (("observation", policy.observation), ("action", policy.action), ("actuator", policy.actuator))
    for kind, group in groups:
        for index, signal in enumerate(group):
            signals.add_row(f"{kind}[{index}]", *_signal_cells(signal), end_section=False)
    out.print(signals)


def _signal_cells(signal: Signal) -> tuple[str, str, str, str]:
    return plain(signal.name), f"{signal.low:g}", f"{signal.high:g}", plain(signal.unit)


def board_table(boards: Sequence[Board], known: Mapping[str, Evidence]) -> None:
    """The boards, a line each."""
    columns = ("board", "core", "FPU", "MHz", "flash KiB", "RAM KiB", "framework", "arithmetic", "evidence")
    table = Table(*columns, box=None, pad_edge=False)
    for board in boards:
        table.add_row(
            board.name,
            board.core.name,
            board.fpu.value,
            "-" if board.core_mhz is None else f"{board.core_mhz:g}",
            "-" if board.flash_bytes is None else str(board.flash_bytes // 1024),
            "-" if board.ram_bytes is None else str(board.ram_bytes // 1024),
            board.software,
            board.arithmetic.value,
            evidence.of(board, known).level.value,
        )
    console().print(table)


def findings(findings: Sequence[Finding]) -> None:
    """What the doctor found."""
    table = Table("", "tool", "found", "needed for", "how to get it", box=None, pad_edge=False)
    for finding in findings:
        tool = finding.tool
        missing = "[yellow]absent[/]" if finding.is_optional else "[red]missing[/]"
        mark = "[green]ok[/]" if tool.serves else missing if tool.found is None else "[red]wrong[/]"
        version = f"{tool.version or ''}  {tool.found}" if tool.found else "-"
        hint = "" if tool.serves else f"{tool.problem}: {tool.install_hint}"
        table.add_row(mark, plain(tool.name), plain(version.strip()), finding.purpose, plain(hint))
    console().print(table)


def report(report: Report) -> None:
    """The verdict last, what it rests on before it."""
    out = console()
    out.print(
        f"[bold]{plain(report.policy)}[/] on [bold]{plain(report.board)}[/] "
        f"({plain(report.port)}, {report.arithmetic} rounding)"
    )
    if report.samples:
        out.print(_sample_table(report))
    for check in report.checks:
        out.print(_check_line(check))
    if report.first_difference is not None:
        _print_difference(out, report)
    for line in _cost_lines(report):
        out.print(line)
    for note in report.notes:
        out.print(f"note     {plain(note)}", style="yellow")
    out.print(_verdict(report))


def _sample_table(report: Report) -> Table:
    table = Table("observations", "count", "same bits", "max abs", "max ULP", "vs float64", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for sample in report.samples:
        table.add_row(sample.name, str(sample.observations), *_agreement_cells(sample.agreement))
    if report.total is not None:
        table.add_row("all", str(report.observations), *_agreement_cells(report.total), style="bold")
    return table


def _agreement_cells(agreement: Agreement) -> tuple[str, str, str, str]:
    return wording.share(agreement), f"{agreement.max_abs:.3g}", str(agreement.max_ulp), wording.float64(agreement)


def _check_line(check: Check) -> str:
    mark = "[green]ok[/]  " if check.passed else "[red]FAIL[/]" if check.measured else "[yellow]open[/]"
    return f"{mark}     {check.name:<11}{plain(check.message)}"


def _print_difference(out: Console, report: Report) -> None:
    difference = report.first_difference
    if difference is None:
        return
    out.print(f"first difference: {difference.sample} {difference.row}")
    out.print(f"  observation  {_numbers(difference.observation)}")
    out.print(f"  board        {_numbers(difference.found)}")
    out.print(f"  expected     {_numbers(difference.expected)}")
    if difference.layer:
        out.print(f"  first in     {plain(difference.layer)}, unit {difference.unit}:")
        out.print(f"               board {difference.layer_found!r}, expected {difference.layer_expected!r}")


def _numbers(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:.9g}" for value in values[:8])
    return plain(f"[{shown}{', …' if len(values) > 8 else ''}]")


def _cost_lines(report: Report) -> Iterator[str]:
    yield f"flash    {wording.size(report.flash)}"
    ram = wording.size(report.ram)
    yield f"RAM      {ram}" if report.ram.used_bytes is None else f"RAM      {ram} besides the stack"
    stack = (
        "not measured on this board" if report.stack.used_bytes is None else f"{wording.size(report.stack)}, measured"
    )
    yield f"stack    {stack}"
    if report.cost is not None:
        yield f"cost     {wording.cost(report.cost)}"
    if report.control is not None:
        yield f"control  {wording.control(report.control)}"
    yield f"digest   {report.digest_found}, as the board computed it"


def _verdict(report: Report) -> str:
    if report.passed:
        return f"[bold green]PASSED[/]   {wording.summary(report)}"
    colour = "red" if report.outcome is Outcome.FAILED else "yellow"
    return f"[bold {colour}]{report.outcome.name}[/]   {wording.summary(report).removeprefix('failed: ')}"
