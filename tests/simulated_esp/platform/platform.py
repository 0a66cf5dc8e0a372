"""A stand-in for PlatformIO's espressif32."""

from platformio.public import PlatformBase


class Espressif32Platform(PlatformBase):
    def is_embedded(self):
        return True
