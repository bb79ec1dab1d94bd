"""``imageai-env shell``."""

from __future__ import annotations

import click

from imageai_envs.base.result import Result
from imageai_envs.cli.options import Session, answers, name_argument


@click.command()
@name_argument
@click.option("--shell", metavar="NAME", help="bash, zsh, fish or powershell; default: the one you are in.")
@answers
def command(session: Session, /, name: str, shell: str | None) -> Result:
    """Open a shell with an environment active.

    Leave it with exit. The environment stays first on PATH whatever the shell's start files do. With --json: tell
    what would be opened, and open nothing.
    """
    from imageai_envs.environments.store import Store
    from imageai_envs.running.shells import detect_shell, open_shell

    environment = Store(session.context).get(name, to_use=True)
    shell = shell or detect_shell()
    if session.as_json:
        return Result("shell", {"name": environment.name, "root": str(environment.root), "shell": shell})
    return Result("shell", {}, exit_code=open_shell(environment.root, environment.name, shell))
