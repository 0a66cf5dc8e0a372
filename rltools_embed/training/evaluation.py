"""The deterministic policy over whole episodes: when it is evaluated, and what came out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rltools_embed import checks as of


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The deterministic policy over whole episodes: undiscounted returns and lengths in steps.

    Attributes:
        step: environment steps of training before it.
    """

    step: int
    returns: tuple[float, ...]
    lengths: tuple[int, ...]

    @property
    def mean_return(self) -> float:
        """The mean of the returns, undiscounted."""
        return sum(self.returns) / len(self.returns)

    @property
    def mean_length(self) -> float:
        """The mean of the lengths, in steps."""
        return sum(self.lengths) / len(self.lengths)


EVALUATION_EPISODES = 10


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """When the policy is evaluated during training: every `interval` calls of `step` and at the end, or never.

    Attributes:
        enabled: whether it is evaluated at all.
        interval: calls of `step` between evaluations; None: the algorithm's own.
        episodes: of each evaluation, each from a start of its own.

    Raises:
        ValueError: a value that is not allowed, under the name of `Training`'s argument.
    """

    enabled: bool = True
    interval: int | None = None
    episodes: int = EVALUATION_EPISODES

    def __post_init__(self) -> None:
        for name, field, check in (
            ("enable_evaluation", "enabled", of.boolean),
            ("evaluation_interval", "interval", of.COUNT_OR_NONE),
            ("num_evaluation_episodes", "episodes", of.COUNT),
        ):
            object.__setattr__(self, field, of.checked(name, getattr(self, field), check))

    def with_interval(self, own: int) -> EvaluationPlan:
        """This plan with nothing left open: `own` is the algorithm's interval."""
        return self if self.interval is not None else replace(self, interval=own)

    def is_due(self, calls: int) -> bool:
        """Whether there is an evaluation after so many calls of `step`, at the end apart."""
        return self.enabled and self.interval is not None and calls % self.interval == 0
