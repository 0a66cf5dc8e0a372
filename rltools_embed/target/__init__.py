"""A board that runs: put firmware on it, ask it, and leave it as it was."""

from rltools_embed.firmware.platformio import free_port
from rltools_embed.target.adapter import Adapter
from rltools_embed.target.memory import memory_target
from rltools_embed.target.target import Target

__all__ = ["Adapter", "Target", "free_port", "memory_target"]
