"""Options are checked by name and value in Python, before a compiler starts."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

import numpy as np
import pytest
from training_envs import SMALL, SMALL_PPO, Line

from rltools_embed.compiling import compiler
from rltools_embed.errors import ToolchainError
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
        ("N_ENVIRONMENTS", 0, "N_ENVIRONMENTS is 0: it must be a whole number, 1 to 4096"),
        ("ACTOR_POLYAK", 0.9, "ACTOR_POLYAK is 0.9: it must be 0.995: SAC has no target actor"),
        ("evaluation_interval", 0, "evaluation_interval is 0"),
        ("num_evaluation_episodes", 1.5, "num_evaluation_episodes is 1.5"),
        ("interface_name", "a-b", "interface_name is 'a-b'"),
        ("STEP_LIMIT", 2**60, "STEP_LIMIT is 1152921504606846976: it must be a whole number, 1 to 9007199254740992"),
        ("GAMMA", 10**400, "…: it must be a number from 0 to 1"),
        ("ACTOR_ACTIVATION_FUNCTION", np.array(["RELU", "TANH"]), "it must be one of IDENTITY, RELU"),
        ("OPTIMIZER_BETA_1", 1 - 1e-12, "it must be a number from 0 to below 1 as float32"),
        ("OPTIMIZER_EPSILON", 1e-300, "OPTIMIZER_EPSILON is 1e-300: it must be a number above 0 as float32"),
        ("ALPHA", 1e39, "ALPHA is 1e+39: it must be a number above 0 as float32"),
        ("TARGET_ENTROPY", -1e39, "TARGET_ENTROPY is -1e+39: it must be a finite number as float32"),
        ("enable_evaluation", "no", "enable_evaluation is 'no': it must be True or False"),
        ("verbose", 1, "verbose is 1: it must be True or False"),
        ("force_recompile", None, "force_recompile is None: it must be True or False"),
        ("on_message", None, "on_message is None: it must be a function"),
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
        ("ON_POLICY_RUNNER_STEPS_PER_ENV", 2**24, "of 2 environments: an iteration has at most 16777216 steps"),
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


@pytest.mark.parametrize(
    ("name", "instead"), [("enable_blas", '"own"'), ("force_blas", '"blas"'), ("disable_tensorboard", "learning_curve")]
)
def test_a_keyword_of_rltools_for_an_option_says_what_takes_its_place(name: str, instead: str) -> None:
    with pytest.raises(TypeError, match=f"{name!r} is not an option: .*{instead}"):
        SAC.check_options({name: True})


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"force_blas": True, "backend": "mkl"}, "force_blas is True and backend is 'mkl': leave one"),
        ({"force_blas": True, "backend": "own"}, "force_blas is True and backend is 'own': leave one"),
        ({"force_blas": True, "enable_blas": False}, "force_blas is True and enable_blas is False: leave one"),
        ({"enable_blas": False, "backend": "blas"}, "enable_blas is False and backend is 'blas': leave one"),
        ({"enable_blas": 1}, "enable_blas is 1: it must be True or False"),
        ({"force_blas": "yes"}, "force_blas is 'yes': it must be True or False"),
        (
            {"disable_tensorboard": False},
            "disable_tensorboard is False: it must be True: Callbacks, state.learning_curve",
        ),
    ],
)
@pytest.mark.parametrize("kind", [SAC, TD3, PPO])
def test_keywords_of_rltools_that_contradict_are_refused_in_one_line(
    kind: type[Training], keywords: dict[str, Any], words: str, no_compiler: None
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        kind(Line, **keywords)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keywords", "variable", "backend"),
    [
        ({"force_blas": True}, "", "blas"),
        ({"enable_blas": False}, "mkl", "own"),
        ({"enable_blas": False, "backend": "own"}, "", "own"),
        ({"enable_blas": True, "disable_tensorboard": True}, "", "own"),
        ({"enable_blas": True, "force_blas": False, "backend": "mkl"}, "", "mkl"),
        ({"enable_blas": True}, "mkl", "mkl"),
    ],
)
def test_keywords_of_rltools_choose_the_backend(
    keywords: dict[str, Any], variable: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLT_BACKEND", variable)
    asked: list[str] = []

    def load(unit: str, *, backend: str, **others: Any) -> None:
        asked.append(backend)
        raise ToolchainError("no further")

    monkeypatch.setattr(compiler, "load", load)
    with pytest.raises(ToolchainError, match="no further"):
        PPO(Line, **keywords)
    assert asked == [backend]


def test_numpy_numbers_are_numbers() -> None:
    options = SacOptions(STEP_LIMIT=np.int64(7), GAMMA=np.float32(0.5))
    assert options.STEP_LIMIT == 7
    assert type(options.STEP_LIMIT) is int


_NETWORKS_AND_OPTIMIZER = {
    "GAMMA": 0.99,
    "IGNORE_TERMINATION": False,
    "ACTOR_HIDDEN_DIM": 64,
    "ACTOR_NUM_LAYERS": 3,
    "ACTOR_ACTIVATION_FUNCTION": "RELU",
    "CRITIC_HIDDEN_DIM": 64,
    "CRITIC_NUM_LAYERS": 3,
    "CRITIC_ACTIVATION_FUNCTION": "RELU",
    "OPTIMIZER_ALPHA": 1e-3,
    "OPTIMIZER_BETA_1": 0.9,
    "OPTIMIZER_BETA_2": 0.999,
    "OPTIMIZER_EPSILON": 1e-7,
    "OPTIMIZER_EPSILON_SQRT": 1e-7,
}
_OFF_POLICY = {
    **_NETWORKS_AND_OPTIMIZER,
    "ACTOR_BATCH_SIZE": 100,
    "CRITIC_BATCH_SIZE": 100,
    "CRITIC_TRAINING_INTERVAL": 1,
    "ACTOR_TRAINING_INTERVAL": 1,
    "CRITIC_TARGET_UPDATE_INTERVAL": 1,
    "ACTOR_POLYAK": 0.995,
    "CRITIC_POLYAK": 0.995,
    "N_ENVIRONMENTS": 1,
    "N_WARMUP_STEPS": None,
    "STEP_LIMIT": 10000,
    "REPLAY_BUFFER_CAP": None,
    "EPISODE_STEP_LIMIT": None,
    "COLLECT_EPISODE_STATS": True,
    "EPISODE_STATS_BUFFER_SIZE": 1000,
    "SHARED_BATCH": True,
}
DEFAULTS_OF_RLTOOLS = {
    SacOptions: {
        **_OFF_POLICY,
        "N_WARMUP_STEPS_ACTOR": None,
        "N_WARMUP_STEPS_CRITIC": None,
        "TARGET_ENTROPY": None,
        "ALPHA": 0.5,
        "ADAPTIVE_ALPHA": True,
        "LOG_STD_LOWER_BOUND": -20,
        "LOG_STD_UPPER_BOUND": 2,
        "LOG_PROBABILITY_EPSILON": 1e-6,
    },
    Td3Options: {
        **_OFF_POLICY,
        "ACTOR_TRAINING_INTERVAL": 2,
        "CRITIC_TARGET_UPDATE_INTERVAL": 2,
        "ACTOR_TARGET_UPDATE_INTERVAL": 2,
        "TARGET_NEXT_ACTION_NOISE_STD": 0.2,
        "TARGET_NEXT_ACTION_NOISE_CLIP": 0.5,
        "EXPLORATION_NOISE": 0.1,
    },
    PpoOptions: {
        **_NETWORKS_AND_OPTIMIZER,
        "LAMBDA": 0.95,
        "EPSILON_CLIP": 0.2,
        "INITIAL_ACTION_STD": 0.5,
        "LEARN_ACTION_STD": True,
        "ACTION_ENTROPY_COEFFICIENT": 0.01,
        "ADVANTAGE_EPSILON": 1e-8,
        "NORMALIZE_ADVANTAGE": True,
        "ADAPTIVE_LEARNING_RATE": False,
        "ADAPTIVE_LEARNING_RATE_POLICY_KL_THRESHOLD": 0.008,
        "POLICY_KL_EPSILON": 1e-5,
        "ADAPTIVE_LEARNING_RATE_DECAY": 1 / 1.5,
        "ADAPTIVE_LEARNING_RATE_MIN": 1e-6,
        "ADAPTIVE_LEARNING_RATE_MAX": 1e-2,
        "NORMALIZE_OBSERVATIONS": False,
        "N_WARMUP_STEPS_CRITIC": 0,
        "N_WARMUP_STEPS_ACTOR": 0,
        "N_EPOCHS": 10,
        "STEP_LIMIT": None,
        "TOTAL_STEP_LIMIT": 100_000,
        "EPISODE_STEP_LIMIT": 1000,
        "N_ENVIRONMENTS": 64,
        "ON_POLICY_RUNNER_STEPS_PER_ENV": 64,
        "BATCH_SIZE": 64,
    },
}


# Options that RLtools does not have.
OURS = {
    SacOptions: {"N_RANDOM_STEPS": None, "NORMALIZE_REWARDS": True},
    Td3Options: {"N_RANDOM_STEPS": None, "NORMALIZE_REWARDS": True},
    PpoOptions: {"NORMALIZE_VALUES": True},
}


@pytest.mark.parametrize("options", DEFAULTS_OF_RLTOOLS)
def test_names_and_defaults_are_those_of_rltools(options: Any) -> None:
    found = {field.name: field.default for field in dataclasses.fields(options)}
    assert found == DEFAULTS_OF_RLTOOLS[options] | OURS[options]


@pytest.mark.parametrize("options", DEFAULTS_OF_RLTOOLS)
def test_every_option_is_documented(options: Any) -> None:
    pages = [inspect.getdoc(kind) or "" for kind in options.__mro__[:-1]]
    documented = {name for page in pages for name in re.findall(r"^    ([A-Z][A-Z_0-9]+): \S", page, re.MULTILINE)}
    assert documented == {field.name for field in dataclasses.fields(options)}


def test_every_argument_of_a_training_is_documented() -> None:
    documented = set(re.findall(r"^    (\w+): \S", inspect.getdoc(Training) or "", re.MULTILINE))
    assert inspect.signature(Training).parameters.keys() <= documented


@pytest.mark.parametrize(
    ("options", "steps"),
    [({}, 1000), ({"STEP_LIMIT": 10**6}, 1000), ({"STEP_LIMIT": 5000}, 500), ({"STEP_LIMIT": 900}, 100)],
)
def test_td3_acts_at_random_for_a_tenth_of_the_training_within_limits(options: dict[str, Any], steps: int) -> None:
    assert Td3Options(**options).random_steps == steps
    assert Td3Options(N_RANDOM_STEPS=0, **options).random_steps == 0
    assert Td3Options(N_WARMUP_STEPS=2000, **options).random_steps == 2000
    assert SacOptions(**options).random_steps == 100
    assert SacOptions(N_WARMUP_STEPS=7, **options).random_steps == 7
    assert {kind(**options).warmup_steps for kind in (SacOptions, Td3Options)} == {100}


def test_ppo_takes_as_many_iterations_as_fit_into_its_steps() -> None:
    options = PpoOptions()
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
    "N_RANDOM_STEPS": 3,
    "REPLAY_BUFFER_CAP": 3,
    "SHARED_BATCH": False,
    "NORMALIZE_REWARDS": False,
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
        "NORMALIZE_VALUES": False,
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
