"""The package as its users get it: a wheel in an empty environment, and one public namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import rltools_embed
from rltools_embed import resources

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def test_wheel_holds_every_bundled_file(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in (resources.boards_dir(), resources.templates_dir(), resources.include_dir()):
        base = folder.relative_to(ROOT)
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"rltools_embed/_data/{base / path.relative_to(folder)}" in inside
    assert "rltools_embed/py.typed" in inside
    assert not [name for name in inside if name.startswith(("tests/", "_data/"))]


@pytest.mark.slow
@pytest.mark.emulated
def test_wheel_in_an_empty_environment_does_the_main_job(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    scripts = tmp_path / "venv" / "bin"
    # Neither the checkout nor this environment may help.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PATH": f"{scripts}:/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path / "home")}
    environment["RLTOOLS_EMBED_CACHE_DIR"] = str(tmp_path / "cache")

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(scripts / "python", "-m", "pip", "install", "--quiet", "--no-compile", f"{wheel}[offline]")
    where = run(scripts / "python", "-c", "import rltools_embed; print(rltools_embed.__file__)")
    assert where.startswith(str(tmp_path))
    run("rlt-embed", "run", "Pendulum-v1", "--board", "qemu_mps2_an386", "-o", "out", "--json", "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["passed"] is True
    assert report["observations"] >= 1000
    assert json.loads((tmp_path / "out" / "run" / "run.json").read_text())["settings"]["steps"] == 10_000


def test_public_namespace_is_what_it_says() -> None:
    for name in rltools_embed.__all__:
        assert getattr(rltools_embed, name) is not None
    assert set(rltools_embed.__all__) <= set(dir(rltools_embed))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = rltools_embed.nothing


def test_loading_a_checkpoint_imports_no_environment_and_no_serial_port() -> None:
    program = (
        "import sys; from rltools_embed import load_checkpoint; "
        "print([m for m in ('gymnasium', 'serial', 'jinja2', 'platformio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_build_imports_neither_numpy_nor_a_trainer() -> None:
    program = (
        "import sys\n"
        "from rltools_embed.cli.group import cli\n"
        "from rltools_embed import pipeline\n"
        "assert cli.get_command(None, 'build') and pipeline.build\n"
        "print(sorted({'numpy', 'gymnasium', 'jinja2', 'rich', 'serial'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
