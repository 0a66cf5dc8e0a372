"""`validate --evidence`: the row that a run earns its board."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from click.testing import CliRunner

from rltools_embed.cli.validation import validate
from rltools_embed.policy import checkpoint
from tests import policies
from tests.boards import export, running


def test_the_row_is_of_the_report_that_is_written_beside_it(tmp_path: Path) -> None:
    folder = export(policies.sac_policy(hidden=8), tmp_path / "project", "host")
    row, report = tmp_path / "row.json", tmp_path / "report.json"
    with running(folder) as port:
        words = [str(folder), "--port", port, "--evidence", str(row), "--unit", "bench 3", "--json", str(report)]
        done = CliRunner().invoke(validate, words)

    assert done.exit_code == 0, done.output
    written = json.loads(row.read_text(encoding="utf-8"))
    assert (written["board"], written["unit"], written["outcome"]) == ("host", "bench 3", "passed")
    assert written["equal"] == written["outputs"] > 1000
    assert written["failed"] == []
    assert written["report_sha256"] == hashlib.sha256(report.read_bytes()).hexdigest()
    assert {"rltools_embed", "python", "host"} <= written["versions"].keys()


def test_a_run_that_fails_says_so_in_its_row(tmp_path: Path) -> None:
    folder = export(policies.sac_policy(hidden=8), tmp_path / "project", "host")
    source = policies.sac_policy(hidden=8, seed=1)
    other = tmp_path / "other.h"
    other.write_text(checkpoint.dumps(source), encoding="utf-8")
    row = tmp_path / "row.json"
    with running(folder) as port:
        words = [str(folder), "--port", port, "--evidence", str(row), "--source", str(other)]
        done = CliRunner().invoke(validate, words)

    assert done.exit_code == 1
    written = json.loads(row.read_text(encoding="utf-8"))
    assert written["outcome"] == "failed"
    assert written["unit"] is None
    assert {"digest", "bits"} <= set(written["failed"])


def test_a_unit_without_a_row_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(validate, [str(tmp_path), "--unit", "7"])

    assert done.exit_code == 2
    assert "--evidence" in done.output
