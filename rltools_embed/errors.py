"""Every error that a user can meet, as one tree.

RltEmbedError                    message, hint, exit_code
├── UnsupportedEnvError   3      cannot become static sizes (Discrete actions, Dict observations, unbounded actions, …)
├── BoardError            4      unknown board, unknown or missing key, policy does not fit
├── CheckpointError       5      checkpoint or saved run: damaged, edited, unknown version, non-finite weight
├── ToolchainError        6      compiler, PlatformIO or emulator missing or too old: says the command that installs it
├── BuildError            7      the toolchain ran and refused; log path and last lines
├── LinkError             8      no bytes: port absent, busy, gone
│   └── SilentBoardError  8      the port is there, and no byte came
├── ProtocolError         9      bytes, but not ours: version, CRC, size, stale firmware, another board's firmware
├── TrainingError        10      non-finite reward, observation or weight; an environment that breaks its contract
└── ProjectError         11      a project folder that is not ours, is damaged, or holds files we would overwrite

Exit code 1 belongs to a validation that measured a difference, 12 to one that measured none but not everything,
2 to a command line that cannot be understood.
A programming mistake stays TypeError or ValueError.
"""

from __future__ import annotations


class RltEmbedError(Exception):
    """A fact with its values (`message`) and one thing to try (`hint`)."""

    exit_code = 70

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n hint: {self.hint}" if self.hint else self.message


class UnsupportedEnvError(RltEmbedError):
    """The environment's spaces cannot become static sizes."""

    exit_code = 3


class BoardError(RltEmbedError):
    """The board is unknown, its file is wrong, or the policy does not fit it."""

    exit_code = 4


class CheckpointError(RltEmbedError):
    """A checkpoint or a saved run is damaged, edited, foreign, or holds a number that is not finite."""

    exit_code = 5


class ToolchainError(RltEmbedError):
    """A compiler, PlatformIO or an emulator is missing or too old."""

    exit_code = 6


class BuildError(RltEmbedError):
    """The toolchain ran and refused."""

    exit_code = 7


class LinkError(RltEmbedError):
    """No bytes: the port is absent, busy or silent."""

    exit_code = 8


class SilentBoardError(LinkError):
    """The port is open, and no byte came within the limit: a reset button may help."""


class ProtocolError(RltEmbedError):
    """Bytes arrive, but they are not ours, or of another version, or of other firmware than expected."""

    exit_code = 9


class TrainingError(RltEmbedError):
    """Training met a number that is not finite, or an environment that breaks its contract."""

    exit_code = 10


class ProjectError(RltEmbedError):
    """A project folder is not ours, is damaged, or holds files that would be overwritten."""

    exit_code = 11
