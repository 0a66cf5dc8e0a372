"""The options of a training, which `train` and `run` share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from rltools_embed.cli.options import MOST
from rltools_embed.compiling import backend as backends
from rltools_embed.training import Settings, TrainingPlan

if TYPE_CHECKING:
    from typing import Unpack

ALGORITHMS = ("sac", "td3", "ppo")


def _parsed_options(context: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE each: the value as Python's constant, as JSON, or as text."""
    constants: dict[str, Any] = {"True": True, "False": False, "None": None}
    options: dict[str, Any] = {}
    for word in given:
        name, separator, text = word.partition("=")
        if not name or not separator:
            raise click.BadParameter(f"{word!r} is not NAME=VALUE", context, param)
        try:
            options[name] = constants[text] if text in constants else json.loads(text)
        except (ValueError, RecursionError):
            options[name] = text
    return options


def training_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a training to a command."""
    for option in reversed(
        (
            click.option("--algorithm", show_default="sac", type=click.Choice(ALGORITHMS)),
            click.option(
                "--steps",
                type=click.IntRange(1, MOST),
                help="Environment steps; by default 10000, for ppo 100000.",
            ),
            click.option("--seed", show_default="0", type=click.IntRange(0, MOST)),
            click.option(
                "--option",
                "options",
                multiple=True,
                metavar="NAME=VALUE",
                callback=_parsed_options,
                help="One of the algorithm's options, e.g. GAMMA=0.98; repeatable.",
            ),
            click.option(
                "--backend",
                type=click.Choice(backends.NAMES),
                help=f"What computes the matrix products; by default {backends.ENVIRONMENT_VARIABLE}, or own.",
            ),
        )
    ):
        command = option(command)
    return command


def plan_of(environment: str, **settings: Unpack[Settings]) -> TrainingPlan:
    """The plan that the arguments make; a setting that it refuses is an error of usage."""
    try:
        return TrainingPlan.of(environment, **settings)
    except (TypeError, ValueError) as error:
        raise click.UsageError(str(error)) from error
