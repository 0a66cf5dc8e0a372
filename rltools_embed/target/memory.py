"""A target in this process, made of a policy: for tests that need neither a compiler nor a board.

    >>> from rltools_embed import load_checkpoint
    >>> from rltools_embed.target import memory_target
    >>> with memory_target(policy) as target:
    ...     bool((target.evaluate(observations) == policy.evaluate(observations)).all())
    True

A test of a test: a board with a fault must be noticed.

    >>> from rltools_embed.validation import validate
    >>> with memory_target(policy, digest="ab" * 32) as target:
    ...     [check.name for check in validate(target).checks if not check.passed]
    ['digest']
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from rltools_embed.device import Hello, Link, ManualClock, MemoryBoard, MemoryLink
from rltools_embed.device.frames import Frame
from rltools_embed.device.messages import LAYOUT, ErrorCode, Message
from rltools_embed.device.protocol import floats_from_bytes, floats_to_bytes
from rltools_embed.errors import LinkError
from rltools_embed.firmware import board as boards
from rltools_embed.firmware.board import Board
from rltools_embed.firmware.platformio import Watch
from rltools_embed.policy import reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.digest import digest as digest_of
from rltools_embed.policy.layers import Float32Array, Primitive, Recurrent
from rltools_embed.policy.model import Policy
from rltools_embed.target.target import Target

Alter = Callable[[int, Float32Array], Float32Array]
_NAME = "memory"
_PORT = "memory link"
_LARGEST_PAYLOAD = 4096
_TICKS_PER_S = 1_000_000_000


def memory_target(
    policy: Policy,
    *,
    arithmetic: Arithmetic = Arithmetic.SEPARATE,
    holds: Policy | None = None,
    digest: str | None = None,
    alter: Alter | None = None,
) -> Target:
    """A target whose board answers in this process with the bits of the host reference. It is on from the start.

    The link's time is simulated: waiting costs none. `benchmark` counts the real nanoseconds of the host reference;
    the stack is not measured (0 bytes); `self_test` evaluates the checkpoint's examples.

    Args:
        policy: what the board should compute.
        arithmetic: how the board rounds.
        holds: the policy in the board's flash, if it should be another one; the examples stay those of `policy`.
        digest: 64 hexadecimal digits that the board reports, if they should be wrong.
        alter: called with the index of a layer and its output (width,); the board goes on with what it returns.

    Raises:
        ValueError: `holds` has other sizes than `policy`.
    """
    held = holds or policy
    if (held.observation_dim, held.action_dim) != (policy.observation_dim, policy.action_dim):
        raise ValueError(
            f"the board holds a policy {held.observation_dim} → {held.action_dim}, "
            f"not {policy.observation_dim} → {policy.action_dim}"
        )
    firmware = _Firmware(policy, held, arithmetic, digest or digest_of(held), alter)
    return Target(_MemoryAdapter(policy, firmware, arithmetic))


class _Firmware(MemoryBoard):
    """The device's side of the protocol around a policy's layers."""

    def __init__(self, policy: Policy, held: Policy, arithmetic: Arithmetic, digest: str, alter: Alter | None) -> None:
        self._arithmetic = arithmetic
        self._alter = alter
        self._primitives = held.primitives
        self._examples = policy.example_observations
        self._expected = reference.evaluate_episode(policy.layers, self._examples, arithmetic)
        hello = Hello(
            largest_payload=_LARGEST_PAYLOAD,
            observation_dim=held.observation_dim,
            action_dim=held.action_dim,
            layer_count=len(self._primitives),
            arithmetic=arithmetic,
            tick_hz=_TICKS_PER_S,
            digest=digest,
            board=_NAME,
        )
        super().__init__(
            [partial(self._apply_to_one, index, layer) for index, layer in enumerate(self._primitives)],
            observation_dim=held.observation_dim,
            action_dim=held.action_dim,
            hello=hello,
        )

    def _apply(self, index: int, layer: Primitive, x: Float32Array) -> Float32Array:
        """The output (k, width) of one layer for `x` (k, n), with the fault that it is to have."""
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):  # as a target overflows
            return self._altered(index, layer.evaluate(x, self._arithmetic))

    def _altered(self, index: int, outputs: Float32Array) -> Float32Array:
        return outputs if self._alter is None else np.stack([self._alter(index, output) for output in outputs])

    def _apply_to_one(self, index: int, layer: Primitive, x: Float32Array) -> Float32Array:
        output: Float32Array = self._apply(index, layer, x[None, :])[0]
        return output

    def _handle(self, request: Frame) -> bytes | ErrorCode:
        answer = super()._handle(request)
        if isinstance(answer, ErrorCode):
            return answer
        if request.type == Message.SELF_TEST:
            return LAYOUT[Message.SELF_TEST].response.encode(
                examples=len(self._examples), mismatches=self._mismatches()
            )
        if request.type == Message.BENCHMARK:
            repeats, observation = int.from_bytes(request.payload[:2], "little"), request.payload[2:]
            evaluation_ticks, empty_ticks = self._ticks(repeats, floats_from_bytes(observation))
            return LAYOUT[Message.BENCHMARK].response.encode(evaluation_ticks=evaluation_ticks, empty_ticks=empty_ticks)
        return answer

    def _handle_floats(self, message: Message, payload: bytes) -> bytes | ErrorCode:
        """As of any board in memory; a batch of observations is evaluated as one, which takes a tenth of the time."""
        count = int.from_bytes(payload[:2], "little")
        is_whole = len(payload) == 2 + 4 * count * self.hello.observation_dim
        if message is not Message.EVALUATE or not is_whole or count > self.hello.largest_batch:
            return super()._handle_floats(message, payload)
        x = floats_from_bytes(payload[2:]).reshape(count, self.hello.observation_dim)
        for index, layer in enumerate(self._primitives):
            x = self._apply(index, layer, x)
        return LAYOUT[message].response.encode(count=count, floats=floats_to_bytes(x))

    def _mismatches(self) -> int:
        """How many examples, the steps of one episode, give other bits than the checkpoint says."""
        states = {
            index: layer.initial_states(1)
            for index, layer in enumerate(self._primitives)
            if isinstance(layer, Recurrent)
        }
        count = 0
        for observation, expected in zip(self._examples, self._expected, strict=True):
            x = observation[None, :]
            for index, layer in enumerate(self._primitives):
                if isinstance(layer, Recurrent):
                    x, states[index] = layer.step(x, states[index], self._arithmetic)
                    x = self._altered(index, x)
                else:
                    x = self._apply(index, layer, x)
            count += x[0].tobytes() != expected.tobytes()
        return count

    def _ticks(self, repeats: int, observation: Float32Array) -> tuple[int, int]:
        """Nanoseconds of so many evaluations, and of the loop around them."""
        start = time.perf_counter_ns()
        for _ in range(repeats):
            self._output(observation)
        middle = time.perf_counter_ns()
        for _ in range(repeats):
            pass
        return middle - start, time.perf_counter_ns() - middle


class _MemoryAdapter:
    """A board in this process: it has a clock of its own and can be off."""

    folder = None
    ends_with_target = True
    port = _PORT

    def __init__(self, policy: Policy, firmware: _Firmware, arithmetic: Arithmetic) -> None:
        self.policy = policy
        self.board: Board = replace(boards.load("host"), name=_NAME, arithmetic=arithmetic)
        self.clock = ManualClock()
        self._firmware = firmware
        self._is_on = True

    def flash(self, watch: Watch | None) -> str | None:
        self._is_on = True
        return _PORT

    def connect(self) -> Link:
        if not self._is_on:
            raise LinkError("the board in memory is off", "flash switches it on")
        return MemoryLink(self._firmware, clock=self.clock)

    def power_off(self) -> None:
        self._is_on = False
