"""A program of its own, run in a project's folder: what PlatformIO would download for one environment.

    python missing_packages.py <environment> build|upload

prints JSON: `missing`, the packages that are not installed, and `unreachable`, why they cannot be downloaded (null:
they can, or nothing is missing). PlatformIO itself would wait a minute for its registry and then say nothing of use.
PlatformIO keeps global state and is meant to be imported by programs that are its own, so this is one.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_S = 4.0


def missing(environment: str, targets: list[str]) -> list[str]:
    """The names of the packages that are not there: the platform alone if that is missing, for it names the others."""
    from platformio.package.manager.core import get_core_package_dir
    from platformio.package.meta import PackageSpec
    from platformio.platform.exception import UnknownPlatform
    from platformio.platform.factory import PlatformFactory
    from platformio.project.config import ProjectConfig

    spec = str(ProjectConfig.get_instance().get(f"env:{environment}", "platform"))
    absent = [] if get_core_package_dir("tool-scons", auto_install=False) else ["platformio/tool-scons"]
    place = local_place(PackageSpec(spec).uri)
    try:
        # A folder that PlatformIO has not linked or copied yet: `pio run` does that first.
        platform = PlatformFactory.new(str(place) if place and place.is_dir() else spec)
    except UnknownPlatform:
        return absent if place and place.is_file() else [*absent, spec]  # an archive names its packages inside
    platform.project_env = environment
    platform.configure_project_packages(environment, targets)
    for name, options in platform.packages.items():
        wanted = platform.get_package_spec(name)
        if name == "tool-scons" and wanted.external:
            absent = []
        # What stands on this computer is not downloaded, whether PlatformIO has linked or copied it yet or not.
        place = local_place(wanted.uri)
        if options.get("optional") or (place and place.exists()) or platform.get_package(name):
            continue
        absent.append(str(wanted.humanize()))
    return absent


def local_place(uri: str | None) -> Path | None:
    """The folder or archive of this computer that the package's address names, if it names one."""
    for scheme in ("symlink://", "file://"):
        if uri and uri.startswith(scheme):
            return Path(uri[len(scheme) :])
    return None


def unreachable(packages: list[str]) -> str | None:
    """Why these packages cannot be had: they should be on this computer and are not, or their host does not answer."""
    from platformio import __registry_mirror_hosts__

    gone = [name for name in packages if re.search(r"(^|=|@ ?)(symlink|file)://", name)]
    if gone:
        return f"nothing is at {', '.join(gone)}"
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return None  # what a proxy reaches only PlatformIO itself can tell
    hosts = {urlsplit(name).hostname if "://" in name else f"api.{__registry_mirror_hosts__[0]}" for name in packages}
    for host in sorted(each for each in hosts if each):  # git+file:// has none
        try:
            socket.create_connection((host, 443), timeout=TIMEOUT_S).close()
        except OSError as error:
            return f"{host}: {error.strerror or error}"
    return None


def main() -> None:
    """The program: reads its two arguments, prints JSON."""
    sys.path.pop(0)  # this file's folder, whose platformio.py is not PlatformIO
    environment, action = sys.argv[1:]
    packages = missing(environment, ["upload"] if action == "upload" else [])
    print(json.dumps({"missing": packages, "unreachable": unreachable(packages) if packages else None}))  # noqa: T201


if __name__ == "__main__":
    main()
