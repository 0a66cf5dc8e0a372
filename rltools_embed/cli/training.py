"""`train` and `inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rltools_embed import pipeline
from rltools_embed.cli import show
from rltools_embed.cli.options import MOST, file, force, json_flag, named, path, print_json
from rltools_embed.cli.training_options import plan_of, training_options
from rltools_embed.policy import checkpoint
from rltools_embed.policy.digest import digest
from rltools_embed.training import Settings, TrainingPlan
from rltools_embed.training.plot import check as check_plot

_COUNT = click.IntRange(1, MOST)


@click.command()
@click.argument("environment")
@training_options
@click.option(
    "--evaluation-interval", type=_COUNT, help="Calls of `step` between evaluations; by default 1000, for ppo 10."
)
@click.option("--evaluation-episodes", type=_COUNT, help="Episodes of an evaluation; by default 10.")
@click.option("--no-evaluation", is_flag=True, help="Do not evaluate the policy during training.")
@click.option("-o", "--output", required=True, type=path, callback=named, help="Folder of the run.")
@click.option("--save", type=file, help="File for the whole run, to resume from; kept when interrupted.")
@click.option("--resume", type=file, help="File of --save to go on from. It can run code: use those that you trust.")
@click.option("--plot", type=file, help="Draw the learning curve: .png, .svg or .pdf. Needs the extra [plot].")
@force
@json_flag
def train(
    environment: str,
    algorithm: str | None,
    steps: int | None,
    seed: int | None,
    options: dict[str, Any],
    backend: str | None,
    evaluation_interval: int | None,
    evaluation_episodes: int | None,
    no_evaluation: bool,
    output: Path,
    save: Path | None,
    resume: Path | None,
    plot: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Train a policy on the Gymnasium ENVIRONMENT (an id) and write checkpoint.h."""
    if no_evaluation and (evaluation_interval or evaluation_episodes):
        raise click.UsageError("--no-evaluation leaves no evaluation to set: leave it out, or the other")
    settings: Settings = {
        "algorithm": algorithm,
        "steps": steps,
        "seed": seed,
        "options": options,
        "backend": backend,
        "enable_evaluation": False if no_evaluation else None,
        "evaluation_interval": evaluation_interval,
        "num_evaluation_episodes": evaluation_episodes,
    }
    if resume is None:
        plan = plan_of(environment, **settings)
    else:
        plan = TrainingPlan.from_saved(resume, environment, **settings)
    if plot is not None:
        _check_plot(plot)
    with show.watching("training") as watched:
        run = pipeline.train(
            plan,
            output,
            files=pipeline.Files(save=save, resume=resume, plot=plot),
            hooks=pipeline.Hooks(on_message=watched.say, progress=watched.progress),
            force=force,
        )
    if as_json:
        curve = pipeline.as_table(run.learning_curve)
        print_json({"checkpoint": run.checkpoint, "digest": digest(run.policy), "learning_curve": curve})
    else:
        click.echo(run.checkpoint)


def _check_plot(path: Path) -> None:
    try:
        check_plot(path)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@json_flag
def inspect(source: Path, as_json: bool) -> None:
    """Check a checkpoint (a file, a run or a project) and show what it holds."""
    policy = pipeline.inspect(source)
    if as_json:
        print_json(checkpoint.manifest(policy))
    else:
        show.policy(policy)
