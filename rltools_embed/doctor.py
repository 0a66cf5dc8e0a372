"""What is there, what is missing, and how to get it."""

from __future__ import annotations

from dataclasses import dataclass

from rltools_embed.firmware import toolchain
from rltools_embed.firmware.toolchain import Tool


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One tool and what it is needed for."""

    tool: Tool
    purpose: str


def examine() -> tuple[Finding, ...]:
    """Every tool that some stage needs."""
    return (
        Finding(tool=toolchain.check_host_compiler(), purpose="training, and the host board"),
        Finding(tool=toolchain.check_python_headers(), purpose="training"),
        Finding(tool=toolchain.check_platformio(), purpose="building any board"),
        Finding(tool=toolchain.check_scons(), purpose="building without PlatformIO's registry"),
        Finding(tool=toolchain.check_cross_compiler(), purpose="emulated Cortex-M boards"),
        Finding(tool=toolchain.check_qemu(), purpose="emulated Cortex-M boards"),
        Finding(tool=toolchain.check_riscv_compiler(), purpose="emulated RISC-V boards"),
        Finding(tool=toolchain.check_qemu("qemu-system-riscv32"), purpose="emulated RISC-V boards"),
    )
