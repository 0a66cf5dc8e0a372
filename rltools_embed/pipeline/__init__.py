"""The stages as library calls: train, inspect, export, build, flash, validate, and run for all of them in one go.

Each stage takes the folder that the one before it wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rltools_embed import lazy

if TYPE_CHECKING:
    from rltools_embed.pipeline.building import build
    from rltools_embed.pipeline.folders import inspect
    from rltools_embed.pipeline.projects import Export, export
    from rltools_embed.pipeline.targets import flash, monitor, power_off
    from rltools_embed.pipeline.training import Files, Hooks, Run, as_table, train
    from rltools_embed.pipeline.validation import run, validate

__all__ = [
    "Export",
    "Files",
    "Hooks",
    "Run",
    "as_table",
    "build",
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
        "folders": ("inspect",),
        "building": ("build",),
        "projects": ("Export", "export"),
        "targets": ("flash", "monitor", "power_off"),
        "validation": ("run", "validate"),
        "training": ("Files", "Hooks", "Run", "as_table", "train"),
    }.items()
    for name in names
}
__getattr__, __dir__ = lazy.names_of(__name__, _HOMES)
