"""Trains on Pendulum-v1 with one of three libraries: `PYTHON benchmarks/learning_trainers.py TRAINER ALGORITHM SEED…`.

TRAINER is rltools_embed, rltools or stable_baselines3; PYTHON must have it, gymnasium and NumPy. One line of JSON per
seed: trainer, version, algorithm, seed, CPU and wall seconds of training, mean return of the deterministic policy over
STARTS.
Stable-Baselines3 gets the hyperparameters of RLtools' defaults where it has the option.
"""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import RescaleAction

# As many starts as seeds: on Pendulum-v1 the same policy's mean moves by some 20 between sets of 20.
STARTS = range(1000, 1020)
OFF_POLICY_STEPS = 10_000
PPO_ITERATIONS, PPO_ENVIRONMENTS, PPO_STEPS_PER_ENV = 24, 64, 64
HIDDEN = [64, 64]

Act = Callable[[Any], Any]
# Trains with a seed, and returns the deterministic policy.
Train = Callable[[int], Act]


def native() -> gymnasium.Env:
    return gymnasium.make("Pendulum-v1")


def rescaled() -> gymnasium.Env:
    return RescaleAction(native(), -1, 1)


def mean_return(environment: gymnasium.Env, act: Act) -> float:
    returns = []
    for seed in STARTS:
        observation, _ = environment.reset(seed=seed)
        total, ended = 0.0, False
        while not ended:
            observation, reward, terminated, truncated, _ = environment.step(act(observation))
            total += float(reward)
            ended = terminated or truncated
        returns.append(total)
    return float(np.mean(returns))


def rltools_embed(algorithm: str) -> Train:
    import rltools_embed as library

    kind = getattr(library, algorithm)
    training = kind(native, enable_evaluation=False, on_message=lambda line: None)

    def train(seed: int) -> Act:
        state = training.State(seed)
        while not state.step():
            pass
        return library.load_checkpoint(state.export_policy())

    return train


def rltools(algorithm: str) -> Train:
    import rltools as library

    # RLtools resets without a seed: the environments' first resets decide which episodes a run has.
    environment_seeds = itertools.count()

    def factory() -> gymnasium.Env:
        environment = rescaled()
        environment.reset(seed=next(environment_seeds))
        return environment

    module = getattr(library, algorithm)(factory, enable_evaluation=False)

    def train(seed: int) -> Act:
        nonlocal environment_seeds
        environment_seeds = itertools.count(1000 * seed)
        state = module.State(seed)
        # A step more than its limit says would follow.
        for _ in range(PPO_ITERATIONS if algorithm == "PPO" else OFF_POLICY_STEPS):
            state.step()
        return lambda observation: np.asarray(state.action(observation)).reshape(1)

    return train


def stable_baselines3(algorithm: str) -> Train:
    import stable_baselines3 as library
    import torch
    from stable_baselines3.common.noise import NormalActionNoise
    from stable_baselines3.common.vec_env import DummyVecEnv

    torch.set_num_threads(1)
    common: dict[str, Any] = {"learning_rate": 1e-3, "gamma": 0.99, "device": "cpu"}
    off_policy = {
        "buffer_size": OFF_POLICY_STEPS,
        "learning_starts": 100,
        "batch_size": 100,
        "tau": 0.005,
        "policy_kwargs": {"net_arch": HIDDEN, "activation_fn": torch.nn.ReLU},
    }

    def model(seed: int) -> Any:
        if algorithm == "SAC":
            return library.SAC("MlpPolicy", native(), ent_coef="auto_0.5", seed=seed, **common, **off_policy)
        if algorithm == "TD3":
            noise = NormalActionNoise(np.zeros(1), np.full(1, 0.1))
            one_each = {"train_freq": 1, "gradient_steps": 1}
            return library.TD3("MlpPolicy", native(), action_noise=noise, seed=seed, **one_each, **common, **off_policy)
        return library.PPO(
            "MlpPolicy",
            DummyVecEnv([native] * PPO_ENVIRONMENTS),
            n_steps=PPO_STEPS_PER_ENV,
            batch_size=64,
            n_epochs=10,
            gae_lambda=0.95,
            clip_range=0.2,
            ent_coef=0.01,
            seed=seed,
            policy_kwargs={
                "net_arch": {"pi": HIDDEN, "vf": HIDDEN},
                "activation_fn": torch.nn.ReLU,
                "log_std_init": float(np.log(0.5)),
            },
            **common,
        )

    steps = PPO_ITERATIONS * PPO_ENVIRONMENTS * PPO_STEPS_PER_ENV if algorithm == "PPO" else OFF_POLICY_STEPS

    def train(seed: int) -> Act:
        trained = model(seed).learn(steps)
        return lambda observation: trained.predict(observation, deterministic=True)[0]

    return train


TRAINERS = {trainer.__name__: trainer for trainer in (rltools_embed, rltools, stable_baselines3)}


def main() -> None:
    name, algorithm, *seeds = sys.argv[1:]
    train = TRAINERS[name](algorithm)
    environment = rescaled() if name == "rltools" else native()
    for seed in map(int, seeds):
        start_s, start_wall_s = time.process_time(), time.perf_counter()
        act = train(seed)
        row = {
            "trainer": name,
            "version": importlib.metadata.version(name),
            "algorithm": algorithm,
            "seed": seed,
            "cpu_s": time.process_time() - start_s,
            "wall_s": time.perf_counter() - start_wall_s,
            "mean_return": mean_return(environment, act),
        }
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
