"""A program with the manners of Microsoft's `cl` that has g++ do the work, without GNU's extensions.

It knows the options of our command lines alone; what another one would have to be for g++ is an error here.
"""

from __future__ import annotations

import sys
from pathlib import Path

BANNER = "Microsoft (R) C/C++-Optimierungscompiler Version 19.40.33811 f\u00fcr x64"

_PROGRAM = f"""\
#!{sys.executable}
import json, subprocess, sys
from pathlib import Path

BANNER = {BANNER!r}
PLAIN = {{
    "/c": ["-c"],
    "/O1": ["-O1"],
    "/O2": ["-O2"],
    "/Zs": ["-fsyntax-only"],
    "/LD": ["-shared"],
    "/arch:AVX2": ["-mavx2", "-mfma"],
    "/std:c++17": ["-std=c++17"],
}}
SILENT = {{
    "/nologo", "/utf-8", "/permissive-", "/Zc:__cplusplus", "/EHsc", "/bigobj", "/wd4068", "/MD", "/fp:precise"
}}

arguments = sys.argv[1:]
if not arguments:
    sys.exit(BANNER + "\\nCopyright (C) Microsoft Corporation.\\n\\nusage: cl [ option... ] filename...")
command, listed, library = ["g++", "-fPIC", "-DRL_TOOLS_NO_GNU_EXTENSIONS"], None, None
while arguments:
    argument = arguments.pop(0)
    if argument == "/link":
        break
    if argument == "/sourceDependencies":
        listed = arguments.pop(0)
        command.append("-H")
    elif argument.startswith(("/Fo", "/Fe")):
        command += ["-o", argument[3:]]
        library = argument[3:] if argument.startswith("/Fe") else None
    elif argument in PLAIN:
        command += PLAIN[argument]
    elif argument.startswith(("-I", "-D")) or Path(argument).is_file():
        command.append(argument)
    elif argument not in SILENT:
        sys.exit(f"cl : Command line error D8021 : invalid argument '{{argument}}'")
done = subprocess.run(command, capture_output=True, text=True)
if done.returncode != 0:
    print(done.stdout + done.stderr)
    sys.exit(2)
if listed is not None:
    paths = [line.lstrip(".")[1:] for line in done.stderr.splitlines() if line.startswith(".")]
    content = {{"Version": "1.1", "Data": {{"Source": command[-1], "ProvidedModule": "", "Includes": paths}}}}
    Path(listed).write_text(json.dumps(content))
if library is not None:
    for suffix in (".lib", ".exp"):
        Path(library).with_suffix(suffix).write_text("")
"""


def stand_in_cl(folder: Path) -> Path:
    """A `cl` in this new folder."""
    folder.mkdir()
    (path := folder / "cl").write_text(_PROGRAM, encoding="utf-8")
    path.chmod(0o755)
    return path
