from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from rltools_embed import resources
from rltools_embed.errors import BoardError
from rltools_embed.firmware import board, runners
from rltools_embed.firmware.board import Arithmetic, Core, Fpu, Framework, RunnerKind, SerialKind, UartDriver

AN386 = (resources.boards_dir() / "qemu_mps2_an386.toml").read_text(encoding="utf-8")
HOST = (resources.boards_dir() / "host.toml").read_text(encoding="utf-8")


def load_text(folder: Path, text: str, name: str = "mine") -> board.Board:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return board.load(str(path))


def with_value(key: str, value: str, text: str = AN386) -> str:
    changed, count = re.subn(rf"(?m)^{key} = .*$", lambda _: f"{key} = {value}", text)
    assert count == 1
    return changed


def without(key: str) -> str:
    changed, count = re.subn(rf"(?m)^{key} = .*\n", "", AN386)
    assert count == 1
    return changed


# Every Cortex-M machine of QEMU 7.2 that has a serial port we drive, and machines of other architectures.
MACHINES = (
    "lm3s6965evb",
    "microbit",
    "mps2_an385",
    "mps2_an386",
    "mps2_an500",
    "mps2_an505",
    "mps3_an547",
    "netduino2",
    "netduinoplus2",
    "riscv32_virt",
    "stm32vldiscovery",
    "xtensa_de233_fpu",
    "xtensa_lx60",
)


# Emulated boards beyond QEMU's.
RP2040 = (resources.boards_dir() / "rp2040js_pico.toml").read_text(encoding="utf-8")

HARDWARE = (
    *("adafruit_feather_m4", "bluepill_f103c8", "disco_f407vg", "esp32-c3-devkitm-1", "esp32-c6-devkitc-1"),
    *("esp32-s3-devkitc-1", "esp32dev", "genericSTM32F405RG", "nano33ble", "nucleo_f401re", "nucleo_f446re"),
    *("nucleo_g431rb", "nucleo_h743zi", "nucleo_l476rg", "pico", "rpipico2", "seeed_xiao_esp32c3", "teensy40"),
    *("teensy41", "zeroUSB"),
)


def test_all_boards_are_there_and_load() -> None:
    assert set(board.names()) >= {"host", *(f"qemu_{machine}" for machine in MACHINES), *HARDWARE}
    for name in board.names():
        loaded = board.load(name)
        assert loaded.name == name
        assert (loaded.runner.kind is RunnerKind.HARDWARE) == (name in HARDWARE)


def test_a_board_carries_what_its_file_says() -> None:
    netduino = board.load("qemu_netduinoplus2")

    assert (netduino.core, netduino.fpu, netduino.clock_hz) == (Core.CORTEX_M4, Fpu.FPV4_SP, 168_000_000)
    assert (netduino.flash_bytes, netduino.ram_bytes, netduino.stack_bytes) == (1 << 20, 1 << 17, 1 << 14)
    assert netduino.memory == board.Memory(flash_origin=0x0800_0000, ram_origin=0x2000_0000)
    assert netduino.uart == board.Uart(driver=UartDriver.STM32, base=0x4001_1000, irq=37)
    assert netduino.runner == runners.Qemu(machine="netduinoplus2", icount_shift=6)
    assert netduino.arithmetic is Arithmetic.SEPARATE


@pytest.mark.parametrize("name", board.names())
def test_from_table_inverts_to_table(name: str) -> None:
    loaded = board.load(name)

    assert board.from_table(name, board.to_table(loaded), "here") == loaded


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("core", '"cortex-m0"', "core is not that of the RP2040"),
        ("clock_hz", "133_000_000", "clock_hz is not that of the RP2040"),
        ("ram_origin", "0x2100_0000", r"\[memory\] is not that of the RP2040"),
        ("base", "0x4003_8000", r"\[uart\] is not that of the RP2040"),
        ("driver", '"pl011"', r"\[uart\] is not that of the RP2040"),
        ("flash_bytes", "33_554_432", "flash_bytes = 33554432, and an RP2040 has at most 16777216"),
        ("ram_bytes", "524_288", "ram_bytes = 524288, and an RP2040 has at most 270336"),
        ("port", '"riscv_virt"', "port riscv_virt is not for a cortex-m0plus core"),
        ("port", '"arduino"', "port arduino needs a vendor's framework, and runner.kind is rp2040js"),
    ],
)
def test_what_is_no_rp2040_is_refused(tmp_path: Path, key: str, value: str, words: str) -> None:
    with pytest.raises(BoardError, match=words):
        load_text(tmp_path, with_value(key, value, RP2040))


def test_cycles_of_a_model_are_called_that() -> None:
    pico = board.load("rp2040js_pico")

    assert pico.runner.cost(pico, ticks=6_400, seconds=6_400 / pico.clock_hz) == (6_400, "modelled cycles")


@pytest.mark.parametrize("table", [board.Board, board.PlatformIO, board.Serial, board.Placement, runners.Qemu])
def test_every_key_of_a_board_file_is_documented(table: type[board.Board]) -> None:
    documented = table.__doc__ or ""

    for key in (field.name for field in fields(table)):
        assert re.search(rf"\b{key}\b", documented), key


def test_ticks_are_counted_as_instructions_where_qemu_counts() -> None:
    # 2**8 ns per instruction at 25 MHz (40 ns per tick) are 6.4 ticks per instruction.
    mps2, host, esp32 = (board.load(name) for name in ("qemu_mps2_an386", "host", "esp32dev"))
    assert mps2.runner.cost(mps2, ticks=6_400, seconds=6_400 / mps2.clock_hz) == (1_000, "instructions")
    assert host.runner.cost(host, ticks=6_400, seconds=0.25) == (2.5e8, "ns")
    assert esp32.runner.cost(esp32, ticks=6_400, seconds=0.25) == (6_400, "cycles")


# SystemClock_Config of stm32duino 2.12.0: oscillator, its hertz, divider, multiplier, divider. An external one is a
# crystal or the ST-Link's clock. Each variant's folder has it: variant_<board>.cpp, the generic part's generic_clock.c.
STM32_CLOCKS = {
    "bluepill_f103c8": ("external", 8_000_000, 1, 9, 1),
    "disco_f407vg": ("external", 8_000_000, 8, 336, 2),
    "genericSTM32F405RG": ("internal", 16_000_000, 8, 168, 2),
    "nucleo_f401re": ("internal", 16_000_000, 8, 168, 4),
    "nucleo_f446re": ("internal", 16_000_000, 8, 180, 2),
    "nucleo_g431rb": ("internal", 16_000_000, 4, 85, 2),
    "nucleo_h743zi": ("external", 8_000_000, 1, 120, 2),
    "nucleo_l476rg": ("internal", 4_000_000, 1, 40, 2),
}


@pytest.mark.parametrize("name", [name for name in HARDWARE if "ststm32" in board.load(name).platformio.platform])
def test_an_stm32_runs_at_the_clock_that_its_core_sets(name: str) -> None:
    oscillator, hertz, divider, multiplier, last_divider = STM32_CLOCKS[name]
    loaded = board.load(name)

    assert loaded.clock_hz == hertz // divider * multiplier // last_divider
    # An RC oscillator is too inexact for USB.
    assert oscillator == "external" or loaded.serial.kind is SerialKind.BRIDGE


def test_a_file_anywhere_is_a_board(tmp_path: Path) -> None:
    assert load_text(tmp_path, AN386).name == "mine"


def test_an_unknown_board_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(BoardError, match="no board 'qemu_mps2_an368'") as caught:
        board.load("qemu_mps2_an368")
    assert caught.value.hint.startswith("did you mean qemu_mps2_an386 or ")
    assert "`rlt-embed boards` lists them all" in caught.value.hint


@pytest.mark.parametrize("name", ["", "ho'st", 'ho"st', "ho\nst", "{host}", "host.json", "HOST", "../boards/host"])
def test_a_name_is_never_a_way_out_of_the_folder(name: str) -> None:
    with pytest.raises(BoardError):
        board.load(name)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(BoardError, match=r"cannot read the board file \./nowhere\.toml"):
        board.load("./nowhere.toml")


def test_a_folder_is_not_a_board(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="is a folder, not a board file"):
        board.load(f"{tmp_path}/")


def test_a_device_is_not_a_board() -> None:
    with pytest.raises(BoardError, match="/dev/zero is a device, not a board file"):
        board.load("/dev/zero")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "mine.toml is empty"),
        (b"# nothing\n", "mine.toml is empty"),
        (b'title = "caf\xe9"\n', "mine.toml is not UTF-8 text: its byte 12 is 0xe9"),
        (b"\x7fELF\x01\x02\xff", "mine.toml is not UTF-8 text: its byte 6 is 0xff"),
        (b"\x7fELF\x01\x02", "mine.toml is not TOML"),
    ],
)
def test_a_file_that_holds_no_board_is_reported(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)

    with pytest.raises(BoardError, match=words) as caught:
        board.load(str(path))
    assert "one of the files in boards/" in caught.value.hint


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("flash_bytes", '"512 KB"', 524_288),
        ("flash_bytes", '"512KiB"', 524_288),
        ("flash_bytes", '"0.5 MB"', 524_288),
        ("flash_bytes", '"4_194_304"', 4_194_304),
        ("flash_bytes", "512", 524_288),
        ("ram_bytes", "131072.0", 131_072),
        ("ram_bytes", "1.5e5", 150_000),
        ("clock_hz", '"180 MHz"', 180_000_000),
        ("clock_hz", '"12.5 mhz"', 12_500_000),
        ("clock_hz", "180", 180_000_000),
        ("clock_hz", "25_000", 25_000_000),
        ("baud", "115", None),
        ("flash_bytes", '"a lot"', None),
        ("flash_bytes", '"0 KB"', None),
        ("ram_bytes", "0", None),
        ("ram_bytes", "-5", None),
        ("ram_bytes", "true", None),
        ("ram_bytes", "1000.5", None),
        ("ram_bytes", "inf", None),
        ("ram_bytes", "nan", None),
        ("ram_bytes", "9_000_000_000", None),
    ],
)
def test_a_size_or_a_clock_in_another_unit_is_answered_in_the_right_one(
    tmp_path: Path, key: str, value: str, meant: int | None
) -> None:
    before = re.search(rf"^{key} = .*$", AN386, re.MULTILINE)
    assert before is not None

    with pytest.raises(BoardError, match=f"{key} = .* cannot be used") as caught:
        load_text(tmp_path, AN386.replace(before[0], f"{key} = {value}"))
    assert caught.value.hint.endswith("; did you mean " + f"{meant}?") if meant else "mean" not in caught.value.hint


@pytest.mark.parametrize(
    ("key", "near"), [("flash", "flash_bytes"), ("flsh", "flash_bytes"), ("clock_mhz", "clock_hz")]
)
def test_a_key_with_another_unit_is_answered_with_the_right_one(tmp_path: Path, key: str, near: str) -> None:
    with pytest.raises(BoardError, match=f"{key} is not a key of a board file") as caught:
        load_text(tmp_path, f"{key} = 3\n{AN386}")
    assert caught.value.hint.startswith(f"did you mean {near}?")


@pytest.mark.parametrize("name", ["-board", "1board", "env", "default", "a" * 41, "x y", "tschüs"])
def test_a_file_name_that_cannot_name_an_environment_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BoardError, match="cannot be called"):
        load_text(tmp_path, AN386, name)


def test_broken_toml_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"not TOML.*line 2"):
        load_text(tmp_path, 'title = "x"\ntitle = "y"\n')


def test_a_misspelt_key_is_answered_with_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"mine\.toml: clokc_hz is not a key") as caught:
        load_text(tmp_path, AN386.replace("clock_hz", "clokc_hz"))
    assert "did you mean clock_hz?" in caught.value.hint


def test_a_misspelt_key_in_a_table_is_answered_with_its_table(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"uart\.bsae is not a key") as caught:
        load_text(tmp_path, AN386.replace("base = ", "bsae = "))
    assert "did you mean base?" in caught.value.hint


REQUIRED = (
    *("title", "mcu", "core", "fpu", "clock_hz", "flash_bytes", "ram_bytes", "stack_bytes", "arithmetic", "port"),
    *("platform", "flash_origin", "ram_origin", "driver", "base", "irq", "baud", "kind", "machine", "icount_shift"),
)


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    with pytest.raises(BoardError, match=rf"{key} is missing"):
        load_text(tmp_path, without(key))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("clock_hz", '"25 MHz"'),
        ("clock_hz", "25.0"),
        ("clock_hz", "true"),
        ("clock_hz", "0"),
        ("flash_bytes", '"4M"'),
        ("flash_bytes", "-1"),
        ("ram_bytes", "99_999_999_999"),
        ("stack_bytes", "12"),
        ("core", '"cortex-m99"'),
        ("fpu", "[]"),
        ("arithmetic", '"Separate"'),
        ("port", '"../host"'),
        ("driver", '"16550"'),
        ("irq", "240"),
        ("base", "0x1_0000_0000"),
        ("baud", "0"),
        ("icount_shift", "11"),
        ("kind", '"qemu2"'),
        ("machine", '"mps2; rm -rf x"'),
        ("machine", '""'),
        ("mcu", '"a\\"b"'),
        ("platform", '"../../evil"'),
        ("platform", '"symlink://x"'),
        ("title", '"two\\nlines"'),
        ("title", '"ends\\n"'),
        ("title", '"{{ 7 }}"'),
        ("title", '"${sysenv.HOME}"'),
        ("title", "'say \"x\"'"),
        ("title", "'*/ int x; /*'"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_key(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(BoardError, match=rf"mine\.toml: (\w+\.)?{key} = "):
        load_text(tmp_path, with_value(key, value))


@pytest.mark.parametrize("flag", ["O2", "-DX=a b", '-DX="a"', "-DX=$(id)", "-O2\n", "-", "-I../../etc", "-I/etc"])
def test_a_flag_with_room_for_more_than_a_flag_is_refused(tmp_path: Path, flag: str) -> None:
    text = AN386.replace('platform = "rlt_emulated"', f"platform = 'rlt_emulated'\nflags = ['''{flag}''']")

    with pytest.raises(BoardError, match=r"platformio\.flags = "):
        load_text(tmp_path, text)


@pytest.mark.parametrize("package", ["gcc", "platformio/gcc", "platformio/gcc@1 0", "x/../y@1", "file:///x/y@1.0"])
def test_a_package_without_owner_and_version_is_refused(tmp_path: Path, package: str) -> None:
    shown = (resources.boards_dir() / "zeroUSB.toml").read_text(encoding="utf-8")
    text = shown.replace("platformio/toolchain-gccarmnoneeabi@~1.90301.0", package)

    with pytest.raises(BoardError, match=r"platformio\.packages = "):
        load_text(tmp_path, text)


def test_an_emulated_board_has_no_packages(tmp_path: Path) -> None:
    text = AN386.replace('platform = "rlt_emulated"', 'platform = "rlt_emulated"\npackages = ["a/b@1.0"]')

    with pytest.raises(BoardError, match=r"platformio\.packages means nothing"):
        load_text(tmp_path, text)


def test_a_table_that_is_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="serial = 5"):
        load_text(tmp_path, "serial = 5\n" + AN386.replace("[serial]\nbaud = 115_200\n", ""))


def test_flash_and_ram_that_overlap_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="overlap"):
        load_text(tmp_path, with_value("ram_origin", "0x0010_0000"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (AN386.replace("base = 0x4000_4000", "base = 0x2000_4000"), "uart.base = 0x20004000 lies in the ram"),
        (
            f"{AN386}[placement]\nweights_origin = 0x203F_0000\nweights_bytes = 65_536\n",
            "placement.weights_origin = 0x203f0000 lies in the ram 0x20000000..0x20400000",
        ),
        (
            f"{AN386}[placement]\nweights_origin = 0x0010_0000\nweights_bytes = 65_536\n",
            "placement.weights_origin = 0x100000 lies in the flash",
        ),
    ],
)
def test_what_lies_in_the_programs_memory_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BoardError, match=words) as caught:
        load_text(tmp_path, text)
    assert "check the address" in caught.value.hint


def test_memory_beyond_the_address_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="beyond 4 GiB"):
        load_text(tmp_path, with_value("ram_origin", "0xFFFF_FC00"))


def test_an_origin_where_vectors_cannot_stand_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="not a multiple of 1024"):
        load_text(tmp_path, with_value("flash_origin", "0x10"))


@pytest.mark.parametrize("stack_bytes", ["4_194_304", "16_385"])
def test_a_stack_that_is_too_large_or_odd_is_refused(tmp_path: Path, stack_bytes: str) -> None:
    with pytest.raises(BoardError, match="stack_bytes"):
        load_text(tmp_path, with_value("stack_bytes", stack_bytes))


def test_a_core_without_that_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="cortex-m4 core has no fpv5-d16 unit"):
        load_text(tmp_path, with_value("fpu", '"fpv5-d16"'))


def test_fused_arithmetic_without_a_unit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="is for cores with a fused multiply-add"):
        load_text(tmp_path, with_value("fpu", '"none"', with_value("arithmetic", '"fused"')))


def test_instructions_shorter_than_two_ticks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="shorter than two ticks"):
        load_text(tmp_path, with_value("icount_shift", "6"))


def test_the_host_has_no_limits_to_state(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="ram_bytes means nothing"):
        load_text(tmp_path, "ram_bytes = 1024\n" + HOST)


def test_the_host_has_no_machine(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"runner\.machine means nothing"):
        load_text(tmp_path, HOST + 'machine = "mps2-an386"\n')


def test_a_cortex_m_cannot_run_the_hosts_port(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="contradict"):
        load_text(tmp_path, with_value("port", '"host"'))


# ------------------------------------------------------------------------------------------------ hardware boards

ESP32 = (resources.boards_dir() / "esp32dev.toml").read_text(encoding="utf-8")


def test_a_hardware_board_carries_what_its_file_says() -> None:
    esp32 = board.load("esp32dev")

    assert (esp32.core, esp32.fpu, esp32.clock_hz) == (Core.XTENSA_LX6, Fpu.XTENSA_SP, 240_000_000)
    assert (esp32.port, esp32.framework) == (board.Port.ARDUINO, Framework.ARDUINO)
    assert esp32.platformio.platform == "platformio/espressif32@6.13.0"
    assert esp32.serial.kind is SerialKind.BRIDGE
    assert "10c4:ea60" in esp32.serial.usb_ids
    assert (esp32.stack_bytes, esp32.memory, esp32.uart) == (None, None, None)


def test_a_framework_is_chosen_with_its_port() -> None:
    esp32 = board.load("esp32dev").on(Framework.ESPIDF)

    assert (esp32.framework, esp32.port) == (Framework.ESPIDF, board.Port.ESPIDF)
    assert board.from_table("esp32dev", board.to_table(esp32), "here") == esp32


@pytest.mark.parametrize(("name", "has"), [("teensy41", "it has arduino"), ("qemu_mps2_an386", "bare metal")])
def test_a_framework_that_a_board_lacks_is_refused(name: str, has: str) -> None:
    with pytest.raises(BoardError, match=f"{name} has no framework espidf") as caught:
        board.load(name).on(Framework.ESPIDF)
    assert has in caught.value.hint


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("clock_hz = 240_000_000", "clock_hz = 240", "whole number of hertz from 1000000"),
        ("flash_bytes = 1_048_576", "flash_bytes = 512", "whole number of bytes from 1024"),
        ("espressif32@6.13.0", "espressif32", "names no version"),
        ("espressif32@6.13.0", "espressif32@^6.0.0", "names no version"),
        ('frameworks = ["arduino", "espidf"]', 'frameworks = ["arduno"]', "did you mean arduino"),
        ('frameworks = ["arduino", "espidf"]', "frameworks = []", "list of one or more"),
        ('frameworks = ["arduino", "espidf"]', 'frameworks = ["arduino", "arduino"]', "list of one or more"),
        ("platformio/espressif32@6.13.0", "ststm32@19.6.0", "espidf, which ststm32@19.6.0 has not"),
        ('kind = "bridge"', 'kind = "uart"', "serial.kind = 'uart' is not one of bridge, usb"),
        ("opening_resets = true", 'opening_resets = "yes"', "true or false, without quotes"),
        ("opening_resets = true", "", "serial.opening_resets is missing"),
        ('"10c4:ea60"', '"0x10C4:0xEA60"', "four hexadecimal digits each"),
        ("baud = 115_200", "baud = 115_200\nbuad = 9600", "did you mean baud"),
        ('kind = "hardware"', 'kind = "hardware"\nmachine = "esp32"', "runner.machine means nothing"),
        ("[platformio]", "[memory]\nflash_origin = 0\n[platformio]", "memory means nothing"),
        ('fpu = "xtensa-sp"', 'fpu = "xtensa-sp"\nport = "arduino"', "port means nothing"),
        ("[platformio]", '[placement]\ncode = "iram"\n[platformio]', "placement.code = 'iram' cannot be used"),
        ("[platformio]", "[placement]\nweights_origin = 0x10000000\n[platformio]", "belong together"),
        (
            "[platformio]",
            "[placement]\nweights_origin = 0xFFFF_FF00\nweights_bytes = 65_536\n[platformio]",
            "ends within 4 GiB",
        ),
        (
            "[platformio]",
            '[placement]\nweights = ".data"\nweights_origin = 0x1000_0000\nweights_bytes = 4\n[platformio]',
            "both a section and an address",
        ),
    ],
)
def test_a_hardware_board_is_checked_with_the_same_care(tmp_path: Path, before: str, after: str, words: str) -> None:
    assert before in ESP32

    with pytest.raises(BoardError) as caught:
        load_text(tmp_path, ESP32.replace(before, after, 1))
    assert words in str(caught.value)


def test_a_board_without_a_serial_port_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="serial is missing: without a serial port"):
        load_text(tmp_path, ESP32.split("[serial]")[0] + '[runner]\nkind = "hardware"\n')


def test_an_emulated_board_has_no_port_to_be_found_by(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"serial\.usb_ids means nothing where runner\.kind is not hardware"):
        load_text(tmp_path, AN386.replace("baud = 115_200", 'baud = 115_200\nusb_ids = ["10c4:ea60"]'))


def test_an_emulated_board_runs_no_vendors_framework(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="port arduino needs a vendor's framework"):
        load_text(tmp_path, with_value("port", '"arduino"'))
