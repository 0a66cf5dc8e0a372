"""A run in a file: what goes on from it has the bits of what was never interrupted; what does not fit is refused."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces, wrappers
from training_envs import SMALL_PPO, Line
from training_envs import small as small_options

from rltools_embed.compiling import compiler
from rltools_embed.errors import CheckpointError, ToolchainError, TrainingError
from rltools_embed.training import PPO, SAC, TD3, State, Training

ALGORITHMS = [SAC, TD3, PPO]
EVALUATED = {"enable_evaluation": True, "num_evaluation_episodes": 2}


def line() -> Line:
    return Line(truncate_after=7)


def wrapped() -> gymnasium.Env[Any, Any]:
    # The scaling is a closure, which no pickle holds; the time limit counts in a wrapper.
    bare = Line(action_space=spaces.Box(-2.0, 5.0, (1,), np.float32))
    return wrappers.RescaleAction(wrappers.TimeLimit(bare, 9), np.float32(-1), np.float32(1))


def small(kind: type[Training], factory: Callable[[], Any] = line, **options: Any) -> Training:
    interval = 2 if kind is PPO else 10
    return kind(factory, **{**small_options(kind), **EVALUATED, "evaluation_interval": interval, **options})


def finish(state: State) -> State:
    while not state.step():
        pass
    return state


def after(training: Training, steps: int, seed: int = 3) -> State:
    state = training.State(seed)
    for _ in range(steps):
        state.step()
    return state


def load(kind: type[Training], path: Path, factory: Callable[[], Any] = line, **changes: Any) -> State:
    return kind.load(path, factory, **{"on_message": lambda text: None, **changes})


def everything(state: State) -> tuple[Any, ...]:
    """The numbers of the trainer, bit for bit, and what the loop has counted."""
    return (
        state._trainer.save(),
        state._environments.observations.tobytes(),
        state.learning_curve,
        state.episodes,
        state.step_count,
        state.export_policy(),
    )


@pytest.mark.parametrize("factory", [line, wrapped])
@pytest.mark.parametrize(
    ("kind", "steps"), [(SAC, 0), (SAC, 3), (SAC, 23), (SAC, 28), (TD3, 23), (TD3, 28), (PPO, 0), (PPO, 1), (PPO, 3)]
)
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(
    kind: type[Training], steps: int, factory: Callable[[], Any], tmp_path: Path
) -> None:
    training = small(kind, factory)
    uninterrupted = finish(training.State(3))
    interrupted = after(training, steps)
    interrupted.save(tmp_path / "run.state")
    resumed = load(kind, tmp_path / "run.state", factory)
    assert everything(resumed) == everything(interrupted)
    assert everything(finish(resumed)) == everything(uninterrupted)
    assert everything(finish(interrupted)) == everything(uninterrupted)  # saving changes nothing


@pytest.mark.parametrize(
    "options",
    [
        {"NORMALIZE_OBSERVATIONS": True},
        {"N_WARMUP_STEPS_ACTOR": 3},
        {"ADAPTIVE_LEARNING_RATE": True, "ADAPTIVE_LEARNING_RATE_POLICY_KL_THRESHOLD": 1e-7},
    ],
)
def test_ppo_resumes_with_its_normaliser_its_learning_rate_and_its_count(
    options: dict[str, Any], tmp_path: Path
) -> None:
    training = small(PPO, **options)
    uninterrupted = finish(training.State(3))
    interrupted = after(training, 2)
    interrupted.save(tmp_path / "run.state")
    resumed = load(PPO, tmp_path / "run.state")
    assert everything(resumed) == everything(interrupted)
    assert everything(finish(resumed)) == everything(uninterrupted)


def great_rewards() -> gymnasium.Env[Any, Any]:
    return wrappers.TransformReward(line(), lambda reward: 50 * float(reward))


@pytest.mark.parametrize("kind", [SAC, TD3])
@pytest.mark.parametrize("steps", [3, 23])
def test_the_unit_of_rewards_is_that_of_the_first_update(kind: type[Training], steps: int, tmp_path: Path) -> None:
    training = small(kind, great_rewards)
    uninterrupted = finish(training.State(3))
    unit = uninterrupted._numbers("reward_unit")[0]
    assert unit > 3
    after(training, steps).save(tmp_path / "run.state")
    assert everything(finish(load(kind, tmp_path / "run.state", great_rewards))) == everything(uninterrupted)
    # The critics keep what they have learned: the option decides before the first update.
    changed = finish(load(kind, tmp_path / "run.state", great_rewards, NORMALIZE_REWARDS=False))
    assert changed._numbers("reward_unit")[0] == (unit if steps == 23 else 1)


@pytest.mark.parametrize("steps", [6, 22])
def test_a_replay_buffer_that_is_full_resumes_where_it_was_overwritten(steps: int, tmp_path: Path) -> None:
    training = small(SAC, REPLAY_BUFFER_CAP=9)
    uninterrupted = finish(training.State(3))
    after(training, steps).save(tmp_path / "run.state")
    assert everything(finish(load(SAC, tmp_path / "run.state"))) == everything(uninterrupted)


@pytest.mark.parametrize("kind", ALGORITHMS)
@pytest.mark.parametrize("length", [5, 7])  # the 40th step ends an episode, or is in the middle of one
def test_a_finished_run_that_is_made_longer_has_the_bits_of_a_long_one(
    kind: type[Training], length: int, tmp_path: Path
) -> None:
    def factory() -> Line:
        return Line(truncate_after=length)

    long = {"TOTAL_STEP_LIMIT" if kind is PPO else "STEP_LIMIT": 64}
    warm_up = {} if kind is PPO else {"N_RANDOM_STEPS": 5}  # its default may depend on the length
    short_run, long_run = (finish(small(kind, factory, **warm_up, **limit).State(3)) for limit in ({}, long))
    short_run.save(tmp_path / "run.state")
    resumed = finish(load(kind, tmp_path / "run.state", factory, **long))
    assert resumed._trainer.save()[3:] == long_run._trainer.save()[3:]
    assert resumed.episodes == long_run.episodes
    assert resumed.export_policy() == long_run.export_policy()


def test_a_longer_run_goes_on_from_a_full_replay_buffer_oldest_first(tmp_path: Path) -> None:
    state = finish(small(SAC, REPLAY_BUFFER_CAP=9).State(3))
    state.save(tmp_path / "run.state")
    row = 2 + 1 + 1 + 2 + 2
    before = np.frombuffer(state._trainer.numbers("transitions"), np.float32).reshape(9, row)
    longer = load(SAC, tmp_path / "run.state", REPLAY_BUFFER_CAP=11, STEP_LIMIT=43)
    by_age = np.roll(before, -(40 % 9), axis=0)
    found = np.frombuffer(longer._trainer.numbers("transitions"), np.float32).reshape(9, row)
    np.testing.assert_array_equal(found, by_age)
    finish(longer)
    found = np.frombuffer(longer._trainer.numbers("transitions"), np.float32).reshape(11, row)
    np.testing.assert_array_equal(found[1:9], by_age[1:])  # of twelve, the oldest went
    with pytest.raises(CheckpointError, match="holds 9 transitions, more than REPLAY_BUFFER_CAP, 8"):
        load(SAC, tmp_path / "run.state", REPLAY_BUFFER_CAP=8)


@pytest.mark.parametrize("kind", [SAC, TD3])
def test_a_run_that_is_made_longer_does_not_begin_again(kind: type[Training], tmp_path: Path) -> None:
    state = finish(small(kind).State(3))
    state.save(tmp_path / "run.state")
    longer = load(kind, tmp_path / "run.state", STEP_LIMIT=100_000)
    options = [one._algorithm.options for one in (state, longer)]
    assert len({each.warmup_steps for each in options}) == 1
    assert len({each.random_steps for each in options}) == 1


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_a_run_cannot_end_before_where_it_is(kind: type[Training], tmp_path: Path) -> None:
    finish(small(kind).State(3)).save(tmp_path / "run.state")
    limit = {"TOTAL_STEP_LIMIT" if kind is PPO else "STEP_LIMIT": 24}
    with pytest.raises(CheckpointError, match="has taken 40 environment steps, more than it is to end after, 24"):
        load(kind, tmp_path / "run.state", **limit)


def test_the_same_run_gives_the_same_file_and_another_step_another(tmp_path: Path) -> None:
    state = after(small(SAC), 20)
    contents = []
    for _ in range(2):
        state.save(tmp_path / "run.state")
        contents.append(members_of(tmp_path / "run.state"))
    run_json = [json.loads(content.pop("run.json")) for content in contents]
    assert run_json[0] | {"elapsed_s": 0} == run_json[1] | {"elapsed_s": 0}
    assert contents[0] == contents[1]
    arrays = np.load(io.BytesIO(contents[0]["trainer/replay_buffer/transitions.npy"]), allow_pickle=False)
    assert arrays.shape == (20 * 8,)
    assert [path.name for path in tmp_path.iterdir()] == ["run.state"]


def test_what_was_learned_stays_and_other_numbers_may_change(tmp_path: Path) -> None:
    after(small(SAC), 20).save(tmp_path / "run.state")
    same, changed = (load(SAC, tmp_path / "run.state", **change) for change in ({}, {"OPTIMIZER_ALPHA": 1e-4}))
    assert same.export_policy() == changed.export_policy()
    assert finish(same).export_policy() != finish(changed).export_policy()
    after(small(PPO), 2).save(tmp_path / "ppo.state")
    rate = load(PPO, tmp_path / "ppo.state", OPTIMIZER_ALPHA=1e-4)._numbers("learning_rate")
    assert rate == np.float32(1e-4)


# ------------------------------------------------------------------------------------------------ environments


class Wandering(Line):
    """Its state is more than its position: an engine of its own, and how often it was reset."""

    def __init__(self) -> None:
        super().__init__(truncate_after=7)
        self.engine = np.random.default_rng(5)
        self.resets = 0

    def reset(self, **arguments: Any) -> Any:
        self.resets += 1
        return super().reset(**arguments)

    def step(self, action: Any) -> Any:
        self.position += 0.01 * self.resets * float(self.engine.normal())
        return super().step(action)


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_whatever_an_environment_remembers_is_kept(kind: type[Training], tmp_path: Path) -> None:
    training = small(kind, Wandering)
    uninterrupted = finish(training.State(3))
    after(training, 3 if kind is PPO else 23).save(tmp_path / "run.state")
    assert everything(finish(load(kind, tmp_path / "run.state", Wandering))) == everything(uninterrupted)


class Locked(Line):
    """Holds what cannot be pickled, as a simulator's handle."""

    def __init__(self) -> None:
        super().__init__(truncate_after=7)
        self.handle = threading.Lock()


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_an_environment_that_cannot_be_pickled_resumes_with_a_new_episode_and_a_message(
    kind: type[Training], tmp_path: Path
) -> None:
    lines: list[str] = []
    state = after(small(kind, Locked, on_message=lines.append), 2)
    state.save(tmp_path / "run.state")
    reason = "Locked cannot be saved: Locked.handle, a lock, cannot be pickled"
    assert lines[-1] == f"{reason}: a resumed run will begin new episodes"
    Line.made.clear()
    resumed = load(kind, tmp_path / "run.state", Locked, on_message=lines.append)
    assert f"{reason}: new episodes begin" in lines
    assert resumed._trainer.save() == state._trainer.save()
    environments = Line.made[2:]  # the first two were for the spaces
    assert all(env.length == 0 and env.seeds[0] is not None for env in environments)
    assert finish(resumed).step_count == 40


def test_without_its_episodes_a_file_is_read_without_a_pickle(tmp_path: Path) -> None:
    path = tmp_path / "run.state"
    state = after(small(SAC), 23)
    state.save(path)
    spoil(path, "environments/0.state", b"cos\nabort\n(tR.")  # it would end this process
    resumed = load(SAC, path, continue_episodes=False)
    assert resumed._trainer.save() == state._trainer.save()
    assert finish(resumed).step_count == 40


def test_another_kind_of_environment_is_refused(tmp_path: Path) -> None:
    after(small(SAC), 23).save(tmp_path / "run.state")
    Line.made.clear()
    with pytest.raises(CheckpointError, match="it was Line, and is Wandering now") as caught:
        load(SAC, tmp_path / "run.state", Wandering)
    assert "continue_episodes=False" in caught.value.hint
    assert all(env.closed == 1 for env in Line.made)


def rescaled_from(high: float) -> gymnasium.Env[Any, Any]:
    bare = Line(action_space=spaces.Box(-2.0, high, (1,), np.float32), truncate_after=7)
    return wrappers.RescaleAction(bare, np.float32(-1), np.float32(1))


def test_another_box_behind_rescale_action_is_refused_and_an_older_file_does_not_say(tmp_path: Path) -> None:
    path = tmp_path / "run.state"
    after(small(SAC, lambda: rescaled_from(5.0)), 3).save(path)
    assert load(SAC, path, lambda: rescaled_from(5.0)).step_count == 3
    with pytest.raises(CheckpointError, match=r"2\.0, 5\.0.* behind RescaleAction; .*2\.0, 6\.0"):
        load(SAC, path, lambda: rescaled_from(6.0))
    with pytest.raises(CheckpointError, match=r"2\.0, 5\.0.* behind RescaleAction; .* with no RescaleAction"):
        load(SAC, path, lambda: Line(truncate_after=7))

    document = json.loads(members_of(path)["run.json"])
    del document["setup"]["actuator"]
    spoil(path, "run.json", json.dumps(document).encode())
    assert load(SAC, path, lambda: rescaled_from(6.0)).step_count == 3


def test_environments_of_a_resumed_run_are_closed_at_its_end(tmp_path: Path) -> None:
    after(small(SAC), 23).save(tmp_path / "run.state")
    Line.made.clear()
    finish(load(SAC, tmp_path / "run.state"))
    assert [env.closed for env in Line.made] == [1] * 3  # to look at, to train in, to evaluate in


def test_a_finished_run_can_be_saved_loaded_and_asked(tmp_path: Path) -> None:
    state = finish(small(SAC).State(3))
    state.save(tmp_path / "run.state")
    Line.made.clear()
    loaded = load(SAC, tmp_path / "run.state")
    assert loaded.finished
    assert loaded.step()
    assert all(env.closed == 1 for env in Line.made)
    assert everything(loaded) == everything(state)
    loaded.save(tmp_path / "again.state")
    assert everything(load(SAC, tmp_path / "again.state")) == everything(state)


def test_a_run_that_was_closed_early_is_saved_without_its_episodes(tmp_path: Path) -> None:
    lines: list[str] = []
    state = after(small(SAC, on_message=lines.append), 23)
    state.close()
    state.save(tmp_path / "run.state")
    assert "closed before its end: a resumed run will begin new episodes" in lines[-1]
    assert finish(load(SAC, tmp_path / "run.state")).step_count == 40


def test_a_step_that_was_broken_off_cannot_be_saved(tmp_path: Path) -> None:
    def interrupt(step: int, result: list[Any]) -> Any:
        if step == 9:
            raise KeyboardInterrupt
        return tuple(result)

    state = small(SAC, lambda: Line(spoil=interrupt)).State(3)
    with pytest.raises(KeyboardInterrupt):
        finish(state)
    with pytest.raises(TrainingError, match="the step after 8 was broken off"):
        state.save(tmp_path / "run.state")
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------ files


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def spoil(path: Path, member: str, content: bytes | None) -> None:
    """Put something else into the archive (None: nothing), with the right checksum."""
    data = path.read_bytes()
    members = members_of(path)
    if content is None:
        del members[member]
    else:
        assert member in members
        members[member] = content
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, value in members.items():
            archive.writestr(name, value)
    digest = hashlib.sha256(stream.getvalue()).hexdigest()
    path.write_bytes(data[: data.index(b"sha256")] + f"sha256 {digest}\n".encode() + stream.getvalue())


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "run.state"
    after(small(SAC), 23).save(path)
    return path


def test_a_file_that_is_cut_off_anywhere_or_has_a_flipped_bit_is_refused(saved: Path, no_compiler: None) -> None:
    whole = saved.read_bytes()
    damaged = [whole[:length] for length in (*range(0, 120, 7), *range(120, len(whole), 997), len(whole) - 1)]
    for position in range(0, len(whole), 1499):
        damaged.append(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
    for content in (*damaged, whole + b"\n"):
        saved.write_bytes(content)
        with pytest.raises(CheckpointError) as caught:
            load(SAC, saved)
        assert str(saved) in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize(
    ("content", "words", "hint"),
    [
        (b"", "is not a training state", "pass what `save` wrote"),
        (b"PK\x03\x04", "is not a training state", "pass what `save` wrote"),
        (b"// rltools_embed checkpoint", "is not a training state", "holds the policy alone"),
        (
            b"rltools_embed training state, format 2\nsha256 0\n",
            "has the format 2, and this version reads 1",
            "the version that wrote it",
        ),
        (None, "cannot read .*: No such file", "pass what `save` wrote"),
    ],
)
def test_a_foreign_a_newer_and_a_missing_file_are_refused(
    tmp_path: Path, content: bytes | None, words: str, hint: str, no_compiler: None
) -> None:
    path = tmp_path / "x"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words) as caught:
        load(SAC, path)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("member", "content", "words"),
    [
        ("run.json", b"{}", "holds no training state that fits together"),
        ("run.json", b"\xff", "holds no training state that fits together"),
        ("observations.npy", b"", "holds no training state that fits together"),
        ("observations.npy", None, "holds no training state that fits together"),
        ("observations.npy", npy(np.zeros((1, 3), np.float32)), "the environment's state cannot be put back"),
        ("environments/0.state", b"no pickle", "the environment's state cannot be put back"),
        ("environments/0.state", None, "holds no training state|cannot be put back"),
        ("trainer/actor/0.npy", None, "it has no actor/0"),
        ("trainer/actor/0.npy", npy(np.zeros(3, np.float32)), "its actor/0 has 3 numbers, not 16"),
        ("trainer/actor/0.npy", npy(np.zeros(16)), "its actor/0 holds numbers of another type"),
        ("trainer/actor/0.npy", npy(np.zeros(16, np.int8)), "its actor/0 holds numbers of another type"),
        ("trainer/replay_buffer/next.npy", npy(np.full(1, 9, np.uint64)), "its replay buffer goes on at 9 of 23"),
        ("trainer/replay_buffer/capacity.npy", npy(np.zeros(1, np.uint64)), "its replay buffer goes on at 23 of 23"),
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(saved: Path, member: str, content: bytes | None, words: str) -> None:
    spoil(saved, member, content)
    with pytest.raises(CheckpointError, match=words):
        load(SAC, saved)


def test_ppo_refuses_an_order_that_leaves_its_experience(tmp_path: Path) -> None:
    path = tmp_path / "run.state"
    after(small(PPO), 2).save(path)
    rows = SMALL_PPO["N_ENVIRONMENTS"] * SMALL_PPO["ON_POLICY_RUNNER_STEPS_PER_ENV"]
    spoil(path, "trainer/rollout/order.npy", npy(np.full(rows, rows, np.uint32)))
    with pytest.raises(CheckpointError, match=f"its order names row {rows} of {rows}"):
        load(PPO, path)


@pytest.mark.parametrize(
    ("kind", "factory", "changes", "words"),
    [
        (TD3, line, {}, "holds a run of SAC"),
        (SAC, line, {"ACTOR_HIDDEN_DIM": 9}, "was saved with ACTOR_HIDDEN_DIM 8, not 9"),
        (
            SAC,
            lambda: gymnasium.make("Pendulum-v1"),
            {},
            r"2 observations and 1 actions in \(-1.0,\)..\(1.0,\); env_factory makes one with 3 observations",
        ),
    ],
)
def test_a_file_of_another_algorithm_size_or_environment_is_refused(
    saved: Path, kind: type[Training], factory: Any, changes: dict[str, Any], words: str, no_compiler: None
) -> None:
    with pytest.raises(CheckpointError, match=words):
        load(kind, saved, factory, **changes)


def test_a_wrong_change_is_named_as_ever(saved: Path, no_compiler: None) -> None:
    with pytest.raises(TypeError, match="did you mean GAMMA"):
        load(SAC, saved, GAMA=0.5)


def test_the_file_that_was_there_survives_a_full_disk(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()
    state = load(SAC, saved)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        state.save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_another_machine_is_mentioned(saved: Path) -> None:
    lines: list[str] = []
    load(SAC, saved, on_message=lines.append)
    assert not any("other bits" in text for text in lines)
    document = json.loads(members_of(saved)["run.json"])
    document["setup"]["machine"] = "another"
    spoil(saved, "run.json", json.dumps(document).encode())
    load(SAC, saved, on_message=lines.append)
    assert lines[-1].endswith("another compiler, CPU or BLAS: it goes on with other bits")


def test_rltools_keywords_of_a_blas_go_before_the_backend_that_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(small(SAC), 1).save(tmp_path / "run.state")
    asked: list[str] = []

    def refuse(unit: str, *, backend: str, **others: Any) -> None:
        asked.append(backend)
        raise ToolchainError("no further")

    monkeypatch.setattr(compiler, "load", refuse)
    for changes in ({"force_blas": True}, {"enable_blas": False}, {"enable_blas": True, "backend": "mkl"}):
        with pytest.raises(ToolchainError, match="no further"):
            load(SAC, tmp_path / "run.state", **changes)
    assert asked == ["blas", "own", "mkl"]
