"""`rlt-embed` from its arguments to its exit code.

Each command is imported when it is called: a build does not wait for a trainer's imports.
"""

from __future__ import annotations

import importlib
import sys
import traceback

import click

from rltools_embed._version import __version__
from rltools_embed.errors import RltEmbedError

_UNFORESEEN = 70
_FILE_SYSTEM = 74

# In the order of the work, not of the alphabet: the module of this package and the function in it.
_COMMANDS = {
    "train": ("training", "train"),
    "inspect": ("training", "inspect"),
    "export": ("projects", "export"),
    "build": ("projects", "build"),
    "flash": ("targets", "flash"),
    "validate": ("validation", "validate"),
    "run": ("validation", "run"),
    "boards": ("boards", "list_boards"),
    "doctor": ("boards", "doctor"),
    "monitor": ("targets", "monitor"),
}


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, function = _COMMANDS[name]
        command = getattr(importlib.import_module(f"rltools_embed.cli.{module}"), function)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{function} is not a command")
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="rlt-embed")
def cli() -> None:
    """Train a policy, put it on a microcontroller, prove that it computes the same bits."""


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
