"""``imageai-env completion``."""

from __future__ import annotations

import click

from imageai_envs.base.result import Result, Verbatim
from imageai_envs.cli.options import Session, answers

_EPILOG = """\b
Examples:
  imageai-env completion bash >> ~/.bashrc
  imageai-env completion zsh >> ~/.zshrc
  imageai-env completion fish > ~/.config/fish/completions/imageai-env.fish
"""


@click.command(epilog=_EPILOG)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@answers
def command(session: Session, /, shell: str) -> Result:  # noqa: ARG001
    """Print shell completion.

    It knows commands, options, and the names of environments and templates.
    """
    from click.shell_completion import get_completion_class

    from imageai_envs.cli.app import cli

    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101 - click ships these three
    script = completion(cli, {}, "imageai-env", "_IMAGEAI_ENV_COMPLETE").source()
    return Result("completion", {"shell": shell, "script": script}, [Verbatim(script)])
