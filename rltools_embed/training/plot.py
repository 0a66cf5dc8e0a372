"""The learning curve as a picture. matplotlib is an extra: it is looked for before training, and loaded after it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from rltools_embed.environments.side_by_side import Episode
from rltools_embed.errors import ToolchainError
from rltools_embed.training.evaluation import Evaluation

FORMATS = (".png", ".svg", ".pdf")


def check(path: Path) -> None:
    """Refuse what could not be drawn.

    Raises:
        ValueError: the file name's ending names none of `FORMATS`.
        ToolchainError: matplotlib is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path} ends in {path.suffix or 'nothing'!r}: a plot ends in {', '.join(FORMATS)}")
    if importlib.util.find_spec("matplotlib") is None:
        raise ToolchainError("a plot needs matplotlib, which is not installed", "pip install 'rltools_embed[plot]'")


def write(path: Path, title: str, curve: Sequence[Evaluation], episodes: Sequence[Episode]) -> None:
    """Returns over environment steps: evaluations with mean and range, training episodes as dots.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    # Text stays text in an SVG, and the same curve gives the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "rltools_embed"}):
        figure = Figure(figsize=(7, 4), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        if episodes:
            ends = [episode.end_step for episode in episodes]
            returns = [episode.total_reward for episode in episodes]
            axes.scatter(ends, returns, s=6, color="0.75", linewidths=0, label="training episode")
        if curve:
            steps = [point.step for point in curve]
            least, greatest = ([choose(point.returns) for point in curve] for choose in (min, max))
            axes.fill_between(
                steps, least, greatest, color="tab:blue", alpha=0.2, linewidth=0, label="evaluation, range"
            )
            means = [point.mean_return for point in curve]
            axes.plot(steps, means, color="tab:blue", marker="o", markersize=3, label="evaluation, mean")
        axes.set(title=title, xlabel="environment steps", ylabel="return of an episode")
        axes.set_xlim(left=0)
        axes.grid(color="0.9", linewidth=0.8)
        axes.set_axisbelow(True)
        if episodes or curve:
            axes.legend(loc="lower right", framealpha=0.9)
        figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else None)
