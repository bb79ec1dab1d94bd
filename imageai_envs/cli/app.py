"""The group of commands, loaded lazily, and the one place where errors become text and exit codes."""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from imageai_envs import __version__
from imageai_envs.base.errors import ImageAIEnvError, UsageProblem, from_os_error
from imageai_envs.cli.streams import give_up, is_broken, stand_in_for_closed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

# Name -> module under cli.commands, and its line in --help (a test holds it against the command's own).
COMMANDS = {
    "create": ("create", "Create an environment and prove that ImageAI runs in it."),
    "list": ("list_", "List all environments with their real disk use."),
    "show": ("show", "Show one environment in detail."),
    "run": ("run", "Run a command in an environment, without activating it."),
    "shell": ("shell", "Open a shell with an environment active."),
    "activate": ("activate", "Print what activates an environment, for eval."),
    "remove": ("remove", "Remove an environment."),
    "check": ("check", "Compare an environment with its lock: Python, distributions, every file's hash, scripts."),
    "doctor": ("doctor", "Say what is wrong with an environment or Python, whoever made it, and what fixes it."),
    "explain": ("explain", "Say what an error text or a whole log means, and what fixes it."),
    "repair": ("repair", "Fix what check finds, and check again."),
    "recreate": (
        "recreate",
        "Rebuild an environment from its lock; the old one stays until the new one is proved.",
    ),
    "sync": (
        "sync",
        "Make an environment exactly its lock, or LOCK: missing ones installed, others replaced, extras gone.",
    ),
    "upgrade": ("upgrade", "Lock again (everything, or just PACKAGEs), show the difference, rebuild and prove."),
    "clone": ("clone", "Build a second environment, NEW, from the lock of another."),
    "rename": ("rename", "Give an environment the name NEW: it is built there from its lock, then the old one goes."),
    "adopt": ("adopt", "Make an environment yours that came with a copy, an archive or a clone."),
    "diff": ("diff", "Compare two locks or environments by package."),
    "gc": ("gc", "Remove what can be made again: pip-tools helpers, caches, old logs, rests of killed commands."),
    "rescue": ("rescue", "Make a working environment of a requirements file or a broken environment."),
    "lock": ("lock", "Write or check a lock: every distribution pinned, with hashes."),
    "templates": ("templates", "List, show and validate templates."),
    "python": ("python", "List the Pythons of this machine and what they serve."),
    "completion": ("completion", "Print shell completion."),
}
_INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is used: ``--help`` imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of :data:`COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"imageai_envs.cli.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands from the static table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; suggest the nearest one for a misspelt name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], list(COMMANDS), n=1)
            if near and "Did you mean" not in error.message:
                raise click.UsageError(f"{error.message.rstrip('.')}. Did you mean {near[0]!r}?", ctx) from error
            raise


_EPILOG = """\b
Examples:
  imageai-env create myproj --tf 2.10
  imageai-env run myproj -- python detect.py
  imageai-env lock --tf 2.10 --with pandas -o requirements.lock.txt
"""


@click.group(
    cls=LazyGroup,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="imageai-env", message="%(prog)s %(version)s")
def cli() -> None:
    """Working ImageAI + TensorFlow environments: create, prove, run, lock."""


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code. No traceback ever reaches the user."""
    signal.signal(signal.SIGTERM, _terminated)
    stand_in_for_closed()
    try:
        code = _answered(arguments)
        sys.stdout.flush()
    except OSError as error:  # everything else is answered; this is the answer itself
        give_up(error, _tell_of_output)
        return 1
    return code


def _answered(arguments: Sequence[str]) -> int:
    as_json = "--json" in (arguments[: list(arguments).index("--")] if "--" in arguments else arguments)
    try:
        code = cli.main(args=list(arguments), prog_name="imageai-env", standalone_mode=False)
    except ImageAIEnvError as error:
        return _fail(error, arguments, as_json=as_json)
    except click.ClickException as error:
        return _fail(_usage(error), arguments, as_json=as_json)
    except (KeyboardInterrupt, click.exceptions.Abort):
        interrupted = ImageAIEnvError("Interrupted; what was there before is there still.", code="interrupted")
        interrupted.exit_code = _INTERRUPTED
        return _fail(interrupted, arguments, as_json=as_json)
    except BrokenPipeError:
        raise  # whoever read our output has gone (`imageai-env list | head`)
    except OSError as error:
        if is_broken(sys.stdout):
            raise
        return _fail(from_os_error(error), arguments, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last resort: a sentence instead of a traceback
        return _fail(_unexpected(error), arguments, as_json=as_json)
    return code if isinstance(code, int) else 0  # what ctx.exit() was given; a callback's own None is success


def _tell_of_output(error: OSError) -> None:
    from imageai_envs.cli.render import show_error

    problem = ImageAIEnvError(
        f"The answer cannot be written to standard output: {error.strerror or error}.",
        hint="The command itself has run; see what there is now: imageai-env list",
        code="output-failed",
    )
    show_error(problem, "", as_json=False)


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as on Ctrl-C, so that everything is undone in order."""
    raise KeyboardInterrupt


def _usage(error: click.ClickException) -> ImageAIEnvError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "imageai-env"
    return UsageProblem(error.format_message(), hint=f"{command} --help")


def _unexpected(error: Exception) -> ImageAIEnvError:
    """Keep the traceback in a log, for a report, and tell where."""
    import traceback

    from imageai_envs.base.logs import CRASHES, open_log
    from imageai_envs.base.paths import home
    from imageai_envs.base.redaction import redact

    where = ""
    with contextlib.suppress(Exception):  # what failed may be the very place of logs
        log = open_log(home(), CRASHES, "crash")
        log.write("".join(traceback.format_exception(error)))
        where = f" Details: {log.path}" if log.path.exists() else ""
    return ImageAIEnvError(
        redact(f"Something unexpected happened ({type(error).__name__}: {error}).{where}"),
        hint="Please report it with that file." if where else "Please report it.",
        code="unexpected",
    )


def _fail(error: ImageAIEnvError, arguments: Sequence[str], *, as_json: bool) -> int:
    from imageai_envs.cli.render import show_error

    show_error(error, _command_words(arguments), as_json=as_json)
    return error.exit_code


def _command_words(arguments: Sequence[str]) -> str:
    words = [word for word in arguments if not word.startswith("-")]
    count = 2 if words[:1] in (["templates"], ["python"]) else 1
    return " ".join(words[:count])
