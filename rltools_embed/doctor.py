"""What is there, what is missing, and how to get it."""

from __future__ import annotations

from dataclasses import dataclass

from rltools_embed.firmware import toolchain
from rltools_embed.firmware.toolchain import Tool


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One tool and what it is needed for; without an optional one, only the boards of another core cannot be built."""

    tool: Tool
    purpose: str
    is_optional: bool = False

    @property
    def is_in_order(self) -> bool:
        return self.tool.serves or (self.is_optional and self.tool.found is None)


def examine() -> tuple[Finding, ...]:
    """Every tool that some stage needs."""
    return (
        Finding(tool=toolchain.check_host_compiler(), purpose="training, and the host board"),
        Finding(tool=toolchain.check_python_headers(), purpose="training"),
        Finding(tool=toolchain.check_platformio(), purpose="building any board"),
        Finding(tool=toolchain.check_scons(), purpose="building without PlatformIO's registry"),
        Finding(tool=toolchain.check_cross_compiler(), purpose="emulated Cortex-M boards"),
        Finding(tool=toolchain.check_qemu(), purpose="emulated Cortex-M boards"),
        Finding(tool=toolchain.check_riscv_compiler(), purpose="emulated RISC-V boards", is_optional=True),
        Finding(tool=toolchain.check_qemu("qemu-system-riscv32"), purpose="emulated RISC-V boards", is_optional=True),
        Finding(tool=toolchain.check_xtensa_compiler(), purpose="emulated Xtensa boards", is_optional=True),
        Finding(tool=toolchain.check_qemu("qemu-system-xtensa"), purpose="emulated Xtensa boards", is_optional=True),
    )
