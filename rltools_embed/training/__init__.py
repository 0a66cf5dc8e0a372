"""Training: a Gymnasium environment in, a policy out."""

from rltools_embed.environments.environment import environment_factory
from rltools_embed.environments.side_by_side import Episode, EpisodeStatistics
from rltools_embed.environments.spaces import EnvSpec
from rltools_embed.training.evaluation import Evaluation, EvaluationPlan
from rltools_embed.training.plan import Settings, TrainingPlan
from rltools_embed.training.ppo import PpoOptions
from rltools_embed.training.sac import SacOptions
from rltools_embed.training.state import Callbacks, State
from rltools_embed.training.td3 import Td3Options
from rltools_embed.training.trainer import PPO, SAC, TD3, Training, trainer_of

__all__ = [
    "PPO",
    "SAC",
    "TD3",
    "Callbacks",
    "EnvSpec",
    "Episode",
    "EpisodeStatistics",
    "Evaluation",
    "EvaluationPlan",
    "PpoOptions",
    "SacOptions",
    "Settings",
    "State",
    "Td3Options",
    "Training",
    "TrainingPlan",
    "environment_factory",
    "trainer_of",
]
