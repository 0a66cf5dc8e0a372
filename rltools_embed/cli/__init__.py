"""The command line: arguments in, a stage of `rltools_embed.pipeline` called, its result printed."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run one command; Ctrl-C while its modules are being imported is one line, too."""
    try:
        from rltools_embed.cli.group import run_command

        run_command()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(_INTERRUPTED)
