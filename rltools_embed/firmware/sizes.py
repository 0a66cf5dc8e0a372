"""The least flash and RAM that a firmware takes, known before anything is built, and the words for sizes.

The least is a floor: what it refuses cannot fit; what it lets through and does not fit, the linker refuses.
"""

from __future__ import annotations

from dataclasses import dataclass

from rltools_embed.errors import BoardError
from rltools_embed.firmware import evidence
from rltools_embed.firmware.board import Board, Framework
from rltools_embed.firmware.spec import PolicyFacts

# Code and tables: 10.0 to 11.6 kB measured (arm-none-eabi-gcc 12.2 -O2, 3-64-64-1, Cortex-M3, M4F, M7F).
_BASE_FLASH_BYTES = 9_500
# The link's two frames, each of 256 bytes or more (embed/server.h).
_FRAMES_RAM_BYTES = 512
_FLOAT_BYTES = 4
# Of a framework's measured share, what another version or another program may do without.
_FRAMEWORK_MARGIN = 0.1
_FRAMEWORK_NAMES = {Framework.ARDUINO: "Arduino", Framework.ESPIDF: "ESP-IDF"}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Bytes that a firmware takes at least.

    Attributes:
        flash_bytes: code and weights.
        ram_bytes: activations and buffers, and the weights if the board's [placement] moves them; without the stack.
        weights_bytes: the part of `flash_bytes` that is the policy's numbers.
        framework_flash_bytes, framework_ram_bytes: the parts that are the vendor's framework, as measured once
            (boards/evidence.json), less a tenth; 0 where it was not.
    """

    flash_bytes: int
    ram_bytes: int
    weights_bytes: int
    framework_flash_bytes: int = 0
    framework_ram_bytes: int = 0


def estimate(board: Board, policy: PolicyFacts) -> Estimate:
    """What this policy's firmware takes at least of this board."""
    # Two layers' activations and the answer that leaves (nn_models/sequential, embed/server.h), and one observation.
    activations = _FLOAT_BYTES * (3 * policy.widest_layer + policy.observation_dim)
    moved = policy.parameter_bytes if board.placement is not None and board.placement.weights is not None else 0
    build = evidence.framework_build(board)
    measured = (build.framework_flash_bytes, build.framework_ram_bytes) if build else (0, 0)
    framework_flash, framework_ram = (int(size * (1 - _FRAMEWORK_MARGIN)) for size in measured)
    ours = activations + _FRAMES_RAM_BYTES + board.port.received_bytes + moved
    return Estimate(
        flash_bytes=policy.parameter_bytes + _BASE_FLASH_BYTES + framework_flash,
        ram_bytes=ours + framework_ram,
        weights_bytes=policy.parameter_bytes,
        framework_flash_bytes=framework_flash,
        framework_ram_bytes=framework_ram,
    )


def check_fit(board: Board, policy: PolicyFacts) -> None:
    """Refuse a policy that cannot fit the board, before anything is rendered or built.

    Raises:
        BoardError: flash, RAM or the memory of [placement], with the sizes and how far the policy must shrink.
    """
    least = estimate(board, policy)
    weights = policy.parameter_bytes
    framework = f", {least.framework_flash_bytes} B of it the framework" if least.framework_flash_bytes else ""
    left = max(0, (board.flash_bytes or 0) - _BASE_FLASH_BYTES - least.framework_flash_bytes)
    fewer = f"{left} B are left for weights, which are {weights} B now: train with smaller hidden layers"
    check_size(board, "flash", board.flash_bytes, least.flash_bytes, note=framework, hint=fewer)
    place = board.placement
    if place is not None and place.weights_bytes is not None and weights > place.weights_bytes:
        raise BoardError(
            f"{board.name} offers {place.weights_bytes} B for weights (placement.weights_bytes), "
            f"this policy has {weights} B of them",
            "train with smaller hidden layers, or leave the weights in flash: remove placement.weights_origin",
        )
    stack = board.stack_bytes or 0
    note = f", {stack} B of it stack" if stack else ""
    check_size(board, "RAM", board.ram_bytes, least.ram_bytes + stack, note=note)


def check_size(
    board: Board,
    memory: str,
    offered_bytes: int | None,
    needed_bytes: int,
    *,
    note: str = "",
    hint: str = "train with smaller hidden layers, or choose a larger board",
) -> None:
    """Refuse what needs more of a board's memory than there is.

    Args:
        memory: `flash` or `RAM`.
        offered_bytes: None where there is no limit.
        note: what the needed bytes are made of, behind their number.

    Raises:
        BoardError: it does not fit, with both sizes.
    """
    if offered_bytes is not None and needed_bytes > offered_bytes:
        raise BoardError(
            f"{board.name} offers {offered_bytes} B of {memory}, this policy needs {needed_bytes} B{note}", hint
        )


def size_text(used_bytes: int, offered_bytes: int | None) -> str:
    """`29424 of 524288 B (5.6 %)`; without a limit, `29424 B`."""
    if not offered_bytes:
        return f"{used_bytes} B"
    return f"{used_bytes} of {offered_bytes} B ({100 * used_bytes / offered_bytes:.1f} %)"


def stack_text(board: Board) -> str:
    """Who keeps the stack of the firmware, and whether a validation measures it."""
    if board.stack_bytes is not None:
        return f"{board.stack_bytes} B kept; a validation measures what is used"
    if board.framework is None:
        return "this computer's, not measured"
    return f"kept by {_FRAMEWORK_NAMES[board.framework]}, not measured on this board"
