"""Trains with one of three libraries: `PYTHON benchmarks/learning_trainers.py TRAINER ENVIRONMENT ALGORITHM SEED…`.

TRAINER is rltools_embed, rltools or stable_baselines3; PYTHON must have it, gymnasium (for MuJoCo gymnasium[mujoco])
and NumPy. One line of JSON per seed: trainer, version, environment, algorithm, seed, CPU and wall seconds of training,
and `curve`, pairs of environment steps and the deterministic policy's mean return over STARTS, the last one at the end,
and `wider_return`, the final policy's over OTHER_STARTS. Evaluations are outside of the seconds.
Stable-Baselines3 gets the hyperparameters of RLtools' defaults where it has the option.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import itertools
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.wrappers import RescaleAction

# As many starts as seeds: on Pendulum-v1 the same policy's mean moves by some 20 between sets of 20.
STARTS = range(1000, 1020)
# Ten times as many, for what 20 are too few to tell: which of two libraries' policies is the better one.
OTHER_STARTS = range(2000, 2200)
POINTS = 10
PPO_ENVIRONMENTS, PPO_STEPS_PER_ENV = 64, 64
# What `step` of a PPO takes, and what of SAC and TD3.
INTERVAL = {"SAC": 1, "TD3": 1, "PPO": PPO_ENVIRONMENTS * PPO_STEPS_PER_ENV}
STEPS = {"SAC": 10_000, "TD3": 10_000, "PPO": 24 * INTERVAL["PPO"]}
HIDDEN = [64, 64]

Act = Callable[[Any], Any]
# Called with the environment steps so far and the deterministic policy that they have led to.
Report = Callable[[int, Act], None]
# Trains with a seed and reports as often as it is asked to.
Train = Callable[[int, Report], None]


def mean_return(environment: gymnasium.Env, act: Act, starts: Sequence[int] = STARTS) -> float:
    """Of an episode from each start. Actions outside of the box are clipped: RLtools' PPO leaves it."""
    box = environment.action_space
    returns = []
    for seed in starts:
        observation, _ = environment.reset(seed=seed)
        total, ended = 0.0, False
        while not ended:
            action = act(np.asarray(observation, np.float32))
            observation, reward, terminated, truncated, _ = environment.step(np.clip(action, box.low, box.high))
            total += float(reward)
            ended = terminated or truncated
        returns.append(total)
    return float(np.mean(returns))


class Curve:
    """A run's evaluations and its seconds, the evaluations' apart. `report` skips all but the given points.

    The last of these is evaluated from OTHER_STARTS as well.
    """

    def __init__(self, environment: gymnasium.Env, points: Sequence[int]) -> None:
        self.points: list[tuple[int, float]] = []
        self.wider_return: float | None = None
        self._environment = environment
        self._due = list(points)
        self._begin_s, self._begin_wall_s = time.process_time(), time.perf_counter()

    def report(self, steps: int, act: Act) -> None:
        if not self._due or steps < self._due[0]:
            return
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        self._due.pop(0)
        self.points.append((steps, mean_return(self._environment, act)))
        if not self._due:
            self.wider_return = mean_return(self._environment, act, OTHER_STARTS)
        self._begin_s += time.process_time() - cpu_s
        self._begin_wall_s += time.perf_counter() - wall_s

    def seconds(self) -> tuple[float, float]:
        """CPU and wall seconds."""
        return time.process_time() - self._begin_s, time.perf_counter() - self._begin_wall_s


def points(algorithm: str, steps: int, count: int) -> list[int]:
    """About so many ends of whole steps of the training loop, evenly spaced; the last is the training's."""
    interval = INTERVAL[algorithm]
    calls = steps // interval
    return [interval * round(calls * index / count) for index in range(1, count + 1)]


def native(environment: str) -> gymnasium.Env:
    return gymnasium.make(environment)


def rescaled(environment: str) -> gymnasium.Env:
    return RescaleAction(native(environment), -1, 1)


def limit(algorithm: str, steps: int) -> dict[str, int]:
    """The option of ours and of RLtools; its default is STEPS."""
    return {"TOTAL_STEP_LIMIT" if algorithm == "PPO" else "STEP_LIMIT": steps}


def rltools_embed(environment: str, algorithm: str, steps: int) -> Train:
    import rltools_embed as library

    training = getattr(library, algorithm)(
        lambda: native(environment), enable_evaluation=False, on_message=lambda line: None, **limit(algorithm, steps)
    )

    def train(seed: int, report: Report) -> None:
        state = training.State(seed)
        finished = False
        while not finished:
            finished = state.step()
            report(state.step_count, state.action)

    return train


def rltools(environment: str, algorithm: str, steps: int) -> Train:
    import rltools as library

    # RLtools resets without a seed: the environments' first resets decide which episodes a run has.
    environment_seeds = itertools.count()

    def factory() -> gymnasium.Env:
        made = rescaled(environment)
        made.reset(seed=next(environment_seeds))
        return made

    # Its cache knows modules by their names alone.
    name = f"{environment.replace('-', '_')}_{steps}"
    module = getattr(library, algorithm)(
        factory, enable_evaluation=False, interface_name=name, **limit(algorithm, steps)
    )

    def train(seed: int, report: Report) -> None:
        nonlocal environment_seeds
        environment_seeds = itertools.count(1000 * seed)
        state = module.State(seed)
        # A step more than its limit says would follow.
        for done in range(INTERVAL[algorithm], steps + 1, INTERVAL[algorithm]):
            state.step()
            report(done, state.action)

    return train


def stable_baselines3(environment: str, algorithm: str, steps: int) -> Train:
    import stable_baselines3 as library
    import torch
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.noise import NormalActionNoise
    from stable_baselines3.common.vec_env import DummyVecEnv

    torch.set_num_threads(1)
    common: dict[str, Any] = {"learning_rate": 1e-3, "gamma": 0.99, "device": "cpu"}
    off_policy = {
        "buffer_size": steps,
        "learning_starts": 100,
        "batch_size": 100,
        "tau": 0.005,
        "policy_kwargs": {"net_arch": HIDDEN, "activation_fn": torch.nn.ReLU},
    }

    def factory() -> gymnasium.Env:
        # Its PPO explores in the environment's units: only in this box its standard deviation means RLtools'.
        return rescaled(environment)

    def model(seed: int) -> Any:
        if algorithm == "SAC":
            return library.SAC("MlpPolicy", factory(), ent_coef="auto_0.5", seed=seed, **common, **off_policy)
        if algorithm == "TD3":
            made = factory()
            zeros = np.zeros(made.action_space.shape)
            noise = NormalActionNoise(zeros, zeros + 0.1)
            one_each = {"train_freq": 1, "gradient_steps": 1}
            return library.TD3("MlpPolicy", made, action_noise=noise, seed=seed, **one_each, **common, **off_policy)
        return library.PPO(
            "MlpPolicy",
            DummyVecEnv([factory] * PPO_ENVIRONMENTS),
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

    class Reporter(BaseCallback):
        """Before more experience is collected: what there was has been trained on by then."""

        def __init__(self, report: Report) -> None:
            super().__init__()
            self._report = report

        def _on_rollout_start(self) -> None:
            self._report(self.num_timesteps, self._act)

        def _on_step(self) -> bool:
            return True

        def _act(self, observation: Any) -> Any:
            return self.model.predict(observation, deterministic=True)[0]

    def train(seed: int, report: Report) -> None:
        trained = model(seed).learn(steps, callback=Reporter(report))
        report(steps, lambda observation: trained.predict(observation, deterministic=True)[0])

    return train


TRAINERS = {trainer.__name__: trainer for trainer in (rltools_embed, rltools, stable_baselines3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trainer", choices=list(TRAINERS))
    parser.add_argument("environment", help="a registered environment's id")
    parser.add_argument("algorithm", choices=list(STEPS))
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--steps", type=int, help="environment steps (default: STEPS)")
    parser.add_argument("--points", type=int, default=POINTS, help="evaluations; 1: at the end alone")
    arguments = parser.parse_args()
    name, algorithm = arguments.trainer, arguments.algorithm
    steps = arguments.steps or STEPS[algorithm]
    train = TRAINERS[name](arguments.environment, algorithm, steps)
    make = native if name == "rltools_embed" else rescaled
    for seed in arguments.seeds:
        curve = Curve(make(arguments.environment), points(algorithm, steps, arguments.points))
        train(seed, curve.report)
        cpu_s, wall_s = curve.seconds()
        row = {
            "trainer": name,
            "version": importlib.metadata.version(name),
            "environment": arguments.environment,
            "algorithm": algorithm,
            "seed": seed,
            "cpu_s": cpu_s,
            "wall_s": wall_s,
            "curve": curve.points,
            "wider_return": curve.wider_return,
        }
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
