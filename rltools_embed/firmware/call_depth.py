"""How deep a program's stack goes, by what GCC writes about each function (`-fcallgraph-info=su`, from GCC 10 on).

The compiler knows the frame of every function that it compiled and whom it calls. What it did not compile (the C
library, a framework's archives, arithmetic of cores without a unit) counts as nothing, and so do interrupts. A function
of a framework that calls itself counts once. So this is a floor, and the measured high-water mark of a validation lies
above it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FLAG = "-fcallgraph-info=su"
# Where a program of ours begins, as the compiler names it: bare metal, Arduino, ESP-IDF. Cores that are built on
# ArduinoCore-API, Adafruit's SAMD, stm32duino and Teensy's declare setup() and loop() as extern "C".
ROOTS = ("main", "_Z4loopv", "_Z5setupv", "loop", "setup", "app_main")
# Below a build folder: what stands in the project's src/.
_OWN_FOLDER = "src"
_NODE = re.compile(r'^node: \{ title: "([^"]+)" label: "[^"]*?\\n(\d+) bytes \((\w+)', re.MULTILINE)
_EDGE = re.compile(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Calls:
    """The functions of a program: bytes of stack of each frame, and whom each calls.

    Attributes:
        own: those of the project's own sources; the others are a framework's.
    """

    frames: Mapping[str, int]
    callees: Mapping[str, tuple[str, ...]]
    own: frozenset[str]

    def deepest(self, root: str) -> int | None:
        """The bytes of the deepest chain of calls from `root`; None for a recursion of ours, which has no depth."""
        return self._depth(root, {}, ())

    def _depth(self, function: str, known: dict[str, int], above: tuple[str, ...]) -> int | None:
        if function in above:
            return None if function in self.own else 0
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
    own: set[str] = set()
    for path in sorted(build_dir.rglob("*.ci")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for name, size, _ in _NODE.findall(text):
            frames[name] = max(int(size), frames.get(name, 0))
            if path.is_relative_to(build_dir / _OWN_FOLDER):
                own.add(name)
        for caller, callee in _EDGE.findall(text):
            callees.setdefault(caller, set()).add(callee)
    called_by = {name: tuple(sorted(called)) for name, called in callees.items()}
    return Calls(frames=frames, callees=called_by, own=frozenset(own))


def deepest(build_dir: Path) -> int | None:
    """The bytes of the program's deepest chain of calls; None if nothing is known, or if a function calls itself."""
    calls = read(build_dir)
    depths = [calls.deepest(root) for root in ROOTS if root in calls.frames]
    known = [depth for depth in depths if depth is not None]
    return max(known) if known and len(known) == len(depths) else None
