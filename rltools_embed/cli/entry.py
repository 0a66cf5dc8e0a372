"""One command from its arguments to its exit code."""

from __future__ import annotations

import sys
import traceback

import click

from rltools_embed.cli.group import cli
from rltools_embed.errors import RltEmbedError

_UNFORESEEN = 70
_FILE_SYSTEM = 74


def run_command() -> None:
    """Run one command; every error that a user can meet becomes two lines on stderr and its own exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a console that lacks a letter shows ?
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except RltEmbedError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away: nobody is left to tell
        sys.exit(0)
    except OSError as error:
        click.echo(f"error: {error.filename or 'the file system'}: {error.strerror}", err=True)
        click.echo(" hint: check space and permissions", err=True)
        sys.exit(_FILE_SYSTEM)
    except Exception:  # 1 means "measured, and different": what nobody foresaw must not be taken for that
        traceback.print_exc()
        sys.exit(_UNFORESEEN)
