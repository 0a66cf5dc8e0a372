"""The way to an ESP32 from end to end: `rlt-embed flash` with the real esptool, then `validate` on the same port."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from rltools_embed import process
from rltools_embed.device.client import Client
from rltools_embed.device.link import open_link
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import toolchain
from rltools_embed.validation import Counts, Settings, validate
from tests import policies
from tests.boards import export

if "CI" not in os.environ:
    pytest.importorskip("esptool")
    pytest.importorskip("unicorn")

from tests.simulated_esp import CHIPS, Board, serve
from tests.simulated_esp.core_dir import make_core_dir

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

CHIP_OF_BOARD = {"esp32dev": "esp32", "esp32-c3-devkitm-1": "esp32c3"}
POLICY = policies.sac_policy(hidden=16)


@dataclass(frozen=True, kw_only=True)
class Flashed:
    """A project and the simulated board that `rlt-embed flash` put it on; `log` is what esptool said."""

    folder: Path
    board: Board
    url: str
    log: str


@pytest.fixture(scope="module")
def flashed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Flashed]]:
    """Both boards, flashed at the same time: over RFC 2217 esptool mostly waits."""
    compiler = boards.Core.XTENSA_DE233_FPU.toolchain.compiler
    if "CI" not in os.environ and not toolchain.check(boards.Core.XTENSA_DE233_FPU.toolchain.programs[0]).serves:
        pytest.skip(f"{compiler} is not installed")
    base = tmp_path_factory.mktemp("esp")
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("PLATFORMIO_CORE_DIR", str(make_core_dir(base / "core")))

        def flash(name: str) -> Flashed:
            folder = export(POLICY, base / name, name)
            board = Board(CHIPS[CHIP_OF_BOARD[name]])
            url = stack.enter_context(serve(board))
            command = [sys.executable, "-m", "rltools_embed", "flash", folder, "--port", url]
            done = process.run(command, timeout_s=600)
            assert done.exit_code == 0, done.output
            log = (folder / f".pio/upload-{name}.log").read_text(encoding="utf-8")
            return Flashed(folder=folder, board=board, url=url, log=log)

        yield dict(zip(CHIP_OF_BOARD, pool.map(flash, CHIP_OF_BOARD), strict=True))


@pytest.mark.parametrize("name", CHIP_OF_BOARD)
def test_what_esptool_flashed_boots_and_gives_the_same_bits(flashed: Mapping[str, Flashed], name: str) -> None:
    there = flashed[name]
    image = (there.folder / f".pio/build/{name}/firmware.bin").read_bytes()
    offset = there.board.chip.image_offset
    settings = Settings(counts=Counts(rollout=0, random=100), benchmark_repeats=1)

    report = validate(there.folder, board=name, port=there.url, settings=settings)

    assert "Hash of data verified." in there.log
    # The header's flash settings are the only bytes that esptool may set anew, and these it keeps.
    assert there.board.flash[offset : offset + len(image)] == image
    assert report.passed, [check for check in report.checks if not check.passed]
    assert report.board == name


def test_the_command_validates_over_rfc2217(flashed: Mapping[str, Flashed]) -> None:
    there = flashed["esp32dev"]

    done = process.run(
        [sys.executable, "-m", "rltools_embed", "validate", there.folder, "--port", there.url], timeout_s=600
    )

    assert done.exit_code == 0, done.output
    assert "PASSED" in done.output


@pytest.mark.parametrize("name", CHIP_OF_BOARD)
def test_a_reset_by_the_firmware_goes_through_the_rom(flashed: Mapping[str, Flashed], name: str) -> None:
    there = flashed[name]

    with open_link(there.url, control_lines=False) as link:
        client = Client(link)
        client.hello()
        boots = len(there.board.boots)
        client.reset()
        assert client.hello().board == name

    assert there.board.boots[boots:][0] == "flash"


# Espressif's server takes DTR for the beginning of an upload.
def test_lines_that_are_on_call_the_boot_loader(flashed: Mapping[str, Flashed]) -> None:
    board = flashed["esp32dev"].board

    for control_lines, expected in ((True, "download"), (False, "flash")):
        assert board.boots[-1] != expected
        with open_link(flashed["esp32dev"].url, control_lines=control_lines):
            deadline = time.monotonic() + 60
            while board.boots[-1] != expected and time.monotonic() < deadline:
                time.sleep(0.01)
            assert board.boots[-1] == expected


@pytest.mark.parametrize("name", CHIP_OF_BOARD)
def test_a_flipped_bit_in_flash_is_not_booted(flashed: Mapping[str, Flashed], name: str) -> None:
    there = flashed[name]
    flash = bytearray(there.board.flash)
    flash[there.board.chip.image_offset + 100] ^= 1

    said = first_words(Board(there.board.chip, bytes(flash)))

    assert "Checksum failed" in said
    assert "entry" not in said


@pytest.mark.parametrize("chip", CHIPS)
def test_an_erased_board_says_so(chip: str) -> None:
    assert "invalid header: 0xffffffff" in first_words(Board(CHIPS[chip]))


def first_words(board: Board) -> str:
    said = board.read(115_200, 5).decode()
    board.close()
    return said
