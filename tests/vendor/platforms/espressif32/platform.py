"""A stand-in for PlatformIO's espressif32: it builds what a project for the real one builds, as far as objects."""

from platformio.public import PlatformBase


class Espressif32Platform(PlatformBase):
    def is_embedded(self):
        return True
