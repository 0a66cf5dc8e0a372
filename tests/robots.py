"""The robots of examples/: which files each is made of, for which boards, and a policy that can do it."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import gymnasium
import numpy as np

from rltools_embed.firmware.board import Framework
from rltools_embed.policy.layers import Activation, Dense, Mlp, SampleAndSquash
from rltools_embed.policy.model import Policy, Signal
from tests import policies
from tests.board_matrix import ROOT

EXAMPLES = ROOT / "examples"


@dataclass(frozen=True, kw_only=True)
class Robot:
    """An example with a control.cpp.

    Attributes:
        sources: what goes into a project's src/, below examples/.
        environment: the class in its environment.py.
        boards: one of each family that its table of pins has.
        gains: of its policy, found by hand: a row per action, a column per observation.
    """

    name: str
    sources: tuple[str, ...]
    environment: str
    framework: Framework
    boards: tuple[str, ...]
    gains: tuple[tuple[float, ...], ...]

    @cached_property
    def policy(self) -> Policy:
        """What controls it in its environment."""
        return linear_policy(self, self.gains)

    def copy_to(self, project: Path) -> None:
        """The sources in a project's src/, control.cpp in the place of the generated one."""
        for source in self.sources:
            shutil.copy(EXAMPLES / source, project / "src")


ROBOTS = {
    robot.name: robot
    for robot in (
        Robot(
            name="balance_bot",
            sources=("balance_bot/control.cpp", "sensors/mpu6050.h"),
            environment="BalanceBot",
            framework=Framework.ARDUINO,
            boards=("nucleo_f446re", "pico", "teensy41", "zeroUSB", "esp32dev", "nano33ble"),
            gains=((8.0, 0.8, 1.0, 1.5),),
        ),
        Robot(
            name="quadrotor_rates",
            sources=("quadrotor_rates/control.cpp", "quadrotor_rates/ibus.h", "sensors/mpu6050.h"),
            environment="QuadrotorRates",
            framework=Framework.ESPIDF,
            boards=("esp32dev", "esp32-s3-devkitc-1", "esp32-c3-devkitm-1"),
            # Errors of roll, pitch, yaw to front right, rear right, rear left, front left.
            gains=tuple(
                (0.0, 0.0, 0.0, 0.2 * roll, 0.2 * pitch, 0.2 * yaw, 0.0, 0.0, 0.0, 0.0)
                for roll, pitch, yaw in ((-1, -1, -1), (-1, 1, 1), (1, 1, -1), (1, -1, 1))
            ),
        ),
    )
}


def environment_of(robot: Robot) -> gymnasium.Env:
    """A new environment out of the example's environment.py."""
    path = EXAMPLES / robot.name / "environment.py"
    spec = importlib.util.spec_from_file_location(f"environment_of_{robot.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = getattr(module, robot.environment)()
    assert isinstance(made, gymnasium.Env)
    return made


def linear_policy(robot: Robot, gains: tuple[tuple[float, ...], ...]) -> Policy:
    """tanh(gains @ observation), with the signals of the robot's environment."""
    env = environment_of(robot)
    means = np.array(gains, np.float32)
    rows = np.concatenate([means, np.zeros_like(means)])  # the second half is for the unused log-stds
    layer = Dense(weights=rows, biases=np.zeros(len(rows), np.float32), activation=Activation.IDENTITY)
    squash = SampleAndSquash(output_dim=len(gains), log_std_lower_bound=-20.0, log_std_upper_bound=2.0)
    policy = policies.policy_of(Mlp(layers=(layer,)), squash, name=robot.name)
    return replace(policy, observation=_signals(env.observation_space), action=_signals(env.action_space))


def _signals(space: gymnasium.Space) -> tuple[Signal, ...]:
    assert isinstance(space, gymnasium.spaces.Box)
    bounds = zip(space.low, space.high, strict=True)
    return tuple(Signal(name=f"[{i}]", low=float(low), high=float(high)) for i, (low, high) in enumerate(bounds))
