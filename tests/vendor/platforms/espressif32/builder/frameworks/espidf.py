"""What ESP-IDF 5.5 sets that matters to a project's sources; CMake, which it is built with, is not needed for them."""

import sys
from pathlib import Path

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
for name in ("CMakeLists.txt", "src/CMakeLists.txt"):
    if not (Path(env.subst("$PROJECT_DIR")) / name).is_file():
        sys.stderr.write(f"Error: {name} is missing\n")
        env.Exit(1)
headers = Path(env.PioPlatform().get_dir()).resolve().parents[1] / "espidf"
env.Append(
    CXXFLAGS=["-std=gnu++2b", "-fno-exceptions", "-fno-rtti"],
    CCFLAGS=["-Og", "-ffunction-sections", "-fdata-sections"],
    CPPDEFINES=["ESP_PLATFORM"],
    CPPPATH=[str(headers), str(headers.with_name("names"))],
)
