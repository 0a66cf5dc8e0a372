"""An algorithm compiled for one source of environments: the one value that a `Training` hands on to its runs."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from rltools_embed._version import __version__
from rltools_embed.compiling import compiler
from rltools_embed.compiling.compiler import Interface
from rltools_embed.environments.episodes import Evaluator
from rltools_embed.environments.side_by_side import SideBySide
from rltools_embed.environments.source import Source
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.progress import Say
from rltools_embed.training.algorithm import Algorithm
from rltools_embed.training.evaluation import EvaluationPlan
from rltools_embed.training.saved_run import Setup


@dataclass(frozen=True, kw_only=True)
class CompiledTraining:
    """What every run of a `Training` has in common.

    Attributes:
        evaluation: when the policy is evaluated during training.
        interface_name: part of the policy's name.
        asked_backend: the backend by the name that was given; `interface.backend` is the one that computes.
        on_message: takes each line of progress.
    """

    source: Source
    algorithm: Algorithm
    evaluation: EvaluationPlan
    interface_name: str
    asked_backend: str
    interface: Interface
    on_message: Say

    @property
    def spec(self) -> EnvSpec:
        """Sizes, bounds and names of each environment."""
        return self.source.spec

    def setup(self) -> Setup:
        """What a saved run keeps of this object."""
        arguments = {
            "enable_evaluation": self.evaluation.enabled,
            "evaluation_interval": self.evaluation.interval,
            "num_evaluation_episodes": self.evaluation.episodes,
            "interface_name": self.interface_name,
            "backend": self.asked_backend,
        }
        parts = (self.interface.compiler.version, compiler.cpu_identity(), self.interface.backend.identity)
        machine = "\n".join(part for part in parts if part)
        return Setup(
            algorithm=self.algorithm.name,
            arguments=arguments,
            options=self.algorithm.lasting_options(),
            sizes=self.spec.sizes,
            machine=hashlib.sha256(machine.encode()).hexdigest(),
            actuator=self.spec.actuator_bounds,
        )

    def versions(self) -> tuple[tuple[str, str], ...]:
        """What shaped a run, for the policy's provenance."""
        backend = self.interface.backend
        return (
            ("rltools_embed", __version__),
            ("python", platform.python_version()),
            ("numpy", np.__version__),
            ("gymnasium", gymnasium.__version__),
            ("compiler", self.interface.compiler.version),
            *((("blas", f"{backend.title} {backend.version}".strip()),) if backend.macro else ()),
        )

    def make_evaluator(self) -> Evaluator:
        """Environments to evaluate in; see `Source.make_evaluator`."""
        return self.source.make_evaluator(self.interface.module, self.algorithm.episode_step_limit)

    def make_side_by_side(self) -> SideBySide:
        """The environments to train in; see `Source.make_side_by_side`."""
        algorithm = self.algorithm
        return self.source.make_side_by_side(
            self.interface.module, algorithm.environments, algorithm.episode_step_limit
        )

    def make_trainer(self, seed: int) -> Any:
        """The C++ trainer behind a `State`."""
        settings = dict(self.algorithm.settings(self.spec))
        return self.interface.module.Trainer(seed, settings, self.spec.action_low, self.spec.action_high)
