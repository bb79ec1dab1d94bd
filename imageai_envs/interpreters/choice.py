"""Choose the Python of an environment: what the template prefers among what is here, else a fetched one."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.errors import PythonNotFoundError, RequestError
from imageai_envs.base.paths import expanded
from imageai_envs.interpreters import places
from imageai_envs.interpreters.discovery import find_interpreters, interrogate
from imageai_envs.interpreters.probing import Unanswered
from imageai_envs.request.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imageai_envs.base.context import Context
    from imageai_envs.base.paths import Home
    from imageai_envs.request.interpreter import Interpreter
    from imageai_envs.templates.template import Template

# 3.10, 3.10.13, python3.10, cp310
_VERSION = re.compile(
    r"(?:c?python-?|cp|py)?(?P<major>\d)\.?(?P<minor>\d{1,2})(?:\.(?P<patch>\d{1,3}))?", re.IGNORECASE
)
_UNSUPPORTED = "python-unsupported"


@dataclass(frozen=True)
class _Wanted:
    """A version that was asked for; without ``patch`` any patch will do."""

    minor: tuple[int, int]
    patch: int | None

    def __str__(self) -> str:
        text = f"{self.minor[0]}.{self.minor[1]}"
        return text if self.patch is None else f"{text}.{self.patch}"

    def fits(self, interpreter: Interpreter) -> bool:
        return interpreter.minor == self.minor and self.patch in (None, interpreter.version[2])


def choose(
    template: Template,
    wanted: str | None,
    context: Context,
    *,
    fetch: Callable[[str], Path] | None,
    machine_target: str | None = None,
    why_no_fetch: str = "downloads are not allowed (--no-download), or uv is not installed",
) -> Interpreter:
    """Return the Python for an environment of ``template``.

    The template's preferred minors decide. Within a minor: the machine of this host (or ``machine_target``),
    then interpreters that are not conda's (an environment on one mixes two sets of libraries), then the
    newest patch.

    Args:
        template: says which Pythons its TensorFlow and ImageAI run on.
        wanted: a version (``3.10``, ``3.10.13``, ``python3.10``, ``cp310``), the path or the name of an
            executable, the directory of an environment or installation; or None.
        context: directories, reporter and log of the command.
        fetch: gets a Python such as ``3.10`` and returns its path; None when nothing may be fetched.
        machine_target: a ``platform.machine()`` to prefer instead of this host's.
        why_no_fetch: the reason for ``fetch`` being None, in words that may follow a colon.

    Raises:
        RequestError: ``wanted`` is no Python that this template runs on (``python-unsupported``), or is not
            understood (``bad-python``).
        PythonNotFoundError: nothing here fits and nothing could be fetched.
    """
    version = _version(wanted)
    if wanted is not None and version is None:
        return _named(template, wanted, context)
    if version is not None and not template.allows_python(version.minor):
        found = find_interpreters(context)
        raise _unsupported(template, str(version), _ranked(template, found, machine_target))
    found = find_interpreters(context)
    fitting = _ranked(template, found, machine_target)
    chosen = next((one for one in fitting if version is None or version.fits(one)), None)
    if chosen is not None:
        return chosen
    missing = str(version) if version else _first_choice(template)
    if fetch is None:
        raise _not_found(template, version, missing, found, fitting, why_no_fetch)
    context.reporter.note(
        f"No Python {version or template.python_words()} was found here; Python {missing} is fetched."
    )
    return _fetched(missing, fetch(missing), context.home)


def within_reach(template: Template, wanted: str | None, context: Context, *, can_fetch: bool) -> bool:
    """Tell whether :func:`choose` would find a Python for ``template``, or may fetch one."""
    version = _version(wanted)
    if wanted is not None and version is None:
        try:
            one = interrogate(_executable(wanted), context.home, source="asked")
        except (Unanswered, RequestError, PythonNotFoundError):
            return False
        return template.allows_python(one.minor) and not _unfit(template, one)
    if version is not None and not template.allows_python(version.minor):
        return False
    here = _ranked(template, find_interpreters(context), None)
    return can_fetch or any(version is None or version.fits(one) for one in here)


def _version(wanted: str | None) -> _Wanted | None:
    match = _VERSION.fullmatch(wanted.strip()) if wanted else None
    if match is None:
        return None
    return _Wanted((int(match["major"]), int(match["minor"])), int(match["patch"]) if match["patch"] else None)


def _ranked(template: Template, found: Sequence[Interpreter], machine_target: str | None) -> list[Interpreter]:
    """Return the interpreters that run this template, the best first."""
    machine = Target.of((3, 0), sys.platform, machine_target or platform.machine()).machine
    preferred = list(template.python_preferred)

    def rank(one: Interpreter) -> tuple[int, int, bool, bool, int]:
        minor = one.target.python_version
        place = preferred.index(minor) if minor in preferred else len(preferred)
        return place, -one.minor[1], one.target.machine != machine, one.source == "conda", -one.version[2]

    return sorted((one for one in found if template.allows_python(one.minor) and not _unfit(template, one)), key=rank)


def _unfit(template: Template, one: Interpreter) -> str:
    """Say why an interpreter of a right version cannot run the template; empty when it can."""
    missing = [name for name in template.python_modules if name in one.lacking]
    return one.unusable or (f"has no {', '.join(missing)}" if missing else "")


def _first_choice(template: Template) -> str:
    """Return the minor to fetch: the one that the template prefers, else the newest that it allows."""
    if template.python_preferred:
        return template.python_preferred[0]
    return next((f"3.{minor}" for minor in range(30, 5, -1) if template.allows_python((3, minor))), "3.10")


def _named(template: Template, wanted: str, context: Context) -> Interpreter:
    """Return the interpreter at the path (or of the command) ``wanted``."""
    path = _executable(wanted)
    try:
        interpreter = interrogate(path, context.home, source="asked")
    except Unanswered as reason:
        raise PythonNotFoundError(
            f"{path} is not a working Python: {reason}.", hint="imageai-env python list"
        ) from reason
    asked = f"{wanted}, which is {interpreter.implementation} {interpreter.version_text}"
    if not template.allows_python(interpreter.minor):
        found = find_interpreters(context)
        raise _unsupported(template, asked, _ranked(template, found, None))
    if interpreter.unusable:
        raise RequestError(
            f"You asked for {asked}, {interpreter.unusable}. "
            f"{template.framework.title} has wheels for 64-bit release builds of CPython only.",
            hint="drop --python, or name another one: imageai-env python list",
            code=_UNSUPPORTED,
        )
    lacking = _unfit(template, interpreter)
    if lacking:
        raise RequestError(
            f"You asked for {asked}, which {lacking}. ImageAI {template.imageai.version} imports it.",
            hint=f"{_ways_to_modules(template, interpreter.target.python_version)}, or another Python: "
            "imageai-env python list",
            code="python-incomplete",
        )
    if interpreter.executable != path:
        context.reporter.note(f"{wanted} leads to {interpreter.executable}, which is taken.")
    return interpreter


def _executable(wanted: str) -> Path:
    """Return the file that a path or the name of a command means."""
    path = expanded(wanted)
    if not wanted.strip() or (path.name == wanted and not os.path.lexists(path)):
        command = shutil.which(wanted)
        if command is None:
            raise RequestError(
                f"{wanted!r} is neither a version of Python, nor a command, nor a path.",
                hint="such as: --python 3.10, --python /usr/bin/python3.10, --python path/to/.venv",
                code="bad-python",
            )
        return Path(command).absolute()
    path = path.absolute()
    if path.is_dir():
        inside = places.in_prefix(path) or next(places.in_directory(path), None)
        if inside is None:
            raise PythonNotFoundError(f"There is no Python in {path}.", hint="imageai-env python list")
        return inside
    if not path.exists():
        what = "is a link to a file that is gone" if path.is_symlink() else "does not exist"
        raise PythonNotFoundError(f"{path} {what}.", hint="imageai-env python list")
    return path


def _fetched(version: str, path: Path, home: Home) -> Interpreter:
    try:
        interpreter = interrogate(path, home, source="uv")
    except Unanswered as reason:
        raise PythonNotFoundError(
            f"Python {version} was fetched to {path} and does not work: {reason}.", code="python-fetch-failed"
        ) from reason
    wanted = _version(version)
    if interpreter.unusable or (wanted and not wanted.fits(interpreter)):
        what = f"{interpreter.implementation} {interpreter.version_text}"
        raise PythonNotFoundError(
            f"Python {version} was to be fetched, {path} is {interpreter.unusable or what}.",
            code="python-fetch-failed",
        )
    return interpreter


def _needs(template: Template) -> str:
    pair = f"{template.framework.title} {template.minor} with ImageAI {template.imageai.version}"
    return f"{pair} needs Python {template.python_words()}"


def _unsupported(template: Template, asked: str, fitting: Sequence[Interpreter]) -> RequestError:
    hint = "drop --python"
    if fitting:
        best = fitting[0]
        hint += f", or use --python {best.target.python_version} (found at {best.executable})"
    message = f"{_needs(template)}; you asked for {asked}. {template.python_reason}"
    return RequestError(message, hint=hint, code=_UNSUPPORTED)


def _not_found(
    template: Template,
    version: _Wanted | None,
    missing: str,
    found: Sequence[Interpreter],
    fitting: Sequence[Interpreter],
    why_no_fetch: str,
) -> PythonNotFoundError:
    lines = [f"No Python {version or template.python_words()} was found. {_needs(template)}."]
    lines.append("Found:" if found else "No Python at all was found.")
    for one in sorted(found, key=lambda one: one.version):
        remark = one.unusable or ("fits this template" if one in fitting else "")
        if template.allows_python(one.minor) and not remark:
            remark = _unfit(template, one)
        lines.append(f"  {one.version_text:<9}{one.executable}{f' ({remark})' if remark else ''}")
    lines.append(f"Nothing was fetched: {why_no_fetch}.")
    lines.append("Ways to get one:")
    lines += [f"  {way}" for way in _ways(missing)]
    hint = f"uv python install {missing}"
    if any(template.allows_python(one.minor) and one.unusable is None for one in found) and not fitting:
        hint = f"{_ways_to_modules(template, missing)}, or {hint}"
    if fitting:
        best = fitting[0]
        hint = f"drop --python, or use --python {best.target.python_version} (found at {best.executable})"
    data: dict[str, object] = {
        "python": str(template.python),
        "found": [
            {"version": one.version_text, "path": str(one.executable), "unusable": one.unusable} for one in found
        ],
    }
    return PythonNotFoundError("\n".join(lines), hint=hint, data=data)


def _ways_to_modules(template: Template, version: str) -> str:
    """Return the command that adds the modules that some Pythons come without."""
    minor = ".".join(version.split(".")[:2])
    if sys.platform == "darwin":
        return f"brew install python-tk@{minor}"
    names = " ".join({"tkinter": f"python{minor}-tk"}.get(name, name) for name in template.python_modules)
    return f"sudo apt install {names}"


def _ways(version: str) -> list[str]:
    """Return the commands that install a Python, where they work."""
    minor = ".".join(version.split(".")[:2])
    ways = [f"uv python install {version}", f"pyenv install {version}"]
    if sys.platform == "linux":
        ways.append(f"sudo apt install python{minor} python{minor}-venv   (Ubuntu: after adding ppa:deadsnakes/ppa)")
    elif sys.platform == "darwin":
        ways.append(f"brew install python@{minor}")
    elif sys.platform == "win32":
        ways.append(f"winget install Python.Python.{minor}")
    return [*ways, f"conda create -n py{minor.replace('.', '')} python={version}"]
