"""How PlatformIO builds and starts firmware for the emulated boards."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()


def configure_host():
    """The compiler of this computer; CXX names another one."""
    compiler = os.environ.get("CXX") or next((name for name in ("g++", "clang++", "c++") if shutil.which(name)), None)
    if compiler is None:
        sys.stderr.write("Error: no C++ compiler: `sudo apt-get install g++`, or `xcode-select --install` on macOS\n")
        env.Exit(1)
    env.Replace(CC=compiler, CXX=compiler, LINK=compiler, SIZETOOL="size", PROGSUFFIX=".elf")
    # No CPU flags: the firmware is the same program on every computer of this kind.
    env.Append(CCFLAGS=["-O2"], CXXFLAGS=["-std=gnu++17"])


def cpp_headers():
    """The C++ headers of Arm's compiler: those that we include suit any 32-bit core, and Debian has no others."""
    command = ["arm-none-eabi-g++", "-mcpu=cortex-m3", "-mthumb", "-x", "c++", "-E", "-v", os.devnull]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        package = "libstdc++-arm-none-eabi-newlib"
        sys.stderr.write(f"Error: no C++ headers: `sudo apt-get install gcc-arm-none-eabi {package}`\n")
        env.Exit(1)
    folders = (line.strip() for line in shown.splitlines() if line.startswith(" /"))
    return [word for folder in folders if "/c++/" in folder for word in ("-isystem", folder)]


def configure_cross():
    """The compiler of the board's core, as boards/<name>.json names it with its companions and flags."""
    core = board.get("build.core_flags")
    tools = dict(board.get("build.tools"))
    env.Replace(**{**tools, "GDB": shutil.which("gdb-multiarch") or tools["GDB"]})
    env.Append(
        ASFLAGS=core,
        CCFLAGS=[*core, "-O2", "-ffunction-sections", "-fdata-sections", *board.get("build.compile_flags")],
        CXXFLAGS=[
            *("-std=gnu++17", "-fno-rtti", "-fno-exceptions", "-fno-threadsafe-statics", "-fno-use-cxa-atexit"),
            *(cpp_headers() if board.get("build.takes_arm_headers") else ()),
        ],
        LINKFLAGS=core,
    )
    env.Replace(PROGSUFFIX=".elf")


def configure_bare():
    """Start-up code and linker script come from the port."""
    env.Replace(
        LDSCRIPT_PATH=board.get("build.ldscript"),
        SIZEPROGREGEXP=r"^(?:\.text|\.data|\.rodata|\.init_array|\.ARM\.exidx)\s+(\d+).*",
        SIZEDATAREGEXP=r"^(?:\.stack|\.data|\.bss)\s+(\d+).*",
        SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
        SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    )
    env.Append(
        LINKFLAGS=[
            "-nostartfiles",
            "-Wl,--gc-sections",
            "-Wl,-Map=${TARGET.base}.map",
            # Where memory.ld is. A flag, not LIBPATH: relative, so nothing in the project's own path needs quoting.
            "-L" + board.get("build.memory_dir"),
        ],
    )


is_host = board.get("build.toolchain") == "host"
if is_host:
    configure_host()
else:
    configure_cross()
if "build.ldscript" in board:
    configure_bare()
env.Append(LINKFLAGS=board.get("build.link_flags", []), LIBS=board.get("build.libraries", []))
env.Replace(PROGNAME="firmware")

if "nobuild" in COMMAND_LINE_TARGETS:
    firmware = env.File(env.subst(os.path.join("$BUILD_DIR", "firmware.elf")))
else:
    firmware = env.BuildProgram()
    if "build.ldscript" in board:
        # The linker reads them by itself, so nobody else knows that the program is made of them.
        scripts = [board.get("build.ldscript"), os.path.join(board.get("build.memory_dir"), "memory.ld")]
        env.Depends(firmware, [env.File(os.path.join("$PROJECT_DIR", path)) for path in scripts])

AlwaysBuild(env.Alias("nobuild", firmware))
# The host's process has no flash to fill; a board's size is checked on every build.
program = [firmware] if is_host else [firmware, env.Alias("checkprogsize")]
Default(env.Alias("buildprog", program))


def run_board(action, *options, words=()):
    """Starts or stops the board. Without a shell: folders and ports may have any characters in them."""
    place = ["--port", env.subst("$UPLOAD_PORT"), "--project", env.subst("$PROJECT_DIR")]
    program = str(Path(env.PioPlatform().get_dir()) / "run_board.py")
    command = [env.subst("$PYTHONEXE"), program, action, *options, *place, *(("--", *words) if words else ())]
    return subprocess.run(command, check=False).returncode


def start_board(target, source, env):
    options = ("--elf", source[0].get_abspath(), "--advice", board.get("build.run_advice"))
    return run_board("start", *options, words=board.get("build.run"))


def stop_board(target, source, env):
    return run_board("stop")


env.AddPlatformTarget(
    "upload",
    firmware,
    env.VerboseAction(start_board, "Starting $SOURCE"),
    "Upload",
    "Start the firmware, instead of what this project runs on this port",
)
env.AddPlatformTarget(
    "poweroff",
    None,
    env.VerboseAction(stop_board, "Switching the board off"),
    "Power off",
    "End what this project runs on this port",
)
