"""What is to be trained, as one value that is checked when it is made, compared, pickled and handed on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypedDict

from rltools_embed import checks
from rltools_embed.compiling.backend import OWN, chosen
from rltools_embed.environments.cpp_environment import CppEnvironment
from rltools_embed.environments.environment import check_factory, environment_factory
from rltools_embed.environments.source import Given
from rltools_embed.errors import CheckpointError
from rltools_embed.progress import Say, print_line
from rltools_embed.training import saved_run
from rltools_embed.training.evaluation import EvaluationPlan
from rltools_embed.training.pickling import check_named
from rltools_embed.training.state import Callbacks, State
from rltools_embed.training.trainer import Training, trainer_of

if TYPE_CHECKING:
    from typing import Unpack

# The settings of an evaluation, and the fields of `EvaluationPlan` that they are.
_EVALUATION = {
    "enable_evaluation": "enabled",
    "evaluation_interval": "interval",
    "num_evaluation_episodes": "episodes",
}


class Settings(TypedDict, total=False):
    """A plan's settings as keyword arguments; None: the default, or what the run to resume was saved with.

    Attributes:
        algorithm: sac, td3 or ppo; by default sac.
        steps: environment steps of the whole training; by default the algorithm's.
        seed: by default 0.
        options: the algorithm's options by their upper-case names.
        backend: what computes the matrix products, see `Training`; by default what RLT_BACKEND says.
        enable_evaluation: whether the policy is evaluated during training.
        evaluation_interval: calls of `step` between evaluations; by default the algorithm's.
        num_evaluation_episodes: episodes of each evaluation.
    """

    algorithm: str | None
    steps: int | None
    seed: int | None
    options: Mapping[str, Any] | None
    backend: str | None
    enable_evaluation: bool | None
    evaluation_interval: int | None
    num_evaluation_episodes: int | None


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """A training with nothing left open. Two plans that are equal train the same policy, on one machine and compiler.

    A plan can be pickled where its environment can: an id, a factory that another process can import, or a header.

    Attributes:
        environment: a Gymnasium id, a function without arguments that makes an environment, or one in C++:
            `{"path": …, "observation_dim": …, "action_dim": …}`, see `CppEnvironment.from_mapping`.
        algorithm: sac, td3 or ppo, in any case.
        options: the algorithm's options by their upper-case names, those that differ from their defaults; the number
            of steps is not among them.
        steps: environment steps of the whole training; None becomes the algorithm's default.
        seed: 0 to 2^64 - 1.
        backend: what computes the matrix products, see `Training`; None becomes what RLT_BACKEND says, or "own".
        evaluation: when the policy is evaluated; an interval of None becomes the algorithm's own.

    Raises:
        UnsupportedEnvError: no environment has this id, or there is no such header.
        TypeError, ValueError: an unknown option, or a value that is not allowed.
    """

    environment: str | Given
    algorithm: str = "sac"
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: int | None = None
    seed: int = 0
    backend: str | None = None
    evaluation: EvaluationPlan = field(default_factory=EvaluationPlan)

    def __post_init__(self) -> None:
        kind = trainer_of(self.algorithm)
        _refuse_steps(kind, self.options)
        steps = kind.DEFAULT_STEPS if self.steps is None else self.steps
        algorithm = kind.check_options({**self.options, kind.STEP_OPTION: steps})
        for name, value in (
            ("environment", _checked_environment(self.environment)),
            ("algorithm", kind.__name__.lower()),
            ("options", MappingProxyType(dict(self.options))),
            ("steps", getattr(algorithm.options, kind.STEP_OPTION)),
            ("seed", checks.checked_seed(self.seed)),
            ("backend", chosen(self.backend)),
            ("evaluation", self.evaluation.with_interval(algorithm.evaluation_interval)),
        ):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, environment: str | Given, **settings: Unpack[Settings]) -> TrainingPlan:
        """The plan with these settings, each of which may be None.

        Raises:
            UnsupportedEnvError, TypeError, ValueError: as the constructor; a TypeError also for an unknown setting.
        """
        checks.refuse_unknown("TrainingPlan.of", settings, Settings.__annotations__)
        given = {name: value for name, value in settings.items() if value is not None}
        evaluation: dict[str, Any] = {own: given.pop(name) for name, own in _EVALUATION.items() if name in given}
        fields: dict[str, Any] = {"environment": environment, "evaluation": EvaluationPlan(**evaluation), **given}
        return cls(**fields)

    @classmethod
    def from_saved(cls, path: Path, environment: str | Given, **settings: Unpack[Settings]) -> TrainingPlan:
        """The plan of the run that `State.save` wrote, with these settings in place of its own.

        Raises:
            CheckpointError: the file is damaged, or holds a run of another algorithm or seed, or cannot go on so.
            UnsupportedEnvError, TypeError: `environment` is none.
        """
        saved = saved_run.read(path)
        kind = trainer_of(saved.setup.algorithm)
        for name, asked, its in (
            ("algorithm", settings.get("algorithm"), kind.__name__.lower()),
            ("seed", settings.get("seed"), saved.seed),
        ):
            if asked is not None and asked != its:
                raise CheckpointError(f"{path} holds a run of {name} {its}, not {asked}", f"leave --{name} out")
        arguments, options = saved.setup.arguments, dict(saved.setup.options)
        steps = _steps_of(kind, options)
        own: Settings = {
            "algorithm": kind.__name__,
            "seed": saved.seed,
            "steps": steps,
            "backend": arguments.get("backend", OWN.name),
            "enable_evaluation": arguments.get("enable_evaluation"),
            "evaluation_interval": arguments.get("evaluation_interval"),
            "num_evaluation_episodes": arguments.get("num_evaluation_episodes"),
        }
        changes: Any = {name: value for name, value in settings.items() if value is not None}
        changed_options = changes.get("options", {})
        environment = _checked_environment(environment)
        try:
            _refuse_steps(kind, changed_options)
            return cls.of(environment, **{**own, **changes, "options": {**options, **changed_options}})
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{path} cannot go on so: {error}", "leave it out, or correct it") from error

    def settings(self) -> Settings:
        """The settings that `of` makes this plan from."""
        return {
            "algorithm": self.algorithm,
            "steps": self.steps,
            "seed": self.seed,
            "options": self.options,
            "backend": self.backend,
            "enable_evaluation": self.evaluation.enabled,
            "evaluation_interval": self.evaluation.interval,
            "num_evaluation_episodes": self.evaluation.episodes,
        }

    def start(
        self, callbacks: Callbacks | None = None, on_message: Say = print_line, *, resume: Path | None = None
    ) -> State:
        """A run of this plan, before its first step, or where `State.save` left it.

        Args:
            resume: the file of `save`; its plan is `from_saved`.

        Raises:
            UnsupportedEnvError, TrainingError, ToolchainError, BuildError: as `Training`.
            CheckpointError: `resume` is damaged, or does not fit.
        """
        kind = trainer_of(self.algorithm)
        given = environment_factory(self.environment) if isinstance(self.environment, str) else self.environment
        keywords: dict[str, Any] = {
            "backend": self.backend,
            **{name: getattr(self.evaluation, own) for name, own in _EVALUATION.items()},
            **self.options,
            kind.STEP_OPTION: self.steps,
        }
        if resume is not None:
            return kind.load(resume, given, callbacks=callbacks, on_message=on_message, **keywords)
        return kind(given, on_message=on_message, **keywords).State(self.seed, callbacks)

    def as_json(self) -> dict[str, Any]:
        """What makes a run what it is, as `run.json` keeps it: what differs from the defaults.

        A function that makes an environment cannot be compared with another one: it is null, as one in C++.
        """
        kind = trainer_of(self.algorithm)
        algorithm = kind.check_options({**self.options, kind.STEP_OPTION: self.steps})
        options = algorithm.lasting_options()
        steps = options.pop(kind.STEP_OPTION)
        defaults = kind.check_options({kind.STEP_OPTION: steps}).lasting_options()
        default = EvaluationPlan().with_interval(algorithm.evaluation_interval)
        return {
            "environment": self.environment if isinstance(self.environment, str) else None,
            "algorithm": self.algorithm,
            "steps": steps,
            "seed": self.seed,
            "options": {name: value for name, value in options.items() if value != defaults[name]},
            # Another one is another run: its bits differ.
            **({} if self.backend == OWN.name else {"backend": self.backend}),
            # The curve, and the return that the checkpoint names.
            **({} if self.evaluation == default else {"evaluation": asdict(self.evaluation)}),
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """Its fields, from which it is made again.

        Raises:
            pickle.PicklingError: another process cannot import the factory, and the pickler knows functions by name.
        """
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        for name, value in fields.items():
            if isinstance(value, MappingProxyType):
                fields[name] = dict(value)
        check_named("TrainingPlan", environment=fields["environment"])
        return partial(type(self), **fields), ()

    def __copy__(self) -> TrainingPlan:
        """Itself: nothing in it changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> TrainingPlan:
        """Itself: nothing in it changes."""
        return self


def _checked_environment(environment: str | Given) -> str | Given:
    """It, once it is known that something can be made from it; the path of one in C++ no longer depends on a folder."""
    if isinstance(environment, str):
        environment_factory(environment)
        return environment
    if isinstance(environment, Mapping):
        return MappingProxyType({**environment, "path": CppEnvironment.from_mapping(environment).path})
    check_factory(environment)
    return environment


def _refuse_steps(kind: type[Training], options: Mapping[str, Any]) -> None:
    for name in ("STEP_LIMIT", kind.STEP_OPTION):
        # PPO's STEP_LIMIT of None, as a saved run names it, leaves the steps as they are.
        if name in options and (name == kind.STEP_OPTION or options[name] is not None):
            raise ValueError(f"{name} is the number of steps: use `steps` (--steps)")


def _steps_of(kind: type[Training], options: dict[str, Any]) -> int | None:
    """The environment steps of a saved run, which stand in no option any more."""
    steps: int | None = options.pop(kind.STEP_OPTION, None)
    if options.get("STEP_LIMIT") is not None:  # PPO's iterations, which go before the steps
        iterations = options["STEP_LIMIT"]
        options["STEP_LIMIT"] = None
        return int(iterations * options["N_ENVIRONMENTS"] * options["ON_POLICY_RUNNER_STEPS_PER_ENV"])
    return steps
