"""What training takes with each backend that is here: `python -m benchmarks.backends`.

Backends take turns, and the smallest of the process CPU times counts, so another program matters less.
"""

from __future__ import annotations

import sys

import gymnasium

from benchmarks.environments import train_s
from rltools_embed.training import PPO, SAC, TD3, Training

BACKENDS = ("own", "openblas", "mkl", "accelerate")
ROUNDS = 5
# Steps are few: the products have the same sizes throughout.
SIZES = {
    "default sizes": {SAC: {"STEP_LIMIT": 2_000}, TD3: {"STEP_LIMIT": 2_000}, PPO: {"TOTAL_STEP_LIMIT": 16_384}},
    "256 units, batches of 256": {
        kind: {
            "STEP_LIMIT": 1_000,
            "ACTOR_HIDDEN_DIM": 256,
            "CRITIC_HIDDEN_DIM": 256,
            "ACTOR_BATCH_SIZE": 256,
            "CRITIC_BATCH_SIZE": 256,
        }
        for kind in (SAC, TD3)
    },
}


def main() -> None:
    for sizes, algorithms in SIZES.items():
        for kind, options in algorithms.items():
            trainings: dict[str, Training] = {}
            for backend in BACKENDS:
                training = kind(
                    lambda: gymnasium.make("Pendulum-v1"),
                    backend=backend,
                    enable_evaluation=False,
                    on_message=lambda line: None,
                    **options,
                )
                # One that is not here has become our own kernels.
                trainings[training.backend.name] = training
            times: dict[str, list[float]] = {name: [] for name in trainings}
            for _ in range(ROUNDS):
                for name, training in trainings.items():
                    times[name].append(train_s(training))
            reported = ", ".join(f"{trainings[name].backend.title} {min(taken):.3f} s" for name, taken in times.items())
            sys.stdout.write(f"{kind.__name__}, {sizes}: {reported}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
