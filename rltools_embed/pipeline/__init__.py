"""The stages as library calls: train, inspect, export, build, flash, validate, and run for all of them in one go.

Each stage takes the folder that the one before it wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rltools_embed import lazy

if TYPE_CHECKING:
    from rltools_embed.pipeline.building import build
    from rltools_embed.pipeline.checkpoints import inspect
    from rltools_embed.pipeline.devices import flash, monitor, power_off
    from rltools_embed.pipeline.exporting import Export, export
    from rltools_embed.pipeline.proving import run, validate
    from rltools_embed.pipeline.training_runs import Run, as_table, check_options, train

__all__ = [
    "Export",
    "Run",
    "as_table",
    "build",
    "check_options",
    "export",
    "flash",
    "inspect",
    "monitor",
    "power_off",
    "run",
    "train",
    "validate",
]

# Found when first asked for: a build needs neither NumPy nor a trainer, and would wait for them longer than for itself.
_HOMES = {
    name: (f"{__name__}.{module}", name)
    for module, names in {
        "building": ("build",),
        "checkpoints": ("inspect",),
        "devices": ("flash", "monitor", "power_off"),
        "exporting": ("Export", "export"),
        "proving": ("run", "validate"),
        "training_runs": ("Run", "as_table", "check_options", "train"),
    }.items()
    for name in names
}
__getattr__, __dir__ = lazy.names_of(__name__, _HOMES)
