"""The link to a board: ports, frames, requests."""

from rltools_embed.device.client import Client, Limits, Patience
from rltools_embed.device.link import (
    DEFAULT_BAUD,
    Link,
    SerialLink,
    Timeouts,
    UsbPort,
    available_ports,
    find_port,
    open_link,
    usb_ports,
)
from rltools_embed.device.memory_link import (
    Direction,
    EchoBoard,
    Fault,
    FaultKind,
    FaultyLink,
    ManualClock,
    MemoryBoard,
    MemoryLink,
    SilentBoard,
)
from rltools_embed.device.protocol import Benchmark, ControlStatistics, Hello, SelfTest, Statistics

__all__ = [
    "DEFAULT_BAUD",
    "Benchmark",
    "Client",
    "ControlStatistics",
    "Direction",
    "EchoBoard",
    "Fault",
    "FaultKind",
    "FaultyLink",
    "Hello",
    "Limits",
    "Link",
    "ManualClock",
    "MemoryBoard",
    "MemoryLink",
    "Patience",
    "SelfTest",
    "SerialLink",
    "SilentBoard",
    "Statistics",
    "Timeouts",
    "UsbPort",
    "available_ports",
    "find_port",
    "open_link",
    "usb_ports",
]
