"""The benchmark behind docs/learning.md: its rows are what was trained, and its page is what the rows say."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import gymnasium
import numpy as np
import pytest

from benchmarks import learning, learning_trainers
from rltools_embed import SAC, load_checkpoint
from rltools_embed.policy.model import Policy

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "docs" / "learning.jsonl"
STEPS = 300


def pendulum() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("Pendulum-v1")


def return_of(policy: Policy, start: int) -> float:
    environment = pendulum()
    observation, _ = environment.reset(seed=start)
    total = 0.0
    for _ in range(200):  # Pendulum-v1's time limit
        observation, reward, *_ = environment.step(policy(observation))
        total += float(reward)
    return total


@pytest.fixture(scope="module")
def committed() -> tuple[learning.Run, ...]:
    return learning.read(ROWS)


def lowered(runs: tuple[learning.Run, ...], by: float) -> list[learning.Run]:
    """Ours, as if it had learned worse."""
    return [
        dataclasses.replace(
            run,
            curve=tuple((steps, found - by) for steps, found in run.curve),
            wider_return=run.wider_return - by,
        )
        if run.trainer == learning.OURS
        else run
        for run in runs
    ]


def test_the_curve_ends_with_the_policy_that_training_without_evaluations_exports() -> None:
    command = [sys.executable, learning.TRAINERS, "rltools_embed", "Pendulum-v1", "SAC", "5"]
    options = ["--steps", str(STEPS), "--points", "3"]
    done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=True)
    row = learning.parse(done.stdout)

    training = SAC(pendulum, enable_evaluation=False, on_message=lambda line: None, STEP_LIMIT=STEPS)
    state = training.State(5)
    while not state.step():
        pass
    policy = load_checkpoint(state.export_policy())
    expected = np.mean([return_of(policy, start) for start in learning_trainers.STARTS])

    assert (row.trainer, row.environment, row.algorithm, row.seed) == ("rltools_embed", "Pendulum-v1", "SAC", 5)
    assert [steps for steps, _ in row.curve] == [100, 200, 300]
    assert row.mean_return == float(f"{expected:.5g}")
    assert len({found for _, found in row.curve}) > 1, "the same policy at each point"
    assert row.cpu_s > 0 and row.wall_s > 0
    assert learning.parse(learning.dumps(row)) == row


def test_evaluations_are_outside_of_the_seconds() -> None:
    curve = learning_trainers.Curve(pendulum(), [1])
    begin = time.process_time()
    curve.report(1, lambda observation: np.zeros(1))
    took = time.process_time() - begin
    assert [steps for steps, _ in curve.points] == [1]
    # 4,000 steps of the environment, against two readings of a clock.
    assert curve.seconds()[0] < 0.1 * took


def test_ppo_is_evaluated_after_whole_iterations() -> None:
    found = learning_trainers.points("PPO", learning_trainers.STEPS["PPO"], learning_trainers.POINTS)
    assert [steps % learning_trainers.INTERVAL["PPO"] for steps in found] == [0] * 10
    assert {late - early for early, late in itertools.pairwise(found)} == {2 * 4096, 3 * 4096}
    assert found[-1] == learning_trainers.STEPS["PPO"]


def test_the_committed_page_is_what_the_committed_rows_say(committed: tuple[learning.Run, ...], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert learning.is_complete(committed)
    learning.write(committed[::-1], tmp_path)
    for name in ("learning.md", "learning.jsonl"):
        assert (tmp_path / name).read_text() == (ROOT / "docs" / name).read_text()
    for environment in learning.ENVIRONMENTS:
        name = learning.plot_name(environment)
        texts = [element.text for element in ElementTree.parse(tmp_path / name).iter() if element.text]
        assert {"SAC", "TD3", "PPO", "environment steps, thousands"} <= set(texts)
        assert (ROOT / "docs" / name).exists()


def test_a_page_is_made_of_nothing_less_than_everyone_everywhere(committed: tuple[learning.Run, ...]) -> None:
    for left_out in ("rltools", "stable_baselines3"):
        assert not learning.is_complete([run for run in committed if run.trainer != left_out])
    assert not learning.is_complete(committed[1:])


def test_a_miss_is_on_the_page_and_in_the_exit(committed: tuple[learning.Run, ...]) -> None:
    worse = lowered(committed, by=2000)
    reported = list(learning.missed(worse))
    for environment in learning.ENVIRONMENTS:
        peers = len(environment.trainers) - 1
        assert sum(line.startswith(environment.name) for line in reported) == 3 * peers + len(environment.targets)
    text = learning.page(worse)
    for row in (line for line in text.splitlines() if line.startswith("|")):
        assert "within the spread" not in row
    # A comparison that was missed stands in the summary as well.
    compared = sum(len(environment.trainers) - 1 for environment in learning.ENVIRONMENTS) * 3
    assert text.count("**lower: missed**") == 2 * compared
    assert text.count("**missed**") == len(reported) - compared


def runs(ends: list[float], wider: list[float]) -> list[learning.Run]:
    common = {"trainer": "-", "version": "-", "environment": "-", "algorithm": "-", "cpu_s": 1.0, "wall_s": 1.0}
    return [
        learning.Run(seed=seed, curve=((1, end),), wider_return=wide, **common)
        for seed, (end, wide) in enumerate(zip(ends, wider, strict=True))
    ]


def compared(ours: list[learning.Run], theirs: list[learning.Run]) -> learning.Difference:
    return learning.difference(learning.ENVIRONMENTS[0], "SAC", "-", ours, theirs)


LOW, HIGH, FAR = [0.0, 1.0, 2.0, 3.0, 4.0], [0.5, 1.5, 2.5, 3.5, 4.5], [10.0, 11.0, 12.0, 13.0, 14.0]


def test_a_difference_that_the_seeds_explain_is_no_miss() -> None:
    slight = compared(runs(LOW, LOW), runs(HIGH, HIGH))
    assert slight.many.median == -0.5
    assert slight.many.low < -0.5 < 0 < slight.many.high
    assert slight.verdict == "lower, within the spread"
    apart = compared(runs(LOW, LOW), runs(FAR, FAR))
    assert apart.many.median == -10
    # The whole of one sample below the whole of the other: no resampled medians can overlap.
    assert -14 <= apart.many.low < apart.many.high <= -6
    assert apart.is_worse


def test_many_starts_decide_unless_the_few_are_a_miss() -> None:
    assert compared(runs(LOW, HIGH), runs(HIGH, LOW)).verdict == "as high or higher, within the spread"
    assert compared(runs(HIGH, LOW), runs(LOW, HIGH)).verdict == "lower, within the spread"
    assert compared(runs(LOW, FAR), runs(FAR, LOW)).verdict == "**lower: missed**"
    assert compared(runs(LOW, FAR), runs(LOW, LOW)).verdict == "higher"


def test_the_final_policy_is_evaluated_from_other_starts() -> None:
    curve = learning_trainers.Curve(pendulum(), [1, 2])

    def still(observation: Any) -> Any:
        return np.zeros(1)

    curve.report(1, still)
    assert curve.wider_return is None
    curve.report(2, still)
    assert curve.wider_return == learning_trainers.mean_return(pendulum(), still, range(2000, 2200))
    assert curve.wider_return != curve.points[-1][1]
