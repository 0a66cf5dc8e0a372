"""Reports as JSON, JUnit XML, HTML and text: complete, parseable, and safe against hostile names."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

from rltools_embed.cli import show, validation
from rltools_embed.device import ControlStatistics, Hello, MemoryBoard, MemoryLink
from rltools_embed.device.frames import Decoder, Frame, encode_frame
from rltools_embed.device.messages import ERROR_TYPE, LAYOUT, REFUSAL, RESPONSE_BIT, ErrorCode, Message
from rltools_embed.errors import LinkError
from rltools_embed.firmware import board as boards
from rltools_embed.policy import reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import Float32Array
from rltools_embed.policy.model import Policy
from rltools_embed.validation import Counts, Report, Settings, measure, wording
from rltools_embed.validation.formats import to_json, to_junit
from rltools_embed.validation.page import to_html
from rltools_embed.validation.report import Check, Outcome
from tests import policies

HOSTILE = '<script>alert("x")</script> & \x00\x1b[31m\u2028 {{ 7*7 }} "quoted" [bold]'
SETTINGS = Settings(counts=Counts(random=20, rollout=0, kinks=4, denormals=4, extremes=8), benchmark_repeats=0)
POLICY = dataclasses.replace(policies.sac_policy(hidden=8), name=HOSTILE)


def board_of(policy: Policy, wrong_unit: int | None = None) -> MemoryBoard:
    def layer(index: int) -> object:
        def output(x: Float32Array) -> Float32Array:
            values = reference.trace([policy.primitives[index]], x[None, :], Arithmetic.SEPARATE)[-1][0].copy()
            if index == 1 and wrong_unit is not None:
                values[wrong_unit] = np.nextafter(values[wrong_unit], np.float32(np.inf))
            return values

        return output

    hello = Hello(
        largest_payload=249,
        observation_dim=policy.observation_dim,
        action_dim=policy.action_dim,
        layer_count=len(policy.primitives),
        arithmetic=Arithmetic.SEPARATE,
        tick_hz=1_000_000,
        digest=digest(policy),
        board="host",
    )
    return MemoryBoard(
        [layer(index) for index in range(len(policy.primitives))],  # type: ignore[misc]  # see `layer`
        observation_dim=policy.observation_dim,
        action_dim=policy.action_dim,
        hello=hello,
    )


def report_of(policy: Policy, wrong_unit: int | None = None) -> Report:
    return measure(MemoryLink(board_of(policy, wrong_unit)), policy, boards.load("host"), settings=SETTINGS)


PASSED = report_of(POLICY)
FAILED = report_of(POLICY, wrong_unit=3)


def test_fault_free_board_passes_and_a_last_place_fails() -> None:
    assert PASSED.passed
    assert not FAILED.passed
    assert FAILED.first_difference is not None
    assert FAILED.first_difference.layer.startswith("layer 1 (dense 8 → 8")
    assert FAILED.first_difference.unit == 3


@pytest.mark.parametrize("report", [PASSED, FAILED], ids=["passed", "failed"])
def test_json_holds_the_verdict_and_every_sample(report: Report) -> None:
    document = json.loads(to_json(report))
    assert document["passed"] is report.passed
    assert document["policy"] == HOSTILE
    assert [sample["name"] for sample in document["samples"]] == [sample.name for sample in report.samples]
    assert document["total"]["outputs"] == report.observations


def test_json_writes_what_is_not_finite_as_text() -> None:
    assert FAILED.first_difference is not None
    difference = dataclasses.replace(FAILED.first_difference, found=(math.nan, math.inf))
    document = json.loads(to_json(dataclasses.replace(FAILED, first_difference=difference)))
    assert document["first_difference"]["found"] == ["nan", "inf"]


def test_junit_has_one_case_per_check_and_one_failure_per_failed_check() -> None:
    suite = ElementTree.fromstring(to_junit(FAILED))
    failed = [check.name for check in FAILED.checks if not check.passed]
    assert len(suite.findall("testcase")) == len(FAILED.checks)
    assert [case.get("name") for case in suite.findall("testcase") if case.find("failure") is not None] == failed
    assert suite.get("failures") == str(len(failed)) != "0"
    assert ElementTree.fromstring(to_junit(PASSED)).get("failures") == "0"


LOOP = ControlStatistics(
    period_us=10_000,
    steps=5_000,
    fallbacks=12,
    overruns=1,
    late_steps=3,
    worst_lateness_us=120,
    total_lateness_us=100_000,
    worst_execution_us=2_400,
)
WORDS = (
    "5000 steps at 10 ms, latest 0.12 ms late, 3 late by a period or more; "
    "mean 0.02 ms late, longest step 2.4 ms, 1 ended after their period, 12 with the fallback action"
)


def test_a_control_loop_is_in_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    report = dataclasses.replace(PASSED, control=LOOP)

    show.report(report)

    assert wording.control(LOOP) == WORDS
    assert f"control  {WORDS}\n" in capsys.readouterr().out
    assert json.loads(to_json(report))["control"] == dataclasses.asdict(LOOP)
    suite = ElementTree.fromstring(to_junit(report))
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert {name: properties[f"control_{name}"] for name in ("period_us", "worst_lateness_us", "late_steps")} == {
        "period_us": "10000",
        "worst_lateness_us": "120",
        "late_steps": "3",
    }
    page = to_html(report)
    for words in ("0.12 ms late at most", "control loop, 5000 steps at 10 ms", "3 late by a period or more"):
        assert words in page


def test_a_board_without_a_control_loop_reports_none(capsys: pytest.CaptureFixture[str]) -> None:
    show.report(PASSED)

    assert PASSED.control is None
    assert "control" not in capsys.readouterr().out
    assert json.loads(to_json(PASSED))["control"] is None
    assert "control_" not in to_junit(PASSED)
    assert "control loop" not in to_html(PASSED)


def test_a_control_loop_that_never_stepped_has_no_figures() -> None:
    idle = dataclasses.replace(LOOP, steps=0, period_us=0, total_lateness_us=0)
    assert wording.control(idle) == "no step yet"
    assert idle.mean_lateness_us == 0.0
    assert "no step yet" in to_html(dataclasses.replace(PASSED, control=idle))


def test_page_escapes_every_name() -> None:
    page = to_html(FAILED)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "FAILED" in page
    assert "layer 1 (dense 8" in page


def test_terminal_text_shows_the_share_rounded_down(capsys: pytest.CaptureFixture[str]) -> None:
    show.report(FAILED)
    text = capsys.readouterr().out
    assert "FAILED   bits" in text
    assert "first in     layer 1 (dense 8 → 8, relu)" in text
    assert FAILED.total is not None
    nearly = dataclasses.replace(FAILED.total, outputs=1_000_000, equal=999_999)
    show.report(dataclasses.replace(FAILED, total=nearly))
    assert "99.99 %" in capsys.readouterr().out


# --- what could not be measured -------------------------------------------------------------------------------------


class Failure(Enum):
    SILENT = auto()
    REFUSED = auto()
    VANISHED = auto()


class FailingLink(MemoryLink):
    """A board that fails at a request of one type, after it has met `good` of them."""

    def __init__(self, board: MemoryBoard, message: Message, failure: Failure, good: int = 0) -> None:
        super().__init__(board)
        self._message, self._failure, self._good = message, failure, good

    def write(self, data: bytes) -> None:
        (request,) = Decoder().feed(data)
        if request.type != self._message or self._good > 0:
            self._good -= request.type == self._message
            super().write(data)
        elif self._failure is Failure.VANISHED:
            raise LinkError("socket://… vanished while in use")
        elif self._failure is Failure.REFUSED:
            refusal = REFUSAL.encode(code=ErrorCode.UNKNOWN_TYPE, request=request.type)
            self._on_its_way.append((self.clock(), encode_frame(Frame(ERROR_TYPE, request.sequence, refusal))))


@pytest.fixture
def measured_over() -> Callable[..., Report]:
    """`measure` in the link's own time, with a benchmark."""
    settings = dataclasses.replace(SETTINGS, benchmark_repeats=2)
    return lambda link: measure(link, POLICY, boards.load("host"), settings=settings, clock=link.clock)


def open_checks(report: Report) -> dict[str, str]:
    return {check.name: check.message for check in report.checks_that(Outcome.INCOMPLETE)}


LATE = [
    (Message.SELF_TEST, Failure.REFUSED, ["self-test"]),
    (Message.SELF_TEST, Failure.SILENT, ["self-test", "cost", "stack"]),
    (Message.SELF_TEST, Failure.VANISHED, ["self-test", "cost", "stack"]),
    (Message.BENCHMARK, Failure.REFUSED, ["cost"]),
    (Message.BENCHMARK, Failure.SILENT, ["cost", "stack"]),
    (Message.BENCHMARK, Failure.VANISHED, ["cost", "stack"]),
    (Message.STATISTICS, Failure.REFUSED, ["stack"]),
    (Message.STATISTICS, Failure.SILENT, ["stack"]),
    (Message.STATISTICS, Failure.VANISHED, ["stack"]),
]


@pytest.mark.parametrize(("message", "failure", "missing"), LATE)
def test_what_a_board_fails_to_answer_leaves_the_claim_open(
    measured_over: Callable[..., Report], message: Message, failure: Failure, missing: list[str]
) -> None:
    report = measured_over(FailingLink(board_of(POLICY), message, failure))
    assert report.outcome is Outcome.INCOMPLETE
    assert not report.passed
    assert list(open_checks(report)) == missing
    assert all(text.startswith("not ") for text in open_checks(report).values())
    assert report.total is not None and report.total.equal == report.total.outputs
    assert wording.summary(report) == f"not measured: {', '.join(missing)}"


@pytest.mark.parametrize(("message", "failure", "missing"), LATE)
def test_measured_difference_wins_over_what_a_board_fails_to_answer(
    measured_over: Callable[..., Report], message: Message, failure: Failure, missing: list[str]
) -> None:
    report = measured_over(FailingLink(board_of(POLICY, wrong_unit=3), message, failure))
    assert report.outcome is Outcome.FAILED
    assert {check.name for check in report.checks_that(Outcome.FAILED)} == {"bits"}
    assert set(missing) <= set(open_checks(report))
    assert "failed: bits; not measured: " in wording.summary(report)


@pytest.mark.parametrize("failure", Failure)
def test_difference_stays_when_its_trace_is_not_answered(
    measured_over: Callable[..., Report], failure: Failure
) -> None:
    report = measured_over(FailingLink(board_of(POLICY, wrong_unit=3), Message.TRACE, failure, good=1))
    assert report.outcome is Outcome.FAILED
    assert report.first_difference is not None and report.first_difference.layer == ""
    assert next(iter(open_checks(report))) == "trace"


@pytest.mark.parametrize("good", [0, 1, 5])
def test_link_that_breaks_among_equal_outputs_is_an_error(measured_over: Callable[..., Report], good: int) -> None:
    with pytest.raises(LinkError, match="vanished"):
        measured_over(FailingLink(board_of(POLICY), Message.EVALUATE, Failure.VANISHED, good))


def test_difference_stays_when_the_link_breaks_among_the_outputs(measured_over: Callable[..., Report]) -> None:
    board = board_of(POLICY, wrong_unit=3)
    whole = measured_over(MemoryLink(board))
    report = measured_over(FailingLink(board, Message.EVALUATE, Failure.VANISHED, good=3))
    assert report.outcome is Outcome.FAILED
    assert 0 < report.observations < whole.observations
    assert list(open_checks(report)) == ["observations", "self-test", "trace", "cost", "stack"]
    assert report.first_difference is not None and whole.first_difference is not None
    assert report.first_difference.observation == whole.first_difference.observation


def test_other_policys_digest_is_a_difference_also_when_no_output_comes(measured_over: Callable[..., Report]) -> None:
    board = board_of(POLICY)
    board.hello = dataclasses.replace(board.hello, digest="ab" * 32)
    report = measured_over(FailingLink(board, Message.EVALUATE, Failure.VANISHED))
    assert {check.name for check in report.checks_that(Outcome.FAILED)} == {"digest"}
    assert report.total is None
    assert "FAILED" in to_html(report)


def test_firmware_without_examples_has_no_self_test_that_passed(measured_over: Callable[..., Report]) -> None:
    class NoExamples(FailingLink):
        def write(self, data: bytes) -> None:
            (request,) = Decoder().feed(data)
            if request.type != Message.SELF_TEST:
                return super().write(data)
            answer = LAYOUT[Message.SELF_TEST].response.encode(examples=0, mismatches=0)
            frame = Frame(request.type | RESPONSE_BIT, request.sequence, answer)
            return self._on_its_way.append((self.clock(), encode_frame(frame)))

    report = measured_over(NoExamples(board_of(POLICY), Message.RESET, Failure.SILENT))
    assert open_checks(report) == {"self-test": "not measured: the firmware holds no examples"}


def test_check_that_was_not_measured_cannot_have_passed() -> None:
    with pytest.raises(ValueError, match="cannot have passed"):
        Check(name="bits", passed=True, measured=False, message="")


@pytest.fixture
def incomplete(measured_over: Callable[..., Report]) -> Report:
    return measured_over(FailingLink(board_of(POLICY), Message.BENCHMARK, Failure.VANISHED))


def test_every_format_tells_what_is_open_from_what_differs(
    incomplete: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(to_json(incomplete))
    assert (document["outcome"], document["passed"]) == ("incomplete", False)
    assert [check["name"] for check in document["checks"] if not check["measured"]] == ["cost", "stack"]
    assert json.loads(to_json(PASSED))["outcome"] == "passed"
    assert json.loads(to_json(FAILED))["outcome"] == "failed"

    suite = ElementTree.fromstring(to_junit(incomplete))
    assert (suite.get("failures"), suite.get("errors")) == ("0", "2")
    assert [case.get("name") for case in suite.findall("testcase") if case.find("error") is not None] == [
        "cost",
        "stack",
    ]
    assert suite.find("testcase/failure") is None
    assert ElementTree.fromstring(to_junit(FAILED)).get("errors") == "0"

    page = to_html(incomplete)
    assert "INCOMPLETE" in page and 'class="text open">not measured' in page
    assert "FAIL<" not in page and "PASSED" not in page

    show.report(incomplete)
    text = capsys.readouterr().out
    assert "INCOMPLETE   not measured: cost, stack" in text
    assert "FAIL" not in text and "PASSED" not in text


@pytest.mark.parametrize(("kind", "code"), [("passed", 0), ("failed", 1), ("incomplete", 12)])
def test_exit_code_tells_what_is_open_from_what_differs(
    incomplete: Report, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, code: int
) -> None:
    report = {"passed": PASSED, "failed": FAILED, "incomplete": incomplete}[kind]
    monkeypatch.setattr(validation.pipeline, "validate", lambda *_, **__: report)
    done = CliRunner().invoke(validation.validate, [str(tmp_path), "--json", "-"])
    assert done.exit_code == code
    assert json.loads(done.output)["outcome"] == kind


# --------------------------------------------------------------------------------------------------------- the counter


class CountingBoard(MemoryBoard):
    """A board whose counter gives these ticks for all evaluations, and for the empty loop."""

    ticks = (0, 0)

    def _handle_floats(self, message: Message, payload: bytes) -> bytes | ErrorCode:
        answer = super()._handle_floats(message, payload)
        if message is not Message.BENCHMARK or isinstance(answer, ErrorCode):
            return answer
        evaluation_ticks, empty_ticks = self.ticks
        return LAYOUT[message].response.encode(evaluation_ticks=evaluation_ticks, empty_ticks=empty_ticks)


def report_with_ticks(ticks: tuple[int, int], name: str = "nucleo_f446re", tick_hz: int = 180_000_000) -> Report:
    board = board_of(POLICY)
    board.__class__ = CountingBoard
    board.ticks = ticks  # type: ignore[attr-defined]  # of CountingBoard
    board.hello = dataclasses.replace(board.hello, board=name, tick_hz=tick_hz)
    settings = dataclasses.replace(SETTINGS, benchmark_repeats=10)
    return measure(MemoryLink(board), POLICY, boards.load(name), settings=settings)


@pytest.mark.parametrize(
    ("ticks", "tick_hz", "problem"),
    [
        ((0, 0), 180_000_000, "the board's counter does not count"),
        ((400, 100), 0, "the board's counter does not count"),
        ((7, 7), 180_000_000, "the board's counter is too coarse for so short an inference"),
        ((7, 9), 180_000_000, "the board's counter is too coarse for so short an inference"),
    ],
)
def test_a_counter_that_counts_nothing_is_no_cost_of_zero(
    ticks: tuple[int, int], tick_hz: int, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = report_with_ticks(ticks, tick_hz=tick_hz)
    show.report(report)

    assert report.passed
    assert json.loads(to_json(report))["cost"] == {"per_inference": None, "unit": "cycles", "problem": problem}
    assert f"cost     not measured: {problem}" in capsys.readouterr().out
    page = to_html(report)
    assert "not measured" in page
    assert problem.replace("'", "&#39;") in page


def test_what_a_board_counts_is_named() -> None:
    cycles = report_with_ticks((400, 100)).cost
    microseconds = report_with_ticks((400, 100), "zeroUSB", tick_hz=1_000_000).cost

    assert (cycles.per_inference, cycles.unit) == (30.0, "cycles")
    assert (microseconds.per_inference, microseconds.unit) == (30.0, "us")
    assert wording.cost(microseconds) == "30 µs per inference, by the board's clock; its core counts no cycles"
