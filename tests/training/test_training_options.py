"""Options are checked by name and value in Python, before a compiler starts."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from training_envs import SMALL, SMALL_PPO, Line

from rltools_embed.training import PPO, SAC, TD3, EnvSpec, PpoOptions, SacOptions, Td3Options, Training, trainer_of
from rltools_embed.training.ppo import PpoAlgorithm
from rltools_embed.training.sac import SacAlgorithm
from rltools_embed.training.td3 import Td3Algorithm


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("ACTOR_BATCH_SIZE", "abc", "ACTOR_BATCH_SIZE is 'abc': it must be a whole number, 1 to 16384"),
        ("ACTOR_BATCH_SIZE", 50, "CRITIC_BATCH_SIZE is 5 and ACTOR_BATCH_SIZE is 50: they must be equal"),
        ("ACTOR_HIDDEN_DIM", -1, "ACTOR_HIDDEN_DIM is -1"),
        ("ACTOR_HIDDEN_DIM", 64.0, "ACTOR_HIDDEN_DIM is 64.0"),
        ("ACTOR_HIDDEN_DIM", True, "ACTOR_HIDDEN_DIM is True"),
        ("CRITIC_NUM_LAYERS", 1, "CRITIC_NUM_LAYERS is 1: it must be a whole number, 2 to 32"),
        ("ACTOR_ACTIVATION_FUNCTION", "SWISH", "one of IDENTITY, RELU, GELU, TANH, FAST_TANH, SIGMOID"),
        ("ACTOR_ACTIVATION_FUNCTION", "relu", "did you mean RELU"),
        ("GAMMA", 1.5, "GAMMA is 1.5: it must be a number from 0 to 1"),
        ("GAMMA", float("nan"), "GAMMA is nan"),
        ("STEP_LIMIT", 0, "STEP_LIMIT is 0: it must be a whole number of at least 1"),
        ("ALPHA", 0.0, "ALPHA is 0.0: it must be a number above 0"),
        ("OPTIMIZER_BETA_1", 1.0, "OPTIMIZER_BETA_1 is 1.0"),
        ("ADAPTIVE_ALPHA", 1, "ADAPTIVE_ALPHA is 1: it must be True or False"),
        ("LOG_STD_LOWER_BOUND", 3.0, "LOG_STD_LOWER_BOUND is 3.0, not below LOG_STD_UPPER_BOUND, 2.0"),
        ("N_ENVIRONMENTS", 4, "N_ENVIRONMENTS is 4: it must be 1"),
        ("ACTOR_POLYAK", 0.9, "ACTOR_POLYAK is 0.9: it must be 0.995: SAC has no target actor"),
        ("evaluation_interval", 0, "evaluation_interval is 0"),
        ("num_evaluation_episodes", 1.5, "num_evaluation_episodes is 1.5"),
        ("interface_name", "a-b", "interface_name is 'a-b'"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(option: str, value: Any, words: str, no_compiler: None) -> None:
    with pytest.raises(ValueError) as caught:
        SAC(Line, **{**SMALL, option: value})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("BATCH_SIZE", 100, "BATCH_SIZE is 100, more than the 8 steps of an iteration"),
        ("TOTAL_STEP_LIMIT", 7, "TOTAL_STEP_LIMIT is 7, less than the 8 steps of one iteration"),
        ("ADAPTIVE_LEARNING_RATE_MIN", 1.0, "above ADAPTIVE_LEARNING_RATE_MAX, 0.01"),
        ("ADAPTIVE_LEARNING_RATE_DECAY", 1.5, "ADAPTIVE_LEARNING_RATE_DECAY is 1.5: it must be a number above 0"),
        ("INITIAL_ACTION_STD", 0, "INITIAL_ACTION_STD is 0: it must be a number above 0"),
        ("NORMALIZE_OBSERVATIONS", 1, "NORMALIZE_OBSERVATIONS is 1: it must be True or False"),
    ],
)
def test_a_bad_value_for_ppo_is_refused_in_one_line(option: str, value: Any, words: str, no_compiler: None) -> None:
    with pytest.raises(ValueError) as caught:
        PPO(Line, **{**SMALL_PPO, option: value})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "near"), [("GAMA", "GAMMA"), ("step_limit", "STEP_LIMIT"), ("FOO", "the options are")]
)
def test_an_unknown_option_is_refused_with_the_nearest_name(name: str, near: str, no_compiler: None) -> None:
    with pytest.raises(TypeError, match=near):
        SAC(Line, **{**SMALL, name: 1})


def test_numpy_numbers_are_numbers() -> None:
    options = SacOptions(STEP_LIMIT=np.int64(7), GAMMA=np.float32(0.5))
    assert options.STEP_LIMIT == 7
    assert type(options.STEP_LIMIT) is int


def test_the_defaults_are_those_of_rltools() -> None:
    options = SacOptions()
    assert (options.GAMMA, options.ACTOR_BATCH_SIZE, options.warmup_steps, options.STEP_LIMIT) == (
        0.99,
        100,
        100,
        10000,
    )
    assert (options.ACTOR_HIDDEN_DIM, options.ACTOR_NUM_LAYERS, options.ACTOR_ACTIVATION_FUNCTION) == (64, 3, "RELU")
    assert (options.OPTIMIZER_ALPHA, options.OPTIMIZER_BETA_1, options.OPTIMIZER_BETA_2) == (1e-3, 0.9, 0.999)


def test_the_defaults_of_td3_are_those_of_rltools_but_for_the_warm_up() -> None:
    options = Td3Options()
    assert (options.ACTOR_TRAINING_INTERVAL, options.CRITIC_TRAINING_INTERVAL) == (2, 1)
    assert (options.CRITIC_TARGET_UPDATE_INTERVAL, options.ACTOR_TARGET_UPDATE_INTERVAL) == (2, 2)
    assert (options.TARGET_NEXT_ACTION_NOISE_STD, options.TARGET_NEXT_ACTION_NOISE_CLIP) == (0.2, 0.5)
    assert (options.EXPLORATION_NOISE, options.ACTOR_POLYAK) == (0.1, 0.995)


@pytest.mark.parametrize(
    ("options", "steps"),
    [({}, 1000), ({"STEP_LIMIT": 10**6}, 1000), ({"STEP_LIMIT": 5000}, 500), ({"STEP_LIMIT": 900}, 100)],
)
def test_td3_warms_up_for_a_tenth_of_the_training_within_limits(options: dict[str, Any], steps: int) -> None:
    assert Td3Options(**options).warmup_steps == steps
    assert Td3Options(N_WARMUP_STEPS=100, **options).warmup_steps == 100
    assert SacOptions(**options).warmup_steps == 100


def test_the_defaults_of_ppo_are_those_of_rltools() -> None:
    options = PpoOptions()
    assert (options.N_ENVIRONMENTS, options.ON_POLICY_RUNNER_STEPS_PER_ENV, options.BATCH_SIZE) == (64, 64, 64)
    assert (options.LAMBDA, options.EPSILON_CLIP, options.N_EPOCHS, options.EPISODE_STEP_LIMIT) == (0.95, 0.2, 10, 1000)
    assert (options.iterations, PpoAlgorithm(options).step_limit) == (24, 98304)


@pytest.fixture
def spec() -> EnvSpec:
    return EnvSpec.from_env(Line())


NETWORKS = {
    "ACTOR_HIDDEN_DIM": 7,
    "ACTOR_NUM_LAYERS": 4,
    "ACTOR_ACTIVATION_FUNCTION": "TANH",
    "CRITIC_HIDDEN_DIM": 7,
    "CRITIC_NUM_LAYERS": 4,
    "CRITIC_ACTIVATION_FUNCTION": "TANH",
}
OFF_POLICY_CODE = {"ACTOR_BATCH_SIZE": 7, "CRITIC_BATCH_SIZE": 7, **NETWORKS}
CODE = {
    SacAlgorithm: OFF_POLICY_CODE,
    Td3Algorithm: OFF_POLICY_CODE,
    PpoAlgorithm: {**NETWORKS, "BATCH_SIZE": 7, "N_ENVIRONMENTS": 7, "NORMALIZE_OBSERVATIONS": True},
}
OPTIMIZER = {
    "OPTIMIZER_ALPHA": 1e-4,
    "OPTIMIZER_BETA_1": 0.5,
    "OPTIMIZER_BETA_2": 0.5,
    "OPTIMIZER_EPSILON": 1e-3,
    "OPTIMIZER_EPSILON_SQRT": 1e-3,
}
OFF_POLICY_NUMBERS = {
    "GAMMA": 0.5,
    "CRITIC_TRAINING_INTERVAL": 3,
    "ACTOR_TRAINING_INTERVAL": 3,
    "CRITIC_TARGET_UPDATE_INTERVAL": 3,
    "CRITIC_POLYAK": 0.5,
    "IGNORE_TERMINATION": True,
    "N_WARMUP_STEPS": 3,
    "REPLAY_BUFFER_CAP": 3,
    "SHARED_BATCH": False,
    **OPTIMIZER,
}
NUMBERS = {
    SacAlgorithm: {
        **OFF_POLICY_NUMBERS,
        "N_WARMUP_STEPS_ACTOR": 3,
        "N_WARMUP_STEPS_CRITIC": 3,
        "TARGET_ENTROPY": 3.0,
        "ALPHA": 3.0,
        "ADAPTIVE_ALPHA": False,
        "LOG_STD_LOWER_BOUND": -3.0,
        "LOG_STD_UPPER_BOUND": 3.0,
        "LOG_PROBABILITY_EPSILON": 1e-3,
    },
    Td3Algorithm: {
        **OFF_POLICY_NUMBERS,
        "ACTOR_POLYAK": 0.5,
        "ACTOR_TARGET_UPDATE_INTERVAL": 3,
        "TARGET_NEXT_ACTION_NOISE_STD": 0.3,
        "TARGET_NEXT_ACTION_NOISE_CLIP": 0.3,
        "EXPLORATION_NOISE": 0.3,
    },
    PpoAlgorithm: {
        "GAMMA": 0.5,
        "LAMBDA": 0.5,
        "EPSILON_CLIP": 0.3,
        "INITIAL_ACTION_STD": 0.3,
        "LEARN_ACTION_STD": False,
        "ACTION_ENTROPY_COEFFICIENT": 0.3,
        "ADVANTAGE_EPSILON": 0.3,
        "NORMALIZE_ADVANTAGE": False,
        "ADAPTIVE_LEARNING_RATE": True,
        "ADAPTIVE_LEARNING_RATE_POLICY_KL_THRESHOLD": 0.3,
        "POLICY_KL_EPSILON": 0.3,
        "ADAPTIVE_LEARNING_RATE_DECAY": 0.3,
        "ADAPTIVE_LEARNING_RATE_MIN": 1e-3,
        "ADAPTIVE_LEARNING_RATE_MAX": 0.3,
        "N_WARMUP_STEPS_CRITIC": 3,
        "N_WARMUP_STEPS_ACTOR": 3,
        "N_EPOCHS": 3,
        "IGNORE_TERMINATION": True,
        "ON_POLICY_RUNNER_STEPS_PER_ENV": 3,
        **OPTIMIZER,
    },
}
OPTIONS = {SacAlgorithm: SacOptions, Td3Algorithm: Td3Options, PpoAlgorithm: PpoOptions}
# Read by the training loop in Python, or with one allowed value.
OFF_POLICY_LOOP = {
    "STEP_LIMIT",
    "EPISODE_STEP_LIMIT",
    "COLLECT_EPISODE_STATS",
    "EPISODE_STATS_BUFFER_SIZE",
    "N_ENVIRONMENTS",
}
LOOP = {
    SacAlgorithm: {"ACTOR_POLYAK", *OFF_POLICY_LOOP},
    Td3Algorithm: OFF_POLICY_LOOP,
    PpoAlgorithm: {"STEP_LIMIT", "TOTAL_STEP_LIMIT", "EPISODE_STEP_LIMIT"},
}


@pytest.mark.parametrize("algorithm", OPTIONS)
def test_every_option_is_code_a_number_or_read_by_the_loop(algorithm: Any) -> None:
    names = {field.name for field in dataclasses.fields(OPTIONS[algorithm])}
    assert names == CODE[algorithm].keys() | NUMBERS[algorithm].keys() | LOOP[algorithm]


@pytest.mark.parametrize(("algorithm", "name"), [(kind, name) for kind, names in NUMBERS.items() for name in names])
def test_an_option_that_is_a_number_changes_no_code(algorithm: Any, name: str, spec: EnvSpec) -> None:
    options = OPTIONS[algorithm]
    plain, changed = algorithm(options()), algorithm(options(**{name: NUMBERS[algorithm][name]}))
    assert changed.translation_unit(spec) == plain.translation_unit(spec)
    assert changed.settings(spec) != plain.settings(spec)


@pytest.mark.parametrize(("algorithm", "name"), [(kind, name) for kind, names in CODE.items() for name in names])
def test_an_option_that_is_code_changes_it(algorithm: Any, name: str, spec: EnvSpec) -> None:
    options = OPTIONS[algorithm]
    batch = {"ACTOR_BATCH_SIZE": 7, "CRITIC_BATCH_SIZE": 7} if name in ("ACTOR_BATCH_SIZE", "CRITIC_BATCH_SIZE") else {}
    changed = algorithm(options(**{name: CODE[algorithm][name], **batch}))
    assert changed.translation_unit(spec) != algorithm(options()).translation_unit(spec)


@pytest.mark.parametrize(("name", "kind"), [("sac", SAC), ("TD3", TD3), ("ppo", PPO)])
def test_an_algorithm_is_found_by_its_name(name: str, kind: type[Training]) -> None:
    assert trainer_of(name) is kind


def test_an_unknown_algorithm_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'ddpg': there is sac, td3, ppo"):
        trainer_of("ddpg")
