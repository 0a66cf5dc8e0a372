"""Compiles and links for a simulated chip, makes the image with esptool, and uploads it with esptool."""

import os
import shutil
import subprocess
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()
core = Path(env.PioPlatform().get_dir()) / "core"

# Compiler, flags of the core, flags of its C library, where code and data lie in RAM, and the image in flash.
CHIPS = {
    "esp32": (
        "xtensa-de233_fpu-elf",
        # As this compiler's C library has isinf() and isnan(), which the other library's C++ headers ask about.
        ["-mlongcalls", "-mtext-section-literals"],
        ["-D_GLIBCXX_HAVE_OBSOLETE_ISINF=1", "-D_GLIBCXX_HAVE_OBSOLETE_ISNAN=1"],
        {"__code": 0x4008_0000, "__code_bytes": 0x2_0000, "__data": 0x3FFB_0000, "__data_bytes": 0x2_C000},
        0x1000,
    ),
    # Code and data are two views of the same RAM: its first half holds the code.
    "esp32c3": (
        "riscv64-unknown-elf",
        ["-march=rv32imc", "-mabi=ilp32", "-misa-spec=2.2"],
        ["--specs=picolibc.specs"],
        {"__code": 0x4038_0000, "__code_bytes": 0x2_0000, "__data": 0x3FCA_0000, "__data_bytes": 0x3_C000},
        0x0,
    ),
}
mcu = board.get("build.mcu")
prefix, core_flags, library, memory, image_offset = CHIPS[mcu]


def cpp_headers():
    """Debian's compilers for these cores come without a C++ library; Arm's has the same headers."""
    command = ["arm-none-eabi-g++", "-mcpu=cortex-m3", "-mthumb", "-E", "-v", "-x", "c++", "/dev/null"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    folders = (line.strip() for line in shown.splitlines() if line.startswith(" /") and "/c++/" in line)
    return [word for folder in folders for word in ("-isystem", folder)]


env["ENV"]["PATH"] = os.environ["PATH"]
compiler = shutil.which(f"{prefix}-gcc")
env.Replace(
    CC=compiler,
    CXX=compiler,
    LINK=compiler,
    AR=f"{prefix}-gcc-ar",
    RANLIB=f"{prefix}-gcc-ranlib",
    SIZETOOL=f"{prefix}-size",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
    LDSCRIPT_PATH=str(core / "ram.ld"),
)
env.Append(
    # The chip's RAM is where vectors.S would map the machine's.
    ASFLAGS=[*core_flags, "-DVECTORS_KEEP_ADDRESSES"],
    CCFLAGS=[*core_flags, *library],
    CXXFLAGS=cpp_headers(),
    CPPDEFINES=[("F_CPU", "$BOARD_F_CPU"), *(flag[2:] for flag in board.get("build.extra_flags", "").split())],
    LINKFLAGS=[
        *core_flags,
        *(library if mcu == "esp32c3" else ["-nostdlib"]),
        "-nostartfiles",
        "-Wl,--gc-sections",
        "-Wl,--no-warn-rwx-segments",
        *(f"-Wl,--defsym={name}={value:#x}" for name, value in memory.items()),
    ],
    LIBS=["gcc"],
)


def esptool(*words):
    return subprocess.run([env.subst("$PYTHONEXE"), "-m", "esptool", "--chip", mcu, *words], check=False).returncode


def make_image(target, source, env):
    settings = ["--flash-mode", "dio", "--flash-freq", "40m", "--flash-size", "4MB"]
    return esptool("elf2image", *settings, "-o", target[0].get_abspath(), source[0].get_abspath())


def upload(target, source, env):
    port = ["--port", env.subst("$UPLOAD_PORT"), "--baud", env.subst("$UPLOAD_SPEED")]
    return esptool(*port, "write-flash", "-z", hex(image_offset), source[0].get_abspath())


if "nobuild" in COMMAND_LINE_TARGETS:
    image = env.File("$BUILD_DIR/firmware.bin")
else:
    image = env.Command("$BUILD_DIR/firmware.bin", env.BuildProgram(), env.VerboseAction(make_image, "Making $TARGET"))
AlwaysBuild(env.Alias("nobuild", image))
Default(env.Alias("buildprog", image))
env.AddPlatformTarget("upload", image, env.VerboseAction(upload, "Uploading $SOURCE"), "Upload")
