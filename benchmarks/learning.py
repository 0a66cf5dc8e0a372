"""How well a default training run ends: `python benchmarks/learning.py [ENVIRONMENT] [--seeds 5]`.

For each seed it trains with default options and evaluates the exported policy on 20 distinct starts.
The starts matter as much as the seed: on Pendulum-v1 the same policy's mean moves by some 20 between sets of 20.
"""

from __future__ import annotations

import argparse
import sys
import time

import gymnasium
import numpy as np

from rltools_embed import SAC, Policy, load_checkpoint

STARTS = range(20)


def episode_return(environment: gymnasium.Env, policy: Policy, seed: int) -> float:
    observation, _ = environment.reset(seed=seed)
    total, ended = 0.0, False
    while not ended:
        observation, reward, terminated, truncated, _ = environment.step(policy(observation))
        total += float(reward)
        ended = terminated or truncated
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", nargs="?", default="Pendulum-v1")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    sac = SAC(lambda: gymnasium.make(arguments.environment), enable_evaluation=False, on_message=lambda line: None)
    sys.stdout.write("| seed | mean return over 20 starts | CPU s |\n|---|---|---|\n")
    means = []
    for seed in range(arguments.seeds):
        start_s = time.process_time()
        state = sac.State(seed)
        while not state.step():
            pass
        cpu_s = time.process_time() - start_s
        policy = load_checkpoint(state.export_policy())
        with gymnasium.make(arguments.environment) as environment:
            means.append(float(np.mean([episode_return(environment, policy, start) for start in STARTS])))
        sys.stdout.write(f"| {seed} | {means[-1]:.1f} | {cpu_s:.2f} |\n")
        sys.stdout.flush()
    sys.stdout.write(f"\nmedian {np.median(means):.1f}, lowest {min(means):.1f}\n")


if __name__ == "__main__":
    main()
