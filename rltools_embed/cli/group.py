"""`rlt-embed` and its commands, each imported when it is called: a build does not wait for a trainer's imports."""

from __future__ import annotations

import importlib

import click

from rltools_embed import __version__

# In the order of the work, not of the alphabet: the module of this package and the function in it.
_COMMANDS = {
    "train": ("training", "train"),
    "inspect": ("training", "inspect"),
    "export": ("projects", "export"),
    "build": ("projects", "build"),
    "flash": ("devices", "flash"),
    "validate": ("proving", "validate"),
    "run": ("proving", "run"),
    "boards": ("boards", "list_boards"),
    "doctor": ("boards", "doctor"),
    "monitor": ("devices", "monitor"),
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
