"""Steps per second of Gymnasium's pendulum and of the one in C++, and what training on each takes.

Run: `python -m benchmarks.environments` on an idle machine. Process CPU time, so another program matters less.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from rltools_embed.training import PPO, SAC, TD3, Training

CPP = {
    "path": Path(__file__).resolve().parents[1] / "examples" / "cpp_environment",
    "observation_dim": 3,
    "action_dim": 1,
    "action_low": -2.0,
    "action_high": 2.0,
}
SIDE_BY_SIDE = 64
STEPS = 20_000


def gym() -> gymnasium.Env[Any, Any]:
    return gymnasium.make("Pendulum-v1")


def silent(line: str) -> None:
    """No progress."""


def step_us(training: Training) -> float:
    """Microseconds per environment step, as the training loop takes them, 64 side by side."""
    environments = training.compiled.make_side_by_side()
    environments.begin(range(SIDE_BY_SIDE))
    actions = np.zeros((SIDE_BY_SIDE, 1), dtype=np.float32)
    begin = time.process_time()
    for step in range(0, STEPS, SIDE_BY_SIDE):
        environments.act(actions, step)
        list(environments.proceed(step, reset=True))
    return (time.process_time() - begin) / STEPS * 1e6


def train_s(training: Training) -> float:
    begin = time.process_time()
    with training.State(0) as state:
        while not state.step():
            pass
    return time.process_time() - begin


def main() -> None:
    sources: Mapping[str, Callable[[], Any] | Mapping[str, Any]] = {"Gymnasium": gym, "C++": CPP}
    for name, source in sources.items():
        trainings = [kind(source, enable_evaluation=False, on_message=silent) for kind in (SAC, TD3, PPO)]
        step = min(step_us(trainings[2]) for _ in range(3))
        times = [min(train_s(training) for _ in range(2)) for training in trainings]
        reported = ", ".join(f"{type(one).__name__} {took:.2f} s" for one, took in zip(trainings, times, strict=True))
        sys.stdout.write(f"{name:<10} {step:.2f} us per step, training with default options: {reported}\n")


if __name__ == "__main__":
    main()
