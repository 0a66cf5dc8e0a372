"""Reports as JSON, JUnit XML, HTML and text: complete, parseable, and safe against hostile names."""

from __future__ import annotations

import dataclasses
import json
import math
from xml.etree import ElementTree

import numpy as np
import pytest

from rltools_embed.cli import show
from rltools_embed.device import Hello, MemoryBoard, MemoryLink
from rltools_embed.firmware import board as boards
from rltools_embed.policy import reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import Float32Array
from rltools_embed.policy.model import Policy
from rltools_embed.validation import Counts, Report, Settings, measure
from rltools_embed.validation.formats import to_json, to_junit
from rltools_embed.validation.page import to_html
from tests import policies

HOSTILE = '<script>alert("x")</script> & \x00\x1b[31m\u2028 {{ 7*7 }} "quoted" [bold]'
SETTINGS = Settings(counts=Counts(random=20, rollout=0, kinks=4, denormals=4, extremes=8), benchmark_repeats=0)
POLICY = dataclasses.replace(policies.sac_policy(hidden=8), name=HOSTILE)


def report_of(policy: Policy, wrong_unit: int | None = None) -> Report:
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
    board = MemoryBoard(
        [layer(index) for index in range(len(policy.primitives))],
        observation_dim=policy.observation_dim,
        action_dim=policy.action_dim,
        hello=hello,
    )
    return measure(MemoryLink(board), policy, boards.load("host"), settings=SETTINGS)


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
