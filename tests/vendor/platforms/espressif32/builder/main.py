"""Compilers for the chips: RISC-V's own, and Arm's in place of Xtensa's. The program is linked as far as one object."""

import subprocess
import sys

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()


def cpp_headers():
    """Debian's RISC-V compiler comes without a C++ library; Arm's has the same headers."""
    command = ["arm-none-eabi-g++", "-E", "-v", "-x", "c++", "/dev/null"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    folders = (line.strip() for line in shown.splitlines() if line.startswith(" /") and "/c++/" in line)
    return [word for folder in folders for word in ("-isystem", folder)]


RISCV = {"esp32c3": "rv32imc", "esp32c6": "rv32imac"}
mcu = board.get("build.mcu")
if mcu in RISCV:
    compiler = "riscv64-unknown-elf-gcc"
    core = [f"-march={RISCV[mcu]}", "-mabi=ilp32"]
    env.Append(CCFLAGS=["--specs=picolibc.specs"], CXXFLAGS=cpp_headers())
else:
    compiler = "arm-none-eabi-g++"
    core = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]

prefix = compiler.rpartition("-")[0]
env.Replace(
    CC=compiler, CXX=compiler, LINK=compiler, AR=f"{prefix}-ar", RANLIB=f"{prefix}-ranlib", SIZETOOL=f"{prefix}-size"
)
env.Replace(PROGNAME="firmware", PROGSUFFIX=".elf")
env.Append(
    CCFLAGS=core,
    CPPDEFINES=[("F_CPU", "$BOARD_F_CPU"), *(flag[2:] for flag in board.get("build.extra_flags", "").split())],
    LINKFLAGS=[*core, "-r", "-nostdlib"],
)

firmware = env.BuildProgram()
AlwaysBuild(env.Alias("nobuild", firmware))
Default(env.Alias("buildprog", firmware))


def upload(target, source, env):
    """Nothing is written: a network port is taken for a board that has the firmware, any other for an absent one."""
    port = env.subst("$UPLOAD_PORT")
    sys.stdout.write(f"Uploading to {port}\n")
    if "://" in port:
        return 0
    sys.stdout.write(f"A fatal error occurred: Could not open {port}, the port is busy or doesn't exist.\n")
    return 2


env.AddPlatformTarget("upload", firmware, env.VerboseAction(upload, "Uploading $SOURCE"), "Upload", "Pretend")
