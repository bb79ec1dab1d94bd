"""``imageai-env activate``."""

from __future__ import annotations

import click

from imageai_envs.base.result import Result, Verbatim
from imageai_envs.cli.options import Session, answers, name_argument

_EPILOG = """\b
Examples:
  eval "$(imageai-env activate myproj)"                              bash, zsh
  imageai-env activate myproj --shell fish | source                  fish
  imageai-env activate myproj --shell powershell | Out-String | Invoke-Expression
"""


@click.command(epilog=_EPILOG)
@name_argument
@click.option("--shell", metavar="NAME", help="bash, zsh, fish or powershell; default: the one you are in.")
@answers
def command(session: Session, /, name: str, shell: str | None) -> Result:
    """Print what activates an environment, for eval. ``deactivate`` leaves it."""
    from imageai_envs.environments.store import Store
    from imageai_envs.running.shells import activation, detect_shell

    environment = Store(session.context).get(name, to_use=True)
    shell = shell or detect_shell()
    script = activation(environment.root, shell, environment.name)
    data: dict[str, object] = {
        "name": environment.name,
        "root": str(environment.root),
        "shell": shell,
        "script": script,
    }
    return Result("activate", data, [Verbatim(script)])
