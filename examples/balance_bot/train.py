"""Train a policy that balances the robot of environment.py.

Run: `python examples/balance_bot/train.py [STEPS]`. It writes the folder balance_bot.
"""

from __future__ import annotations

import sys

from environment import BalanceBot

from rltools_embed import train


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 30_000
    run = train(BalanceBot, "balance_bot", algorithm="sac", steps=steps, force=True)
    print("mean return", run.learning_curve[-1].mean_return, "of", BalanceBot.most_steps)  # noqa: T201


if __name__ == "__main__":
    main()
