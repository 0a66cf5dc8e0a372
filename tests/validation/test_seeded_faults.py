"""A validation must be able to fail: every fault that firmware may have is put into real firmware, and named."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from rltools_embed import process
from rltools_embed.cli.validation import validate as cli_validate
from rltools_embed.device import Benchmark, Client
from rltools_embed.errors import LinkError
from rltools_embed.policy import checkpoint
from rltools_embed.policy.layers import Dense, Mlp
from rltools_embed.policy.model import Policy
from rltools_embed.validation import validate
from rltools_embed.validation.report import Outcome
from tests import boards, policies

LIBRARY = "lib/rl_tools/include/rl_tools"
POLICY = policies.sac_policy()
NORMALISING = policies.ppo_policy()


def replace_once(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def with_layer(policy: Policy, index: int, change: Callable[[Dense], Dense]) -> Policy:
    mlp = policy.layers[0]
    assert isinstance(mlp, Mlp)
    layers = tuple(change(layer) if i == index else layer for i, layer in enumerate(mlp.layers))
    return dataclasses.replace(policy, layers=(dataclasses.replace(mlp, layers=layers), *policy.layers[1:]))


def write_checkpoint(folder: Path, policy: Policy) -> None:
    (folder / "include" / "checkpoint.h").write_text(checkpoint.dumps(policy), encoding="utf-8")


def transpose_weights(folder: Path) -> None:
    changed = with_layer(POLICY, 1, lambda layer: dataclasses.replace(layer, weights=layer.weights.T))
    write_checkpoint(folder, changed)


def drop_bias(folder: Path) -> None:
    kernel = folder / LIBRARY / "nn/layers/dense/operations_panel.h"
    replace_once(kernel, "= {biases[ROWS]...}", "= {(biases[ROWS] * 0.0F)...}")


def leave_tanh_out(folder: Path) -> None:
    head = folder / LIBRARY / "nn/layers/sample_and_squash/operations_generic.h"
    replace_once(head, "math::tanh(input[i])", "input[i]")


def sample_the_action(folder: Path) -> None:
    head = folder / LIBRARY / "nn/layers/sample_and_squash/operations_generic.h"
    replace_once(head, "math::tanh(input[i])", "math::tanh(input[i] + 0.7F * math::exp(input[i + SPEC::DIM]))")


def flip_a_weight_bit(folder: Path) -> None:
    path = folder / "include" / "checkpoint.h"
    text = path.read_text(encoding="utf-8")
    # The first byte of a little-endian float holds the last places of its mantissa.
    byte = re.search(r"namespace dense_1 \{\n.* weights\[\d+\] = \{\n    0x(..)", text)
    assert byte is not None
    flipped = f"{int(byte[1], 16) ^ 1:02x}"
    path.write_text(text[: byte.start(1)] + flipped + text[byte.end(1) :], encoding="utf-8")


def hold_another_policy(folder: Path) -> None:
    write_checkpoint(folder, policies.sac_policy(seed=99))


def change_accumulation_order(folder: Path) -> None:
    """The bias last instead of first: the order of RLtools' own kernel for ARM."""
    kernel = folder / LIBRARY / "nn/layers/dense/operations_panel.h"
    replace_once(kernel, "= {biases[ROWS]...}", "= {(biases[ROWS] * 0.0F)...}")
    replace_once(kernel, "(accumulators[ROWS])), ...", "(accumulators[ROWS] + biases[ROWS])), ...")


def change_accumulation_order_of_m4f(folder: Path) -> None:
    """Of every two inputs, the second one's products first."""
    kernel = folder / LIBRARY / "nn/layers/dense/operations_arm/cortex_m4f.h"
    in_order = "RLT_8_S_FIRST(S, X) RLT_8_S_SECOND(S, Y)"
    replace_once(kernel, in_order, "RLT_8_S_SECOND(S, Y) RLT_8_S_FIRST(S, X)")


def swap_byte_order(folder: Path) -> None:
    """The weights of a layer with the bytes of every number the other way round."""
    path = folder / "include" / "checkpoint.h"
    text = path.read_text(encoding="utf-8")
    weights = re.search(r"namespace dense_1 \{\n[^\n]* weights\[\d+\] = \{\n(.*?)\};", text, re.DOTALL)
    assert weights is not None
    number = r"(0x..), (0x..), (0x..), (0x..),"
    swapped = re.sub(number, r"\4, \3, \2, \1,", weights[1])
    path.write_text(text[: weights.start(1)] + swapped + text[weights.end(1) :], encoding="utf-8")


def normalise_twice(folder: Path) -> None:
    layer = folder / LIBRARY / "nn/layers/standardize/operations_generic.h"
    old = "(arithmetic::scalar(input[i]) - layer.mean.data()[i]) * layer.precision.data()[i]"
    replace_once(layer, old, f"({old} - layer.mean.data()[i]) * layer.precision.data()[i]")


@dataclass(frozen=True)
class Verdict:
    """What `rlt-embed validate` ended with and reported."""

    exit_code: int
    document: dict[str, Any]

    @property
    def failed_checks(self) -> set[str]:
        return {check["name"] for check in self.document["checks"] if not check["passed"]}


def validate_with_fault(tmp_path: Path, policy: Policy, fault: Callable[[Path], None], board: str = "host") -> Verdict:
    """Export, put the fault in, build and start the firmware, and validate it from the command line."""
    source = tmp_path / "checkpoint.h"
    source.write_text(checkpoint.dumps(policy), encoding="utf-8")
    folder = boards.export(policy, tmp_path / "project", board)
    fault(folder)
    with boards.running(folder) as port:
        command = [sys.executable, "-m", "rltools_embed", "validate", folder, "--port", port, "--source", source]
        done = process.run([*command, "--json", "-"])
    return Verdict(done.exit_code, json.loads(done.output))


# policy, fault, the checks that fail (and no others), the layer in which the first difference is found
FAULTS = {
    "weights of a layer transposed": (
        POLICY,
        transpose_weights,
        {"digest", "bits", "float64"},
        "layer 1 (dense 64 → 64",
    ),
    "bias dropped": (POLICY, drop_bias, {"operations", "bits", "float64", "self-test"}, "layer 0 (dense 3 → 64"),
    "tanh left out": (POLICY, leave_tanh_out, {"bits", "float64", "self-test"}, "layer 3 (squash 1"),
    "sampled instead of the mean": (POLICY, sample_the_action, {"bits", "float64", "self-test"}, "layer 3 (squash 1"),
    "one weight bit flipped": (POLICY, flip_a_weight_bit, {"digest", "bits"}, "layer 1 (dense 64 → 64"),
    "another checkpoint's firmware": (POLICY, hold_another_policy, {"digest", "bits", "float64"}, "layer 0"),
    "accumulation order changed": (POLICY, change_accumulation_order, {"bits", "self-test"}, "layer 0"),
    "byte order swapped": (
        POLICY,
        swap_byte_order,
        {"digest", "bits", "float64", "self-test"},
        "layer 1 (dense 64 → 64",
    ),
    "observation normalised twice": (
        NORMALISING,
        normalise_twice,
        {"bits", "float64", "self-test"},
        "layer 0 (standardize 4",
    ),
}


@pytest.mark.parametrize(("policy", "fault", "failing", "layer"), FAULTS.values(), ids=FAULTS)
def test_validation_fails_and_names_the_fault(
    tmp_path: Path, policy: Policy, fault: Callable[[Path], None], failing: set[str], layer: str
) -> None:
    verdict = validate_with_fault(tmp_path, policy, fault)
    assert verdict.exit_code == 1
    assert verdict.failed_checks == failing
    assert verdict.document["first_difference"]["layer"].startswith(layer)


@pytest.mark.emulated
@pytest.mark.parametrize("fault", [flip_a_weight_bit, change_accumulation_order_of_m4f], ids=["bit", "order"])
def test_faults_are_found_on_an_emulated_board(tmp_path: Path, fault: Callable[[Path], None]) -> None:
    verdict = validate_with_fault(tmp_path, POLICY, fault, "qemu_mps2_an386")
    assert verdict.exit_code == 1
    assert "bits" in verdict.failed_checks


@pytest.mark.parametrize("policy", [POLICY, NORMALISING], ids=["sac", "ppo"])
def test_firmware_without_a_fault_passes(tmp_path: Path, policy: Policy) -> None:
    verdict = validate_with_fault(tmp_path, policy, lambda folder: None)
    assert verdict.exit_code == 0, verdict.document["checks"]
    assert verdict.document["observations"] >= 1000


def test_policy_of_other_sizes_on_the_board_is_named(tmp_path: Path) -> None:
    def other_sizes(folder: Path) -> None:
        write_checkpoint(folder, policies.td3_policy())

    verdict = validate_with_fault(tmp_path, POLICY, other_sizes)
    assert verdict.exit_code == 1
    assert {"sizes", "digest"} <= verdict.failed_checks


class TornLine(Client):
    """The cable comes off after the outputs were compared."""

    def trace(self, layer: int, observation: np.ndarray) -> np.ndarray:
        raise LinkError("the port vanished")

    def benchmark(self, observation: np.ndarray, repeats: int) -> Benchmark:
        raise LinkError("the port vanished")


def test_board_that_fails_later_does_not_hide_a_measured_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = boards.export(POLICY, tmp_path / "project", "host")
    leave_tanh_out(folder)
    monkeypatch.setattr("rltools_embed.validation.measurement.Client", TornLine)
    with boards.running(folder) as port:
        report = validate(folder, port=port, policy=POLICY)
    assert report.outcome is Outcome.FAILED
    assert [check.name for check in report.checks_that(Outcome.FAILED)] == ["bits", "float64", "self-test"]
    missing = {check.name: check.message for check in report.checks_that(Outcome.INCOMPLETE)}
    assert list(missing) == ["trace", "cost", "stack"]
    assert missing["trace"] == "not measured: the port vanished"
    assert report.first_difference is not None


def test_board_that_fails_later_is_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = boards.export(POLICY, tmp_path / "project", "host")
    monkeypatch.setattr("rltools_embed.validation.measurement.Client", TornLine)
    with boards.running(folder) as port:
        done = CliRunner().invoke(cli_validate, [str(folder), "--port", port, "--json", "-"])
    assert done.exit_code == 12
    document = json.loads(done.output)
    assert document["outcome"] == "incomplete"
    assert document["total"]["equal"] == document["total"]["outputs"] >= 1000
    assert {check["name"]: check["passed"] for check in document["checks"] if check["measured"]} == dict.fromkeys(
        ("board", "arithmetic", "operations", "sizes", "layers", "digest", "bits", "float64", "self-test"), True
    )
