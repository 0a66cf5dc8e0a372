"""Let a board swing a simulated pendulum up: the environment runs here, every action comes from the board.

Run: `python examples/hardware_in_the_loop/pendulum.py CHECKPOINT [BOARD]`, for example with the checkpoint.h that
examples/train_and_reload/train.py writes. BOARD is one of `rlt-embed boards`; the default, host, is the firmware as a
process of this computer. It writes the firmware's project into the folder firmware/.
"""

from __future__ import annotations

import sys

import gymnasium
import numpy as np

from rltools_embed import Target, export, load_checkpoint_from_path


def main() -> None:
    checkpoint = sys.argv[1]
    board = sys.argv[2] if len(sys.argv) > 2 else "host"
    policy = load_checkpoint_from_path(checkpoint)
    export(checkpoint, "firmware", board=board)

    with Target.open("firmware", board=board) as target:
        target.flash()
        print("on the board:", target.hello().digest[:12], "self test:", target.self_test())  # noqa: T201
        episode_return, is_over = 0.0, False
        env = gymnasium.make("Pendulum-v1")
        observation, _ = env.reset(seed=1)
        while not is_over:
            action = target.evaluate(observation)
            assert np.array_equal(action, policy(observation))  # the same bits
            observation, reward, terminated, truncated, _ = env.step(action)
            episode_return += float(reward)
            is_over = terminated or truncated
        print("return:", episode_return)  # noqa: T201
        time_us = 1e6 * target.benchmark(repeats=100).seconds_per_evaluation
        print(f"one evaluation takes {time_us:.1f} us by the board's clock")  # noqa: T201


if __name__ == "__main__":
    main()
