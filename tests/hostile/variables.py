"""Hostile environment variables: of a CI job, a container, a shell's start file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.hostile import Hostile, nothing
from tests.hostile.mutations import both, piped, written

if TYPE_CHECKING:
    from tests.hostile.ground import Ground
    from tests.hostile.mutations import Mutation

_CREATE = ("create", "y", "--lock", "lock.txt", "--verify", "none")
_MADE = ("store/envs", "store/records")
_LIST = ("list",)


def _set(
    name: str,
    value: str | None,
    code: int = 0,
    says: str = "",
    id_: str = "",
    words: tuple[str, ...] = _LIST,
    mutate: Mutation = nothing,
    changes: tuple[str, ...] = (),
    what: str = "",
    good: str | None = None,
    **more: str | None,
) -> Hostile:
    """Return an input of one variable; ``good`` is a valid value, by default it is not set."""
    shown = what or (value or "not set").replace("{ground}", "…")
    return Hostile(
        "variable",
        f"{name}: {shown}",
        words,
        code,
        says,
        id_,
        mutate,
        {name: value, **more},
        good_variables={name: good} if good else {},
        changes=changes,
    )


def _home(
    value: str,
    code: int,
    says: str,
    id_: str = "",
    words: tuple[str, ...] = _CREATE,
    mutate: Mutation = nothing,
    changes: tuple[str, ...] = (),
    what: str = "",
    **more: str | None,
) -> Hostile:
    return _set("IMAGEAI_ENV_HOME", value, code, says, id_, words, mutate, changes, what, "{ground}/tmp/other", **more)


def _redirects(name: str, value: str, what: str = "", mutate: Mutation = nothing) -> Hostile:
    """Return an input of a variable that would lead an installer elsewhere: what is built is right all the same."""
    words = (*_CREATE, "--engine", "pip") if name.startswith("PIP_") else _CREATE
    return _set(name, value, 0, "y: TensorFlow", "", words, mutate, _MADE, what)


def _read_only(ground: Ground) -> None:
    (ground.world / "tmp" / "ro").mkdir()
    (ground.world / "tmp" / "ro").chmod(0o555)


_SITECUSTOMIZE = "import os, sys\nif 'envs' in sys.prefix:\n    os.mknod('{ground}/canary/pwned')\n"
_SCRIPT = "#!/bin/sh\ntouch {ground}/canary/pwned\n"


def _program(file: str) -> Mutation:
    def mutate(ground: Ground) -> None:
        written(file, _SCRIPT)(ground)
        (ground.world / file).chmod(0o755)

    return mutate


VARIABLES = (
    _home("{ground}/canary/photo", 6, "IMAGEAI_ENV_HOME", "not-writable", what="a file"),
    _home("/dev/null", 6, "IMAGEAI_ENV_HOME", "not-writable"),
    _home("/proc", 6, "/proc/", "system"),
    _home(
        "{ground}/tmp/ro",
        6,
        "IMAGEAI_ENV_HOME",
        "not-writable",
        mutate=_read_only,
        what="a directory that may not be written",
    ),
    _home("x" * 5000, 6, "File name too long", "system", what="5000 characters"),
    _home("~nobody-of-that-name/x", 3, "IMAGEAI_ENV_HOME", "bad-path"),
    _home("{ground}/tmp/a:b", 3, "cannot stand on PATH", "bad-path"),
    _home("{ground}/tmp/a\nb", 3, "control character", "bad-path", what="a line feed in it"),
    _home("{ground}/tmp/\x1b[2J", 3, "control character", "bad-path", what="an escape sequence in it"),
    _home(
        "{ground}/tmp/$(touch pwned) `id` 'x'",
        0,
        "y: TensorFlow",
        changes=("tmp",),
        what="a shell's substitutions in it",
    ),
    _home("/", 0, "No environments", words=_LIST),
    _home("project", 0, "No environments", words=_LIST, what="relative, in a clone"),
    _home("{ground}/project", 0, "would be freed", words=("gc", "--dry-run"), what="the clone itself"),
    _home(
        "{ground}/tmp/\u00e4\u00f6",
        0,
        "",
        changes=("tmp",),
        what="umlauts, in the locale C, with ASCII for output",
        LC_ALL="C",
        PYTHONIOENCODING="ascii",
    ),
    _set("IMAGEAI_ENV_CACHE", "{ground}/canary/photo", 0, "y: TensorFlow", "", _CREATE, changes=_MADE, what="a file"),
    _set("IMAGEAI_ENV_CACHE", "/dev/zero", 0, "y: TensorFlow", "", _CREATE, changes=_MADE),
    _set("IMAGEAI_ENV_CACHE", "/proc", 0, "y: TensorFlow", "", _CREATE, changes=_MADE),
    _set(
        "IMAGEAI_ENV_CACHE",
        "{ground}/tmp/c",
        0,
        "3.",
        "",
        ("python", "list"),
        piped("tmp/c/interpreters.json"),
        ("tmp/c",),
        "a pipe in it",
    ),
    _set(
        "IMAGEAI_ENV_CACHE",
        "{ground}/tmp/c",
        0,
        "3.",
        "",
        ("python", "list"),
        written("tmp/c/interpreters.json", "[" * 100_000),
        ("tmp/c",),
        "100,000 levels of JSON in it",
    ),
    _set("IMAGEAI_ENV_ENGINE", "evil", 2, "evil", "usage", _CREATE, good="uv"),
    _set("IMAGEAI_ENV_ENGINE", "uv; touch pwned", 2, "uv; touch pwned", "usage", _CREATE, good="uv"),
    _redirects("PIP_TARGET", "{ground}/canary"),
    _redirects("PIP_PREFIX", "{ground}/canary"),
    _redirects("UV_PROJECT_ENVIRONMENT", "{ground}/canary"),
    _redirects("UV_WORKING_DIRECTORY", "{ground}/canary"),
    _redirects("UV_WORKING_DIR", "{ground}/canary"),
    _redirects("UV_PYTHON", "/bin/false"),
    _redirects("UV_PYTHON_SEARCH_PATH", "{ground}/canary"),
    _redirects("VIRTUAL_ENV", "{ground}/canary"),
    _redirects("CONDA_PREFIX", "{ground}/canary"),
    _redirects("UV_OVERRIDE", "{ground}/canary/photo"),
    _redirects("UV_CONSTRAINT", "/dev/zero"),
    _redirects("UV_VENV_RELOCATABLE", "1"),
    _redirects("UV_VENV_CLEAR", "1"),
    _redirects("UV_VENV_SEED", "1"),
    _redirects("PIP_IMPLEMENTATION", "pp"),
    _redirects("PIP_ABI", "cp27m"),
    _redirects("PIP_GROUP", "evil"),
    _redirects("PIP_CONFIG_SETTINGS", "evil"),
    _redirects("PIP_DRY_RUN", "1"),
    _redirects("PIP_LOG", "{ground}/canary/photo"),
    _redirects(
        "PYTHONPATH",
        "{ground}/project/evil:{repository}",
        "code that runs at every start",
        written("project/evil/sitecustomize.py", _SITECUSTOMIZE),
    ),
    _set(
        "UV_NO_VERIFY_HASHES",
        "1",
        6,
        "",
        "hash-mismatch",
        ("create", "y", "--lock", "lock.txt", "--verify", "none"),
        lambda ground: _other_hash(ground),
    ),
    _set(
        "PATH",
        ".:{path}",
        0,
        "3.",
        "",
        ("python", "list"),
        both(_program("project/python3"), _program("project/python3.10"), _program("project/uv")),
        what="the working directory first",
    ),
    _set("HOME", None, 0, "x"),
    _set("HOME", "relative", 0, "x"),
    _set("HOME", "/dev/null", 0, "x"),
    _set("COLUMNS", "0", 0, "x"),
    _set("COLUMNS", "-1", 0, "x", "", ("show", "x")),
    _set("COLUMNS", "abc", 0, "tiny", "", ("templates", "list")),
    _set("COLUMNS", "9" * 30, 0, "tiny", "", ("templates", "list"), what="thirty digits"),
    _set("TERM", "\x1b[2J", 0, "x", what="an escape sequence"),
    _set("LC_ALL", "xx_YY.evil", 0, "x"),
    _set("PYTHONOPTIMIZE", "2", 0, "x"),
    _set("PYTHONWARNINGS", "error", 0, "y: TensorFlow", "", _CREATE, changes=_MADE),
    _set("TMPDIR", "{ground}/canary/none", 0, "y: TensorFlow", "", _CREATE, changes=_MADE),
    _set("XDG_CONFIG_HOME", "/dev/zero", 0, "tf2.10", "", ("templates", "list"), IMAGEAI_ENV_HOME=None),
    _set("XDG_DATA_HOME", "relative", 0, "No environments", IMAGEAI_ENV_HOME=None),
    _set("PYENV_ROOT", "~nobody-of-that-name", 0, "3.", "", ("python", "list")),
    _set("SHELL", "/bin/evil;id", 0, "VIRTUAL_ENV", "", ("activate", "x", "--shell", "bash")),
    _set(
        "UV_DEFAULT_INDEX",
        "file:///dev/zero",
        0,
        "in sync",
        "",
        ("lock", "--check", "--template", "tiny", "-o", "lock.txt"),
    ),
)


def _other_hash(ground: Ground) -> None:
    path = ground.project / "lock.txt"
    text = path.read_text(encoding="utf-8")
    begin = text.index("\nnumpy==")
    place = text.index("sha256:", begin)
    path.write_text(text[:place] + "sha256:" + "0" * 64 + text[place + 71 :], encoding="utf-8")
