"""What arduino-esp32 2.0.17 (tools/platformio-build-*.py) sets that matters to a project's sources."""

from pathlib import Path

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
platform = Path(env.PioPlatform().get_dir())
headers = platform.resolve().parents[1] / "esp32"
env.Append(
    CXXFLAGS=["-std=gnu++11", "-fexceptions", "-fno-rtti"],
    CCFLAGS=[
        *("-Os", "-ffunction-sections", "-fdata-sections", "-fstack-protector", "-fstrict-volatile-bitfields"),
        *("-Wwrite-strings", "-Wno-error=unused-function", "-Wno-error=unused-variable"),
        *("-Wno-error=unused-but-set-variable", "-Wno-error=deprecated-declarations"),
    ],
    CPPDEFINES=[("ARDUINO", 10812), "ARDUINO_ARCH_ESP32", "ESP32"],
    CPPPATH=[str(headers), str(headers.with_name("names"))],
)
env.Append(LIBS=[env.BuildLibrary("$BUILD_DIR/Framework", str(platform / "core"))])
