"""The signature claim, beside the full validation of every board in tests/firmware/test_board_bits.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from rltools_embed import resources
from rltools_embed.policy.layers import Activation
from rltools_embed.policy.model import Policy
from rltools_embed.validation import Counts, Settings, validate
from tests import policies
from tests.boards import export, running
from tests.cases import every_second

# Kernels with every remainder, and every elementary function.
POLICIES = {
    "sac": policies.sac_policy(),
    "td3 tanh": policies.td3_policy(),
    "ppo normalised": policies.ppo_policy(),
    "gelu": policies.activation_policy(Activation.GELU),
    "sigmoid": policies.activation_policy(Activation.SIGMOID),
    "gru": policies.gru_policy(),
}


def check(folder: Path, name: str, policy: Policy, settings: Settings) -> None:
    with running(folder, name) as port:
        report = validate(folder, board=name, port=port, settings=settings)
    assert report.passed, [check for check in report.checks if not check.passed]
    assert report.board == name
    if name != "host":
        assert report.cost is not None
        assert report.cost.unit == "instructions"
        assert report.stack.used_bytes is not None
        assert 0 < report.stack.used_bytes < 2048


# The soft-float M3 takes another path through every operation than the FPU of the M4F.
@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"), every_second(("qemu_mps2_an385", "qemu_mps2_an386"), [kind for kind in POLICIES if kind != "sac"])
)
def test_every_kind_of_policy_gives_the_same_bits(tmp_path: Path, name: str, kind: str) -> None:
    policy = POLICIES[kind]
    settings = Settings(counts=Counts(rollout=0, random=200), benchmark_repeats=1)
    check(export(policy, tmp_path / "project", name), name, policy, settings)


@pytest.mark.emulated
@pytest.mark.parametrize("name", ["host", "qemu_mps2_an386"])
def test_fused_arithmetic_is_a_board_file_away(tmp_path: Path, name: str) -> None:
    text = (resources.boards_dir() / f"{name}.toml").read_text()
    mine = tmp_path / f"my_{name}.toml"
    mine.write_text(text.replace('arithmetic = "separate"', 'arithmetic = "fused"'))
    policy = policies.sac_policy()
    folder = export(policy, tmp_path / "project", str(mine))
    with running(folder) as port:
        report = validate(folder, port=port, settings=Settings(benchmark_repeats=1))
    assert report.passed, [check for check in report.checks if not check.passed]
    assert report.arithmetic == "fused"


@pytest.mark.emulated
def test_one_project_serves_several_boards(tmp_path: Path) -> None:
    policy = policies.sac_policy(hidden=16)
    folder = export(policy, tmp_path / "project", "host", "qemu_mps2_an386")
    settings = Settings(counts=Counts(rollout=0, random=50), benchmark_repeats=0)
    for name in ("host", "qemu_mps2_an386"):
        with running(folder, name) as port:
            assert validate(folder, board=name, port=port, settings=settings).passed


@pytest.mark.emulated
@pytest.mark.parametrize("name", ["qemu_mps2_an386", pytest.param("qemu_riscv32_virt", marks=pytest.mark.long)])
def test_instruction_count_is_the_same_in_every_run(tmp_path: Path, name: str) -> None:
    policy = policies.sac_policy(hidden=16)
    folder = export(policy, tmp_path / "project", name)
    settings = Settings(counts=Counts(rollout=0, random=1, kinks=0, denormals=0, extremes=0))
    counts = []
    for _ in range(2):
        with running(folder) as port:
            cost = validate(folder, port=port, settings=settings).cost
            assert cost is not None
            assert cost.per_inference is not None
            counts.append(round(cost.per_inference))
    assert counts[0] == counts[1]
