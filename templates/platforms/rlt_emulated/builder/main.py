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


def configure_bare(prefix):
    """A bare-metal GCC; start-up code and linker script come from the port."""
    core = board.get("build.core_flags")
    # The drivers called g++ would link a C++ library, which only Arm's has.
    compiler = f"{prefix}-g++" if prefix == "arm-none-eabi" else f"{prefix}-gcc"
    env.Replace(
        AR=f"{prefix}-gcc-ar",
        AS=f"{prefix}-as",
        CC=f"{prefix}-gcc",
        CXX=compiler,
        LINK=compiler,
        RANLIB=f"{prefix}-gcc-ranlib",
        OBJCOPY=f"{prefix}-objcopy",
        SIZETOOL=f"{prefix}-size",
        GDB=shutil.which("gdb-multiarch") or f"{prefix}-gdb",
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
            "-Wl,--gc-sections",
            "-Wl,-Map=${TARGET.base}.map",
            # Where memory.ld is. A flag, not LIBPATH: relative, so nothing in the project's own path needs quoting.
            "-L" + board.get("build.memory_dir"),
        ],
    )


def configure_cortex_m():
    configure_bare("arm-none-eabi")
    env.Append(LINKFLAGS=["--specs=nano.specs", "--specs=nosys.specs"])


def configure_riscv():
    configure_bare("riscv64-unknown-elf")
    library = ["--specs=picolibc.specs"]
    env.Append(CCFLAGS=library, CXXFLAGS=cpp_headers(), LINKFLAGS=library)


def configure_xtensa():
    """The compiler of xtensa/install_compiler: one for each core, with the headers of a C library but no library."""
    configure_bare(board.get("build.toolchain"))
    env.Append(CXXFLAGS=cpp_headers(), LINKFLAGS=["-nostdlib"], LIBS=["gcc"])


CONFIGURE = {
    "host": configure_host,
    "arm-none-eabi": configure_cortex_m,
    "riscv64-unknown-elf": configure_riscv,
    "xtensa-dc233c-elf": configure_xtensa,
    "xtensa-de233_fpu-elf": configure_xtensa,
}
CONFIGURE[board.get("build.toolchain")]()
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
