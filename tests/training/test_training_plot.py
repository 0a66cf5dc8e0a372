"""The learning curve as a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from rltools_embed import train
from rltools_embed.errors import ToolchainError
from rltools_embed.training import Episode, Evaluation, plot

CURVE = [Evaluation(step=step, returns=(-step, -2.0 * step), lengths=(5, 5)) for step in (1000, 2000, 3000)]
EPISODES = [Episode(total_reward=-float(end % 700), length=10, end_step=end) for end in range(10, 3000, 10)]


def never() -> Any:
    raise AssertionError("training has begun")


def test_without_matplotlib_it_is_reported_before_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ToolchainError, match="a plot needs matplotlib, which is not installed") as caught:
        train(never, tmp_path / "run", plot=tmp_path / "curve.png")
    assert caught.value.hint == "pip install 'rltools_embed[plot]'"


@pytest.mark.parametrize("name", ["curve", "curve.jpg", "curve.png.gz"])
def test_an_ending_that_is_no_picture_is_refused_before_training(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a plot ends in \.png, \.svg, \.pdf"):
        train(never, tmp_path / "run", plot=tmp_path / name)


@pytest.mark.parametrize(("ending", "magic"), [(".png", b"\x89PNG"), (".SVG", b"<?xml"), (".pdf", b"%PDF")])
def test_each_format_is_what_its_name_says(tmp_path: Path, ending: str, magic: bytes) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"curve{ending}"
    plot.write(path, "Pendulum-v1, SAC, seed 0", CURVE, EPISODES)
    assert path.read_bytes().startswith(magic)
    assert path.stat().st_size > 5000


def texts(path: Path) -> set[str]:
    return {"".join(element.itertext()).strip() for element in ElementTree.parse(path).iter() if "text" in element.tag}


@pytest.mark.parametrize(
    ("curve", "episodes", "present", "absent"),
    [
        (CURVE, EPISODES, {"evaluation, mean", "evaluation, range", "training episode"}, set()),
        (CURVE, [], {"evaluation, mean"}, {"training episode"}),
        ([], EPISODES, {"training episode"}, {"evaluation, mean"}),
        ([], [], set(), {"training episode", "evaluation, mean"}),
    ],
)
def test_the_picture_names_what_it_shows(
    tmp_path: Path, curve: Any, episodes: Any, present: set[str], absent: set[str]
) -> None:
    pytest.importorskip("matplotlib")
    plot.write(tmp_path / "curve.svg", "My title", curve, episodes)
    found = texts(tmp_path / "curve.svg")
    assert found >= present | {"My title", "environment steps", "return of an episode"}
    assert not found & absent


def test_the_same_curve_gives_the_same_svg(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a.svg", "b.svg"):
        plot.write(tmp_path / name, "title", CURVE, EPISODES)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
