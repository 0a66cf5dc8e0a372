"""What the messages of the link mean: answers as values, and which firmware is another version.

The layout of every message stands in `messages`; here its fields get the types that a program works with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rltools_embed.device.messages import (
    ARITHMETIC_NUMBERS,
    LAYOUT,
    LAYOUT_HASH,
    PROTOCOL_VERSION,
    REBUILD_HINT,
    REFUSAL,
    ArithmeticFault,
    ErrorCode,
    FloatMode,
    Message,
    Payload,
)
from rltools_embed.errors import ProtocolError
from rltools_embed.policy.arithmetic import Arithmetic

Floats = NDArray[np.float32]


def floats_to_bytes(values: Floats) -> bytes:
    """The bits of float32 `values`, little-endian; nothing is rounded, no NaN is changed."""
    if values.dtype != np.float32:
        raise TypeError(f"the link carries float32, not {values.dtype}")
    return values.astype("<f4", copy=False).tobytes()


def floats_from_bytes(data: bytes) -> Floats:
    """The inverse of `floats_to_bytes`, flat and writable.

    Raises:
        ProtocolError: not a whole number of floats.
    """
    if len(data) % 4:
        raise ProtocolError(f"{len(data)} bytes are not a whole number of floats", REBUILD_HINT)
    return np.frombuffer(data, "<f4").astype(np.float32)


NO_FAULT: Final = ArithmeticFault(0)
STANDARD_MODE: Final = FloatMode(0)
_ARITHMETIC_BY_NUMBER: Final = {number: arithmetic for arithmetic, number in ARITHMETIC_NUMBERS.items()}
# Of a HELLO's answer, in every version: what tells whether the rest can be read.
_VERSION_AND_HASH: Final = Payload(head=LAYOUT[Message.HELLO].response.head[:2])


@dataclass(frozen=True, kw_only=True)
class Hello:
    """What the firmware says it is.

    Attributes:
        largest_payload: bytes, of a request as of a response.
        tick_hz: ticks per second of the clock that BENCHMARK counts with.
        digest: SHA-256 in hexadecimal that the firmware computed over the policy in its flash.
        board: the board file's name.
        arithmetic_faults: how its floats are other than IEEE 754 says, by its own test; None if it has none.
        float_mode: the mode of the floating-point unit outside of the policy; None if the firmware does not say.
    """

    largest_payload: int
    observation_dim: int
    action_dim: int
    layer_count: int
    arithmetic: Arithmetic
    tick_hz: int
    digest: str
    board: str
    arithmetic_faults: ArithmeticFault | None = NO_FAULT
    float_mode: FloatMode | None = STANDARD_MODE
    protocol_version: int = PROTOCOL_VERSION
    layout_hash: int = LAYOUT_HASH

    @property
    def largest_batch(self) -> int:
        """Observations in one EVALUATE, such that request and response fit."""
        widest = max(self.observation_dim, self.action_dim)
        return min((self.largest_payload - 2) // (4 * widest), 0xFFFF)

    def encode(self) -> bytes:
        """The payload of the response."""
        return LAYOUT[Message.HELLO].response.encode(
            protocol_version=self.protocol_version,
            layout_hash=self.layout_hash,
            largest_payload=self.largest_payload,
            observation_dim=self.observation_dim,
            action_dim=self.action_dim,
            layer_count=self.layer_count,
            arithmetic=ARITHMETIC_NUMBERS[self.arithmetic],
            tick_hz=self.tick_hz,
            digest=bytes.fromhex(self.digest),
            board=self.board.encode(),
            arithmetic_faults=self.arithmetic_faults,
            float_mode=self.float_mode,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Hello:
        """The inverse of `encode`.

        Raises:
            ProtocolError: first of all if version or layout are not ours; else if a field makes no sense.
        """
        _refuse_another_version(payload)
        values = LAYOUT[Message.HELLO].response.decode(payload)
        number = values.numbers.pop("arithmetic")
        arithmetic = _ARITHMETIC_BY_NUMBER.get(number)
        if arithmetic is None:
            raise ProtocolError(f"the board names arithmetic {number}, which this program lacks", REBUILD_HINT)
        board = values.strings["board"].decode(errors="replace")
        digest = values.strings["digest"].hex()
        faults, mode = (values.numbers.pop(name, None) for name in ("arithmetic_faults", "float_mode"))
        hello = cls(
            **values.numbers,
            arithmetic=arithmetic,
            digest=digest,
            board=board,
            arithmetic_faults=None if faults is None else ArithmeticFault(faults),
            float_mode=None if mode is None else FloatMode(mode),
        )
        if hello.observation_dim < 1 or hello.action_dim < 1 or hello.largest_batch < 1:
            raise ProtocolError(
                f"{board} offers {hello.observation_dim} observations, {hello.action_dim} actions and payloads of "
                f"{hello.largest_payload} bytes: not one evaluation fits",
                REBUILD_HINT,
            )
        return hello


def _refuse_another_version(payload: bytes) -> None:
    size = _VERSION_AND_HASH.head_struct.size
    if len(payload) < size:
        raise ProtocolError(f"the board's HELLO has {len(payload)} bytes", REBUILD_HINT)
    firmware = _VERSION_AND_HASH.decode(payload[:size]).numbers
    version, layout_hash = firmware["protocol_version"], firmware["layout_hash"]
    if version != PROTOCOL_VERSION:
        newer = "update rltools_embed, or " if version > PROTOCOL_VERSION else ""
        raise ProtocolError(
            f"the firmware speaks protocol {version}, this program {PROTOCOL_VERSION}", newer + REBUILD_HINT
        )
    if layout_hash != LAYOUT_HASH:
        raise ProtocolError(
            f"the firmware lays its messages out as {layout_hash:08x}, this program as {LAYOUT_HASH:08x}", REBUILD_HINT
        )


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Ticks that `repeats` evaluations took, and as many empty rounds of the same loop."""

    repeats: int
    evaluation_ticks: int
    empty_ticks: int
    tick_hz: int

    @property
    def ticks_per_evaluation(self) -> float:
        """Without the loop and the reading of the clock."""
        return (self.evaluation_ticks - self.empty_ticks) / self.repeats

    @property
    def seconds_per_evaluation(self) -> float:
        """By the board's own clock."""
        return self.ticks_per_evaluation / self.tick_hz


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """The examples embedded in the firmware, and how many of them came out with other bits."""

    examples: int
    mismatches: int


@dataclass(frozen=True, kw_only=True)
class ControlStatistics:
    """What a control loop beside the link did since it started, by the board's own clock.

    Attributes:
        period_us: what the loop was to keep; 0 before its first step.
        fallbacks: steps with the fallback action, since there was no observation to act on.
        overruns: steps that ended after their period.
        late_steps: steps that began a whole period after they were due, or more.
        worst_lateness_us: from when a step was due to its beginning.
        total_lateness_us: of all steps.
        worst_execution_us: from the beginning of a step to its end.
    """

    period_us: int
    steps: int
    fallbacks: int
    overruns: int
    late_steps: int
    worst_lateness_us: int
    total_lateness_us: int
    worst_execution_us: int

    @property
    def mean_lateness_us(self) -> float:
        """0 before the first step."""
        return self.total_lateness_us / self.steps if self.steps else 0.0


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The device's own counters, since it started.

    Attributes:
        stack_bytes: 0 where the port does not measure the stack.
        frames_rejected: all that ended like a frame and was none.
        frames_overlong: of these, longer than the firmware's buffer; None if the firmware does not tell.
        answers_dropped: answers of which nobody read the end; None if the firmware does not tell.
        control: of the control loop; None if the firmware has none, or does not report it.
    """

    stack_bytes: int
    stack_used_bytes: int
    frames_accepted: int
    frames_rejected: int
    frames_overlong: int | None = None
    answers_dropped: int | None = None
    control: ControlStatistics | None = None

    @classmethod
    def decode(cls, payload: bytes) -> Statistics:
        """Raises ProtocolError if a field is damaged or a required one is missing."""
        numbers = LAYOUT[Message.STATISTICS].response.decode(payload).numbers
        of_loop = {name: numbers.pop(f"control_{name}", None) for name in ControlStatistics.__dataclass_fields__}
        found = {name: value for name, value in of_loop.items() if value is not None}
        return cls(**numbers, control=ControlStatistics(**found) if len(found) == len(of_loop) else None)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An error answer: the code and the type of the request it is about, as numbers, known or not."""

    code: int
    request: int

    @property
    def reason(self) -> str:
        """The code in words."""
        known = {code.value: code.name.lower().replace("_", " ") for code in ErrorCode}
        return known.get(self.code, f"error code {self.code}")

    @classmethod
    def decode(cls, payload: bytes) -> Refusal:
        """Raises ProtocolError if the size is wrong."""
        return cls(**REFUSAL.decode(payload).numbers)
