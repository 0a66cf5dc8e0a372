"""How deep a program's stack goes, by what GCC writes about each function (`-fcallgraph-info=su`, from GCC 10 on).

The compiler knows the frame of every function that it compiled and whom it calls. What it did not compile (the C
library, the framework, arithmetic of cores without a unit) counts as nothing, and so do interrupts: this is what the
firmware itself takes, a floor that the measured high-water mark of a validation lies above.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FLAG = "-fcallgraph-info=su"
# Where a program of ours begins, in a mangled name: bare metal, Arduino, ESP-IDF.
ROOTS = ("main", "_Z4loopv", "_Z5setupv", "app_main")
_NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "[^"]*?\\n(\d+) bytes \((\w+)', re.MULTILINE)
_EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Calls:
    """The functions of a program: bytes of stack of each frame, and whom each calls."""

    frames: Mapping[str, int]
    callees: Mapping[str, tuple[str, ...]]

    def deepest(self, root: str) -> int | None:
        """The bytes of the deepest chain of calls from `root`; None for a recursion, which has no depth."""
        return self._depth(root, {}, ())

    def _depth(self, function: str, known: dict[str, int], above: tuple[str, ...]) -> int | None:
        if function in above:
            return None
        if function not in known:
            depths = [self._depth(callee, known, (*above, function)) for callee in self.callees.get(function, ())]
            if None in depths:
                return None
            known[function] = self.frames.get(function, 0) + max((depth for depth in depths if depth), default=0)
        return known[function]


def read(build_dir: Path) -> Calls:
    """What the compiler wrote beside the objects below `build_dir`."""
    frames: dict[str, int] = {}
    callees: dict[str, set[str]] = {}
    for path in sorted(build_dir.rglob("*.ci")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for name, size, _ in _NODE.findall(text):
            frames[name] = max(int(size), frames.get(name, 0))
        for caller, callee in _EDGE.findall(text):
            callees.setdefault(caller, set()).add(callee)
    return Calls(frames=frames, callees={name: tuple(sorted(called)) for name, called in callees.items()})


def deepest(build_dir: Path) -> int | None:
    """The bytes of the program's deepest chain of calls; None if nothing is known, or if a function calls itself."""
    calls = read(build_dir)
    depths = [calls.deepest(root) for root in ROOTS if root in calls.frames]
    known = [depth for depth in depths if depth is not None]
    return max(known) if known and len(known) == len(depths) else None
