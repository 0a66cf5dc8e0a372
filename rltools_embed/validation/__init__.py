"""Whether a board computes what the policy says."""

from rltools_embed.validation.measurement import Settings, measure, validate
from rltools_embed.validation.observations import Counts
from rltools_embed.validation.report import Report

__all__ = ["Counts", "Report", "Settings", "measure", "validate"]
