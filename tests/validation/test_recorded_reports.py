"""Reports are what they were: those of the commit before the modules moved (95c8451), on real boards.

Left out is what depends on the machine or the compiler: ports, times, sizes, and float64's last digits; and checks
that were added since.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.layers import Activation
from rltools_embed.policy.model import Policy
from rltools_embed.target import memory_target
from rltools_embed.validation import formats, validate
from tests import policies

RECORDED = json.loads((Path(__file__).parent.parent / "recorded" / "reports.json").read_text(encoding="utf-8"))
POLICIES = {
    "gru": policies.gru_policy(),
    "ppo": policies.ppo_policy(),
    "td3": policies.td3_policy(),
    "gelu": policies.activation_policy(Activation.GELU),
}


def report_of(name: str, policy: Policy) -> dict[str, Any]:
    """What a board in memory gives, with the fields that were recorded."""
    with memory_target(policy, arithmetic=Arithmetic(RECORDED[name]["arithmetic"])) as target:
        report = json.loads(formats.to_json(validate(target)))
    for agreement in (report["total"], *(sample["agreement"] for sample in report["samples"])):
        del agreement["max_abs_float64"]
    recorded = {check["name"] for check in RECORDED[name]["checks"]}
    checks = [check for check in report["checks"] if check["name"] in recorded]
    report["checks"] = [{key: check[key] for key in ("name", "passed", "message")} for check in checks]
    return {key: report[key] for key in RECORDED[name]}


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_report_is_what_it_was(name: str) -> None:
    assert report_of(name, POLICIES[name]) == RECORDED[name]


def test_another_policys_report_is_another() -> None:
    assert report_of("td3", policies.td3_policy(seed=2)) != RECORDED["td3"]
