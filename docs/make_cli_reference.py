"""Write ``docs/cli.md`` from the commands themselves. Run it after a change: ``python docs/make_cli_reference.py``.

The text is built from names, options and docstrings, not from what ``--help`` prints: that depends on the width of
the terminal and on the version of click.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imageai_envs.cli.app import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = Path(__file__).with_name("cli.md")
HEAD = """\
# Command line

Written by `python docs/make_cli_reference.py` from the commands themselves; do not edit.

A `NAME` is the name of an environment. Whatever has a slash in it or begins with `.` or `~` is the directory of one.

`imageai-env --version` shows the version. Every command has `-h`, `--help`; each that answers something also has

{common}

What `--json` prints: [json.md](json.md). Exit codes: [exit-codes.md](exit-codes.md).
"""
_COMMON = ("as_json", "quiet", "verbose")  # what cli.options.answers adds
_BETWEEN_WORDS = re.compile(r"\s+")


def commands(
    group: click.Group = cli, words: tuple[str, ...] = ("imageai-env",)
) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that answers something, by its full name, in the order of ``--help``."""
    context = click.Context(group, info_name=words[-1])
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        elif command is not None:
            yield " ".join((*words, name)), command


def options_of(command: click.Command) -> list[click.Option]:
    """Return the options of a command, without ``--help``."""
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def render() -> str:
    """Return the whole page."""
    found = list(commands())
    common = [option for option in options_of(found[0][1]) if option.name in _COMMON]
    sections = [HEAD.format(common=_table(common)), _contents(found)]
    sections += [_section(name, command) for name, command in found]
    return "\n".join(sections)


def _contents(found: list[tuple[str, click.Command]]) -> str:
    lines = [f"- [`{name}`](#{name.replace(' ', '-')}): {_first_line(command)}" for name, command in found]
    return "\n".join(lines) + "\n"


def _first_line(command: click.Command) -> str:
    return _words((command.help or "").split("\n\n")[0])


def _section(name: str, command: click.Command) -> str:
    parts = [f"## {name}", f"```console\n$ {_usage(name, command)}\n```"]
    parts += [_words(paragraph) for paragraph in (command.help or "").split("\n\n")]
    own = [option for option in options_of(command) if option.name not in _COMMON]
    if own:
        parts.append(_table(own))
    examples = [line[2:].rstrip() for line in (command.epilog or "").splitlines() if line.startswith("  ")]
    if examples:
        parts.append("\n".join(["```text", *examples, "```"]))
    return "\n\n".join(parts) + "\n"


def _usage(name: str, command: click.Command) -> str:
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    return " ".join([name, "[OPTIONS]", *(_argument(argument) for argument in arguments)])


def _argument(argument: click.Argument) -> str:
    if argument.metavar:
        return argument.metavar
    text = _choices(argument) or (argument.name or "").upper()
    return text if argument.required else f"[{text}]"


def _table(options: list[click.Option]) -> str:
    rows = [f"| {_spelling(option)} | {_cell(_meaning(option))} |" for option in options]
    return "\n".join(["| option | |", "|---|---|", *rows])


def _spelling(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.metavar or _choices(option) or 'VALUE'}"
    names = [*option.opts, *option.secondary_opts]
    return _cell(", ".join(f"`{name}`" for name in names[:-1]) + (", " if names[1:] else "") + f"`{names[-1]}{value}`")


def _choices(parameter: click.Parameter) -> str:
    return "|".join(map(str, parameter.type.choices)) if isinstance(parameter.type, click.Choice) else ""


def _meaning(option: click.Option) -> str:
    text = _words(option.help or "")
    if option.show_default:
        text += f" Default: `{option.default}`."
    if option.envvar:
        text += f" Also by [`{option.envvar}`](environment-variables.md)."
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _words(text: str) -> str:
    return _BETWEEN_WORDS.sub(" ", text).strip().replace("``", "`")


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
