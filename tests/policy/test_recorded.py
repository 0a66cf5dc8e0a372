"""What policies have been since before a layer kind was one object: digests, texts of checkpoints, bits, words."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rltools_embed.policy import checkpoint, reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import Activation, Dense, Mlp, Rescale, Standardize, describe, number_count
from rltools_embed.policy.model import Policy
from tests import policies

RECORDED = Path(__file__).parent.parent / "recorded" / "policies.json"


def recurrent_ppo_policy() -> Policy:
    """A recurrent layer between all that a PPO policy has around its mlp."""
    rng = np.random.default_rng(7)
    bound = np.array([0.25, 3.0], np.float32)
    return policies.policy_of(
        Standardize(mean=rng.normal(size=5), precision=rng.uniform(0.1, 3.0, 5)),
        policies.random_gru(rng, 5, 8),
        policies.random_mlp(rng, (8, 16, 2), Activation.GELU, log_std=True),
        Rescale(low=-bound, high=bound),
        seed=7,
    )


POLICIES = {
    "sac": policies.sac_policy(),
    "sac of Reacher-v5's sizes": policies.sac_policy(10, 2, 64, seed=5, name="reacher", environment="Reacher-v5"),
    "td3": policies.td3_policy(),
    "td3 of Hopper-v5's sizes": policies.td3_policy(11, 3, 64, seed=6),
    "ppo": policies.ppo_policy(),
    "ppo of Ant-v5's sizes": policies.ppo_policy(105, 8, 64, seed=8),
    "gru": policies.gru_policy(),
    "recurrent ppo": recurrent_ppo_policy(),
    "rescaled": policies.rescaled_sac_policy(),
    **{activation.name: policies.activation_policy(activation) for activation in Activation},
}


def facts_of(policy: Policy) -> dict[str, Any]:
    """What must not change, in a form that is the same on every machine."""
    observations = np.concatenate([policy.example_observations * scale for scale in np.float32([1, 0, -30])])
    traces = {mode: reference.trace(policy.layers, observations, mode) for mode in Arithmetic}
    return {
        "digest": digest(policy),
        "checkpoint_sha256": _sha256(checkpoint.dumps(policy).encode()),
        "manifest_sha256": _sha256(json.dumps(checkpoint.manifest(policy)).encode()),
        "layers": [describe(layer) for layer in policy.primitives],
        "numbers": [number_count(module) for module in policy.layers],
        "is_recurrent": policy.is_recurrent,
        **{
            f"trace_{mode.value}_sha256": _sha256(b"".join(output.tobytes() for output in trace))
            for mode, trace in traces.items()
        },
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_every_policy_is_recorded() -> None:
    assert list(json.loads(RECORDED.read_text(encoding="utf-8"))) == list(POLICIES)


@pytest.mark.parametrize("name", POLICIES)
def test_policies_are_what_they_were(name: str) -> None:
    assert facts_of(POLICIES[name]) == json.loads(RECORDED.read_text(encoding="utf-8"))[name]


def test_another_weight_is_noticed() -> None:
    policy = POLICIES["td3"]
    mlp = policy.layers[0]
    assert isinstance(mlp, Mlp)
    first, *others = mlp.layers
    assert isinstance(first, Dense)
    weights = first.weights.copy()
    weights[0, 0] *= 1.5
    changed = replace(mlp, layers=(replace(first, weights=weights), *others))
    facts = facts_of(replace(policy, layers=(changed, *policy.layers[1:])))
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))["td3"]
    equal = {name for name in facts if facts[name] == recorded[name]}
    assert equal == {"layers", "numbers", "is_recurrent"}
