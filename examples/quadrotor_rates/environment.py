"""A quadrotor's body rates: a rigid body that turns, four motors that lag, a pilot who changes his mind.

What the policy sees and does is what control.cpp beside this file measures and drives, in the same units and order.
Where it is and how it is tilted does not matter here: a pilot flies by rates.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

# An X frame with motors 0.12 m from the centre, 0.5 kg. Axes: x forward, y left, z up.
ARM = 0.12 / np.sqrt(2.0)
INERTIA = np.array([0.0025, 0.0025, 0.0045])  # kg m²
MOST_THRUST = 3.2  # N of a motor; half of it hovers, about
YAW_PER_THRUST = 0.012  # m
MOTOR_LAG_S = 0.03
AUTHORITY = 0.25  # what an action of 1 adds to the throttle
IDLE = 0.06
# Front right, rear right, rear left, front left: where they are, and how the air turns them (1: counter-clockwise).
POSITIONS = ARM * np.array([[1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
SPINS = np.array([1.0, -1.0, 1.0, -1.0])
# Torques about x, y, z for a newton of each motor; a motor that spins one way turns the frame the other.
MIXER = np.array([POSITIONS[:, 1], -POSITIONS[:, 0], -YAW_PER_THRUST * SPINS])
MOST_WANTED = np.array([6.0, 6.0, 3.0])  # rad/s
MOST_RATE = 34.0  # a gyroscope at its end, 34.9, has no observation


class QuadrotorRates(gymnasium.Env):
    """Observation: rates (3, rad/s), set points less rates (3), the last action (4). Action: four numbers, -1 to 1."""

    dt = 0.002
    most_steps = 1000

    def __init__(self) -> None:
        high = np.array([MOST_RATE] * 3 + [MOST_RATE + 6.0] * 3 + [1.0] * 4, np.float32)
        self.observation_space = gymnasium.spaces.Box(-high, high, dtype=np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (4,), np.float32)
        self._rates = np.zeros(3)
        self._wanted = np.zeros(3)
        self._motors = np.zeros(4)
        self._action = np.zeros(4)
        self._throttle = 0.5
        self._inertia = INERTIA
        self._steps = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self._rates = self.np_random.uniform(-2.0, 2.0, 3)
        self._action = np.zeros(4)
        self._throttle = self.np_random.uniform(0.35, 0.65)
        self._motors = np.full(4, self._throttle)
        self._inertia = INERTIA * self.np_random.uniform(0.8, 1.25)
        self._steps = 0
        self._change_mind()
        return self._observation(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        action = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        commands = np.clip(self._throttle + AUTHORITY * action, IDLE, 1.0)
        self._motors += (commands - self._motors) * self.dt / (MOTOR_LAG_S + self.dt)
        torque = MIXER @ (MOST_THRUST * self._motors**2)
        spin = np.cross(self._rates, self._inertia * self._rates)
        self._rates = self._rates + self.dt * (torque - spin) / self._inertia
        error = (self._wanted - self._rates) / MOST_WANTED
        jerk = action - self._action
        self._action = action
        self._steps += 1
        reward = 1.0 - float(np.tanh(error @ error)) - 0.02 * float(jerk @ jerk) - 0.01 * float(action @ action)
        if self.np_random.random() < self.dt / 0.5:
            self._change_mind()
        is_over = bool(np.abs(self._rates).max() > MOST_RATE)
        return self._observation(), reward, is_over, self._steps >= self.most_steps, {}

    def _change_mind(self) -> None:
        self._wanted = self.np_random.uniform(-1.0, 1.0, 3) * MOST_WANTED * self.np_random.choice([0.0, 0.3, 1.0])
        self._throttle = self.np_random.uniform(0.35, 0.65)

    def _observation(self) -> np.ndarray:
        seen = self._rates + self.np_random.normal(0.0, 0.03, 3)
        parts = np.concatenate([seen, self._wanted - seen, self._action]).astype(np.float32)
        return np.clip(parts, self.observation_space.low, self.observation_space.high)
