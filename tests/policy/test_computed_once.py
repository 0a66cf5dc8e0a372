"""What follows from a policy alone, its digest, its text and its examples' actions, is computed once."""

from __future__ import annotations

import copy
import json
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rltools_embed import pipeline
from rltools_embed.firmware import board as boards
from rltools_embed.pipeline.projects import write_project
from rltools_embed.policy import checkpoint, reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import Mlp, Module
from rltools_embed.policy.model import Policy
from tests import policies

BOARD = "nucleo_f446re"
ONCE = {"digest": 1, "text": 1, "examples separate": 1, "examples fused": 1}


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often an mlp gave its bytes for a digest and its C++, and a policy's examples were evaluated.

    Counted where the work is done, whoever asks for it.
    """
    counts: Counter[str] = Counter()

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any) -> Any:
            counts[name] += 1
            return function(*arguments)

        return count

    evaluate_episode = reference.evaluate_episode

    def evaluate(modules: Sequence[Module], observations: np.ndarray, arithmetic: Arithmetic) -> np.ndarray:
        counts[f"examples {arithmetic.value}"] += 1
        return evaluate_episode(modules, observations, arithmetic)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Mlp, "digest_bytes", counting("digest", Mlp.digest_bytes))
        patch.setattr(Mlp, "lines", counting("text", Mlp.lines))
        patch.setattr(reference, "evaluate_episode", evaluate)
        yield counts


def test_an_export_of_a_checkpoint_computes_everything_once(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h"
    path.write_text(checkpoint.dumps(policies.sac_policy()), encoding="utf-8")
    with counted() as counts:
        pipeline.export(path, tmp_path / "project", board=BOARD)
    assert counts == ONCE


def test_training_that_goes_on_to_a_project_computes_everything_once(tmp_path: Path) -> None:
    # As `run` does: the text for the run's folder, then the project.
    policy = policies.sac_policy()
    with counted() as counts:
        text = checkpoint.dumps(policy)
        write_project(policy, tmp_path, (boards.load(BOARD),), force=False)
        assert checkpoint.manifest(policy)["digest"] == digest(policy)
    assert counts == ONCE
    assert (tmp_path / "include" / "checkpoint.h").read_text(encoding="utf-8") == text
    assert json.loads((tmp_path / "rlt_embed.json").read_text())["policy"]["digest"] == digest(policy)


def test_a_policy_that_nobody_exports_computes_nothing() -> None:
    with counted() as counts:
        policies.sac_policy()
    assert counts == {}


def test_a_second_computation_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Policy, "once", lambda policy, compute: compute(policy))
    with counted() as counts:
        write_project(policies.sac_policy(), tmp_path, (boards.load(BOARD),), force=False)
    assert counts["digest"] > 1
    with counted() as counts:
        checkpoint.loads(checkpoint.dumps(policies.sac_policy()))
    assert counts["text"] == counts["examples fused"] == 2


def test_what_was_computed_stays_out_of_pickles_and_of_other_policies() -> None:
    policy = policies.sac_policy()
    size = len(pickle.dumps(policy))
    text = checkpoint.dumps(policy)
    assert len(pickle.dumps(policy)) == size
    for again in (pickle.loads(pickle.dumps(policy)), copy.deepcopy(policy)):
        with counted() as counts:
            assert checkpoint.dumps(again) == text
        assert counts == ONCE
