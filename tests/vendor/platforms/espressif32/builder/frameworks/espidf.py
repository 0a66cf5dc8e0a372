"""What ESP-IDF 5.5 sets that matters to a project's sources; CMake, which it is built with, is not needed for them."""

import re
import sys
from pathlib import Path

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
for name in ("CMakeLists.txt", "src/CMakeLists.txt"):
    if not (Path(env.subst("$PROJECT_DIR")) / name).is_file():
        sys.stderr.write(f"Error: {name} is missing\n")
        env.Exit(1)
platform = Path(env.PioPlatform().get_dir())
headers = platform.resolve().parents[1] / "espidf"
env.Append(
    CXXFLAGS=["-std=gnu++2b", "-fno-exceptions", "-fno-rtti"],
    CCFLAGS=["-Og", "-ffunction-sections", "-fdata-sections"],
    CPPDEFINES=["ESP_PLATFORM"],
    CPPPATH=[str(headers), str(headers.with_name("names"))],
)
# The options of the project's component, which CMake puts behind ESP-IDF's.
component = (Path(env.subst("$PROJECT_DIR")) / "src/CMakeLists.txt").read_text(encoding="utf-8")
(options,) = re.findall(r"target_compile_options\(\$\{COMPONENT_LIB\} PRIVATE (.*)\)", component)
own = re.sub(r"\$<\$<COMPILE_LANGUAGE:CXX>:(.*?)>", r"\1", options).split()
env.Replace(SRC_BUILD_FLAGS=[*env.get("SRC_BUILD_FLAGS", []), *own])
env.Append(LIBS=[env.BuildLibrary("$BUILD_DIR/Framework", str(platform / "core"))])
