"""Training: a Gymnasium environment in, a policy out."""

from rltools_embed.training.environment import environment_factory
from rltools_embed.training.options import SacOptions
from rltools_embed.training.spaces import EnvSpec
from rltools_embed.training.trainer import SAC, Episode, Evaluation, State, trainer_of

__all__ = ["SAC", "EnvSpec", "Episode", "Evaluation", "SacOptions", "State", "environment_factory", "trainer_of"]
