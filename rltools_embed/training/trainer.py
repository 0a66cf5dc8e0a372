"""Training under the interface that RLtools' users know: `SAC(env_factory)`, `State(seed)`, `step()`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from rltools_embed import checks as of
from rltools_embed.checks import from_keywords
from rltools_embed.compiling import backend as backends
from rltools_embed.compiling import compiler
from rltools_embed.compiling.backend import Backend
from rltools_embed.environments.source import Given, Source, options_for, source_of
from rltools_embed.environments.spaces import Bounds, EnvSpec, Sizes
from rltools_embed.errors import CheckpointError
from rltools_embed.progress import Say, print_line
from rltools_embed.training import saved_run
from rltools_embed.training.algorithm import Algorithm
from rltools_embed.training.compiled import CompiledTraining
from rltools_embed.training.evaluation import EVALUATION_EPISODES, EvaluationPlan
from rltools_embed.training.pickling import check_named
from rltools_embed.training.ppo import PpoAlgorithm, PpoOptions
from rltools_embed.training.sac import SacAlgorithm, SacOptions
from rltools_embed.training.saved_run import Setup
from rltools_embed.training.state import Callbacks, State
from rltools_embed.training.td3 import Td3Algorithm, Td3Options

_NO_TENSORBOARD = of.only(True, "Callbacks, state.learning_curve and --plot show a run here")


class Training:
    """An algorithm compiled for one environment's sizes, or taken from the cache. `State(seed)` starts a run.

    It can be pickled where its environment can be made elsewhere: a factory that another process can import, or any
    one with `cloudpickle`. There the compiled code is taken from the cache, or compiled again.

    Args:
        env_factory: makes the environment, without arguments. It is called once here, and for each `State` once per
            environment to train in and once to evaluate. Or an environment in C++, see `CppEnvironment.from_mapping`:
            `{"path": …, "observation_dim": …, "action_dim": …}`. It may make a `gymnasium.vector.VectorEnv`:
            where N_ENVIRONMENTS is not given, it becomes their number. Or the `Source` that was made of one of these.
        verbose: show the compiler's commands and output.
        force_recompile: do not use the cache.
        enable_evaluation: evaluate the policy during training, outside of its episodes.
        evaluation_interval: calls of `step` between evaluations; None: the algorithm's own.
        num_evaluation_episodes: episodes per evaluation, each from a start of its own.
        interface_name: part of the policy's name; the cache does not need it.
        backend: what computes the matrix products: "own" kernels (the default, and the fastest where we measured),
            "mkl", "openblas", "accelerate" (macOS), or "blas", the first of these that is here. None: what the
            environment variable RLT_BACKEND says. If it is missing or broken, you get a message and our own compute.
        enable_blas: False means backend="own". True, RLtools' default, changes nothing: it allows a BLAS there, and our
            own kernels are the default here.
        force_blas: True means backend="blas". Both are known for RLtools' sake.
        disable_tensorboard: known for RLtools' sake; nothing here writes for TensorBoard.
        on_message: takes each line of progress; prints to stdout by default.
        options: the algorithm's, by their upper-case names.

    Raises:
        UnsupportedEnvError: the environment's spaces cannot become static sizes.
        TrainingError: the environment breaks Gymnasium's contract on its first step.
        ToolchainError, BuildError: there is no compiler, or it refused.
        TypeError, ValueError: an unknown option, a value that is not allowed, or `backend` and RLtools' arguments in
            contradiction.
    """

    # The option that limits the environment steps of the whole training, and its default.
    STEP_OPTION: ClassVar[str] = "STEP_LIMIT"
    DEFAULT_STEPS: ClassVar[int] = 10_000

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> Algorithm:
        """The algorithm with these options. Refuses what the constructor would refuse, without an environment.

        Raises:
            TypeError, ValueError: an unknown option, or a value that is not allowed.
        """
        raise NotImplementedError

    def __init__(
        self,
        env_factory: Given | Source,
        *,
        verbose: bool = False,
        force_recompile: bool = False,
        enable_evaluation: bool = True,
        evaluation_interval: int | None = None,
        num_evaluation_episodes: int = EVALUATION_EPISODES,
        interface_name: str = "default",
        backend: str | None = None,
        enable_blas: bool = True,
        force_blas: bool = False,
        disable_tensorboard: bool = True,
        on_message: Say = print_line,
        **options: Any,
    ) -> None:
        for name, flag in (
            ("verbose", verbose),
            ("force_recompile", force_recompile),
            ("enable_blas", enable_blas),
            ("force_blas", force_blas),
        ):
            of.checked(name, flag, of.boolean)
        of.checked("disable_tensorboard", disable_tensorboard, _NO_TENSORBOARD)
        backend = backends.of_rltools(backend, enable_blas=enable_blas, force_blas=force_blas)
        of.checked("on_message", on_message, of.function)
        source = source_of(env_factory, on_message)
        algorithm = self.check_options(options_for(source, options))
        evaluation = EvaluationPlan(
            enabled=enable_evaluation, interval=evaluation_interval, episodes=num_evaluation_episodes
        )
        if not isinstance(interface_name, str) or not interface_name.isidentifier():
            raise ValueError(f"interface_name is {interface_name!r}: it must be a name of letters, digits and _")
        asked_backend = backends.chosen(backend)
        interface = compiler.load(
            algorithm.translation_unit(source.spec),
            environment=source.translation_unit(),
            backend=asked_backend,
            force_recompile=force_recompile,
            verbose=verbose,
            say=on_message,
        )
        self.compiled = CompiledTraining(
            source=source,
            algorithm=algorithm,
            evaluation=evaluation.with_interval(algorithm.evaluation_interval),
            interface_name=interface_name,
            asked_backend=asked_backend,
            interface=interface,
            on_message=on_message,
        )
        self._options = options

    @property
    def spec(self) -> EnvSpec:
        """Sizes, bounds and names of the environment's observations and actions."""
        return self.compiled.spec

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm with its options."""
        return self.compiled.algorithm

    @property
    def backend(self) -> Backend:
        """What computes the matrix products."""
        return self.compiled.interface.backend

    @classmethod
    def load(
        cls,
        path: str | Path,
        env_factory: Given | Source,
        *,
        continue_episodes: bool = True,
        callbacks: Callbacks | None = None,
        on_message: Say = print_line,
        **changes: Any,
    ) -> State:
        """A training run that goes on where `State.save` left it, with the bits of one that was never interrupted.

        With another compiler, CPU or BLAS it goes on with other bits, with a message.

        Args:
            env_factory: makes the environment that the run was saved with.
            continue_episodes: go on in the middle of the episodes. This reads pickles, which can run any code: of a
                file that you would not run as a program, pass False. Then new episodes begin.
            changes: arguments and options of `Training` that become others, STEP_LIMIT for example; sizes cannot.
                What has been learned stays as it was: ALPHA, for example, is only the first temperature.

        Raises:
            CheckpointError: the file is missing, damaged, newer, or of another algorithm, environment or size.
            UnsupportedEnvError, TrainingError, ToolchainError, BuildError, TypeError, ValueError: as the constructor.
        """
        path = Path(path)
        run = saved_run.read(path)
        kind = _TRAINERS.get(run.setup.algorithm.lower())
        if kind is None or not issubclass(kind, cls):
            raise CheckpointError(f"{path} holds a run of {run.setup.algorithm}", f"this is {cls.__name__}.load")
        try:
            before = kind.check_options(run.setup.options)
        except (TypeError, ValueError) as error:
            message = f"{path} was saved with options that this version does not know: {error}"
            raise CheckpointError(message, "go on with the version that wrote it") from error
        changed = {name: value for name, value in changes.items() if name.isupper()}
        after = kind.check_options({**run.setup.options, **changed})
        source = source_of(env_factory, on_message)
        _check_fits(path, run.setup, source.spec, before, after)
        if run.step_count > after.step_limit < before.step_limit:
            message = f"{path} has taken {run.step_count} environment steps, more than it is to end after"
            raise CheckpointError(f"{message}, {after.step_limit}", "pass more steps, or leave them as they were saved")
        keywords = {**run.setup.arguments, **run.setup.options, **changes}
        if "backend" not in changes and (changes.get("force_blas") or not changes.get("enable_blas", True)):
            del keywords["backend"]  # as it was saved: these two decide
        training = kind(source, on_message=on_message, **keywords).compiled
        state = State(training, run.seed, callbacks, _resumed=(path, run, continue_episodes))
        if run.setup.machine != training.setup().machine:
            on_message(f"{path} was saved with another compiler, CPU or BLAS: it goes on with other bits")
        return state

    def State(  # noqa: N802  RLtools' users know it by this name
        self, seed: int, callbacks: Callbacks | None = None
    ) -> State:
        """A training run. The same seed gives the same bits again, on the same machine and compiler."""
        return State(self.compiled, seed, callbacks)

    def __copy__(self) -> Training:
        """Itself: nothing in it changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Training:
        """Itself: nothing in it changes."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """What it is made from, for `pickle`.

        Raises:
            pickle.PicklingError: the factory or `on_message` has no name that another process could import, and the
                pickler knows functions by their names only.
        """
        compiled = self.compiled
        keywords = {
            "enable_evaluation": compiled.evaluation.enabled,
            "evaluation_interval": compiled.evaluation.interval,
            "num_evaluation_episodes": compiled.evaluation.episodes,
            "interface_name": compiled.interface_name,
            "backend": compiled.asked_backend,
            "on_message": compiled.on_message,
            **self._options,
        }
        check_named(type(self).__name__, env_factory=compiled.source, on_message=compiled.on_message)
        return _made_from, (type(self), compiled.source, keywords)


def _made_from(kind: type[Training], source: Source, keywords: Mapping[str, Any]) -> Training:
    return kind(source, **keywords)


class SAC(Training):
    """Soft actor-critic on a Gymnasium environment. Arguments: `Training`; options: `SacOptions`."""

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> Algorithm:
        """See `Training.check_options`."""
        return SacAlgorithm(from_keywords(SacOptions, options))


class TD3(Training):
    """TD3 on a Gymnasium environment. Arguments: `Training`; options: `Td3Options`."""

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> Algorithm:
        """See `Training.check_options`."""
        return Td3Algorithm(from_keywords(Td3Options, options))


class PPO(Training):
    """PPO on a Gymnasium environment. Arguments: `Training`; options: `PpoOptions`."""

    STEP_OPTION = "TOTAL_STEP_LIMIT"
    DEFAULT_STEPS = 100_000

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> Algorithm:
        """See `Training.check_options`."""
        return PpoAlgorithm(from_keywords(PpoOptions, options))


_TRAINERS: dict[str, type[Training]] = {"sac": SAC, "td3": TD3, "ppo": PPO}


def trainer_of(algorithm: str) -> type[Training]:
    """The class that trains with `algorithm`, by its name in any case.

    Raises:
        ValueError: there is none of this name.
    """
    found = _TRAINERS.get(algorithm.lower())
    if found is None:
        raise ValueError(f"no algorithm is called {algorithm!r}: there is {', '.join(_TRAINERS)}")
    return found


def _check_fits(path: Path, saved: Setup, spec: EnvSpec, before: Algorithm, after: Algorithm) -> None:
    """Refuse, before a compiler starts, an environment or options that the saved numbers do not fit."""
    if spec.sizes != saved.sizes:
        raise CheckpointError(
            f"{path} is from an environment with {_described(saved.sizes)}; "
            f"env_factory makes one with {_described(spec.sizes)}",
            "pass the factory that it was trained with",
        )
    if saved.actuator is not None and saved.actuator != spec.actuator_bounds:
        raise CheckpointError(
            f"{path} is from an environment with {_behind(saved.actuator)}; "
            f"env_factory makes one with {_behind(spec.actuator_bounds)}",
            "pass the factory that it was trained with",
        )
    if before.translation_unit(spec) != after.translation_unit(spec):
        options = after.lasting_options()
        changed = [name for name, value in options.items() if value != saved.options[name]]
        described = ", ".join(f"{name} {saved.options[name]}, not {options[name]}" for name in changed)
        raise CheckpointError(f"{path} was saved with {described}", "sizes stay: start a new run for others")


def _described(sizes: Sizes) -> str:
    observation_dim, action_dim, low, high = sizes
    return f"{observation_dim} observations and {action_dim} actions in {low}..{high}"


def _behind(actuator: Bounds) -> str:
    return f"{actuator} behind RescaleAction" if actuator else "no RescaleAction"
