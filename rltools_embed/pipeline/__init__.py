"""The stages as library calls: train, inspect, export, build, flash, validate, and run for all of them in one go.

Each stage takes the folder that the one before it wrote.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

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
    "build": "building",
    "inspect": "checkpoints",
    "flash": "devices",
    "monitor": "devices",
    "power_off": "devices",
    "Export": "exporting",
    "export": "exporting",
    "run": "proving",
    "validate": "proving",
    "Run": "training_runs",
    "as_table": "training_runs",
    "check_options": "training_runs",
    "train": "training_runs",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
