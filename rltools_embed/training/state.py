"""A training run: its steps, its policy, and the file it is kept in."""

from __future__ import annotations

import collections
import contextlib
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from rltools_embed import checks as of
from rltools_embed.environments.episodes import Evaluator
from rltools_embed.environments.side_by_side import Episode, EpisodeStatistics, Underway
from rltools_embed.environments.snapshot import SnapshotError
from rltools_embed.errors import CheckpointError, TrainingError
from rltools_embed.policy.model import Float32Array, Policy, Provenance, as_observations
from rltools_embed.training import saved_run
from rltools_embed.training.compiled import CompiledTraining
from rltools_embed.training.evaluation import Evaluation
from rltools_embed.training.saved_run import SavedRun

_EXAMPLES = 16
_RECENT_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """What is called by `step`, when the step is complete: they may act, evaluate, save, export, and `stop` the run.

    An exception leaves `step` as it is, and the run usable: the next `step` goes on.

    Attributes:
        on_episode: for each training episode that has ended.
        on_evaluation: for an evaluation, when one was due.
        on_step: last.
    """

    on_episode: Callable[[State, Episode], object] | None = None
    on_evaluation: Callable[[State, Evaluation], object] | None = None
    on_step: Callable[[State], object] | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            of.checked(name, value, of.or_none(of.function))


class State:
    """One training run. Environments are closed at its end, on an error, by `close()`, or with the object."""

    def __init__(
        self,
        training: CompiledTraining,
        seed: int,
        callbacks: Callbacks | None = None,
        *,
        _resumed: tuple[Path, SavedRun, bool] | None = None,
    ) -> None:
        if not isinstance(callbacks, Callbacks | None):
            raise TypeError(f"callbacks is {callbacks!r}: pass Callbacks(on_step=…)")
        self.callbacks = callbacks or Callbacks()
        self.seed = of.checked_seed(seed)
        self._training = training
        self._spec = training.spec
        self._algorithm = training.algorithm
        self._trainer = training.make_trainer(self.seed)
        count = self._algorithm.environments
        seeds = [int(seed) for seed in np.random.SeedSequence(self.seed).generate_state(count + 1, np.uint32)]
        self._evaluation_seed = seeds.pop(1)
        self._actions = np.zeros((count, self._spec.action_dim), dtype=np.float32)
        self._act = self._trainer.actor(np.zeros(self._spec.action_dim, dtype=np.float32)).act
        self._step_limit = self._algorithm.step_limit
        self._step_count = 0
        self._calls = 0
        self._curve: list[Evaluation] = []
        self._episodes: collections.deque[Episode] = collections.deque(maxlen=self._algorithm.episodes_kept)
        self._started_s: float | None = None
        self._failure: TrainingError | None = None
        # At the end, before the environments are closed: what a run that is made longer goes on from.
        self._last: tuple[Underway, bytes | None, str] | None = None
        self._is_between_steps = True
        self._is_stopped = False
        self._is_calling_back = False
        self._resources = contextlib.ExitStack()
        self._finalizer = weakref.finalize(self, self._resources.close)
        self._evaluator: Evaluator | None = None
        try:
            self._environments = self._resources.enter_context(contextlib.closing(training.make_side_by_side()))
            if _resumed is None:
                self._environments.begin(seeds)
            else:
                self._resume(*_resumed)
            if not self.finished and (notice := self._algorithm.warmup_notice):
                training.on_message(notice)
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------------------------------------ training

    def step(self) -> bool:
        """One step of the training loop. True when training has finished.

        SAC and TD3: one environment step and the updates that are due after it. PPO: one collection of experience and
        the training on it.

        Raises:
            TrainingError: a reward, an observation or a weight is not finite, or the environment breaks its contract.
        """
        if self.finished:
            return True
        if self._failure is not None:
            raise self._failure
        if not self._finalizer.alive:
            message = f"this run was closed at step {self._step_count} of {self.step_limit}"
            raise TrainingError(message, "start a new State")
        if self._is_calling_back:
            raise TrainingError("a callback called step(), which was calling it", "return, and step() is called again")
        if self._started_s is None:
            self._started_s = time.perf_counter()
        self._is_between_steps = False
        ended: list[Episode] = []
        try:
            for _ in range(self._algorithm.interactions_per_step):
                ended += self._interact()
            self._calls += 1
            evaluation = self._evaluate_if_due()
            self._is_between_steps = True
        except TrainingError as error:
            self._failure = error
            self.close()
            raise
        except BaseException:
            self.close()
            raise
        self._is_calling_back = True
        try:
            self._call_back(ended, evaluation)
        finally:
            self._is_calling_back = False
            if self.finished:
                self._finish()
        return self.finished

    def stop(self) -> None:
        """End the run where it is, between two steps, before all of them are taken. `save` still keeps all of it."""
        self._is_stopped = True
        if self._is_between_steps:
            self._finish()

    @property
    def finished(self) -> bool:
        """Whether all steps have been taken, or the run was stopped."""
        return self._is_stopped or self._step_count >= self._step_limit

    @property
    def step_count(self) -> int:
        """Environment steps taken so far, in all environments together."""
        return self._step_count

    @property
    def step_limit(self) -> int:
        """Environment steps of the whole training."""
        return self._step_limit

    @property
    def learning_curve(self) -> tuple[Evaluation, ...]:
        """The evaluations so far: at which step, the return and the length of each episode, and their means."""
        return tuple(self._curve)

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """The last training episodes, oldest first."""
        return tuple(self._episodes)

    def episode_statistics(self, last: int = 100) -> EpisodeStatistics | None:
        """Return and length of the last training episodes, at most so many; None before one has ended."""
        return EpisodeStatistics.of(tuple(self._episodes)[-of.checked("last", last, of.COUNT) :])

    def close(self) -> None:
        """Close the environments. The policy stays at hand; `step` does not."""
        self._finalizer()

    def __reduce__(self) -> NoReturn:
        """A run has code, random engines and environments of this process: `save` keeps it, a copy would not.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            "a State is neither pickled nor copied: state.save(path) writes the whole run, "
            f"and {self._algorithm.name}.load(path, env_factory) goes on with it"
        )

    def __enter__(self) -> State:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------ policy

    def action(self, observation: npt.ArrayLike) -> Float32Array:
        """The deterministic action in the environment's units, with the bits that the exported policy gives.

        Args:
            observation: one observation (n,), or a batch (k, n).

        Returns:
            (m,), or (k, m).

        Raises:
            ValueError: another shape, or a number that is not finite.
        """
        action: Float32Array | None = self._act(observation)
        if action is not None:
            return action
        batch, is_single = as_observations(observation, self._spec.observation_dim)
        actions = np.empty((len(batch), self._spec.action_dim), dtype=np.float32)
        if len(batch):
            self._trainer.act(batch, actions)
        return actions[0] if is_single else actions

    def policy(self) -> Policy:
        """The policy as it stands now, with where it comes from and some observations it has met."""
        spec = self._spec
        name = self._training.interface_name
        return Policy(
            name=(spec.environment or self._algorithm.name) if name == "default" else name,
            layers=self._algorithm.modules(spec, self._numbers),
            observation=spec.observation,
            action=spec.action,
            actuator=spec.actuator,
            control_period_s=spec.control_period_s,
            example_observations=self._example_observations(),
            provenance=Provenance(
                environment=spec.environment,
                algorithm=self._algorithm.name,
                seed=self.seed,
                steps=self._step_count,
                mean_return=self._curve[-1].mean_return if self._curve else None,
                versions=self._training.versions(),
            ),
        )

    def export_policy(self) -> str:
        """The policy as the text of a checkpoint.h."""
        from rltools_embed.policy import checkpoint  # a start does without

        return checkpoint.dumps(self.policy())

    def evaluate(self, num_episodes: int | None = None, seed: int | None = None) -> Evaluation:
        """The deterministic policy over whole episodes, each reset with a seed of its own.

        Without a limit of the environment or EPISODE_STEP_LIMIT an episode is cut after 1000 steps.
        """
        count = of.checked(
            "num_episodes", self._training.evaluation.episodes if num_episodes is None else num_episodes, of.COUNT
        )
        sequence = np.random.SeedSequence(self._evaluation_seed if seed is None else of.checked_seed(seed))
        seeds = [int(start) for start in sequence.generate_state(count, np.uint32)]
        if not self._finalizer.alive:
            with contextlib.closing(self._training.make_evaluator()) as evaluator:
                return self._evaluate_with(evaluator, seeds)
        if self._evaluator is None:
            self._evaluator = self._open_evaluator()
        return self._evaluate_with(self._evaluator, seeds)

    # ------------------------------------------------------------------------------------------------ saving

    def save(self, path: str | Path) -> None:
        """Write the whole run, for `load` to go on from: between any two steps, and at the end.

        The environments are pickled. One that cannot be is left out, with a message: then a resumed run begins
        new episodes, and its bits are not those of an uninterrupted one.

        Raises:
            TrainingError: a step was broken off, by an error or an interruption: there is nothing whole to save.
            OSError: the file cannot be written; the one that was there is as it was.
        """
        if not self._is_between_steps:
            raise TrainingError(f"the step after {self._step_count} was broken off", "save between steps")
        underway, evaluation, gap = self._last or self._underway()
        if gap:
            self._training.on_message(f"{gap}: a resumed run will begin new episodes")
        run = SavedRun(
            setup=self._training.setup(),
            seed=self.seed,
            step_count=self._step_count,
            calls=self._calls,
            elapsed_s=self._elapsed_s(),
            curve=self.learning_curve,
            episodes=self.episodes,
            trainer=saved_run.trainer_arrays(self._trainer.save()),
            underway=underway,
            evaluation=evaluation,
            gap=gap,
        )
        saved_run.write(Path(path), run)

    def _underway(self) -> tuple[Underway, bytes | None, str]:
        """The episodes, the evaluation environment's state, and why the former cannot be continued, if so."""
        environments = self._environments
        if not self._finalizer.alive:
            return environments.underway_without_environments(), None, "the run was closed before its end"
        try:
            evaluation = None if self._evaluator is None else self._evaluator.snapshot()
            return environments.underway(), evaluation, ""
        except SnapshotError as reason:
            return environments.underway_without_environments(), None, f"{environments.name} cannot be saved: {reason}"

    def _resume(self, path: Path, run: SavedRun, continue_episodes: bool) -> None:
        try:
            self._trainer.load(saved_run.trainer_sections(run.trainer))
        except (ValueError, TypeError, OverflowError) as error:
            raise CheckpointError(f"{path} does not fit: {error}", "pass the options it was saved with") from error
        self._step_count = run.step_count
        self._calls = run.calls
        self._curve = list(run.curve)
        self._episodes.extend(run.episodes)
        self._started_s = time.perf_counter() - run.elapsed_s
        if self.finished:
            self._environments.observations[:] = run.underway.observations
            self._last = (run.underway, run.evaluation, run.gap)
            self.close()
        elif run.gap or not continue_episodes:
            if run.gap:
                self._training.on_message(f"{run.gap}: new episodes begin")
            # Other starts than those of the beginning.
            sequence = np.random.SeedSequence([self.seed, self._step_count])
            count = self._algorithm.environments
            self._environments.begin([int(seed) for seed in sequence.generate_state(count, np.uint32)])
        else:
            self._continue(path, run)

    def _continue(self, path: Path, run: SavedRun) -> None:
        try:
            self._environments.resume(run.underway)
            if run.evaluation is not None:
                self._evaluator = self._open_evaluator()
                self._evaluator.restore(run.evaluation)
        except (SnapshotError, ValueError) as error:
            raise CheckpointError(
                f"{path}: the environment's state cannot be put back: {error}",
                "pass the factory that it was saved with, or continue_episodes=False to begin new episodes",
            ) from error

    def _elapsed_s(self) -> float:
        return 0.0 if self._started_s is None else time.perf_counter() - self._started_s

    # ------------------------------------------------------------------------------------------------ details

    def _open_evaluator(self) -> Evaluator:
        """Environments to evaluate in, closed with the run."""
        return self._resources.enter_context(contextlib.closing(self._training.make_evaluator()))

    def _call_back(self, ended: Sequence[Episode], evaluation: Evaluation | None) -> None:
        callbacks = self.callbacks
        if callbacks.on_episode is not None:
            for episode in ended:
                callbacks.on_episode(self, episode)
        if callbacks.on_evaluation is not None and evaluation is not None:
            callbacks.on_evaluation(self, evaluation)
        if callbacks.on_step is not None:
            callbacks.on_step(self)

    def _finish(self) -> None:
        if self._finalizer.alive:
            self._last = self._underway()
            self.close()
            self._training.on_message(f"Time: {self._elapsed_s():.3f}s")

    def _interact(self) -> list[Episode]:
        environments = self._environments
        self._trainer.explore(environments.observations, self._actions)
        environments.act(self._actions, self._step_count)
        finite = self._trainer.observe(
            environments.rewards, environments.next_observations, environments.terminated, environments.truncated
        )
        before = self._step_count
        self._step_count += len(self._actions)
        if not finite:
            raise TrainingError(
                f"{environments.name}: a weight or its gradient is not finite at step {self._step_count}: "
                "the optimisation diverged",
                "try a smaller OPTIMIZER_ALPHA, or scale the rewards down",
            )
        ended = environments.proceed(before, reset=not self.finished)
        self._episodes.extend(ended)
        return ended

    def _evaluate_if_due(self) -> Evaluation | None:
        plan = self._training.evaluation
        if not plan.enabled or not (plan.is_due(self._calls) or self.finished):
            return None
        result = self.evaluate()
        self._curve.append(result)
        self._training.on_message(
            f"Step: {self._step_count}/{self.step_limit} "
            f"Mean return: {result.mean_return:.6g} Mean episode length: {result.mean_length:.6g}"
        )
        return result

    def _evaluate_with(self, evaluator: Evaluator, seeds: list[int]) -> Evaluation:
        returns, lengths = zip(*evaluator.episodes(self.action, seeds), strict=True)
        return Evaluation(step=self._step_count, returns=returns, lengths=lengths)

    def _numbers(self, name: str) -> Float32Array:
        return np.frombuffer(self._trainer.numbers(name), dtype=np.float32)

    def _example_observations(self) -> Float32Array:
        seen = self._numbers("observations").reshape(-1, self._spec.observation_dim)[-_RECENT_STEPS:]
        if len(seen) == 0:
            return self._environments.observations.copy()
        picked = np.unique(np.linspace(0, len(seen) - 1, min(_EXAMPLES, len(seen))).astype(int))
        return np.ascontiguousarray(seen[picked])
