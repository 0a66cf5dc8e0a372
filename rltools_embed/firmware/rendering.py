"""Every file of a project as a pure function of its spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from rltools_embed import resources, templates, text
from rltools_embed.firmware import board as boards
from rltools_embed.firmware.board import (
    Architecture,
    Board,
    Framework,
    Placement,
    SerialKind,
    UartDriver,
    cores,
)
from rltools_embed.firmware.board.cores import CORES, Program
from rltools_embed.firmware.sizes import check_fit, stack_text
from rltools_embed.firmware.spec import (
    CHECKPOINT,
    FORMAT,
    MANIFEST,
    SOURCES,
    PolicyFacts,
    ProjectSpec,
    content_digest,
    upload_ports,
)
from rltools_embed.policy.arithmetic import Arithmetic

EMULATED_PLATFORM = "rlt_emulated"
_LIBRARY = "lib/rl_tools/include"
_UART_TYPES: Mapping[UartDriver, str] = {
    UartDriver.CMSDK: "CmsdkUart",
    UartDriver.NRF51: "Nrf51Uart",
    UartDriver.NS16550: "Ns16550Uart",
    UartDriver.NS16550_WORDS: "Ns16550WordsUart",
    UartDriver.PL011: "Pl011Uart",
    UartDriver.RP2040: "Rp2040Uart",
    UartDriver.STM32: "Stm32Uart",
    UartDriver.STM32_L4: "Stm32L4Uart",
}
_SERIAL_TYPES: Mapping[SerialKind, str] = {SerialKind.BRIDGE: "BridgeSerial", SerialKind.USB: "UsbSerial"}
# Folders of their own below those that the compiler is given: frameworks have a <board.h> (stm32duino), a "port.h" or a
# "policy.h" too, and where our sources include them, the project's folders come first.
_HEADERS_OF_BOARD = "rlt_embed"
_OWN_HEADERS = ("control", "policy", "wrapped_floats")
# stm32duino compiles with max-inline-insns-single=500, for which -O2 would copy a digest's rounds into every place that
# needs one: 12 kB of flash. GCC's own value at -O2; only for our sources, behind the framework's flags.
_SOURCE_FLAGS_OF_PLATFORM: Mapping[str, tuple[str, ...]] = {"ststm32": ("--param=max-inline-insns-single=70",)}
# ESP-IDF runs these at 160 MHz unless its settings name another clock.
_CHIPS_OF_240_MHZ = ("esp32", "esp32s3")
_DEFAULT_CONTROL_PERIOD_S = 0.01
# PlatformIO prints sizes for every board; nothing is checked against the host's.
_NOMINAL_HOST_BYTES = 1 << 30


def render(spec: ProjectSpec) -> dict[str, bytes]:
    """Every file of the project by its path inside it, the manifest included. The same spec gives the same bytes.

    Raises:
        BoardError: the policy does not fit a board.
    """
    for board in spec.boards:
        check_fit(board, spec.policy)
    ports = upload_ports(spec.name, spec.boards)
    files = {
        CHECKPOINT: spec.checkpoint_text.encode("utf-8"),
        "platformio.ini": _platformio_ini(spec, ports),
        "README.md": _readme(spec, ports),
        ".gitignore": _bundled("project/gitignore"),
        f"{SOURCES}/identity.h": templates.template(
            "src/rlt_embed/identity.h.jinja",
            {"project": text.c_string(spec.name), "environment": text.c_string(spec.policy.env_id)},
        ),
        f"{SOURCES}/port.h": _bundled("ports/port.h"),
        "lib/rl_tools/library.json": _bundled("project/lib/rl_tools/library.json"),
    }
    for path in ("src/firmware.cpp", "src/policy.cpp", *(f"{SOURCES}/{name}.h" for name in _OWN_HEADERS)):
        files[path] = _bundled(f"project/{path}")
    files.update(_folder(resources.templates_dir() / "project" / "test", "test"))
    for name, folder in sorted({item for board in spec.boards for item in board.port.folders.items()}):
        files.update(_folder(folder, f"{SOURCES}/ports/{name}"))
    if is_emulated(spec):
        files.update(_emulated_platform(spec))
    for board in spec.boards:
        files.update(_board_files(board))
    if any(board.framework is Framework.ESPIDF for board in spec.boards):
        files.update(_espidf_files(spec))
    files.update(_headers(files))
    files[MANIFEST] = _manifest(spec, files)
    return dict(sorted(files.items()))


def _emulated_platform(spec: ProjectSpec) -> dict[str, bytes]:
    target = f"platforms/{EMULATED_PLATFORM}"
    files = _folder(resources.templates_dir() / "platforms" / EMULATED_PLATFORM, target)
    is_xtensa = any(board.core.architecture == Architecture.XTENSA for board in spec.boards)
    kept = {path: content for path, content in files.items() if is_xtensa or not path.startswith(f"{target}/xtensa/")}
    added = {path: content for board in spec.boards for path, content in board.runner.files(board).items()}
    return kept | {f"{target}/{path}": content for path, content in added.items()}


def with_more(files: Mapping[str, bytes], added: Mapping[str, bytes]) -> dict[str, bytes]:
    """These files of a project and others beside them, all listed in the manifest."""
    manifest = json.loads(files[MANIFEST])
    digests = {**manifest["files"], **{path: content_digest(content) for path, content in added.items()}}
    listed = text.json_file({**manifest, "files": dict(sorted(digests.items()))})
    return dict(sorted({**files, **added, MANIFEST: listed}.items()))


def render_owned(spec: ProjectSpec) -> dict[str, bytes]:
    """Files that an export makes where there are none, and that are the user's from then on."""
    period_s = spec.policy.control_period_s or _DEFAULT_CONTROL_PERIOD_S
    values = {"period_us": max(1, round(1e6 * period_s))}
    return {"src/control.cpp": templates.template("src/control.cpp.jinja", values)}


def _bundled(path: str) -> bytes:
    return (resources.templates_dir() / path).read_bytes()


def _folder(folder: Path, target: str) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {f"{target}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in files}


def _headers(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The library's headers that these files include, and the device's side of the link, which a program may want."""
    folder = resources.include_dir() / "rl_tools" / "embed"
    embed = {f"rl_tools/embed/{path.name}": path.read_bytes() for path in sorted(folder.glob("*.h"))}
    included = resources.included_headers(b"\n".join((*files.values(), *embed.values())))
    whole = {**embed, **included}
    return {f"{_LIBRARY}/{name}": content for name, content in whole.items()}


def is_emulated(spec: ProjectSpec) -> bool:
    """Whether a board of the project is built by our own platform."""
    return any(board.platformio.platform == EMULATED_PLATFORM for board in spec.boards)


def _platformio_ini(spec: ProjectSpec, ports: Mapping[str, str | None]) -> bytes:
    environments = [
        {
            "name": board.name,
            "title": board.title,
            "platform": board.platformio.platform,
            "board": board.platformio.board or board.name,
            "framework": board.framework.value if board.framework else None,
            "packages": board.platformio.packages,
            "port": ports[board.name],
            "baud": board.serial.baud,
            # Of a USB-to-UART bridge these lines hold an ESP32 in reset or in its boot loader.
            "keeps_lines": board.keeps_lines,
            "port_folders": tuple(board.port.folders),
            "source_flags": _source_flags(board),
            "flags": board.platformio.flags,
        }
        for board in spec.boards
    ]
    values = {
        "default_environment": spec.boards[0].name,
        "environments": environments,
        "is_emulated": is_emulated(spec),
    }
    return templates.template("platformio.ini.jinja", values)


def _source_flags(board: Board) -> tuple[str, ...]:
    """Flags for the project's own sources alone, which stand behind those of the framework."""
    name = PurePosixPath(board.platformio.platform.partition("@")[0].partition(".git")[0]).name
    of_platform = next((flags for word, flags in _SOURCE_FLAGS_OF_PLATFORM.items() if word in name), ())
    # src/CMakeLists.txt has it for ESP-IDF: PlatformIO drops CMake's -O2 if it has one already, and keeps CMake's -Og.
    optimisation = () if board.framework is Framework.ESPIDF else ("-O2",)
    # A board's own flags count most; macros and the linker's it has given already, for everything.
    of_board = tuple(flag for flag in board.platformio.flags if not flag.startswith(("-D", "-Wl,")))
    return (*optimisation, *board.core.build_flags, *of_platform, *of_board)


def _espidf_files(spec: ProjectSpec) -> dict[str, bytes]:
    folder = "project/espidf"
    files = {
        "CMakeLists.txt": templates.template("espidf/CMakeLists.txt.jinja", {"name": spec.name}),
        "src/CMakeLists.txt": _bundled(f"{folder}/src_CMakeLists.txt"),
        "sdkconfig.defaults": _bundled(f"{folder}/sdkconfig.defaults"),
    }
    for board in spec.boards:
        if board.framework is Framework.ESPIDF and board.mcu in _CHIPS_OF_240_MHZ:
            files[f"sdkconfig.defaults.{board.mcu}"] = _bundled(f"{folder}/sdkconfig.defaults.240mhz")
    return files


def _readme(spec: ProjectSpec, ports: Mapping[str, str | None]) -> bytes:
    policy = spec.policy
    period = "not known" if policy.control_period_s is None else f"{policy.control_period_s:g} s"
    facts = {
        "environment": text.markdown(policy.env_id),
        "algorithm": text.markdown(policy.algorithm),
        "observation": f"{policy.observation_dim} numbers",
        "action": f"{policy.action_dim} numbers",
        "parameters": f"{policy.parameter_count} ({policy.parameter_bytes} B of flash)",
        "control period": period,
        "digest (SHA-256)": f"`{policy.digest}`",
    }
    values = {
        "name": text.markdown(spec.name),
        "facts": [{"name": name, "value": value} for name, value in facts.items()],
        "default_environment": spec.boards[0].name,
        "is_emulated": is_emulated(spec),
        "tools": _tool_rows(spec.boards),
        "boards": [
            {
                "name": board.name,
                "title": text.markdown(board.title),
                "framework": board.framework.value if board.framework else board.software,
                "stack": stack_text(board),
                "port": _port_for_people(board, ports[board.name]),
            }
            for board in spec.boards
        ],
    }
    return templates.template("README.md.jinja", values)


def _tool_rows(of: tuple[Board, ...]) -> list[dict[str, str]]:
    """What the boards take besides PlatformIO: for each family of cores the compiler, then what runs the firmware."""
    rows: list[dict[str, str]] = []
    for family in dict.fromkeys(core.toolchain.family for core in CORES):
        of_family = [board for board in of if board.core.toolchain.family == family]
        bare = (board for board in of_family if not board.runner.has_framework)
        compilers = [program for board in bare for program in board.core.toolchain.programs]
        runners = [program for board in of_family for program in board.runner.programs(board)]
        titled = (_tool_row(program) for program in (*compilers, *runners) if program.title)
        rows += {row["name"]: row for row in titled}.values()
    return rows


def _tool_row(program: Program) -> dict[str, str]:
    debian = f"`sudo apt-get install {program.debian}`"
    if program.package_of is not None:
        debian = f"`sudo apt-get install {program.package_of.debian}`, `{program.command_in_project}`"
    elif program.command:
        debian = f"`{program.command_in_project}`{'' if program.is_tested_on_macos else ' (Debian only)'}"
    return {
        "name": program.title,
        "debian": debian,
        "macos": f"`{program.macos}`" if program.is_tested_on_macos and program.macos else "not tested",
    }


def _port_for_people(board: Board, port: str | None) -> str:
    if port is not None:
        return f"`{port}`"
    ids = ", ".join(f"`{each}`" for each in board.serial.usb_ids)
    return f"USB {ids}" if ids else "name it"


def _board_files(board: Board) -> dict[str, bytes]:
    folder = f"include/boards/{board.name}"
    values: dict[str, object] = {
        "name": text.c_string(board.name),
        "title": board.title,
        "device_header": board.core.device_header,
        "device": board.core.tag(board.fpu),
        "fused": "true" if board.arithmetic is Arithmetic.FUSED else "false",
        "clock_hz": f"{board.clock_hz}U",
        "baud": f"{board.serial.baud}U",
    }
    if board.framework is Framework.ARDUINO:
        values |= {"serial_object": board.serial.object or "Serial", "chip": _chip(board)}
    if board.framework is Framework.ESPIDF and board.serial.kind is not None:
        values |= {"serial_kind": board.serial.kind.value, "serial_type": _SERIAL_TYPES[board.serial.kind]}
    if board.uart is not None:
        values |= {
            "uart_driver": board.uart.driver.value,
            "uart_type": _UART_TYPES[board.uart.driver],
            "uart_base": f"{board.uart.base:#010x}U",
            "uart_irq": f"{board.uart.irq}U",
        }
    files = {
        f"{folder}/{_HEADERS_OF_BOARD}/board.h": templates.template(
            f"include/boards/{board.port.header}.h.jinja", values
        ),
        f"{folder}/{_HEADERS_OF_BOARD}/device.h": templates.template("include/boards/device.h.jinja", values),
        f"{folder}/{_HEADERS_OF_BOARD}/placement.h": _placement_header(board),
    }
    if board.memory is not None:
        memory = {
            "title": board.title,
            "flash_origin": f"{board.memory.flash_origin:#010x}",
            "flash_bytes": board.flash_bytes,
            "ram_origin": f"{board.memory.ram_origin:#010x}",
            "ram_bytes": board.ram_bytes,
            "stack_bytes": board.stack_bytes,
        }
        files[f"{folder}/memory.ld"] = templates.template("include/boards/memory.ld.jinja", memory)
    if board.platformio.platform == EMULATED_PLATFORM:
        files[f"platforms/{EMULATED_PLATFORM}/boards/{board.name}.json"] = text.json_file(_platformio_board(board))
    return files


def _chip(board: Board) -> str:
    """What Arduino does not know alike of all chips: templates/ports/arduino/chip_<this>.h."""
    if "espressif32" in board.platformio.platform:
        return "esp32"
    if board.mcu in ("rp2040", "rp2350"):
        return "rp2040"
    return "cortex_m" if board.core.has_cycle_counter else "cortex_m0"


def _placement_header(board: Board) -> bytes:
    place = board.placement or Placement()
    # One function with everything in it: the section of a template's instance would be ignored (GCC bug 70435).
    code = f'[[gnu::section("{place.code}"), gnu::noinline, gnu::flatten]]' if place.code else ""
    section = f'[[gnu::section("{place.weights}")]]' if place.weights else ""
    weights = "in_section" if place.weights else "in_flash" if place.weights_origin is None else "at_address"
    values = {
        "title": board.title,
        "code": code,
        "section": section,
        "weights": weights,
        "origin": f"{place.weights_origin or 0:#010x}U",
        "bytes": f"{place.weights_bytes or 0}U",
    }
    return templates.template("include/boards/placement.h.jinja", values)


def _platformio_board(board: Board) -> dict[str, Any]:
    """The board as PlatformIO's boards/<name>.json describes it."""
    return {
        "name": board.title,
        "vendor": board.runner.vendor,
        "url": "https://www.qemu.org/docs/master/system/targets.html",
        "frameworks": [],
        "build": _build_table(board),
        "upload": {
            "maximum_size": board.flash_bytes or _NOMINAL_HOST_BYTES,
            "maximum_ram_size": board.ram_bytes or _NOMINAL_HOST_BYTES,
            "protocol": "emulated",
            "protocols": ["emulated"],
        },
    }


def _build_table(board: Board) -> dict[str, Any]:
    """All that our builder/main.py takes of a board: how to compile, link and start its firmware."""
    tools = board.core.toolchain
    table: dict[str, Any] = {"toolchain": tools.prefix, "mcu": board.mcu}
    if tools is not cores.HOST:
        table |= {
            "tools": tools.tools,
            "core_flags": board.core.compiler_flags(board.fpu),
            "compile_flags": tools.compile_flags,
            "link_flags": tools.link_flags,
            "libraries": tools.libraries,
            "takes_arm_headers": tools.takes_arm_headers,
            "f_cpu": f"{board.clock_hz}L",
        }
    if board.port.is_bare_metal:
        table |= {"ldscript": f"{SOURCES}/ports/bare_metal/firmware.ld", "memory_dir": f"include/boards/{board.name}"}
    return table | {
        "run": board.runner.command(board),
        "run_advice": "; ".join(program.advice for program in board.runner.programs(board)),
    }


def _manifest(spec: ProjectSpec, files: Mapping[str, bytes]) -> bytes:
    return text.json_file(
        {
            "format": FORMAT,
            "name": spec.name,
            "policy": {key: getattr(spec.policy, key) for key in PolicyFacts.__dataclass_fields__},
            "boards": {board.name: boards.to_table(board) for board in spec.boards},
            "files": {path: content_digest(content) for path, content in sorted(files.items())},
        }
    )
