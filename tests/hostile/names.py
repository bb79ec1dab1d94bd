"""Hostile names: typed by a script, for every command that takes one."""

from __future__ import annotations

import sys

from tests.hostile.hostile import Hostile

_CREATE = ("create", "--lock", "lock.txt", "--verify", "none")
_MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
_NO = "cannot name an environment"


def _name(
    words: tuple[str, ...], good: tuple[str, ...], says: str = _NO, id_: str = "bad-name", code: int = 3
) -> Hostile:
    """Return an input: the word of ``words`` that is not in ``good`` is hostile."""
    bad = next(word for word in words if word not in good)
    shown = bad.encode("unicode_escape").decode() if len(bad) < 40 else f"{len(bad)} characters"
    return Hostile("name", f"{words[0]}: {shown or 'empty'}", words, code, says, id_, good=good)


def _of_x(
    command: str, bad: str, says: str = _NO, id_: str = "bad-name", code: int = 3, more: tuple[str, ...] = ()
) -> Hostile:
    return _name((command, bad, *more), (command, "x", *more), says, id_, code)


_LONG = "x" * 300

NAMES = (
    *(
        _name((*_CREATE, bad), (*_CREATE, "y"))
        for bad in (
            "../x",
            "a/b",
            "",
            _LONG,
            ".hidden",
            "con",
            "LPT1.txt",
            "a b",
            "\u00e4",
            "\u0445",
            "x\n",
            "x\x1b[2J",
            "x\u202ey",
            "$(touch pwned)",
            "x;id",
            "x\\y",
            "x.",
        )
    ),
    _name((*_CREATE, "--index-url=http://evil.invalid"), (*_CREATE, "y"), "No such option", "usage", 2),
    _name(
        (*_CREATE, "--path", "project/../../canary"),
        (*_CREATE, "--path", ".other"),
        "not made by imageai-env",
        "not-ours",
    ),
    _name(
        (*_CREATE, "y", "--path", "../canary"),
        (*_CREATE, "y", "--path", ".other"),
        "not made by imageai-env",
        "not-ours",
    ),
    _name(
        (*_CREATE, "y", "--path", "/dev/null"),
        (*_CREATE, "y", "--path", ".other"),
        "not made by imageai-env",
        "not-ours",
    ),
    _name((*_CREATE, "y", "--path", "/"), (*_CREATE, "y", "--path", ".other"), "/", "bad-place"),
    _name(
        (*_CREATE, "y", "--path", "~nobody-of-that-name/x"),
        (*_CREATE, "y", "--path", ".other"),
        "~nobody-of-that-name",
        "bad-path",
    ),
    _name(
        (*_CREATE, "y", "--path", ".other:evil"),
        (*_CREATE, "y", "--path", ".other"),
        "cannot stand on PATH",
        "bad-path",
    ),
    _of_x("show", "../../canary", "is not an environment", "no-such-environment"),
    _of_x("show", "~nobody-of-that-name/x", "~nobody-of-that-name", "bad-path"),
    _of_x("show", "x\x1b[2J"),
    _of_x(
        "check",
        "*",
    ),
    _of_x("check", "/dev/zero", "is not an environment", "no-such-environment"),
    _of_x("run", "$(id)", more=("--", "python", "-c", "pass")),
    _of_x("run", "../canary", "is not an environment", "no-such-environment", more=("--", "python", "-c", "pass")),
    _of_x("activate", "x; id", more=("--shell", "bash")),
    _of_x("shell", "`id`", more=("--shell", "bash")),
    _of_x("remove", "../canary", "is not an environment", "no-such-environment", more=("--yes",)),
    _of_x("remove", "..", "is not an environment", "no-such-environment", more=("--yes",)),
    _of_x("remove", "/", "is not an environment", "no-such-environment", more=("--yes",)),
    _of_x("remove", "", more=("--yes",)),
    _of_x("remove", "~", "is not an environment", "no-such-environment", more=("--yes",)),
    _of_x("recreate", "[x]", more=("--verify", "none")),
    _of_x("repair", "x?", more=("--verify", "none")),
    _of_x("sync", "x\r", more=("--verify", "none")),
    _of_x("upgrade", "\u202ex", more=("--verify", "none")),
    _name(
        ("upgrade", "x", "--verify", "none", "../../six"),
        ("upgrade", "x", "--verify", "none", "numpy"),
        "six",
        "no-such-package",
    ),
    _name(("clone", "x", "../evil", "--verify", "none"), ("clone", "x", "z", "--verify", "none")),
    _name(("clone", "x", "aux", "--verify", "none"), ("clone", "x", "z", "--verify", "none")),
    _name(("rename", "x", "/tmp/evil", "--verify", "none"), ("rename", "x", "z", "--verify", "none")),
    _name(("rename", "x", ".", "--verify", "none"), ("rename", "x", "z", "--verify", "none")),
    _name(("adopt", ".venv", "--yes", "--name", "../x"), ("adopt", ".venv", "--yes", "--name", "z")),
    _name(
        ("adopt", "../canary", "--yes", "--name", "z"),
        ("adopt", ".venv", "--yes", "--name", "z"),
        "is not an environment",
        "no-such-environment",
    ),
    _name(
        ("rescue", "requirements.txt", "--template", "tiny", "--verify", "none", "--name", "a/b"),
        ("rescue", "requirements.txt", "--template", "tiny", "--verify", "none", "--name", "z"),
    ),
    _name(("diff", "x", "../canary"), ("diff", "x", "lock.txt"), "is not an environment", "no-such-environment"),
    _name(("doctor", "\x1b[2J"), ("doctor", "x"), "\\x1b[2J", "no-such-environment"),
    _name(("doctor", "~nobody-of-that-name"), ("doctor", "x"), "~nobody-of-that-name", "bad-path"),
    _name(
        ("explain", "--env", "../canary", "No module named 'tensorflow'"),
        ("explain", "--env", "x", "No module named 'tensorflow'"),
        "no environment at",
        "no-such-environment",
    ),
    _name(("templates", "show", "../../canary"), ("templates", "show", "tiny"), "Cannot read template", "bad-template"),
    _name(
        ("templates", "show", "~nobody-of-that-name/x.toml"),
        ("templates", "show", "tiny"),
        "~nobody-of-that-name",
        "bad-template",
    ),
    _name(
        (*_CREATE[:1], "y", "--dry-run", "--template", "~nobody-of-that-name/x.toml"),
        (*_CREATE[:1], "y", "--dry-run", "--template", "tiny"),
        "~nobody-of-that-name",
        "bad-path",
    ),
    _name(
        ("create", "y", "--dry-run", "--template", "tiny", "--python", "$(id)"),
        ("create", "y", "--dry-run", "--template", "tiny", "--python", _MINOR),
        "$(id)",
        "bad-python",
    ),
    _name(
        ("lock", "--template", "tiny", "-o", "lock.txt", "--target", "../../x"),
        ("lock", "--template", "tiny", "-o", "lock.txt", "--target", "cp311-linux-x86_64"),
        "not a target",
        "bad-target",
    ),
    _name(
        ("lock", "--template", "tiny", "-o", "lock.txt", "-P", "--index-url=x"),
        ("lock", "--template", "tiny", "-o", "lock.txt", "-P", "numpy"),
        "index-url",
        "no-such-package",
    ),
    _name(
        ("create", "y", "--dry-run", "--tf", "2.10; id"),
        ("create", "y", "--dry-run", "--template", "tiny", "--tf", "2.10"),
        "not a version",
        "bad-version",
    ),
)
