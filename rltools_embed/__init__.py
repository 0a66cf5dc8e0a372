"""Train a policy, put it on a microcontroller, and prove that it computes the same bits.

Training, as RLtools' users know it: `SAC`, `TD3`, `PPO`, `load_checkpoint`, `load_checkpoint_from_path`.
A training as one value, to be handed on and pickled: `TrainingPlan`.
The stages, as `rlt-embed` runs them: `train`, `inspect`, `export`, `build`, `flash`, `validate`, `run`, `power_off`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rltools_embed import lazy
from rltools_embed._version import __version__ as __version__

if TYPE_CHECKING:
    from rltools_embed.errors import RltEmbedError
    from rltools_embed.pipeline import build, export, flash, inspect, power_off, run, train, validate
    from rltools_embed.policy.loading import load_checkpoint, load_checkpoint_from_path
    from rltools_embed.policy.model import Policy
    from rltools_embed.target import Target
    from rltools_embed.training import PPO, SAC, TD3, Callbacks, EvaluationPlan, TrainingPlan
    from rltools_embed.validation import Report

__all__ = [
    "PPO",
    "SAC",
    "TD3",
    "Callbacks",
    "EvaluationPlan",
    "Policy",
    "Report",
    "RltEmbedError",
    "Target",
    "TrainingPlan",
    "build",
    "export",
    "flash",
    "inspect",
    "load_checkpoint",
    "load_checkpoint_from_path",
    "power_off",
    "run",
    "train",
    "validate",
]

# Found when first asked for: a program that only loads a checkpoint imports neither gymnasium nor a serial port.
_HOMES = {
    **{
        name: ("rltools_embed.training", name)
        for name in ("PPO", "SAC", "TD3", "Callbacks", "EvaluationPlan", "TrainingPlan")
    },
    "Policy": ("rltools_embed.policy.model", "Policy"),
    "Report": ("rltools_embed.validation", "Report"),
    "RltEmbedError": ("rltools_embed.errors", "RltEmbedError"),
    "Target": ("rltools_embed.target", "Target"),
    "load_checkpoint": ("rltools_embed.policy.loading", "load_checkpoint"),
    "load_checkpoint_from_path": ("rltools_embed.policy.loading", "load_checkpoint_from_path"),
    **{
        stage: ("rltools_embed.pipeline", stage)
        for stage in ("build", "export", "flash", "inspect", "power_off", "run", "train", "validate")
    },
}

__getattr__, __dir__ = lazy.names_of(__name__, _HOMES)
