"""From a policy and boards to a PlatformIO project, from a project to firmware that runs.

board      boards as data, read from TOML
runners    what runs firmware: this computer, QEMU, hardware
project    the files of a project: rendered, written, read again
platformio build, upload, power off
toolchain  which programs that takes, and how to get them
sizes, elf flash and RAM, as estimated and of an ELF file
"""

from rltools_embed.firmware import runners  # registers them: board files name one

__all__ = ["runners"]
