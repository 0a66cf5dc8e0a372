"""Every file of a project as a pure function of its spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rltools_embed import resources, templates, text
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import toolchain
from rltools_embed.firmware.board import (
    Architecture,
    Board,
    Core,
    Fpu,
    Placement,
    Port,
    RunnerKind,
    SerialKind,
    UartDriver,
)
from rltools_embed.firmware.sizes import check_fit, stack_said
from rltools_embed.firmware.spec import (
    CHECKPOINT,
    FORMAT,
    MANIFEST,
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
    UartDriver.STM32: "Stm32Uart",
}


@dataclass(frozen=True, kw_only=True)
class _Device:
    """The device tag of a core: its header below rl_tools/devices/, its name with an FPU, its name without."""

    header: str
    with_fpu: str = ""
    without: str = ""


_ARM_WITHOUT_FPU = "SoftFloatARM"
_RISCV = _Device(header="riscv", with_fpu="RISCVF", without="RISCV")
_XTENSA = _Device(header="esp32", with_fpu="XtensaF", without="Xtensa")
_DEVICES: Mapping[Core, _Device] = {
    Core.NATIVE: _Device(header="arm", with_fpu="ARM", without="ARM"),
    Core.CORTEX_M0: _Device(header="arm", without="CortexM0Plus"),
    Core.CORTEX_M0PLUS: _Device(header="arm", without="CortexM0Plus"),
    Core.CORTEX_M3: _Device(header="arm", without="CortexM3"),
    Core.CORTEX_M4: _Device(header="arm", with_fpu="CortexM4F", without=_ARM_WITHOUT_FPU),
    Core.CORTEX_M7: _Device(header="arm", with_fpu="CortexM7F", without=_ARM_WITHOUT_FPU),
    Core.CORTEX_M33: _Device(header="arm", with_fpu="CortexM33", without=_ARM_WITHOUT_FPU),
    Core.CORTEX_M55: _Device(header="arm", with_fpu="CortexM55", without=_ARM_WITHOUT_FPU),
    Core.RV32IMC: _RISCV,
    Core.RV32IMAC: _RISCV,
    Core.XTENSA_LX6: _XTENSA,
    Core.XTENSA_LX7: _XTENSA,
    Core.XTENSA_DC233C: _XTENSA,
    Core.XTENSA_DE233_FPU: _XTENSA,
}
_SERIAL_TYPES: Mapping[SerialKind, str] = {SerialKind.BRIDGE: "BridgeSerial", SerialKind.USB: "UsbSerial"}
# The vector unit flushes subnormal numbers to zero: only our kernel, which looks for that, may use it for floats.
_CORE_FLAGS: Mapping[Core, tuple[str, ...]] = {Core.CORTEX_M55: ("-fno-tree-vectorize",)}

_CORES_WITHOUT_COUNTER = (Core.CORTEX_M0, Core.CORTEX_M0PLUS)
# A folder of their own below the one that the compiler is given: frameworks have a <board.h> too (stm32duino), and look
# for it in the project's folders first.
_HEADERS_OF_BOARD = "rlt_embed"
# stm32duino compiles with max-inline-insns-single=500, for which -O2 would copy a digest's rounds into every place that
# needs one: 12 kB of flash. GCC's own value at -O2; only for our sources, behind the framework's flags.
_SOURCE_FLAGS_OF_PLATFORM: Mapping[str, tuple[str, ...]] = {"ststm32": ("--param=max-inline-insns-single=70",)}
# ESP-IDF runs these at 160 MHz unless it is told otherwise.
_CHIPS_OF_240_MHZ = ("esp32", "esp32s3")
_DEFAULT_CONTROL_PERIOD_S = 0.01
# What a project's README says of the tools that its boards take.
_ARM_COMPILER = "`sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi libstdc++-arm-none-eabi-newlib`"
_TOOLS: Mapping[Architecture, tuple[Mapping[str, str], ...]] = {
    Architecture.ARM: (
        {"name": "Arm compiler", "debian": _ARM_COMPILER, "macos": "`brew install --cask gcc-arm-embedded`"},
        {"name": "QEMU", "debian": "`sudo apt-get install qemu-system-arm`", "macos": "`brew install qemu`"},
    ),
    Architecture.RISCV: (
        {
            "name": "RISC-V compiler",
            "debian": "`sudo apt-get install gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf`",
            "macos": "not tested",
        },
        {"name": "C++ headers for it: Arm's", "debian": _ARM_COMPILER, "macos": "not tested"},
        {"name": "QEMU", "debian": "`sudo apt-get install qemu-system-misc`", "macos": "`brew install qemu`"},
    ),
    Architecture.XTENSA: (
        {
            "name": "Xtensa compiler",
            "debian": f"`bash platforms/{EMULATED_PLATFORM}/xtensa/install_compiler ~/.local` (Debian only)",
            "macos": "not tested",
        },
        {"name": "C++ headers for it: Arm's", "debian": _ARM_COMPILER, "macos": "not tested"},
        {"name": "QEMU", "debian": "`sudo apt-get install qemu-system-misc`", "macos": "`brew install qemu`"},
    ),
}

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
        "include/identity.h": templates.template(
            "include/identity.h.jinja",
            {"project": text.c_string(spec.name), "environment": text.c_string(spec.policy.env_id)},
        ),
        "src/port.h": _bundled("ports/port.h"),
        "lib/rl_tools/library.json": _bundled("project/lib/rl_tools/library.json"),
    }
    for name in ("firmware.cpp", "policy.cpp", "policy.h", "control.h"):
        files[f"src/{name}"] = _bundled(f"project/src/{name}")
    files.update(_folder(resources.templates_dir() / "project" / "test", "test"))
    for port in sorted({folder for board in spec.boards for folder in _port_folders(board)}):
        files.update(_folder(resources.templates_dir() / "ports" / port, f"src/ports/{port}"))
    if is_emulated(spec):
        files.update(_emulated_platform(spec))
    for board in spec.boards:
        files.update(_board_files(board))
    if any(board.port is Port.ESPIDF for board in spec.boards):
        files.update(_espidf_files(spec))
    files.update(_headers(files))
    files[MANIFEST] = _manifest(spec, files)
    return dict(sorted(files.items()))


def _emulated_platform(spec: ProjectSpec) -> dict[str, bytes]:
    target = f"platforms/{EMULATED_PLATFORM}"
    files = _folder(resources.templates_dir() / "platforms" / EMULATED_PLATFORM, target)
    is_xtensa = any(board.core.architecture is Architecture.XTENSA for board in spec.boards)
    return {path: content for path, content in files.items() if is_xtensa or not path.startswith(f"{target}/xtensa/")}


def render_owned(spec: ProjectSpec) -> dict[str, bytes]:
    """Files that an export makes where there are none, and that are the user's from then on."""
    period_s = spec.policy.control_period_s or _DEFAULT_CONTROL_PERIOD_S
    values = {"period_us": max(1, round(1e6 * period_s))}
    return {"src/control.cpp": templates.template("src/control.cpp.jinja", values)}


def _port_folders(board: Board) -> tuple[str, ...]:
    return (board.port.value, "bare_metal") if _is_bare_metal(board) else (board.port.value,)


def _is_bare_metal(board: Board) -> bool:
    return board.runner.kind is RunnerKind.QEMU


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
            "port": ports[board.name],
            "baud": board.serial.baud,
            # Of a USB-to-UART bridge these lines hold an ESP32 in reset or in its boot loader.
            "keeps_lines": board.keeps_lines,
            "port_folders": _port_folders(board),
            "source_flags": _source_flags(board),
            "flags": (*_CORE_FLAGS.get(board.core, ()), *board.platformio.flags),
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
    return next((flags for word, flags in _SOURCE_FLAGS_OF_PLATFORM.items() if word in name), ())


def _espidf_files(spec: ProjectSpec) -> dict[str, bytes]:
    folder = "project/espidf"
    files = {
        "CMakeLists.txt": templates.template("espidf/CMakeLists.txt.jinja", {"name": spec.name}),
        "src/CMakeLists.txt": _bundled(f"{folder}/src_CMakeLists.txt"),
        "sdkconfig.defaults": _bundled(f"{folder}/sdkconfig.defaults"),
    }
    for board in spec.boards:
        if board.port is Port.ESPIDF and board.mcu in _CHIPS_OF_240_MHZ:
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
    families = {board.core.architecture for board in spec.boards if board.runner.kind is not RunnerKind.HARDWARE}
    values = {
        "name": text.markdown(spec.name),
        "facts": [{"name": name, "value": value} for name, value in facts.items()],
        "default_environment": spec.boards[0].name,
        "is_emulated": is_emulated(spec),
        "tools": [row for family, rows in _TOOLS.items() if family in families for row in rows],
        "boards": [
            {
                "name": board.name,
                "title": text.markdown(board.title),
                "framework": board.framework.value if board.framework else board.software,
                "stack": stack_said(board),
                "port": _port_for_people(board, ports[board.name]),
            }
            for board in spec.boards
        ],
    }
    return templates.template("README.md.jinja", values)


def _port_for_people(board: Board, port: str | None) -> str:
    if port is not None:
        return f"`{port}`"
    ids = ", ".join(f"`{each}`" for each in board.serial.usb_ids)
    return f"USB {ids}" if ids else "name it"


def _board_files(board: Board) -> dict[str, bytes]:
    folder = f"include/boards/{board.name}"
    device = _DEVICES[board.core]
    header = "bare_metal" if _is_bare_metal(board) else board.port.value
    values: dict[str, object] = {
        "name": text.c_string(board.name),
        "title": board.title,
        "device_header": device.header,
        "device": device.without if board.fpu is Fpu.NONE else device.with_fpu,
        "fused": "true" if board.arithmetic is Arithmetic.FUSED else "false",
        "clock_hz": f"{board.clock_hz}U",
        "baud": f"{board.serial.baud}U",
    }
    if board.port is Port.ARDUINO:
        values |= {"serial_object": board.serial.object or "Serial", "chip": _chip(board)}
    if board.port is Port.ESPIDF and board.serial.kind is not None:
        values |= {"serial_kind": board.serial.kind.value, "serial_type": _SERIAL_TYPES[board.serial.kind]}
    if board.uart is not None:
        values |= {
            "uart_driver": board.uart.driver.value,
            "uart_type": _UART_TYPES[board.uart.driver],
            "uart_base": f"{board.uart.base:#010x}U",
            "uart_irq": f"{board.uart.irq}U",
        }
    files = {
        f"{folder}/{_HEADERS_OF_BOARD}/board.h": templates.template(f"include/boards/{header}.h.jinja", values),
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
    return "cortex_m0" if board.core in _CORES_WITHOUT_COUNTER else "cortex_m"


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
    """The board as PlatformIO's boards/<name>.json describes it; `build` is read by our builder/main.py."""
    build: dict[str, Any] = {"toolchain": "host", "run_flags": "", "mcu": board.mcu}
    if board.runner.kind is RunnerKind.QEMU:
        cpu = "" if board.runner.cpu is None else f" --cpu {board.runner.cpu}"
        build = {
            "toolchain": toolchain.prefix(board.core),
            "mcu": board.mcu,
            "core_flags": _core_flags(board),
            "f_cpu": f"{board.clock_hz}L",
            "ldscript": "src/ports/bare_metal/firmware.ld",
            "memory_dir": f"include/boards/{board.name}",
            "run_flags": f"--emulator {toolchain.emulator(board.core)} --machine {board.runner.machine}{cpu} "
            f"--icount-shift {board.runner.icount_shift}",
        }
    return {
        "name": board.title,
        "vendor": "this computer" if board.runner.kind is RunnerKind.HOST else "emulated",
        "url": "https://www.qemu.org/docs/master/system/targets.html",
        "frameworks": [],
        "build": build,
        "upload": {
            "maximum_size": board.flash_bytes or _NOMINAL_HOST_BYTES,
            "maximum_ram_size": board.ram_bytes or _NOMINAL_HOST_BYTES,
            "protocol": "emulated",
            "protocols": ["emulated"],
        },
    }


def _core_flags(board: Board) -> list[str]:
    """How the compiler is told the core."""
    if board.core.architecture is Architecture.ARM:
        fpu = [] if board.fpu is Fpu.NONE else ["-mfloat-abi=hard", f"-mfpu={board.fpu.value}"]
        return [f"-mcpu={board.core.value}", "-mthumb", *fpu]
    if board.core.architecture is Architecture.RISCV:
        # As before 2019, when the instructions for status registers were not yet an extension without libraries.
        return [f"-march={board.core.value}", "-mabi=ilp32", "-misa-spec=2.2"]
    # An Xtensa compiler is for one core. Calls reach any address, literals lie among the code.
    return ["-mlongcalls", "-mtext-section-literals"]


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
