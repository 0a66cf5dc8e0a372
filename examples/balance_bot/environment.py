"""A robot on two wheels that must not fall: a wheeled inverted pendulum in its plane, with the motors' own limits.

What the policy sees and does is what control.cpp beside this file measures and drives, in the same units and order.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

GRAVITY = 9.81
# The body above the axle: mass (kg), height of its centre (m), moment of inertia about that (kg m²).
BODY_MASS, BODY_HEIGHT, BODY_INERTIA = 0.75, 0.075, 0.0024
# Both wheels: mass (kg), radius (m), moment of inertia (kg m²), with what the gears' rotors add.
WHEEL_MASS, WHEEL_RADIUS, WHEEL_INERTIA = 0.07, 0.0325, 0.00014
# Both motors: torque at a standstill (N m), and speed without load (rad/s) at full duty.
STALL_TORQUE, FREE_SPEED = 0.35, 32.0
FALLEN_RAD = 0.7
SUBSTEPS = 5


class BalanceBot(gymnasium.Env):
    """Observation: pitch (rad), its rate (rad/s), wheel position (m), wheel velocity (m/s). Action: duty, -1 to 1.

    Positive is forward, and a pitch to the front. The reward is 1 for upright in place, less for what is not.
    """

    dt = 0.01
    most_steps = 1000

    def __init__(self) -> None:
        high = np.array([FALLEN_RAD, 12.0, 3.0, 2.0], np.float32)
        self.observation_space = gymnasium.spaces.Box(-high, high, dtype=np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._state = np.zeros(4)
        self._steps = 0
        self._strength = 1.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        # control.cpp starts within 0.1 rad; the battery's charge is anyone's guess.
        self._state = self.np_random.uniform(-1.0, 1.0, 4) * np.array([0.12, 0.3, 0.0, 0.1])
        self._strength = self.np_random.uniform(0.8, 1.1)
        self._steps = 0
        return self._observation(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict]:
        duty = float(np.clip(action[0], -1.0, 1.0))
        for _ in range(SUBSTEPS):
            self._advance(duty, self.dt / SUBSTEPS)
        self._steps += 1
        pitch, _, position, velocity = self._state
        reward = 1.0 - 4.0 * pitch**2 - 0.5 * position**2 - 0.2 * velocity**2 - 0.1 * duty**2
        is_over = abs(pitch) > FALLEN_RAD or abs(position) > 3.0
        return self._observation(), float(reward), bool(is_over), self._steps >= self.most_steps, {}

    def _advance(self, duty: float, seconds: float) -> None:
        pitch, rate, position, velocity = self._state
        # The motors sit in the body: what they turn is the wheel against it.
        turn = velocity / WHEEL_RADIUS - rate
        torque = self._strength * STALL_TORQUE * float(np.clip(duty - turn / FREE_SPEED, -1.0, 1.0))
        sine, cosine = np.sin(pitch), np.cos(pitch)
        # Two equations of motion, one of the wheels' way and one of the body's turn, for both accelerations.
        moving = BODY_MASS + WHEEL_MASS + WHEEL_INERTIA / WHEEL_RADIUS**2
        coupling = BODY_MASS * BODY_HEIGHT * cosine
        turning = BODY_INERTIA + BODY_MASS * BODY_HEIGHT**2
        push = torque / WHEEL_RADIUS + BODY_MASS * BODY_HEIGHT * rate**2 * sine
        tip = BODY_MASS * GRAVITY * BODY_HEIGHT * sine - torque
        determinant = moving * turning - coupling**2
        rate += seconds * (moving * tip - coupling * push) / determinant
        velocity += seconds * (turning * push - coupling * tip) / determinant
        self._state = np.array([pitch + seconds * rate, rate, position + seconds * velocity, velocity])

    def _observation(self) -> np.ndarray:
        noise = self.np_random.normal(0.0, 1.0, 4) * np.array([0.003, 0.02, 0.0, 0.01])
        seen = (self._state + noise).astype(np.float32)
        return np.clip(seen, self.observation_space.low, self.observation_space.high)
