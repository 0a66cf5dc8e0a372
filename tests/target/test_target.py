"""A target: the life of a board and its link, as users and our own stages have it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import rltools_embed
from rltools_embed import Target, pipeline, process
from rltools_embed.errors import BoardError, LinkError, ProjectError, ProtocolError
from rltools_embed.firmware.platformio import Watch
from rltools_embed.policy.digest import digest
from rltools_embed.target import free_port
from rltools_embed.target.project import ProjectAdapter
from rltools_embed.validation import Counts, Settings, validate
from tests import policies
from tests.boards import export

POLICY = policies.sac_policy(hidden=8, environment="Pendulum-v1")
OBSERVATIONS = np.random.default_rng(0).normal(0, 2, (9, 3)).astype(np.float32)
FEW = Settings(counts=Counts(rollout=0, random=10), benchmark_repeats=1)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project for this computer, which is compiled once."""
    folder = export(POLICY, tmp_path_factory.mktemp("target") / "firmware", "host")
    pipeline.build(folder)
    return folder


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))


def is_on(port: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", int(port.rpartition(":")[2])), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


class ProcessAdapter(ProjectAdapter):
    """The firmware as a process that this test starts: another way to run firmware is one class."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "host", free_port())
        self._process: subprocess.Popen[bytes] | None = None

    def flash(self, watch: Watch | None) -> str | None:
        self.power_off()
        program = self.folder / ".pio/build/host/firmware.elf"
        self._process = subprocess.Popen([program, self.port.rpartition(":")[2]], stdout=subprocess.DEVNULL)
        return self.port

    def power_off(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def target(built: Path) -> Iterator[Target]:
    with Target(ProcessAdapter(built)) as target:
        yield target


# ---------------------------------------------------------------------------------------------- what PlatformIO starts


def test_all_that_a_board_can_be_asked_and_it_is_off_afterwards(built: Path) -> None:
    with Target.open(built, port=free_port()) as target:
        assert target.flash() == target.port
        hello = target.hello()
        one, batch = target.evaluate(OBSERVATIONS[0].tolist()), target.evaluate(OBSERVATIONS)
        layer = target.trace(0, OBSERVATIONS[0])
        benchmark = target.benchmark(repeats=20)
        self_test, statistics = target.self_test(), target.statistics()
        assert is_on(target.port)

    assert not is_on(target.port)
    assert (hello.board, hello.digest) == ("host", digest(POLICY))
    assert one.tobytes() == POLICY.evaluate(OBSERVATIONS[0]).tobytes()
    assert batch.tobytes() == POLICY.evaluate(OBSERVATIONS).tobytes()
    assert layer.shape == (8,)
    assert benchmark.repeats == 20 and benchmark.seconds_per_evaluation > 0
    assert (self_test.examples, self_test.mismatches) == (8, 0)
    assert statistics.frames_rejected == 0


def test_a_board_that_is_to_stay_on_stays_on_and_others_leave_it_alone(built: Path) -> None:
    port = free_port()
    with Target.open(built, port=port, leave_on=True) as target:
        target.flash()
    assert is_on(port)
    with Target.open(built, port=port) as target:
        assert target.evaluate(OBSERVATIONS[0]).shape == (1,)
    assert is_on(port)
    with Target.open(built, port=port) as target:
        target.power_off()
    assert not is_on(port)


@pytest.mark.emulated
def test_an_emulated_board_is_asked_reset_and_switched_off(tmp_path: Path) -> None:
    folder = export(POLICY, tmp_path / "project", "qemu_mps2_an386")
    port = free_port()
    with Target.open(folder, port=port) as target:
        target.flash()
        first = target.evaluate(OBSERVATIONS)
        target.reset()
        assert target.evaluate(OBSERVATIONS).tobytes() == first.tobytes() == POLICY.evaluate(OBSERVATIONS).tobytes()
        assert 0 < target.statistics().stack_used_bytes < 2048
    assert not is_on(port)
    states = Path(os.environ["XDG_RUNTIME_DIR"]).glob("*/*.json")
    assert [json.loads(path.read_text()) for path in states] == []


# ------------------------------------------------------------------------------------------------ its link and its life


def test_after_an_error_the_board_is_off_as_well(target: Target) -> None:
    with pytest.raises(ZeroDivisionError), target:
        target.flash()
        target.hello()
        raise ZeroDivisionError

    assert not is_on(target.port)


def test_flashing_again_opens_a_new_link(target: Target) -> None:
    target.flash()
    target.hello()
    target.hello()
    before = target.statistics().frames_accepted
    target.flash()
    after = target.statistics().frames_accepted

    assert (before, after) == (4, 2)  # the first hello of a link is the target's own


def test_a_reset_begins_anew_and_the_next_request_waits(target: Target) -> None:
    target.flash()
    target.evaluate(OBSERVATIONS)
    target.reset()

    assert target.statistics().frames_accepted == 2
    assert target.evaluate(OBSERVATIONS).tobytes() == POLICY.evaluate(OBSERVATIONS).tobytes()


def test_a_port_that_is_absent_for_a_while_after_a_reset_is_waited_for(target: Target) -> None:
    target.flash()
    target.reset()
    target._adapter.power_off()
    late = threading.Timer(3.0, lambda: target._adapter.flash(None))
    late.start()

    assert target.hello().board == "host"
    late.join()


def test_a_reset_board_is_validated_as_any_other(target: Target) -> None:
    target.flash()
    target.reset()
    report = validate(target, settings=FEW)

    assert report.passed, report.checks
    assert report.port == target.port
    assert target.self_test().mismatches == 0  # the validation leaves the target open


def test_a_board_that_is_off_is_an_error_of_the_link(target: Target) -> None:
    for _ in range(2):
        with pytest.raises(LinkError, match="refuses the connection"):
            target.hello()
        target.flash()
        assert target.hello().board == "host"
        target.power_off()


def test_a_link_that_broke_is_opened_again(target: Target) -> None:
    target.flash()
    target.hello()
    target._adapter.power_off()
    with pytest.raises(LinkError, match="vanished"):
        target.hello()
    target._adapter.flash(None)

    assert target.hello().board == "host"


def test_wrong_sizes_and_layers_are_refused(target: Target) -> None:
    target.flash()
    with pytest.raises(ValueError, match=r"observations are \(N, 3\)"):
        target.evaluate([1.0, 2.0])
    with pytest.raises(ValueError, match=r"an observation is \(3,\)"):
        target.trace(0, OBSERVATIONS)
    with pytest.raises(ProtocolError, match="layer out of range"):
        target.trace(99, OBSERVATIONS[0])


def test_two_boards_of_one_project_run_at_once(target: Target, built: Path) -> None:
    with Target(ProcessAdapter(built)) as other:
        target.flash()
        other.flash()
        assert target.port != other.port
        assert target.evaluate(OBSERVATIONS).tobytes() == other.evaluate(OBSERVATIONS).tobytes()


def test_opening_takes_the_folder_that_run_wrote_and_starts_nothing(built: Path) -> None:
    target = Target.open(str(built.parent))

    assert target.folder == built.resolve()
    assert target.board.name == "host"
    assert digest(target.policy) == digest(POLICY)
    assert target.elf == built.resolve() / ".pio/build/host/firmware.elf"
    assert not is_on(target.port)


def test_what_is_no_project_and_what_is_no_board_of_it_is_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is not an exported project"):
        Target.open(tmp_path)
    with pytest.raises(BoardError, match="has no board 'nano'"):
        Target.open(built, board="nano")


def test_flashing_imports_no_validation() -> None:
    program = "import sys, rltools_embed.pipeline.targets; print('rltools_embed.validation' in sys.modules)"

    assert process.run([sys.executable, "-c", program]).output == "False\n"


def test_target_is_a_public_name() -> None:
    assert rltools_embed.Target is Target
