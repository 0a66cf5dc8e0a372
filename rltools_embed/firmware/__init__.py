"""From a policy and boards to a PlatformIO project, from a project to firmware that runs.

board      boards as data, read from TOML
project    the files of a project: rendered, written, read again
platformio build, upload, power off
toolchain  which programs that takes, and how to get them
memory     flash and RAM of an ELF file
"""
