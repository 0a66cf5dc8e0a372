"""Where environments come from: a factory, a factory of vectorised ones, or a header in C++, behind one protocol.

Everything that depends on the kind of an environment stands here and in the three kinds; training knows `Source` only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from gymnasium.vector import VectorEnv

from rltools_embed.environments.cpp_environment import CppEnvironment
from rltools_embed.environments.environment import EnvFactory, Environment, make
from rltools_embed.environments.episodes import Evaluator, OneAtATime
from rltools_embed.environments.side_by_side import Compiled, OneByOne, SideBySide
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.environments.vector import VectorEnvironments, VectorSideBySide, spec_of
from rltools_embed.environments.wrapping import outside_of_policy
from rltools_embed.policy.model import Float32Array
from rltools_embed.progress import Say

# What a user passes: a function that makes an environment, or one in C++ as `CppEnvironment.from_mapping` reads it.
Given: TypeAlias = "EnvFactory | Mapping[str, Any]"


@runtime_checkable
class Source(Protocol):
    """What environments of one kind are made from. It is data, and can be pickled where its factory can."""

    @property
    def spec(self) -> EnvSpec:
        """Sizes, bounds and names of each environment."""
        ...

    @property
    def count(self) -> int | None:
        """How many environments it makes at once; None: as many as are wanted."""
        ...

    def translation_unit(self) -> str | None:
        """C++ that defines `rl_tools::rl::make_environments`; None: the environments are Python's."""
        ...

    def make_evaluator(self, compiled: Compiled, episode_step_limit: int | None) -> Evaluator:
        """One environment to evaluate in; where `count` are made at once, all of them.

        Args:
            compiled: the module that was compiled with `translation_unit`.
            episode_step_limit: steps after which an episode is cut; None: the environment's own limit, or 1000.

        Raises:
            UnsupportedEnvError: the factory made another environment than before.
            TrainingError: the factory raised.
        """
        ...

    def make_side_by_side(self, compiled: Compiled, count: int, episode_step_limit: int | None) -> SideBySide:
        """`count` environments to train in.

        Args:
            episode_step_limit: steps after which an episode is truncated; None: only the environment decides.

        Raises:
            UnsupportedEnvError, TrainingError: as `make_evaluator`.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class PythonEnvironments:
    """A factory of Gymnasium environments, and the spec of what it made; a `Source`."""

    factory: EnvFactory
    spec: EnvSpec

    @property
    def count(self) -> None:
        """None: as many as are wanted."""

    def translation_unit(self) -> None:
        """None: it is Python's."""

    def make_evaluator(self, compiled: Compiled, episode_step_limit: int | None) -> OneAtATime:
        """See `Source.make_evaluator`."""
        return OneAtATime(Environment(self.factory, self.spec), episode_step_limit)

    def make_side_by_side(self, compiled: Compiled, count: int, episode_step_limit: int | None) -> OneByOne:
        """See `Source.make_side_by_side`."""
        with contextlib.ExitStack() as made:
            closing = (contextlib.closing(Environment(self.factory, self.spec)) for _ in range(count))
            environments = [made.enter_context(environment) for environment in closing]
            side_by_side = OneByOne(environments, episode_step_limit, compiled.Stepper)
            made.pop_all()  # from here on they are closed with `side_by_side`
        return side_by_side


def source_of(given: Given | Source, say: Say = lambda line: None) -> Source:
    """The source behind what a user passed. A factory is called once, and its environment reset, stepped and closed.

    So an environment that breaks its contract is reported before a compiler starts.

    Args:
        given: a `Source` stays what it is.
        say: takes a line for each wrapper that a board would have to do without.

    Raises:
        UnsupportedEnvError: the environment's spaces cannot become static sizes, or it cannot be trained in.
        TrainingError: the environment breaks Gymnasium's contract on its first step, or the factory raised.
        TypeError, ValueError: `given` is nothing of this kind.
    """
    if isinstance(given, Source):
        return given
    if isinstance(given, Mapping):
        return CppEnvironment.from_mapping(given)
    env: Any = make(given, may_be_vectorised=True)
    for line in outside_of_policy(env):
        say(line)
    if isinstance(env, VectorEnv):
        spec = _tried(VectorSideBySide(env, spec_of(env), None))
        return VectorEnvironments(factory=given, spec=spec, count=env.num_envs)
    return PythonEnvironments(factory=given, spec=_tried(Environment(lambda: env)))


def options_for(source: Source, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """A training's options, and with them as many environments as `source` makes at once.

    Raises:
        ValueError: N_ENVIRONMENTS is another number.
    """
    if source.count is None:
        return options
    given = options.get("N_ENVIRONMENTS", source.count)
    if given != source.count:
        raise ValueError(f"N_ENVIRONMENTS is {given}, and env_factory makes {source.count}: leave it out")
    return {**options, "N_ENVIRONMENTS": source.count}


class _New(Protocol):
    """An environment, or several, that has not been used."""

    spec: EnvSpec

    def try_out(self, action: Float32Array) -> None: ...
    def close(self) -> None: ...


def _tried(new: _New) -> EnvSpec:
    """Its spec, after one reset and one step in the middle of the action box; closes it."""
    with contextlib.closing(new):
        low, high = np.array(new.spec.action_low), np.array(new.spec.action_high)
        new.try_out((0.5 * low + 0.5 * high).astype(np.float32))
    return new.spec
