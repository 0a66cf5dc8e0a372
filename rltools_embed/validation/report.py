"""What a validation found, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rltools_embed.device import ControlStatistics
from rltools_embed.validation.compare import Agreement


class Outcome(Enum):
    """How a validation ended, or one check of it: a value that could not be measured is not a different value."""

    PASSED = "passed"
    FAILED = "failed"
    INCOMPLETE = "incomplete"

    @property
    def exit_code(self) -> int:
        """What `rlt-embed validate` and `run` end with."""
        return {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.INCOMPLETE: 12}[self]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One claim about the board, whether it holds, and the values that show it.

    Attributes:
        passed: it was measured and holds.
        measured: the board gave an answer to compare; if not, `message` is the reason.
    """

    name: str
    passed: bool
    message: str
    measured: bool = True

    def __post_init__(self) -> None:
        if self.passed and not self.measured:
            raise ValueError(f"the check {self.name} was not measured and cannot have passed")

    @property
    def outcome(self) -> Outcome:
        """Passed, failed, or not measured."""
        if not self.measured:
            return Outcome.INCOMPLETE
        return Outcome.PASSED if self.passed else Outcome.FAILED


@dataclass(frozen=True, kw_only=True)
class SampleResult:
    """How the outputs for one kind of observation agree."""

    name: str
    observations: int
    agreement: Agreement


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first output that differs.

    Attributes:
        sample, row: the kind of observation and its number within that kind.
        layer: the first layer of the trace that differs, in words; empty if the board's trace shows none.
        unit: the first number of that layer that differs.
        layer_found, layer_expected: that number.
    """

    sample: str
    row: int
    observation: tuple[float, ...]
    found: tuple[float, ...]
    expected: tuple[float, ...]
    layer: str = ""
    unit: int = 0
    layer_found: float = 0.0
    layer_expected: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What an inference costs, and what kind of figure that is.

    Attributes:
        per_inference: in `unit`; None where it could not be measured.
        unit: `instructions` (counted by QEMU; not cycles), `modelled cycles` (of an emulator's model of the core),
            `cycles` (a board's counter), `us` (a board's clock, where its core counts no cycles), `ns` (a host
            process).
        problem: why it could not be measured.
    """

    per_inference: float | None
    unit: str
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Bytes used of bytes offered; None where it is not known or not limited."""

    used_bytes: int | None
    offered_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of a validation. `passed` is the claim: the board computes the same, and nothing is left open.

    Attributes:
        digest_expected, digest_found: of the policy that should be on the board, and as the board computed it.
        control: what the firmware's control loop counted; None where it has none, or does not report it.
        notes: what limits the claim, for example a kind of observation that could not be made.
    """

    policy: str
    board: str
    port: str
    arithmetic: str
    digest_expected: str
    digest_found: str
    checks: tuple[Check, ...]
    samples: tuple[SampleResult, ...] = ()
    total: Agreement | None = None
    first_difference: Difference | None = None
    cost: Cost | None = None
    flash: Size
    ram: Size
    stack: Size
    control: ControlStatistics | None = None
    notes: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every check passed: the board computes the same."""
        return self.outcome is Outcome.PASSED

    @property
    def outcome(self) -> Outcome:
        """A measured difference decides; without one, what was not measured leaves the claim open."""
        outcomes = [check.outcome for check in self.checks]
        return next((each for each in (Outcome.FAILED, Outcome.INCOMPLETE) if each in outcomes), Outcome.PASSED)

    def checks_that(self, outcome: Outcome) -> tuple[Check, ...]:
        """The checks with this outcome."""
        return tuple(check for check in self.checks if check.outcome is outcome)

    @property
    def observations(self) -> int:
        """How many observations the board evaluated."""
        return sum(sample.observations for sample in self.samples)
