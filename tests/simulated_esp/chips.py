"""The two chips: what their ROMs say and answer, and where their memory is.

Sources: esptool's `targets/esp32.py` and `targets/esp32c3.py` for registers and magic numbers, the chips' technical
reference manuals for memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Chip:
    """One kind of chip.

    Attributes:
        image_offset: where in flash the ROM looks for the image.
        banner: the ROM's first words after a reset.
        security_chip_id: what GET_SECURITY_INFO tells; None where the ROM does not know the command.
        flash_command, flash_data: registers through which the host has a command sent to the flash (the byte of it),
            and reads the answer.
        registers: values of others that esptool reads; all else reads zero.
        memory: (begin, end) of the RAM that the ROM loads segments into.
    """

    name: str
    image_offset: int
    banner: bytes
    security_chip_id: int | None
    flash_command: int
    flash_data: int
    registers: Mapping[int, int]
    memory: tuple[tuple[int, int], ...]


CHIPS: Mapping[str, Chip] = {
    chip.name: chip
    for chip in (
        Chip(
            name="esp32",
            image_offset=0x1000,
            banner=b"ets Jul 29 2019 12:21:46\r\n\r\n",
            security_chip_id=None,
            flash_command=0x3FF4_2024,
            flash_data=0x3FF4_2080,
            # The number that tells the chip, and the serial port's divider: 40 MHz / 115,200.
            registers={0x4000_1000: 0x00F0_1D83, 0x3FF4_0014: 347},
            memory=((0x3FFA_E000, 0x4000_0000), (0x4008_0000, 0x400A_0000)),
        ),
        Chip(
            name="esp32c3",
            image_offset=0x0,
            banner=b"ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\n",
            security_chip_id=5,
            flash_command=0x6000_2020,
            flash_data=0x6000_2058,
            registers={},
            memory=((0x3FC8_0000, 0x3FCE_0000), (0x4037_C000, 0x403E_0000)),
        ),
    )
}
