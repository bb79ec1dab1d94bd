"""Options that several commands share, declared once."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imageai_envs.request.request import ENGINES, LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from imageai_envs.base.context import Context
    from imageai_envs.base.paths import Home
    from imageai_envs.base.progress import Reporter
    from imageai_envs.base.result import Result
    from imageai_envs.request.request import Request
    from imageai_envs.workflows.maintain import RebuildOptions

F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(frozen=True)
class Session:
    """What every command gets: its context, and how it answers."""

    context: Context
    as_json: bool

    @property
    def home(self) -> Home:
        """Return where things live."""
        return self.context.home

    @property
    def reporter(self) -> Reporter:
        """Return where steps and notes go."""
        return self.context.reporter


def answers(function: Callable[..., Result]) -> Callable[..., None]:
    """Turn a function from :class:`Session` and options to a result into a command's callback.

    Adds ``--json``, ``--quiet`` and ``--verbose``; shows the result; exits with its code.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object; everything else goes to stderr.")
    @click.option("-q", "--quiet", is_flag=True, help="Show warnings and errors only.")
    @click.option("-v", "--verbose", is_flag=True, help="Show the output of uv and pip.")
    @click.pass_context
    @functools.wraps(function)
    def callback(ctx: click.Context, /, *, as_json: bool, quiet: bool, verbose: bool, **options: Any) -> None:
        from imageai_envs.base.context import Context
        from imageai_envs.base.paths import home
        from imageai_envs.cli.render import show_result
        from imageai_envs.cli.reporters import reporting

        with reporting(quiet=quiet, verbose=verbose) as reporter:
            context = Context(home(), reporter)
            result = function(Session(context, as_json), **options)
        show_result(result, as_json=as_json)
        context.finish()
        if result.exit_code:
            ctx.exit(result.exit_code)

    return callback


def _complete_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from imageai_envs.base.context import Context
    from imageai_envs.base.paths import home
    from imageai_envs.base.progress import Silent
    from imageai_envs.environments.store import Store

    return [CompletionItem(name) for name in Store(Context(home(), Silent())).names() if name.startswith(incomplete)]


def _complete_templates(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from imageai_envs.base.paths import home
    from imageai_envs.templates.catalog import load_catalog

    names = (entry.template.name for entry in load_catalog(home()).entries)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


FILE_TYPE = click.Path(path_type=Path, readable=False)
"""Of a file that is named. Whether it can be read says who reads it, with the exit code of a file that cannot be."""

optional_name_argument = click.argument("name", required=False, metavar="[NAME|PATH]", shell_complete=_complete_names)
name_argument = click.argument("name", metavar="NAME|PATH", shell_complete=_complete_names)


def request_options(function: F) -> F:
    """Add the options that say what is wanted; :func:`request_from` collects them."""
    for option in (
        click.option(
            "-r", "--requirement", "requirement_files", multiple=True, metavar="FILE",
            type=FILE_TYPE, help="Add the requirements of a file. Repeatable.",
        ),
        click.option(
            "--with", "with_", multiple=True, metavar="REQ", help="Add a requirement (PEP 508). Repeatable."
        ),
        click.option("--python", metavar="VERSION|PATH", help="The Python to use, such as 3.10."),
        click.option(
            "--template", metavar="NAME|FILE", shell_complete=_complete_templates, help="A template, by name or file."
        ),
        click.option("--imageai", metavar="VERSION", help="ImageAI version."),
        click.option("--cpu/--gpu", "cpu", default=None, help="For the processor (default) or for CUDA."),
        click.option(
            "--tf", "--tensorflow", "tensorflow", metavar="VERSION",
            help="TensorFlow: 2.10 for its newest patch, 2.10.0 for exactly that.",
        ),
        click.option("--torch", metavar="VERSION", help="PyTorch, for ImageAI 3: 1.12 or 1.12.1."),
    ):  # fmt: skip
        function = option(function)
    return function


def source_options(function: F) -> F:
    """Add the options that say who does it and whether a Python may be fetched."""
    for option in (
        click.option("--no-download", is_flag=True, help="Never fetch a Python."),
        click.option(
            "--engine", type=click.Choice(ENGINES), default=ENGINES[0], show_default=True,
            envvar="IMAGEAI_ENV_ENGINE", show_envvar=True, help="Who resolves and installs.",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def verify_option(words: str) -> Callable[[F], F]:
    """Return what adds the option that says how a new environment is proved; ``words`` are its help."""
    return click.option("--verify", type=click.Choice(LEVELS), default=LEVELS[0], show_default=True, help=words)


def rebuild_options(function: F) -> F:
    """Add the options that say how an environment is rebuilt; :func:`rebuild_options_from` collects them."""
    function = click.option("--no-wait", is_flag=True, help="Exit 9 when another process works on it.")(function)
    function = click.option(
        "--verify", type=click.Choice(LEVELS), help="How it is proved; default: as it was when it was created."
    )(function)
    return source_options(function)


def keep_extra_option(function: F) -> F:
    """Add the option that keeps what was installed by hand."""
    return click.option("--keep-extra", is_flag=True, help="Lock what was installed by hand too, at its versions.")(
        function
    )


def rebuild_options_from(options: dict[str, Any]) -> RebuildOptions:
    """Return how an environment is rebuilt."""
    from imageai_envs.workflows.maintain import RebuildOptions

    return RebuildOptions(
        engine=options["engine"],
        verify=options["verify"],
        python=options.get("python"),
        download=not options["no_download"],
        wait=not options["no_wait"],
        keep_extra=options.get("keep_extra", False),
    )


def _from_anywhere(template: str | None) -> str | None:
    """Return a template's name, or its file so that it is found from other directories too."""
    from imageai_envs.base.paths import expanded, looks_like_path

    if template is None or not (template.endswith(".toml") or looks_like_path(template)):
        return template
    return str(expanded(template).absolute())


def request_from(options: dict[str, Any]) -> Request:
    """Take the options of :func:`request_options` out of ``options`` and return the request.

    Raises:
        RequestError: a requirement that is none.
    """
    from imageai_envs.request.request import Request
    from imageai_envs.request.requirements import parse_requirement, read_requirements

    extras = [parse_requirement(text, "--with") for text in options.pop("with_")]
    for file in options.pop("requirement_files"):
        extras += read_requirements(file)
    cpu = options.pop("cpu")
    return Request(
        template=_from_anywhere(options.pop("template")),
        tensorflow=options.pop("tensorflow"),
        torch=options.pop("torch"),
        imageai=options.pop("imageai"),
        variant="gpu" if cpu is False else "cpu",
        python=options.pop("python"),
        extras=tuple(dict.fromkeys(extras)),
    )
