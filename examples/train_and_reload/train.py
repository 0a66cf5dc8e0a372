"""Train SAC on Pendulum-v1, export the policy, load it again: the interface that RLtools' users know.

Run: `python examples/train_and_reload/train.py [STEPS]`. It writes checkpoint.h into the current folder.
"""

from __future__ import annotations

import sys

import gymnasium
import numpy as np

from rltools_embed import SAC, load_checkpoint_from_path


def make_env() -> gymnasium.Env:
    return gymnasium.make("Pendulum-v1")


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    sac = SAC(make_env, STEP_LIMIT=steps)
    state = sac.State(0)
    finished = False
    while not finished:
        finished = state.step()

    with open("checkpoint.h", "w") as file:  # noqa: PTH123  as RLtools' users write it
        file.write(state.export_policy())

    policy = load_checkpoint_from_path("checkpoint.h")
    observation, _ = make_env().reset(seed=1)
    assert np.array_equal(policy(observation), state.action(observation))  # the same bits
    print("action", policy(observation), "for", observation)  # noqa: T201


if __name__ == "__main__":
    main()
