"""`rlt-embed` as a process of its own, and one short training run that the tests share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rltools_embed import process
from rltools_embed.process import Completed

RltEmbed = Callable[..., Completed]


@pytest.fixture(scope="session")
def rlt_embed() -> RltEmbed:
    """Run the command with these arguments."""

    def call(*arguments: str | Path, **environment: str) -> Completed:
        return process.run([sys.executable, "-m", "rltools_embed", *arguments], environment=environment)

    return call


@pytest.fixture(scope="session")
def short_run(rlt_embed: RltEmbed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 400 steps: a policy that knows little, which is all that these tests need."""
    folder = tmp_path_factory.mktemp("run") / "pendulum"
    done = rlt_embed("train", "Pendulum-v1", "--steps", "400", "--seed", "3", "-o", folder)
    assert done.exit_code == 0, done.output
    return folder
