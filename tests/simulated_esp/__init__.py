"""ESP32 and ESP32-C3 boards for tests: what the real esptool flashes through RFC 2217 is what they then run.

The chip's ROM (reset circuit, boot messages, serial loader, image loader) is modelled here; the firmware's machine code
runs in QEMU (Xtensa) or Unicorn (RISC-V). Flash has no second-stage bootloader: the ROM loads one image into RAM.
"""

from tests.simulated_esp.board import Board
from tests.simulated_esp.chips import CHIPS, Chip
from tests.simulated_esp.server import serve

__all__ = ["CHIPS", "Board", "Chip", "serve"]
