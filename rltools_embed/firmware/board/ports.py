"""The C++ below the firmware: a folder that is copied into a project, and a row that says whom it serves.

A package of one's own may add a port (`registry`):

    ports.register(ports.Port(name="mine", architecture="arm", header="host", folder=Path(__file__).with_name("mine")))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rltools_embed import resources
from rltools_embed.firmware.board.cores import Architecture
from rltools_embed.firmware.board.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port.

    Attributes:
        name: in board files, and of its folder below src/rlt_embed/ports/ of a project.
        architecture: the cores that it has start-up code for; None: that is the vendor's framework's matter.
        is_bare_metal: whether it is built on what bare machines share, templates/ports/bare_metal: linker script,
            start-up, serial ports.
        header: the template of its boards' values, templates/project/include/boards/<this>.h.jinja.
        received_bytes: of RAM, for what has arrived and waits; 0 where the framework keeps that, or nobody.
        folder: its files; None: templates/ports/ and the name.
    """

    name: str
    architecture: str | None
    header: str
    is_bare_metal: bool = False
    received_bytes: int = 0
    folder: Path | None = None

    @property
    def folders(self) -> dict[str, Path]:
        """The folders that are copied into a project, by their names below src/rlt_embed/ports/."""
        ours = resources.templates_dir() / "ports"
        shared = {_BARE_METAL: ours / _BARE_METAL} if self.is_bare_metal else {}
        return {self.name: self.folder or ours / self.name, **shared}


_BARE_METAL = "bare_metal"
PORTS: Registry[Port] = Registry()


def register(port: Port) -> Port:
    """Make a port known: board files may name it, and `Port.CORTEX_M` is the row of `cortex_m`.

    Raises:
        ValueError: the name belongs to another port.
    """
    PORTS.add(port.name, port)
    setattr(Port, port.name.upper(), port)
    return port


HOST = register(Port(name="host", architecture=Architecture.NATIVE, header="host"))
CORTEX_M = register(
    Port(
        name="cortex_m",
        architecture=Architecture.ARM,
        header=_BARE_METAL,
        is_bare_metal=True,
        received_bytes=1024,
    )
)
ARDUINO = register(Port(name="arduino", architecture=None, header="arduino"))
ESPIDF = register(Port(name="espidf", architecture=None, header="espidf"))
RISCV_VIRT = register(Port(name="riscv_virt", architecture=Architecture.RISCV, header=_BARE_METAL, is_bare_metal=True))
XTENSA_LX60 = register(
    Port(name="xtensa_lx60", architecture=Architecture.XTENSA, header=_BARE_METAL, is_bare_metal=True)
)
