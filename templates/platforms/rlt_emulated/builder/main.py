"""How PlatformIO builds and starts firmware for the emulated boards."""

import os
import shlex
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
    env.Append(CXXFLAGS=["-std=gnu++17"])


def configure_cortex_m():
    """Arm's bare-metal GCC; vectors, start-up code and linker script come from the port."""
    core = [f"-mcpu={board.get('build.cpu')}", "-mthumb", *board.get("build.fpu_flags")]
    env.Replace(
        AR="arm-none-eabi-gcc-ar",
        AS="arm-none-eabi-as",
        CC="arm-none-eabi-gcc",
        CXX="arm-none-eabi-g++",
        LINK="arm-none-eabi-g++",
        RANLIB="arm-none-eabi-gcc-ranlib",
        OBJCOPY="arm-none-eabi-objcopy",
        SIZETOOL="arm-none-eabi-size",
        GDB=shutil.which("gdb-multiarch") or "arm-none-eabi-gdb",
        PROGSUFFIX=".elf",
        LDSCRIPT_PATH=board.get("build.ldscript"),
        SIZEPROGREGEXP=r"^(?:\.text|\.data|\.rodata|\.init_array|\.ARM\.exidx)\s+(\d+).*",
        SIZEDATAREGEXP=r"^(?:\.stack|\.data|\.bss)\s+(\d+).*",
        SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
        SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    )
    env.Append(
        ASFLAGS=core,
        CCFLAGS=[*core, "-ffunction-sections", "-fdata-sections"],
        CXXFLAGS=["-std=gnu++17", "-fno-rtti", "-fno-exceptions", "-fno-threadsafe-statics", "-fno-use-cxa-atexit"],
        LINKFLAGS=[
            *core,
            "-nostartfiles",
            "--specs=nano.specs",
            "--specs=nosys.specs",
            "-Wl,--gc-sections",
            "-Wl,-Map=${TARGET.base}.map",
            # Where memory.ld is. A flag, not LIBPATH: relative, so nothing in the project's own path needs quoting.
            "-L" + board.get("build.memory_dir"),
        ],
    )


if board.get("build.toolchain") == "host":
    configure_host()
else:
    configure_cortex_m()
env.Replace(PROGNAME="firmware")

if "nobuild" in COMMAND_LINE_TARGETS:
    firmware = env.File(env.subst(os.path.join("$BUILD_DIR", "firmware.elf")))
else:
    firmware = env.BuildProgram()

AlwaysBuild(env.Alias("nobuild", firmware))
# The host's process has no flash to fill; a board's size is checked on every build.
program = [firmware] if board.get("build.toolchain") == "host" else [firmware, env.Alias("checkprogsize")]
Default(env.Alias("buildprog", program))



def run_board(action, *arguments):
    """Starts or stops the board. Without a shell: folders and ports may have any characters in them."""
    port = env.subst("$UPLOAD_PORT")
    place = ["--port", port, "--project", env.subst("$PROJECT_DIR")]
    program = str(Path(env.PioPlatform().get_dir()) / "run_board.py")
    return subprocess.run([env.subst("$PYTHONEXE"), program, action, *arguments, *place], check=False).returncode


def start_board(target, source, env):
    return run_board("start", *shlex.split(board.get("build.run_flags")), "--elf", source[0].get_abspath())


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
