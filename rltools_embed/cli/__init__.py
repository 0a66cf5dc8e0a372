"""The command line: arguments in, a stage of `rltools_embed.pipeline` called, its result printed."""

from __future__ import annotations

import sys

import click

from rltools_embed.cli.commands import cli
from rltools_embed.errors import RltEmbedError

_INTERRUPTED = 130


def main() -> None:
    """Run one command; every error that a user can meet becomes two lines on stderr and its own exit code."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(_INTERRUPTED)
    except RltEmbedError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away: nobody is left to tell
        sys.exit(0)
