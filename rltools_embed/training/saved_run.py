"""A training run in a file: everything that its next steps depend on.

The file is two lines of text and a zip archive: what it is and its format; the SHA-256 of the archive; in the archive
`run.json`, the trainer's numbers as `.npy` files, and the state of each environment: a pickle, or what C++ keeps.
Nothing but an environment of Python is pickled.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rltools_embed.environments.side_by_side import Episode, Underway
from rltools_embed.environments.spaces import Bounds, Sizes
from rltools_embed.errors import CheckpointError
from rltools_embed.files import write_atomically
from rltools_embed.policy.model import Float32Array
from rltools_embed.training.evaluation import Evaluation

FORMAT = 1
_TITLE = "rltools_embed training state, format "
_LONGEST_LINE = 200
_RUN = "run.json"
_OBSERVATIONS = "observations"
_TRAINER = "trainer/"
_EVALUATION = "evaluation"
_DTYPES = {"f": "<f4", "d": "<f8", "I": "<u4", "Q": "<u8"}
# A fixed date: the same run gives the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What makes a `Training` what it is.

    Attributes:
        algorithm: its name, "SAC".
        arguments: the constructor's that are data; options: the algorithm's, all of them.
        sizes: of the environment.
        machine: digest of compiler and CPU; with another one the same numbers give other bits.
        actuator: the bounds behind `RescaleAction`, empty without one; None where an older file does not say.
    """

    algorithm: str
    arguments: Mapping[str, Any]
    options: Mapping[str, Any]
    sizes: Sizes
    machine: str
    actuator: Bounds | None = None


@dataclass(frozen=True, kw_only=True)
class SavedRun:
    """A run between two of its steps.

    Attributes:
        calls: of `step`.
        elapsed_s: since its first step.
        episodes: the training episodes that are kept, oldest first.
        trainer: the C++ trainer's arrays by name.
        underway: the episodes that had begun.
        evaluation: the state of the environment for evaluations, where there was one and it could be kept.
        gap: why the episodes cannot be continued; empty if they can.
    """

    setup: Setup
    seed: int
    step_count: int
    calls: int
    elapsed_s: float
    curve: tuple[Evaluation, ...]
    episodes: tuple[Episode, ...]
    trainer: Mapping[str, npt.NDArray[Any]]
    underway: Underway
    evaluation: bytes | None
    gap: str


def write(path: Path, run: SavedRun) -> None:
    """Write the file as a whole, or leave the one that was there."""
    import zipfile  # a run that is not saved starts sooner without

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as members:

        def add(name: str, content: bytes) -> None:
            members.writestr(zipfile.ZipInfo(name, _DATE), content)

        add(_RUN, json.dumps(_document(run), indent=1).encode())
        add(f"{_OBSERVATIONS}.npy", _npy(run.underway.observations))
        for name, array in run.trainer.items():
            add(f"{_TRAINER}{name}.npy", _npy(array))
        for index, snapshot in enumerate(run.underway.snapshots):
            add(f"environments/{index}.state", snapshot)
        if run.evaluation is not None:
            add(f"environments/{_EVALUATION}.state", run.evaluation)
    content = archive.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    write_atomically(path, f"{_TITLE}{FORMAT}\nsha256 {digest}\n".encode() + content)


def read(path: Path) -> SavedRun:
    """The run in a file. Reads no pickle.

    Raises:
        CheckpointError: no such file, or it is damaged, of another kind, or of a newer version.
    """
    import zipfile  # as in `write`

    try:
        with path.open("rb") as file:
            title, checksum = file.readline(_LONGEST_LINE), file.readline(_LONGEST_LINE)
            _check_title(path, title)
            content = file.read()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}", "pass what `save` wrote") from error
    if checksum != f"sha256 {hashlib.sha256(content).hexdigest()}\n".encode():
        raise CheckpointError(f"{path} is cut off or damaged: its SHA-256 is another", "take a copy, or train again")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            return _run({name: members.read(name) for name in members.namelist()})
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} holds no training state that fits together: {error}", "train again") from error


def _check_title(path: Path, title: bytes) -> None:
    words = title.decode("utf-8", errors="replace").rstrip("\n")
    if not words.startswith(_TITLE):
        hint = "pass what `save` wrote"
        if words.startswith(("//", "#")):
            hint = "a checkpoint.h holds the policy alone: training goes on from what `save` wrote"
        raise CheckpointError(f"{path} is not a training state", hint)
    if words != f"{_TITLE}{FORMAT}":
        found = words.removeprefix(_TITLE)
        raise CheckpointError(
            f"{path} has the format {found}, and this version reads {FORMAT}", "read it with the version that wrote it"
        )


def _document(run: SavedRun) -> dict[str, Any]:
    return {
        "setup": asdict(run.setup),
        "seed": run.seed,
        "step_count": run.step_count,
        "calls": run.calls,
        "elapsed_s": run.elapsed_s,
        "curve": [asdict(point) for point in run.curve],
        "episodes": [asdict(episode) for episode in run.episodes],
        "underway": {
            "returns": run.underway.returns,
            "lengths": run.underway.lengths,
            "awaiting_reset": run.underway.awaiting_reset,
        },
        "gap": run.gap,
    }


def _run(members: Mapping[str, bytes]) -> SavedRun:
    document = json.loads(members[_RUN])
    setup, underway = document["setup"], document["underway"]
    observation_dim, action_dim, low, high = setup["sizes"]
    snapshots = [name for name in members if name.startswith("environments/") and _EVALUATION not in name]
    return SavedRun(
        setup=Setup(
            algorithm=setup["algorithm"],
            arguments=setup["arguments"],
            options=setup["options"],
            sizes=(observation_dim, action_dim, tuple(low), tuple(high)),
            machine=setup["machine"],
            actuator=_bounds(setup.get("actuator")),
        ),
        seed=document["seed"],
        step_count=document["step_count"],
        calls=document["calls"],
        elapsed_s=document["elapsed_s"],
        curve=tuple(
            Evaluation(step=point["step"], returns=tuple(point["returns"]), lengths=tuple(point["lengths"]))
            for point in document["curve"]
        ),
        episodes=tuple(Episode(**episode) for episode in document["episodes"]),
        trainer={
            name.removeprefix(_TRAINER).removesuffix(".npy"): _array(content)
            for name, content in members.items()
            if name.startswith(_TRAINER)
        },
        underway=Underway(
            observations=_array(members[f"{_OBSERVATIONS}.npy"]),
            returns=tuple(underway["returns"]),
            lengths=tuple(underway["lengths"]),
            awaiting_reset=tuple(underway["awaiting_reset"]),
            snapshots=tuple(members[f"environments/{index}.state"] for index in range(len(snapshots))),
        ),
        evaluation=members.get(f"environments/{_EVALUATION}.state"),
        gap=document["gap"],
    )


def _bounds(pairs: list[list[float]] | None) -> Bounds | None:
    return None if pairs is None else tuple((low, high) for low, high in pairs)


def trainer_arrays(sections: list[tuple[str, str, bytes]]) -> dict[str, npt.NDArray[Any]]:
    """Arrays by name, from what the C++ trainer saves: name, format as in `struct`, bytes."""
    return {name: np.frombuffer(content, _DTYPES[code]) for name, code, content in sections}


def trainer_sections(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, tuple[str, bytes]]:
    """What the C++ trainer loads. An array of another type has no format, which it refuses."""
    formats = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
    return {name: (formats.get(array.dtype, ""), array.tobytes()) for name, array in arrays.items()}


def _npy(array: npt.NDArray[Any] | Float32Array) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return stream.getvalue()


def _array(content: bytes) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array
