"""Train a policy that follows the pilot's rates with the quadrotor of environment.py.

Run: `python examples/quadrotor_rates/train.py [STEPS]`. It writes the folder quadrotor_rates.
"""

from __future__ import annotations

import sys

from environment import QuadrotorRates

from rltools_embed import train


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    run = train(QuadrotorRates, "quadrotor_rates", algorithm="sac", steps=steps, force=True)
    print("mean return", run.learning_curve[-1].mean_return, "of", QuadrotorRates.most_steps)  # noqa: T201


if __name__ == "__main__":
    main()
