"""The proof that a board computes what the policy says."""

from rltools_embed.validation.observations import Counts
from rltools_embed.validation.report import Report
from rltools_embed.validation.validate import Settings, measure, validate

__all__ = ["Counts", "Report", "Settings", "measure", "validate"]
