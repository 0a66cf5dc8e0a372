"""checkpoint.h: the reader inverts the writer, and refuses everything else."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rltools_embed import load_checkpoint, load_checkpoint_from_path
from rltools_embed.errors import CheckpointError
from rltools_embed.policy import checkpoint
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import Activation, Dense, Mlp
from rltools_embed.policy.model import Policy, Provenance, Signal
from tests import policies
from tests.cpp_program import compile_program

POLICIES = {
    "sac": policies.sac_policy(),
    "td3": policies.td3_policy(),
    "ppo": policies.ppo_policy(),
    "gru": policies.gru_policy(),
    "rescaled": policies.rescaled_sac_policy(),
}
HOSTILE = 'a"b\\c\n*/ ??/ {{ x }} \u2028 ../..  é %s'


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_reader_inverts_writer_bit_for_bit(policy: Policy) -> None:
    text = checkpoint.dumps(policy)
    again = checkpoint.loads(text)
    assert checkpoint.dumps(again) == text
    assert digest(again) == digest(policy)
    assert again.provenance == policy.provenance
    assert (again.observation, again.action) == (policy.observation, policy.action)
    assert again.actuator == policy.actuator
    assert again.example_observations.tobytes() == policy.example_observations.tobytes()


# Of the texts that were written before there were actuator bounds.
OLDER_TEXTS = {
    "sac": "cac510541eb1af67b74d81aeb68be078e4a6d3ee2b417e908ead2fa32ca0f893",
    "td3": "265ae3b2faaeed5667a345908889152e116c208429237d1919bb5f8f2bcc8d50",
    "ppo": "6e477b74726cde884f2c5078803238a668a32248c04a1db398a69e81b338c4da",
    "gru": "ec3d39058e7f16bb53967e53ed45ecbb4234533f12b1e8ada5c1e815ad94d658",
}


@pytest.mark.parametrize("name", OLDER_TEXTS)
def test_a_checkpoint_without_a_scaling_has_the_bytes_that_it_always_had(name: str) -> None:
    assert hashlib.sha256(checkpoint.dumps(POLICIES[name]).encode()).hexdigest() == OLDER_TEXTS[name]


def test_a_scaling_is_reported_beside_the_numbers_and_changes_none() -> None:
    policy, plain = POLICIES["rescaled"], POLICIES["sac"]
    reported = checkpoint.manifest(policy)
    assert reported["actuator"] == [{"name": "torque", "low": -0.5, "high": 7.25, "unit": "N m"}]
    assert "actuator" not in checkpoint.manifest(plain)
    assert reported["digest"] == digest(plain)
    observations = plain.example_observations
    assert policy.evaluate(observations).tobytes() == plain.evaluate(observations).tobytes()


def bounds(low: float, high: float) -> tuple[Signal, ...]:
    return (Signal(name="torque", low=low, high=high),)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"actuator": 2 * bounds(-1, 1)}, "2 actuator signals for 1 numbers"),
        ({"actuator": bounds(1, 1)}, "torque cannot be scaled: its bounds are 1 and 1"),
        ({"actuator": bounds(2, -2)}, "bounds are 2 and -2"),
        ({"actuator": bounds(1.0, 1.0 + 1e-9)}, "torque cannot be scaled"),
        ({"actuator": bounds(0, 1e39)}, "torque cannot be scaled"),
        ({"actuator": bounds(float("nan"), 1)}, "torque cannot be scaled"),
        ({"actuator": bounds(-1, 1), "action": (Signal(name="x"),)}, "x cannot be scaled: its bounds are -inf and inf"),
        (
            {"actuator": bounds(-3e38, 3e38), "action": (Signal(name="x", low=0, high=0.5),)},
            "more than a float32 holds",
        ),
    ],
)
def test_a_scaling_that_no_board_could_compute_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(POLICIES["rescaled"], **changes)


float32s = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=30, deadline=None)
@given(numbers=st.lists(float32s, min_size=6, max_size=6), name=st.text(), period=st.none() | st.floats(1e-6, 10.0))
def test_any_finite_number_and_any_name_survive(numbers: list[float], name: str, period: float | None) -> None:
    if re.search("[\ud800-\udfff]", name):
        return  # a lone surrogate is no text
    layer = Dense(weights=np.array(numbers[:4]).reshape(2, 2), biases=np.array(numbers[4:]), activation=Activation.TANH)
    policy = dataclasses.replace(
        policies.policy_of(Mlp(layers=(layer,))),
        name=name,
        control_period_s=period,
        provenance=Provenance(environment=name, versions=(("x", name),)),
    )
    again = checkpoint.loads(checkpoint.dumps(policy))
    assert checkpoint.dumps(again) == checkpoint.dumps(policy)
    assert again.name == name
    assert (again.control_period_s, again.provenance) == (period, policy.provenance)


def test_hostile_names_stay_inside_strings_and_comments(tmp_path: Path) -> None:
    signal = Signal(name=HOSTILE, unit=HOSTILE)
    policy = dataclasses.replace(
        POLICIES["sac"],
        name=HOSTILE,
        observation=(signal, signal, signal),
        provenance=Provenance(environment=HOSTILE, algorithm=HOSTILE),
    )
    (tmp_path / "checkpoint.h").write_text(checkpoint.dumps(policy), encoding="utf-8")
    (tmp_path / "main.cpp").write_text(
        '#include "checkpoint.h"\n#include <cstdio>\nint main() { fputs(policy::meta::name, stdout); }\n',
        encoding="utf-8",
    )
    flags = ("-fsyntax-only", "-Wno-unused-variable")  # nothing else of the checkpoint is used here
    compile_program(tmp_path / "main.cpp", tmp_path / "main", flags=flags)
    assert checkpoint.loads(checkpoint.dumps(policy)).name == HOSTILE


def test_crlf_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h"
    path.write_bytes(checkpoint.dumps(POLICIES["sac"]).replace("\n", "\r\n").encode())
    assert digest(checkpoint.load(path)) == digest(POLICIES["sac"])


TEXT = checkpoint.dumps(POLICIES["sac"])
WEIGHT_ROW = re.search(r"weights\[\d+\] = \{\n    0x(..)", TEXT)
assert WEIGHT_ROW is not None


def flip_weight_bit(text: str) -> str:
    byte = int(WEIGHT_ROW[1], 16) ^ 1
    start = WEIGHT_ROW.start(1)
    return f"{text[:start]}{byte:02x}{text[start + 2 :]}"


REFUSED = {
    "empty": ("", "not a checkpoint"),
    "foreign": ("int main() {}\n", "not a checkpoint"),
    "truncated": (TEXT[: len(TEXT) // 2], "truncated after line"),
    "last line gone": (TEXT.rpartition("// end")[0], "truncated after line"),
    "steps edited": (TEXT.replace('"steps": 0', '"steps": 9'), "the manifest was changed"),
    "bound edited": (TEXT.replace('"low": -8.0', '"low": -9.0'), "was changed after"),
    "name is a number": (TEXT.replace('"name": "made-up"', '"name": 5'), "5 is not of type str"),
    "period is a list": (TEXT.replace('"control_period_s": null', '"control_period_s": []'), "is not of type int"),
    "modules are a number": (TEXT.replace('"modules": [', '"modules": 5, "x": ['), "does not fit"),
    "manifest too deep": (TEXT.replace('"seed": 0', '"seed": ' + "[" * 100_000), "manifest cannot be read"),
    "line hidden in a comment": (TEXT.replace("//\n", "//\u2028", 1), "was changed after"),
    "line ended by a form feed": (TEXT.replace("//\n", "//\x0c", 1), "was changed after"),
    "byte-order mark": ("\ufeff" + TEXT, "byte-order mark"),
    "one bit flipped": (flip_weight_bit(TEXT), "a number was changed"),
    "activation edited": (TEXT.replace("ActivationFunction::RELU", "ActivationFunction::TANH", 1), "was changed after"),
    "manifest activation edited": (TEXT.replace('"RELU"', '"TANH"', 1), "a number was changed"),
    "comment edited": (TEXT.replace("4550 parameters", "4551 parameters"), "line 3 was changed"),
    "row of bytes gone": (re.sub(r"\n    0x.*", "", TEXT, count=1), "bytes, not"),
    "no byte": (TEXT.replace("0x", "0y", 1), "not a row of bytes"),
    "manifest broken": (TEXT.replace('"name":', 'name":', 1), "manifest cannot be read"),
    "newer format": (TEXT.replace("format 2", "format 3", 1), "checkpoint format 3"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_damaged_checkpoint_is_refused(text: str, message: str) -> None:
    assert text != TEXT
    with pytest.raises(CheckpointError, match=message):
        checkpoint.loads(text)


def test_checkpoint_of_rltools_is_named_as_such() -> None:
    foreign = "#include <rl_tools/containers/matrix/matrix.h>\nnamespace policy {}\n"
    with pytest.raises(CheckpointError, match="not exported by rltools_embed"):
        checkpoint.loads(foreign)


def test_blank_lines_at_the_end_do_no_harm() -> None:
    assert digest(checkpoint.loads(TEXT + "\n\n")) == digest(POLICIES["sac"])


@pytest.mark.parametrize("text", [None, b"bytes", 5])
def test_what_is_no_text_is_a_type_error(text: object) -> None:
    with pytest.raises(TypeError, match="takes the text of a checkpoint"):
        checkpoint.loads(text)


def test_rltools_keywords_of_loading_are_taken_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.h"
    path.write_text(TEXT)
    keywords = {"interface_name": "mine", "force_recompile": True, "verbose": True}
    for policy in (load_checkpoint(TEXT, **keywords), load_checkpoint_from_path(path, **keywords)):
        assert digest(policy) == digest(POLICIES["sac"])
    for load in (load_checkpoint, load_checkpoint_from_path):
        with pytest.raises(TypeError, match="force_recompil"):
            load(TEXT, force_recompil=True)


@pytest.mark.parametrize("seed", range(40))
def test_no_edit_of_a_manifest_value_goes_unnoticed(seed: int) -> None:
    """Any value replaced by any other JSON: refused in one sentence, never accepted, never a crash."""
    rng = np.random.default_rng(seed)
    values = list(re.finditer(r'^// +"\w+": (.+?),?$', TEXT, flags=re.MULTILINE))
    for _ in range(25):
        value = values[rng.integers(len(values))]
        other = str(rng.choice(['"x"', "5", "-1", "1e400", "null", "true", "[]", "{}", '"\\ud800"', "0.1", "NaN"]))
        if other == value[1]:
            continue
        with pytest.raises(CheckpointError):
            checkpoint.loads(TEXT[: value.start(1)] + other + TEXT[value.end(1) :])


def test_missing_file_and_binary_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file"):
        checkpoint.load(tmp_path / "absent.h")
    (tmp_path / "binary.h").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match="is not text"):
        checkpoint.load(tmp_path / "binary.h")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_weights_are_refused_on_both_ways(bad: float) -> None:
    layer = POLICIES["sac"].primitives[0]
    assert isinstance(layer, Dense)
    weights = layer.weights.copy()
    weights[1, 2] = bad
    with pytest.raises(CheckpointError, match=r"weights\[1, 2\] is"):
        dataclasses.replace(layer, weights=weights)
    start = WEIGHT_ROW.start(1) - 2
    bits = np.float32(bad).tobytes()
    row = " ".join(f"0x{byte:02x}," for byte in bits)
    text = f"{TEXT[:start]}{row}{TEXT[start + len(row) :]}"
    with pytest.raises(CheckpointError, match=r"weights\[0, 0\] is"):
        checkpoint.loads(text)


def test_policy_takes_one_observation_or_a_batch() -> None:
    policy = POLICIES["sac"]
    batch = np.arange(12, dtype=np.float64).reshape(4, 3)
    actions = policy(batch)
    assert actions.shape == (4, 1)
    assert policy(batch[1]).tolist() == actions[1].tolist()
    assert policy([3, 4, 5]).tolist() == actions[1].tolist()
    assert policy(np.arange(24)[::2].reshape(4, 3)).tolist() == policy(batch * 2).tolist()


@pytest.mark.parametrize(
    "bad", [0.0, [1.0, 2.0], np.zeros((2, 4)), np.zeros((1, 2, 3)), [0.0, np.nan, 0.0], [1e39, 0, 0]]
)
def test_policy_refuses_other_observations(bad: object) -> None:
    with pytest.raises(ValueError, match="observation"):
        POLICIES["sac"](bad)
