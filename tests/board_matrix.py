"""Every board with each of its frameworks: rendered, compiled and, where a machine is emulated, run.

    python -m tests.board_matrix

writes what came out to boards/evidence.json and the table in README.md. The tests do the same and compare.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from platformio.project.config import ProjectConfig

from rltools_embed import process, resources
from rltools_embed.firmware import board as boards
from rltools_embed.firmware import evidence, platformio, project, toolchain
from rltools_embed.firmware.board import Architecture, Board, Core, Fpu, Framework, cores
from rltools_embed.firmware.evidence import Evidence, FrameworkBuild, Level
from rltools_embed.firmware.runners import Qemu
from rltools_embed.policy.model import Policy
from rltools_embed.validation import Settings, validate
from tests import policies
from tests.boards import export, running
from tests.firmware.conftest import make_spec

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "tests" / "vendor"
BEGIN, END = "<!-- boards: written by tests/board_matrix.py -->", "<!-- end of boards -->"

# The boards of tests/simulated_esp, and their chips there.
SIMULATED = {"esp32dev": "esp32", "esp32-c3-devkitm-1": "esp32c3"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """A hardware board on one of its frameworks."""

    board: Board

    @property
    def name(self) -> str:
        return f"{self.board.name}-{self.board.port.name}"


def hardware() -> tuple[str, ...]:
    """The hardware boards."""
    return tuple(name for name in boards.names() if boards.load(name).runner.has_framework)


def targets() -> Iterator[Target]:
    """Every hardware board on every framework that it has."""
    for name in hardware():
        loaded = boards.load(name)
        for framework in loaded.platformio.frameworks:
            yield Target(board=loaded.on(framework))


def core_of(board: Board) -> tuple[Core, Fpu]:
    """The core that the board's sources are compiled for here, with its floating-point unit.

    For Xtensa QEMU's core nearest to the ESP32's; a Cortex-M4 where that one's compiler is not installed.
    """
    if board.core.architecture != Architecture.XTENSA:
        return board.core, board.fpu
    core = cores.XTENSA_DE233_FPU if shutil.which(cores.XTENSA_DE233_FPU.toolchain.compiler) else cores.CORTEX_M4
    return core, core.fpus[-1]


def compiler_of(board: Board) -> tuple[str, ...]:
    """The compiler for the board's core with the core's flags."""
    core, fpu = core_of(board)
    # Arm's C++ headers over the C library of Xtensa's compiler, which declares both as functions.
    both = ("-D_GLIBCXX_HAVE_OBSOLETE_ISINF=1", "-D_GLIBCXX_HAVE_OBSOLETE_ISNAN=1")
    headers = arm_cpp_headers() if core.toolchain.takes_arm_headers else ()
    macros = both if core is cores.XTENSA_DE233_FPU else ()
    return (core.toolchain.compiler, *core.compiler_flags(fpu), *core.toolchain.compile_flags, *macros, *headers)


def arm_cpp_headers() -> tuple[str, ...]:
    """Debian's RISC-V compiler has no C++ library; its headers are the same as Arm's."""
    shown = process.run(["arm-none-eabi-g++", "-E", "-v", "-x", "c++", "/dev/null"]).output
    folders = (line.strip() for line in shown.splitlines() if line.startswith(" /") and "/c++/" in line)
    return tuple(word for folder in folders for word in ("-isystem", folder))


# Macros that the platforms' builders and board files put on the command line, where a name of ours must not meet them.
_MACROS = {
    "stm32": "STM32F4 STM32F4xx STM32F446xx ARDUINO_ARCH_STM32 USE_FULL_LL_DRIVER HAL_UART_MODULE_ENABLED NDEBUG",
    "teensy": "TEENSYDUINO=159 ARDUINO_TEENSY41 __IMXRT1062__ USB_SERIAL LAYOUT_US_ENGLISH ARM_MATH_CM7",
    "samd": "ARDUINO_ARCH_SAMD ARDUINO_SAMD_ZERO __SAMD21G18A__ USBCON USB_VID=0x2341 ARM_MATH_CM0PLUS CRYSTALLESS",
    "nrf52": "ARDUINO_ARCH_NRF52840 ARDUINO_ARDUINO_NANO33BLE NRF52840_XXAA TARGET_NORDIC __MBED__=1 ARM_MATH_CM4",
    "rp2040": "ARDUINO_ARCH_RP2040 ARDUINO_RASPBERRY_PI_PICO PICO_RP2040 PICO_ON_DEVICE=1 USBD_MAX_POWER_MA=250",
    "esp32": "ESP32 ESP_PLATFORM ARDUINO_ARCH_ESP32 ARDUINO_ESP32_DEV HAVE_CONFIG_H UNITY_INCLUDE_CONFIG_H",
}
_FAMILIES = {
    "ststm32": "stm32",
    "teensy": "teensy",
    "atmelsam": "samd",
    "nordicnrf52": "nrf52",
    "platform-raspberrypi": "rp2040",
    "espressif32": "esp32",
}
_MACROS_OF_BOARD = {
    "adafruit_feather_m4": ("-DADAFRUIT_FEATHER_M4_EXPRESS",),
    "seeed_xiao_esp32c3": ("-DARDUINO_USB_MODE=1", "-DARDUINO_USB_CDC_ON_BOOT=1"),
}


def vendor_flags(board: Board) -> tuple[str, ...]:
    """Where the stand-ins of the vendor's headers are, and what the framework would define."""
    names = f"-I{VENDOR / 'names'}"  # a framework's headers with words of ours as names
    if board.framework is Framework.ESPIDF:
        chip = f"-DCONFIG_IDF_TARGET_{board.mcu.upper()}=1"  # of sdkconfig.h, by the board
        return (f"-I{VENDOR / 'espidf'}", names, "-DESP_PLATFORM", chip)
    (family,) = (folder for word, folder in _FAMILIES.items() if word in board.platformio.platform)
    macros = [f"-D{word}" for word in (*_MACROS[family].split(), "ARDUINO=10812")]
    if family == "stm32":
        macros += ["--param", "max-inline-insns-single=500"]  # platformio-build.py of stm32duino 2.12
    elif family != "nrf52":  # which has no F_CPU; stm32duino's is a variable
        macros.append(f"-DF_CPU={board.clock_hz}L")
    return (f"-I{VENDOR / family}", names, *macros, *_MACROS_OF_BOARD.get(board.name, ()))


def firmware_sources(folder: Path, board: Board) -> tuple[Path, ...]:
    """What the board's firmware is made of, but for the framework."""
    port = folder / "src" / "rlt_embed" / "ports" / board.port.name
    return (*sorted((folder / "src").glob("*.cpp")), *sorted(port.glob("*.cpp")))


def sources(folder: Path, board: Board) -> tuple[Path, ...]:
    """What PlatformIO would compile for this board, the on-device test included."""
    return (*firmware_sources(folder, board), *sorted(folder.glob("test/*/*.cpp")))


def compile_board(folder: Path, board: Board, compiler: tuple[str, ...], *flags: str) -> process.Completed:
    """Every source of the exported project in `folder`, with the flags of its platformio.ini, warnings as errors.

    In PlatformIO's order: the project's folders and flags, then the framework's, then those for the project's sources.
    """
    includes = [f"-I{path}" for path in (folder / "include", folder / "src", folder / "lib/rl_tools/include")]
    settings = ProjectConfig(str(folder / "platformio.ini"))
    common, own = (settings.get(f"env:{board.name}", key) for key in ("build_flags", "build_src_flags"))
    if board.framework is Framework.ESPIDF:
        own = [*own, *_component_options(folder)]
    language = ("-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics")
    command = [*compiler, *includes, *_words(common), *language, *vendor_flags(board), *_words(own), "-Werror", *flags]
    return process.run([*command, *sources(folder, board)], cwd=folder)


def _component_options(folder: Path) -> list[str]:
    """What src/CMakeLists.txt adds to ESP-IDF's options for our component."""
    text = (folder / "src/CMakeLists.txt").read_text(encoding="utf-8")
    (options,) = re.findall(r"target_compile_options\(\$\{COMPONENT_LIB\} PRIVATE (.*)\)", text)
    return [re.sub(r"\$<\$<COMPILE_LANGUAGE:CXX>:(.*)>", r"\1", word) for word in options.split()]


def link_board(folder: Path, board: Board, output: Path, *roots: str) -> process.Completed:
    """The objects that compile_board(…, "-c") left in `folder` as one program, without the framework.

    Args:
        roots: the symbols that the framework calls; what they do not need is left out. The linker warns of its own.
    """
    core, fpu = core_of(board)
    kept = [f"-Wl,--entry={roots[0]}", *(f"-Wl,--undefined={root}" for root in roots), "-Wl,--gc-sections"]
    alone = ["-nostdlib", "-Wl,--warn-unresolved-symbols"]
    objects = [f"{source.stem}.o" for source in firmware_sources(folder, board)]
    compiler = (core.toolchain.compiler, *core.compiler_flags(fpu))
    return process.run([*compiler, *kept, *alone, "-o", output, *objects], cwd=folder)


def _words(flags: list[str]) -> list[str]:
    return [word for flag in flags for word in flag.split()]


def export_target(target: Target, folder: Path, hidden: int = 8) -> Path:
    spec = replace(make_spec(hidden=hidden), boards=(target.board,))
    project.write(project.render(spec), folder, owned=project.render_owned(spec))
    return folder


def compiled(board: Board) -> Evidence:
    """Compile a hardware board's firmware on every framework that it has, down to machine code."""
    rendered, names = [], []
    for framework in board.platformio.frameworks:
        target = Target(board=board.on(framework))
        with tempfile.TemporaryDirectory() as folder:
            project_dir = export_target(target, Path(folder) / "x")
            rendered.append(framework.value)
            done = compile_board(project_dir, target.board, compiler_of(board), "-S")
        if done.exit_code != 0:
            detail = f"{framework.value} does not compile: {done.output[:200]}"
            return Evidence(level=Level.NOTHING, detail=detail, rendered=tuple(rendered), compiled=tuple(names))
        names.append(framework.value)
    used = compiler_of(board)[0]
    detail = f"{' and '.join(names)}: every source compiles with {used}, against stand-ins of the vendor's headers"
    seen = Evidence(level=Level.COMPILED, detail=detail, rendered=tuple(rendered), compiled=tuple(names))
    return with_frameworks(board, seen)


def with_frameworks(board: Board, seen: Evidence) -> Evidence:
    """The evidence with what the vendor's own framework made of the firmware (tests/real_frameworks.py)."""
    for framework in board.platformio.frameworks:
        build = evidence.framework_build(board.on(framework))
        if build is None:
            continue
        packages = ", ".join(build.packages[:2])
        detail = f"{seen.detail}; {packages} built it ({build.flash_bytes} B of flash)"
        if build.passed:
            ran = f"{build.equal} of {build.outputs} outputs have the bits of the reference on {build.ran_on}"
            return replace(seen, level=Level.VENDOR_EMULATED, detail=f"{detail}; {ran}")
        return replace(seen, level=Level.VENDOR_PACKAGES, detail=detail)
    return seen


def simulated(board: Board, policy: Policy) -> Evidence:
    """Flash a simulated board with the vendor's real tool, and validate what then runs on it."""
    from tests.simulated_esp import CHIPS, serve
    from tests.simulated_esp import Board as SimulatedBoard
    from tests.simulated_esp.core_dir import make_core_dir

    seen = compiled(board)
    with tempfile.TemporaryDirectory() as folder, serve(SimulatedBoard(CHIPS[SIMULATED[board.name]])) as port:
        project_dir = export(policy, Path(folder) / "x", board.name)
        core_dir = str(make_core_dir(Path(folder) / "core"))
        command = [sys.executable, "-m", "rltools_embed", "flash", project_dir, "--port", port]
        done = process.run(command, environment={"PLATFORMIO_CORE_DIR": core_dir}, timeout_s=600)
        if done.exit_code != 0:
            return replace(seen, level=Level.NOTHING, detail=done.output[-200:])
        report = validate(project_dir, port=port, settings=Settings(benchmark_repeats=1))
    if not report.passed or report.total is None:
        return replace(seen, level=Level.NOTHING, detail="the validation did not pass")
    ran = f"{report.total.equal} of {report.total.outputs} outputs have the bits of the reference"
    how = "on a simulated board with a stand-in for Arduino's core, flashed by esptool"
    return replace(
        seen,
        level=Level.SIMULATED,
        detail=f"{seen.detail}; {ran} {how}",
        ran_on="simulated board, stand-in for Arduino's core",
        outputs=report.total.outputs,
        equal=report.total.equal,
    )


def run_here(board: Board, policy: Policy) -> Evidence:
    """Build, run and validate an emulated board, or the firmware as a process."""
    missing = [tool for tool in (*toolchain.for_build(board), *toolchain.for_upload(board)) if not tool.serves]
    if missing:
        return Evidence(level=Level.NOTHING, detail="; ".join(tool.problem for tool in missing))
    with tempfile.TemporaryDirectory() as folder:
        project_dir = export(policy, Path(folder) / "x", board.name)
        sizes = platformio.build(project_dir).memory
        with running(project_dir) as port:
            report = validate(project_dir, port=port, settings=Settings())
    seen = Evidence(level=Level.NOTHING, detail="", rendered=(board.software,), compiled=(board.software,))
    total = report.total
    if not report.passed or total is None:
        return replace(seen, detail="the validation did not pass")
    seen = replace(seen, outputs=total.outputs, equal=total.equal)
    detail = f"{total.equal} of {total.outputs} outputs have the bits of the reference"
    if board.core is cores.NATIVE:
        detail += ", as a process of this computer"
        return replace(seen, level=Level.THIS_COMPUTER, detail=detail, ran_on="this computer")
    if report.cost is not None and report.cost.per_inference is not None and sizes is not None:
        detail += f"; {report.cost.per_inference:.0f} {report.cost.unit} per inference, {sizes.flash_bytes} B of flash"
    return replace(seen, level=Level.EMULATED, detail=detail, ran_on=emulator_of(board))


def emulator_of(board: Board) -> str:
    """The emulator and its machine, for the table."""
    return f"QEMU, {board.runner.machine}" if isinstance(board.runner, Qemu) else board.runner.kind


def measure() -> dict[str, Evidence]:
    """All boards, in the order of their names."""
    policy = policies.sac_policy(environment="Pendulum-v1")
    results = {}
    for name in boards.names():
        loaded = boards.load(name)
        if name in SIMULATED:
            results[name] = simulated(loaded, policy)
        elif loaded.runner.has_framework:
            results[name] = compiled(loaded)
        else:
            results[name] = run_here(loaded, policy)
        sys.stderr.write(f"{name}: {results[name].level.value}; {results[name].detail}\n")
    return results


def table(results: dict[str, Evidence]) -> str:
    """The README's table of boards."""
    rows = [
        "| board | core | flash, RAM | renders | compiles | built with | ran on | outputs bit equal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted(results, key=lambda name: (not boards.load(name).runner.has_framework, name)):
        board = boards.load(name)
        unit = "" if board.fpu in (Fpu.NONE, Fpu.NATIVE) else f", {board.fpu.value}"
        memory = "-" if board.flash_bytes is None else f"{board.flash_bytes >> 10}, {(board.ram_bytes or 0) >> 10} KiB"
        cells = (f"`{name}`", f"{board.core.name}{unit}", memory, *cells_of(board, results[name]))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def cells_of(board: Board, seen: Evidence) -> tuple[str, str, str, str, str]:
    """Renders, compiles, built with, ran on, bits: what was seen, or a dash."""
    built = [row for row in evidence.framework_rows(board.name) if not row.missing]
    ran = next((row for row in built if row.passed), None)
    if ran is not None:
        where, bits = ran.ran_on, f"{ran.equal} of {ran.outputs}"
    else:
        where, bits = seen.ran_on or "-", f"{seen.equal} of {seen.outputs}" if seen.outputs else "-"
    frameworks = "; ".join(framework_title(row) for row in built)
    if not frameworks and evidence.framework_rows(board.name):
        frameworks = "[what is missing](docs/real_boards.md#not-built)"
    if not board.runner.has_framework:
        frameworks = "no framework"
    return (", ".join(seen.rendered) or "-", ", ".join(seen.compiled) or "-", frameworks or "-", where, bits)


def framework_title(row: FrameworkBuild) -> str:
    """The framework with the version that its vendor gives it: "arduinoststm32 2.12.0"."""
    package = next(each for each in row.packages if each.startswith("framework-"))
    found = re.fullmatch(r"framework-(\S+) (\S+?)(?: \((\S+)\))?", package)
    assert found is not None, package
    return f"{found[1]} {found[3] or found[2]}"


def readme_with(rows: str) -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    head, rest = text.split(BEGIN + "\n")
    return f"{head}{BEGIN}\n{rows}{END}\n{rest.split(END + chr(10))[1]}"


def main() -> None:
    results = measure()
    entries = {name: {**asdict(entry), "level": entry.level.value} for name, entry in results.items()}
    path = resources.boards_dir() / evidence.FILE
    document = {**json.loads(path.read_text(encoding="utf-8")), "boards": entries}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (ROOT / "README.md").write_text(readme_with(table(results)), encoding="utf-8")


if __name__ == "__main__":
    main()
