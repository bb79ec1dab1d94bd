"""Activate an environment in the user's own shell, or open a new shell in which it is active.

The activation is ours, not the ``activate`` that came with the environment: those of Python 3.7 and 3.8 put
the path between double quotes, where ``$``, backticks and quotes in a directory's name are executed, and
which files there are depends on who made the environment. Users get what they know: ``deactivate``, the
prompt prefix, ``VIRTUAL_ENV_DISABLE_PROMPT``. What is saved goes into the usual ``_OLD_VIRTUAL_*`` names, so
that activating any other virtual environment afterwards undoes ours first.
"""

from __future__ import annotations

import os
import shlex
import shutil
import string
from pathlib import Path

from imageai_envs.base.errors import RequestError, UsageProblem
from imageai_envs.base.paths import home, scripts_directory
from imageai_envs.base.scratch import scratch
from imageai_envs.running.attend import attend, status_of
from imageai_envs.running.run import is_active, outside_variables, path_with_scripts, require_python

SHELLS = ("bash", "zsh", "fish", "powershell")

_ALIASES = {"pwsh": "powershell"}

# In all: `deactivate` of whatever is active runs first; a PATH that starts with our directory stays as it is.
# bash (3.2 and newer) and zsh: `function` keeps an alias named deactivate from being expanded, every line
# works under `set -eu`, and PS1 is not exported, because it would reach the children, whatever they are.
_POSIX = """\
if [ -n "${VIRTUAL_ENV:-}" ] && typeset -f deactivate >/dev/null 2>&1; then
    deactivate nondestructive || true
fi
function deactivate {
    if [ -n "${_OLD_VIRTUAL_PATH+x}" ]; then
        export PATH="$_OLD_VIRTUAL_PATH"
        unset _OLD_VIRTUAL_PATH
    fi
    if [ -n "${_OLD_VIRTUAL_PYTHONHOME+x}" ]; then
        export PYTHONHOME="$_OLD_VIRTUAL_PYTHONHOME"
        unset _OLD_VIRTUAL_PYTHONHOME
    fi
    if [ -n "${_OLD_VIRTUAL_PS1+x}" ]; then
        PS1="$_OLD_VIRTUAL_PS1"
        unset _OLD_VIRTUAL_PS1
    fi
    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    hash -r 2>/dev/null || true
    if [ "${1:-}" != nondestructive ]; then
        unset -f deactivate
    fi
}
export VIRTUAL_ENV=@{root} VIRTUAL_ENV_PROMPT=@{prompt}
_OLD_VIRTUAL_PATH="${PATH:-}"
case "${PATH:-}:" in
    @{scripts}:*) ;;
    *) export PATH=@{scripts}"${PATH:+:$PATH}" ;;
esac
if [ -n "${PYTHONHOME+x}" ]; then
    _OLD_VIRTUAL_PYTHONHOME="$PYTHONHOME"
    unset PYTHONHOME
fi
if [ -z "${VIRTUAL_ENV_DISABLE_PROMPT:-}" ] && [ -n "${PS1+x}" ]; then
    _OLD_VIRTUAL_PS1="$PS1"
    PS1=@{prefix}"$PS1"
fi
hash -r 2>/dev/null || true
"""

# The saved values are global and not exported (the stdlib's script exports them, and a fish inside fish then
# believes that it has an environment to leave). The user's prompt runs first: it may show $status.
_FISH = """\
if set -q VIRTUAL_ENV; and functions -q deactivate
    deactivate nondestructive
end
function deactivate -d 'Leave the virtual environment'
    for name in PATH PYTHONHOME
        set -l old _OLD_VIRTUAL_$name
        set -q $old; and set -gx $name $$old; and set -e $old
    end
    if set -q _OLD_FISH_PROMPT_OVERRIDE
        set -e _OLD_FISH_PROMPT_OVERRIDE
        if functions -q _old_fish_prompt
            functions -e fish_prompt
            functions -c _old_fish_prompt fish_prompt
            functions -e _old_fish_prompt
        end
    end
    set -e VIRTUAL_ENV; set -e VIRTUAL_ENV_PROMPT
    if test "$argv[1]" != nondestructive
        functions -e deactivate
    end
end
set -gx VIRTUAL_ENV @{root}
set -gx VIRTUAL_ENV_PROMPT @{prompt}
set -g _OLD_VIRTUAL_PATH $PATH
if test "$PATH[1]" != @{scripts}
    set -gx PATH @{scripts} $PATH
end
if set -q PYTHONHOME
    set -g _OLD_VIRTUAL_PYTHONHOME $PYTHONHOME
    set -e PYTHONHOME
end
if test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and functions -q fish_prompt
    functions -c fish_prompt _old_fish_prompt
    function fish_prompt
        set -l prompt (_old_fish_prompt)
        printf %s @{prefix}
        printf '%s\\n' $prompt
    end
    set -g _OLD_FISH_PROMPT_OVERRIDE $VIRTUAL_ENV
end
"""

# No double quotes: Windows passes the whole as one quoted argument. Unproven, written from the documentation.
_POWERSHELL = """\
if ($env:VIRTUAL_ENV -and (Test-Path -Path Function:deactivate)) { deactivate -NonDestructive }
function global:deactivate ([switch]$NonDestructive) {
    foreach ($name in 'PATH', 'PYTHONHOME') {
        if (Test-Path -Path ('Env:_OLD_VIRTUAL_' + $name)) {
            Copy-Item -Path ('Env:_OLD_VIRTUAL_' + $name) -Destination ('Env:' + $name)
            Remove-Item -Path ('Env:_OLD_VIRTUAL_' + $name)
        }
    }
    if (Test-Path -Path Function:_OLD_VIRTUAL_PROMPT) {
        Copy-Item -Path Function:_OLD_VIRTUAL_PROMPT -Destination Function:prompt
        Remove-Item -Path Function:_OLD_VIRTUAL_PROMPT
    }
    Remove-Item -Path 'Env:VIRTUAL_ENV', 'Env:VIRTUAL_ENV_PROMPT' -ErrorAction SilentlyContinue
    if (-not $NonDestructive) { Remove-Item -Path Function:deactivate }
}
$env:VIRTUAL_ENV = @{root}
$env:VIRTUAL_ENV_PROMPT = @{prompt}
$env:_OLD_VIRTUAL_PATH = $env:PATH
if (($env:PATH -split [System.IO.Path]::PathSeparator)[0] -ne @{scripts}) {
    $env:PATH = @{scripts} + [System.IO.Path]::PathSeparator + $env:PATH
}
if (Test-Path -Path Env:PYTHONHOME) {
    Copy-Item -Path Env:PYTHONHOME -Destination Env:_OLD_VIRTUAL_PYTHONHOME
    Remove-Item -Path Env:PYTHONHOME
}
if (-not $env:VIRTUAL_ENV_DISABLE_PROMPT) {
    function global:_OLD_VIRTUAL_PROMPT { '' }
    Copy-Item -Path Function:prompt -Destination Function:_OLD_VIRTUAL_PROMPT
    function global:prompt {
        Write-Host -NoNewline @{prefix}
        _OLD_VIRTUAL_PROMPT
    }
}
"""

# zsh has no --rcfile, but reads .zshenv and .zshrc from $ZDOTDIR: ours stand in for the user's and read them
# with the user's own ZDOTDIR in effect. macOS's /etc/zshrc, run between the two, derives HISTFILE from it.
_ZSHENV = """\
@{restore}
if [[ -f "${ZDOTDIR:-$HOME}/.zshenv" ]]; then . "${ZDOTDIR:-$HOME}/.zshenv"; fi
if (( ${+ZDOTDIR} )); then _imageai_env_zdotdir="$ZDOTDIR"; fi
ZDOTDIR=@{folder}
"""
_ZSHRC = """\
if (( ${+_imageai_env_zdotdir} )); then ZDOTDIR="$_imageai_env_zdotdir"; else unset ZDOTDIR; fi
unset _imageai_env_zdotdir
if [[ "${HISTFILE-}" == @{folder}/* ]]; then HISTFILE="${ZDOTDIR:-$HOME}/.zsh_history"; fi
if [[ -f "${ZDOTDIR:-$HOME}/.zshrc" ]]; then . "${ZDOTDIR:-$HOME}/.zshrc"; fi
"""
_BASHRC = 'if [ -f "$HOME/.bashrc" ]; then . "$HOME/.bashrc"; fi\n'


class _Script(string.Template):
    """Shell text with ``@{name}`` places, filled in one pass: a value is never looked into again."""

    delimiter = "@"


def detect_shell() -> str:
    """Return the supported shell that we were started from; if that is unknown, the one in ``$SHELL``.

    Raises:
        UsageProblem: it is none of :data:`SHELLS`.
    """
    import shellingham  # type: ignore[import-untyped]  # it ships no types

    try:
        name, _ = shellingham.detect_shell()
    except (OSError, RuntimeError):  # its ShellDetectionFailure is an OSError; RuntimeError: unknown system
        name = Path(os.environ.get("SHELL", "")).name
    return _supported(name)


def activation(root: Path, shell: str, prompt: str) -> str:
    """Return text that activates the environment at ``root`` when ``shell`` evaluates it.

    ``eval "$(...)"`` in bash and zsh, ``... | source`` in fish, ``... | Out-String | Invoke-Expression`` in
    PowerShell. Evaluating it twice activates once.

    Args:
        root: directory of the environment.
        shell: one of :data:`SHELLS`, or ``pwsh``.
        prompt: name that the prompt shows; characters that a prompt would interpret become ``_``.

    Raises:
        UsageProblem: unknown shell.
        RequestError: ``root`` cannot stand on ``PATH``.
    """
    shell = _supported(shell)
    path_with_scripts(root, "")  # refuses what PATH cannot hold
    text = {"bash": _POSIX, "zsh": _POSIX, "fish": _FISH, "powershell": _POWERSHELL}[shell]
    shown = "".join(c if c.isprintable() and c not in "\\$`%!" else "_" for c in prompt)
    values = {
        "root": str(root.absolute()),
        "scripts": str(scripts_directory(root.absolute())),
        "prompt": shown,
        "prefix": f"({shown}) ",
    }
    return _Script(text).substitute({name: _quote(value, shell) for name, value in values.items()})


def open_shell(root: Path, name: str, shell: str) -> int:
    """Start an interactive shell with the environment active; return its exit code when the user leaves it.

    The user's start files run first and the activation after them, so that what they put on ``PATH`` (pyenv's
    shims, conda's base) comes behind the environment. Another environment that is active around us is not:
    ``deactivate`` leads to none.

    Raises:
        RequestError: the environment is active already (code ``already-active``).
        PythonNotFoundError: the environment has no working Python.
        UsageProblem: unknown shell, or not installed.
    """
    shell = _supported(shell)
    require_python(root)
    if is_active(root):
        raise RequestError(
            f"The environment {name} is already active in this shell.",
            hint="Work on; `deactivate` or `exit` leaves it.",
            code="already-active",
        )
    program = _program(shell)
    script = activation(root, shell, name)
    variables = outside_variables()
    with scratch(home(), "shell") as folder:
        if shell == "bash":
            start = folder / "bashrc"
            start.write_bytes(os.fsencode(_BASHRC + script))
            argv = [program, "--rcfile", str(start), "-i"]
        elif shell == "zsh":
            _write_zsh_files(folder, script, variables.get("ZDOTDIR"))
            variables["ZDOTDIR"] = str(folder)
            argv = [program, "-i"]
        elif shell == "fish":
            argv = [program, "-i", "-C", script]
        else:
            argv = [program, "-NoLogo", "-NoExit", "-Command", script]
        return status_of(attend(argv, variables, is_shell=True))


def _write_zsh_files(folder: Path, script: str, user_folder: str | None) -> None:
    values = {
        "folder": _quote(str(folder), "zsh"),
        "restore": "unset ZDOTDIR" if user_folder is None else f"export ZDOTDIR={_quote(user_folder, 'zsh')}",
    }
    (folder / ".zshenv").write_bytes(os.fsencode(_Script(_ZSHENV).substitute(values)))
    (folder / ".zshrc").write_bytes(os.fsencode(_Script(_ZSHRC).substitute(values) + script))


def _program(shell: str) -> str:
    """Return the shell's executable: the user's own ``$SHELL`` where it is that shell, else by ``PATH``."""
    own = os.environ.get("SHELL", "")
    candidates = [own] if Path(own).name == shell else []
    candidates += ["pwsh", "powershell"] if shell == "powershell" else [shell]
    for candidate in candidates:
        found = shutil.which(candidate)
        if found:
            return found
    raise UsageProblem(f"The shell {shell} is not installed.", hint="Choose another: --shell bash", code="no-shell")


def _supported(name: str) -> str:
    shell = _ALIASES.get(name.lower(), name.lower())
    if shell not in SHELLS:
        raise UsageProblem(
            f"The shell {name} is not supported." if name else "The shell could not be detected.",
            hint=f"Name one of {', '.join(SHELLS)}: --shell bash",
            code="unknown-shell",
        )
    return shell


def _quote(text: str, shell: str) -> str:
    """Return ``text`` as one literal word of ``shell``."""
    if shell == "fish":  # within single quotes only these two are special
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if shell == "powershell":  # it takes typographic quotes for single quotes too
        return "'" + "".join(c * 2 if c in "'\u2018\u2019\u201a\u201b" else c for c in text) + "'"
    return shlex.quote(text)
