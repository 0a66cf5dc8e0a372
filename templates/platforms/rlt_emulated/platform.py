"""The development platform of the emulated boards: it takes the tools of this computer before any of the registry's."""

import importlib.metadata
import json
import shutil
from pathlib import Path

from platformio.dependencies import get_core_dependencies
from platformio.platform.base import PlatformBase

CROSS_COMPILER = "toolchain-gccarmnoneeabi"


def wanted_scons():
    """SCons as PyPI numbers it ("4.11.1"), out of Core's requirement ("~4.41101.0")."""
    digits = get_core_dependencies()["tool-scons"].lstrip("~^=").split(".")[1]
    return f"{int(digits[:-4])}.{int(digits[-4:-2])}.{int(digits[-2:])}"


def installed_scons():
    try:
        return importlib.metadata.version("scons")
    except importlib.metadata.PackageNotFoundError:
        return None


class Rlt_emulatedPlatform(PlatformBase):  # noqa: N801 (PlatformIO derives this name from the folder's)
    def is_embedded(self):
        # `pio test` uploads to embedded platforms and reads their serial port, which is what our boards need.
        return True

    def configure_default_packages(self, options, targets):
        overridden = " ".join(options.get("platform_packages", []))
        if CROSS_COMPILER not in overridden and (not self._is_arm(options) or shutil.which("arm-none-eabi-g++")):
            self.packages[CROSS_COMPILER]["optional"] = True
        if "tool-scons" not in overridden and installed_scons() == wanted_scons():
            self.packages["tool-scons"].update(version=f"symlink://{self._scons_package()}", optional=False)
        return super().configure_default_packages(options, targets)

    def _is_arm(self, options):
        """Only Arm's compiler is a package of the registry; the others are this computer's or nobody's."""
        return "board" not in options or self.board_config(options["board"]).get("build.toolchain") == "arm-none-eabi"

    def _scons_package(self):
        """pip's SCons as the package that Core looks for: the version must be the one that Core asks for."""
        folder = Path(self.get_dir()) / "tool-scons"
        major = get_core_dependencies()["tool-scons"].lstrip("~^=")
        written = json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"]
        return folder if written == major else self._copy_of_scons_package(folder, major)

    def _copy_of_scons_package(self, folder, version):
        """Another Core than the one this project was made for: the same two files with that Core's version."""
        copy = Path(self.config.get("platformio", "workspace_dir")) / f"tool-scons-{version}"
        copy.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "scons.py", copy / "scons.py")
        package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        (copy / "package.json").write_text(json.dumps({**package, "version": version}), encoding="utf-8")
        return copy
