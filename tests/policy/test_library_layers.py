"""The folders of the C++ library are layers: a header includes its own layer or those below, and there is no circle."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rltools_embed import resources

# From the highest to the lowest; names of one row do not include each other. A header belongs to the longest
# name that its path begins with.
LAYERS = (
    ("bindings", "embed"),
    ("rl/algorithms",),
    ("rl",),
    ("rl/components",),
    ("rl/nn",),
    ("operations",),
    ("nn_models",),
    ("nn/layers",),
    ("nn",),
    ("random",),
    ("devices",),
    ("math",),
    ("containers", "mode.h"),
    ("rl_tools.h",),
    ("compiler.h",),
)
INCLUDE = re.compile(r"^\s*#\s*include\s*<rl_tools/([^>]+)>", re.MULTILINE)


def includes_of(root: Path) -> dict[str, tuple[str, ...]]:
    """The headers of ours that each header of the library includes, all by their paths below rl_tools/."""
    folder = root / "rl_tools"
    return {
        path.relative_to(folder).as_posix(): tuple(INCLUDE.findall(path.read_text(encoding="utf-8")))
        for path in sorted(folder.rglob("*.h"))
    }


def layer_of(header: str) -> str:
    """The name of a header's layer. A test fails for a folder that has none."""
    names = [name for row in LAYERS for name in row if header == name or header.startswith(f"{name}/")]
    if not names:
        pytest.fail(f"{header} is in no layer: add its folder to LAYERS")
    return max(names, key=len)


def faults(includes: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Includes that run upwards or sideways, and circles, a line each."""
    rows = {name: index for index, row in enumerate(LAYERS) for name in row}
    for header, included in includes.items():
        for other in included:
            if other not in includes:
                yield f"{header} includes {other}, which does not exist"
                continue
            own, below = layer_of(header), layer_of(other)
            if own != below and rows[below] <= rows[own]:
                yield f"{header} includes {other}: {own} is not above {below}"
    yield from circles(includes)


def circles(includes: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Each circle of includes that a walk from every header meets first."""
    done: set[str] = set()

    def walk(header: str, way: tuple[str, ...]) -> Iterator[str]:
        if header in way:
            yield " includes ".join((*way[way.index(header) :], header))
        elif header not in done:
            for other in includes.get(header, ()):
                yield from walk(other, (*way, header))
            done.add(header)

    for header in includes:
        yield from walk(header, ())


def test_no_include_runs_upwards_and_there_is_no_circle() -> None:
    assert list(faults(includes_of(resources.include_dir()))) == []


@pytest.mark.parametrize(
    ("header", "added", "words"),
    [
        ("math/bits.h", "devices/devices.h", "math is not above devices"),
        ("nn/chain.h", "rl/nn/batch.h", "nn is not above rl/nn"),
        ("rl/trainer.h", "rl/algorithms/off_policy.h", "rl is not above rl/algorithms"),
        ("embed/policy.h", "bindings/objects.h", "embed is not above bindings"),
        ("containers/layout.h", "containers/layout.h", "containers/layout.h includes containers/layout.h"),
        ("rl/nn/vector.h", "rl/nn/batch.h", "includes rl/nn/vector.h"),
        ("rl/nn/vector.h", "rl/nn/none.h", "does not exist"),
    ],
)
def test_an_include_that_runs_upwards_or_in_a_circle_is_noticed(header: str, added: str, words: str) -> None:
    includes = includes_of(resources.include_dir())
    includes[header] = (*includes[header], added)
    assert any(words in fault for fault in faults(includes))


def test_a_folder_without_a_layer_is_noticed() -> None:
    includes = {**includes_of(resources.include_dir()), "new/header.h": ("rl_tools.h",)}
    with pytest.raises(pytest.fail.Exception, match=r"new/header\.h is in no layer"):
        list(faults(includes))
