"""Between a TCP port and a program's standard input and output: python relay.py <port> <program> <argument>...

The program starts with the first client, and ends with this one.
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import subprocess
import sys


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
        client, _ = server.accept()
        with subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as program:
            try:
                while program.poll() is None:
                    relay(client, program)
                    client, _ = server.accept()
            finally:
                program.kill()


def relay(client: socket.socket, program: subprocess.Popen[bytes]) -> None:
    """Until the client leaves or the program ends."""
    assert program.stdin is not None and program.stdout is not None
    with client, selectors.DefaultSelector() as waiting, contextlib.suppress(ConnectionError):
        waiting.register(client, selectors.EVENT_READ)
        waiting.register(program.stdout, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is client:
                    data = client.recv(4096)
                    program.stdin.write(data)
                else:
                    data = program.stdout.read(4096)
                    client.sendall(data)
                if not data:
                    return


if __name__ == "__main__":
    main()
