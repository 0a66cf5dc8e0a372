"""A validation: the same observations to the board and to the host references, and everything that differs."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from rltools_embed._version import __version__
from rltools_embed.device import Benchmark, Client, Hello, Link, SelfTest, Statistics
from rltools_embed.device.messages import ArithmeticFault, FloatMode
from rltools_embed.environments.rollout import rollout_of
from rltools_embed.errors import LinkError, RltEmbedError, UnsupportedEnvError
from rltools_embed.firmware import elf as memory
from rltools_embed.firmware.board import Board
from rltools_embed.policy import reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import Float32Array, describe
from rltools_embed.policy.model import Policy
from rltools_embed.target import Target, ports
from rltools_embed.validation.compare import Agreement, agreement, same_bits
from rltools_embed.validation.observations import Counts, Rollout, Sample, samples
from rltools_embed.validation.report import Check, Cost, Difference, Report, SampleResult, Size

# Float32 against float64; an output may be further off only as far as float32's own rounding explains it.
FLOAT64_TOLERANCE = 1e-5
_BENCHMARK_REPEATS = 50

Progress = Callable[[int, int], None]
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a validation measures; the defaults are a full validation.

    Attributes:
        counts: observations of each kind.
        seed: of the random observations and the rollout.
        benchmark_repeats: evaluations that the board times; 0 leaves the timing out.
    """

    counts: Counts = field(default_factory=Counts)
    seed: int = 0
    benchmark_repeats: int = _BENCHMARK_REPEATS


def validate(
    folder: str | Path | Target,
    *,
    board: str | None = None,
    port: str | None = None,
    policy: Policy | None = None,
    settings: Settings | None = None,
    progress: Progress = lambda done, total: None,
    boot_timeout_s: float | None = None,
) -> Report:
    """Compare what a project's board computes with what its policy should give.

    Args:
        folder: an exported project, whose firmware runs on the board; or a target, which stays open and brings its own
            board and port.
        board: one of the project's boards; the first if not given.
        port: where the board is; if not given as platformio.ini says, or the port with the board's USB id.
        policy: what the board should compute; the project's own checkpoint if not given.
        progress: called with the observations done and to do.
        boot_timeout_s: so long the board may take to its first answer, see `Target.open`; a target has its own.

    Raises:
        ProjectError, BoardError, CheckpointError, LinkError, ProtocolError: nothing could be measured.
        A measured difference is a report that did not pass, not an error.
    """
    with (
        nullcontext(folder)
        if isinstance(folder, Target)
        else Target.open(folder, board=board, port=port, boot_timeout_s=boot_timeout_s)
    ) as target:
        expected = policy or target.policy
        return measure(
            target.link,
            expected,
            target.board,
            built=target.elf,
            settings=settings,
            progress=progress,
            clock=target.clock,
        )


def measure(
    link: Link,
    policy: Policy,
    board: Board,
    *,
    built: Path | None = None,
    settings: Settings | None = None,
    progress: Progress = lambda done, total: None,
    clock: Callable[[], float] = time.monotonic,
) -> Report:
    """The validation itself, over an open link.

    Args:
        built: the ELF file whose sizes are reported.
        clock: the link's time in seconds, which a board in memory simulates.

    Raises:
        LinkError, ProtocolError: the board stopped answering before all outputs were there, and none differed so far.
        What fails to answer afterwards is a check that was not measured.
    """
    settings = settings or Settings()
    client = Client(link, clock=clock)
    hello = ports.hello(client, board)
    report = _bare_report(hello, policy, board, link.name, built)
    questions = _Questions()
    if (hello.observation_dim, hello.action_dim) != (policy.observation_dim, policy.action_dim):
        return _with_stack(report, client, questions)
    sent, notes = _samples(policy, settings, hello.arithmetic)
    evaluated = _evaluate_all(client, sent, progress)
    measured = _compare_all(evaluated.samples, evaluated.outputs, policy, hello)
    report = replace(
        report,
        checks=(*report.checks, *_numeric_checks(measured)),
        samples=tuple(entry.result for entry in measured),
        total=_total(measured),
        first_difference=_first_difference(measured),
        notes=(*report.notes, *notes),
    )
    if evaluated.error is not None:
        if report.passed:
            raise evaluated.error
        questions.leave_open("observations", evaluated.error)
    return _with_diagnostics(report, client, policy, board, settings.benchmark_repeats, questions)


class _Questions:
    """Questions that a board may fail to answer: what it fails is a check that was not measured.

    After a link broke nothing more is sent, since each further question would wait for its whole limit.

    Attributes:
        unanswered: one check for each.
    """

    def __init__(self) -> None:
        self.unanswered: list[Check] = []
        self._lost: LinkError | None = None

    def ask(self, name: str, question: Callable[[], _Answer]) -> _Answer | None:
        """The answer; None if there is none."""
        if self._lost is not None:
            self._add(name, f"not asked, the link was lost before: {self._lost.message}")
            return None
        try:
            return question()
        except RltEmbedError as error:
            self.leave_open(name, error)
            return None

    def leave_open(self, name: str, error: RltEmbedError) -> None:
        """Note what could not be measured, and why."""
        if isinstance(error, LinkError):
            self._lost = error
        self._add(name, error.message)

    def _add(self, name: str, reason: str) -> None:
        self.unanswered.append(Check(name=name, passed=False, measured=False, message=f"not measured: {reason}"))


def _with_diagnostics(
    report: Report, client: Client, policy: Policy, board: Board, repeats: int, questions: _Questions
) -> Report:
    """The report with all else that the board is asked."""
    self_test = questions.ask("self-test", client.self_test)
    if self_test is not None:
        report = replace(report, checks=(*report.checks, _self_test_check(self_test)))
    difference = report.first_difference
    if difference is not None:
        located = questions.ask("trace", lambda: _located(client, difference, policy))
        report = replace(report, first_difference=located or difference)
    if repeats:
        report = replace(report, cost=questions.ask("cost", lambda: _cost(client, policy, board, repeats)))
    return _with_stack(report, client, questions)  # last: the deepest call came before


def _with_stack(report: Report, client: Client, questions: _Questions) -> Report:
    """The report with the board's own counters and with all that was not answered."""
    statistics = questions.ask("stack", client.statistics)
    if statistics is not None:
        report = replace(report, stack=_stack(statistics), control=statistics.control)
    return replace(report, checks=(*report.checks, *questions.unanswered))


def _bare_report(hello: Hello, policy: Policy, board: Board, port: str, built: Path | None) -> Report:
    """What is known before the first observation is sent."""
    # The ELF file of this project tells the sizes of what runs only if it is this policy that runs.
    sizes = memory.measure(built) if built and hello.digest == digest(policy) else None
    return Report(
        policy=policy.name,
        board=hello.board,
        port=port,
        arithmetic=hello.arithmetic.value,
        digest_expected=digest(policy),
        digest_found=hello.digest,
        checks=_identity_checks(hello, policy, board),
        flash=Size(used_bytes=sizes.flash_bytes if sizes else None, offered_bytes=board.flash_bytes),
        ram=Size(used_bytes=sizes.ram_bytes if sizes else None, offered_bytes=board.ram_bytes),
        stack=Size(used_bytes=None, offered_bytes=None),
        notes=_mode_notes(hello),
        versions=(("rltools_embed", __version__), ("numpy", np.__version__), ("python", platform.python_version())),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Measured:
    sample: Sample
    found: Float32Array
    expected: Float32Array
    float64: reference.Float64Actions | None

    @property
    def beyond_float64(self) -> int:
        """How many outputs are further from the float64 reference than they may be."""
        if self.float64 is None:
            return 0
        # "not <=": a NaN is beyond every limit.
        within = np.abs(self.found - self.float64.values) <= np.maximum(FLOAT64_TOLERANCE, self.float64.allowance)
        return int((~within).sum())

    @property
    def result(self) -> SampleResult:
        compared = agreement(self.found, self.expected, self.float64.values if self.float64 else None)
        return SampleResult(name=self.sample.name, observations=len(self.found), agreement=compared)


def _samples(policy: Policy, settings: Settings, arithmetic: Arithmetic) -> tuple[tuple[Sample, ...], tuple[str, ...]]:
    """What is sent, and what there is to say about it."""

    def made(rollout: Rollout | None) -> tuple[Sample, ...]:
        counts, seed = settings.counts, settings.seed
        return samples(policy, counts=counts, seed=seed, rollout=rollout, arithmetic=arithmetic)

    try:
        rollout = rollout_of(policy)
        return made(rollout), (rollout.note,) if rollout.note else ()
    except UnsupportedEnvError as error:
        return made(None), (f"no rollout states, random observations took their place: {error.message}",)


def _identity_checks(hello: Hello, policy: Policy, board: Board) -> tuple[Check, ...]:
    sizes = f"{hello.observation_dim} → {hello.action_dim}"
    wanted = f"{policy.observation_dim} → {policy.action_dim}"
    return (
        _compared("board", hello.board, board.name, "the firmware was built for"),
        _compared("arithmetic", hello.arithmetic.value, board.arithmetic.value, "the firmware rounds"),
        _operations_check(hello),
        _compared("sizes", sizes, wanted, "the firmware maps"),
        _compared("layers", str(hello.layer_count), str(len(policy.primitives)), "the firmware's layers:"),
        _compared("digest", hello.digest, digest(policy), "the numbers in the board's flash have the digest"),
    )


_FAULTS = {
    ArithmeticFault.SUBNORMAL_OPERAND: "subnormal operands count as zero",
    ArithmeticFault.SUBNORMAL_RESULT: "subnormal results become zero",
    ArithmeticFault.ROUNDING: "results are not rounded to the nearest number, ties to even",
    ArithmeticFault.SIGN_OF_ZERO: "zeros have the wrong sign",
    ArithmeticFault.SPECIAL_NUMBER: "infinity and NaN are not kept",
    ArithmeticFault.MULTIPLY_ADD: "a multiplication with an addition rounds otherwise than the firmware says",
    ArithmeticFault.COMPARISON: "comparisons are wrong",
    ArithmeticFault.DIVISION: "divisions are wrong",
    ArithmeticFault.CONVERSION: "conversions between float and integer are wrong",
    ArithmeticFault.KERNEL: "the kernel of the dense layer is not the sum of its operations",
    ArithmeticFault.DEFAULT_NAN: "the core replaces every NaN",
}
_MODES = {
    FloatMode.FLUSHES_SUBNORMALS: "flushes subnormal numbers to zero",
    FloatMode.DEFAULT_NAN: "replaces every NaN",
    FloatMode.ROUNDS_OTHERWISE: "does not round to the nearest number",
}


def _operations_check(hello: Hello) -> Check:
    """What the firmware's own test of its floating-point operations says."""
    name = "operations"
    faults = hello.arithmetic_faults
    if faults is None:
        message = "not measured: the firmware does not test its floating-point operations; export and flash it again"
        return Check(name=name, passed=False, measured=False, message=message)
    if not faults:
        return Check(name=name, passed=True, message="every floating-point operation of the policy is IEEE 754's")
    known = [words for fault, words in _FAULTS.items() if fault in faults]
    unknown = faults & ~sum(_FAULTS)
    listed = "; ".join([*known, *([f"fault {unknown:#x}"] if unknown else [])])
    return Check(name=name, passed=False, message=f"the core's floating-point arithmetic is not IEEE 754's: {listed}")


def _mode_notes(hello: Hello) -> tuple[str, ...]:
    """What other code of the firmware set, and the policy put aside."""
    modes = [words for mode, words in _MODES.items() if hello.float_mode is not None and mode in hello.float_mode]
    if not modes:
        return ()
    return (
        f"Outside of the policy the firmware's floating-point unit {' and '.join(modes)}: "
        "your own arithmetic in it may differ from the host's.",
    )


def _compared(name: str, actual: str, expected: str, words: str) -> Check:
    passed = actual == expected
    message = f"{words} {actual}" + ("" if passed else f", expected {expected}")
    return Check(name=name, passed=passed, message=message)


def _self_test_check(result: SelfTest) -> Check:
    if result.examples == 0:
        message = "not measured: the firmware holds no examples"
        return Check(name="self-test", passed=False, measured=False, message=message)
    message = (
        f"{result.examples - result.mismatches} of {result.examples} examples in the firmware give the expected bits"
    )
    return Check(name="self-test", passed=result.mismatches == 0, message=message)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Evaluated:
    """The observations that the board evaluated, its outputs for them, and what ended that early, if anything."""

    samples: tuple[Sample, ...]
    outputs: tuple[Float32Array, ...]
    error: RltEmbedError | None


def _evaluate_all(client: Client, sent: tuple[Sample, ...], progress: Progress) -> _Evaluated:
    total = sum(len(sample.observations) for sample in sent)
    done = 0
    progress(done, total)
    samples: list[Sample] = []
    outputs: list[Float32Array] = []
    error: RltEmbedError | None = None
    for sample in sent:
        parts: list[Float32Array] = []
        try:
            for start in range(0, len(sample.observations), 64):
                parts.append(client.evaluate(sample.observations[start : start + 64]))
                done += len(parts[-1])
                progress(done, total)
        except RltEmbedError as caught:
            error = caught
        if parts:
            outputs.append(np.concatenate(parts))
            samples.append(replace(sample, observations=sample.observations[: len(outputs[-1])]))
        if error is not None:
            break
    return _Evaluated(samples=tuple(samples), outputs=tuple(outputs), error=error)


def _compare_all(
    sent: tuple[Sample, ...], outputs: tuple[Float32Array, ...], policy: Policy, hello: Hello
) -> tuple[_Measured, ...]:
    return tuple(
        _Measured(
            sample=sample,
            found=found,
            expected=reference.evaluate(policy.layers, sample.observations, hello.arithmetic),
            float64=reference.evaluate_float64(policy.layers, sample.observations) if sample.is_ordinary else None,
        )
        for sample, found in zip(sent, outputs, strict=True)
    )


def _first_difference(measured: tuple[_Measured, ...]) -> Difference | None:
    for entry in measured:
        rows = np.flatnonzero(~same_bits(entry.found, entry.expected).all(axis=1))
        if len(rows):
            row = int(rows[0])
            return Difference(
                sample=entry.sample.name,
                row=row,
                observation=_floats(entry.sample.observations[row]),
                found=_floats(entry.found[row]),
                expected=_floats(entry.expected[row]),
            )
    return None


def _located(client: Client, difference: Difference, policy: Policy) -> Difference:
    """The difference with the first layer in which the board's trace leaves the reference's."""
    hello = client.hello()
    if hello.layer_count != len(policy.primitives):
        return difference
    observation = np.array(difference.observation, np.float32)
    trace = reference.trace(policy.layers, observation[None, :], hello.arithmetic)
    for index, (layer, expected) in enumerate(zip(policy.primitives, trace, strict=True)):
        found = client.trace(index, observation)
        if found.shape != expected[0].shape:
            return replace(difference, layer=f"layer {index} ({describe(layer)}) is {len(found)} wide on the board")
        differing = np.flatnonzero(~same_bits(found, expected[0]))
        if len(differing):
            unit = int(differing[0])
            return replace(
                difference,
                layer=f"layer {index} ({describe(layer)}), {len(differing)} of {len(found)} units",
                unit=unit,
                layer_found=float(found[unit]),
                layer_expected=float(expected[0][unit]),
            )
    return difference


def _floats(values: Float32Array) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _total(measured: tuple[_Measured, ...]) -> Agreement | None:
    if not measured:
        return None
    results = [entry.result.agreement for entry in measured]
    float64 = [result.max_abs_float64 for result in results if result.max_abs_float64 is not None]
    return Agreement(
        outputs=sum(result.outputs for result in results),
        equal=sum(result.equal for result in results),
        max_abs=max(result.max_abs for result in results),
        max_ulp=max(result.max_ulp for result in results),
        max_abs_float64=max(float64) if float64 else None,
    )


def _numeric_checks(measured: tuple[_Measured, ...]) -> tuple[Check, ...]:
    total = _total(measured)
    if total is None:
        return ()
    bits = f"{total.equal} of {total.outputs} outputs have the same bits as the host reference"
    checks = [Check(name="bits", passed=total.equal == total.outputs, message=bits)]
    if total.max_abs_float64 is not None:
        beyond = sum(entry.beyond_float64 for entry in measured)
        message = f"largest difference from the float64 reference {total.max_abs_float64:.3g}; "
        message += f"{beyond} outputs differ by more than {FLOAT64_TOLERANCE:g} and than float32 rounding explains"
        checks.append(Check(name="float64", passed=beyond == 0, message=message))
    return tuple(checks)


def _cost(client: Client, policy: Policy, board: Board, repeats: int) -> Cost:
    benchmark = client.benchmark(policy.example_observations[0], repeats)
    problem = _problem_of_counter(benchmark)
    if problem:
        _, unit = board.runner.cost(board, ticks=1.0, seconds=1.0 / board.clock_hz)
        return Cost(per_inference=None, unit=unit, problem=problem)
    ticks, seconds = benchmark.ticks_per_evaluation, benchmark.seconds_per_evaluation
    per_inference, unit = board.runner.cost(board, ticks=ticks, seconds=seconds)
    return Cost(per_inference=per_inference, unit=unit)


def _problem_of_counter(benchmark: Benchmark) -> str:
    """Why these ticks say nothing about an inference; empty where they do."""
    if benchmark.evaluation_ticks == 0 or benchmark.tick_hz == 0:
        return "the board's counter does not count"
    if benchmark.ticks_per_evaluation <= 0:
        return "the board's counter is too coarse for so short an inference"
    return ""


def _stack(statistics: Statistics) -> Size:
    if statistics.stack_bytes == 0:
        return Size(used_bytes=None, offered_bytes=None)
    return Size(used_bytes=statistics.stack_used_bytes, offered_bytes=statistics.stack_bytes)
