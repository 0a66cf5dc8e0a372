"""Train on an environment written in C++: environment.h beside this file.

Run: `python examples/cpp_environment/train.py [sac|td3|ppo] [STEPS]`. It writes the folder cpp_pendulum.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rltools_embed import train


def main() -> None:
    algorithm = sys.argv[1] if len(sys.argv) > 1 else "ppo"
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else None
    environment = {
        "path": Path(__file__).parent / "environment.h",
        "observation_dim": 3,
        "action_dim": 1,
        "action_low": -2.0,
        "action_high": 2.0,
        "control_period_s": 0.05,
    }
    run = train(environment, "cpp_pendulum", algorithm=algorithm, steps=steps, force=True)
    print("mean return", run.learning_curve[-1].mean_return)  # noqa: T201


if __name__ == "__main__":
    main()
