"""What arduino-esp32 2.0.17 (tools/platformio-build-*.py) sets that matters to a project's sources."""

from pathlib import Path

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
core = Path(env.PioPlatform().get_dir()) / "core"
env.Append(
    CXXFLAGS=["-std=gnu++11", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-fno-use-cxa-atexit"],
    CCFLAGS=["-Os", "-ffunction-sections", "-fdata-sections"],
    CPPDEFINES=[("ARDUINO", 10812), "ARDUINO_ARCH_ESP32", "ESP32"],
    CPPPATH=[*(str(core / "vendor" / name) for name in ("esp32", "names")), str(core)],
)
# This core includes headers of our bare ports, which are C++17.
core_env = env.Clone()
core_env.Append(CXXFLAGS=["-std=gnu++17"])
core_env.BuildSources("$BUILD_DIR/FrameworkArduino", str(core), f"+<common/> +<{env.BoardConfig().get('build.mcu')}/>")
