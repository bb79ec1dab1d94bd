"""Hostile requirement files: for ``-r`` of ``create`` and ``lock``, and for ``rescue``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.hostile import Hostile
from tests.hostile.mutations import (
    DEEP,
    ESCAPES,
    appended,
    closed,
    emptied,
    linked,
    piped,
    rewritten,
    socketed,
    written,
)

if TYPE_CHECKING:
    from tests.hostile.mutations import Mutation

KIND = "requirement file"
_FILE = "project/requirements.txt"
_CREATE = ("create", "y", "--template", "tiny", "-r", "requirements.txt", "--dry-run")
_RESCUE = ("rescue", "requirements.txt")
_YAML = "project/environment.yml"
_TOML = "project/pyproject.toml"


def _read(name: str, mutate: Mutation, says: str, id_: str = "bad-requirement") -> Hostile:
    return Hostile(KIND, name, _CREATE, 3, says, id_, mutate)


def _line(name: str, line: str, says: str, id_: str = "bad-requirement") -> Hostile:
    return _read(name, appended(_FILE, f"{line}\n"), says, id_)


def _rescued(name: str, mutate: Mutation, says: str, code: int = 3, file: str = "requirements.txt") -> Hostile:
    return Hostile(KIND, f"rescue: {name}", ("rescue", file), code, says, "bad-source" if code else "", mutate)


_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}, *{old}]\n"
    for old, new in zip("abcdefghij", "bcdefghijk", strict=True)
)

REQUIREMENTS = (
    _line("an index", "--index-url http://evil.invalid", "the option --index-url"),
    _line("an editable directory", "-e ../..", "the option -e"),
    _line("a hash alone", "--hash=sha256:" + "0" * 64, "the option --hash"),
    _line("everything from source", "--no-binary :all:", "the option --no-binary"),
    _line("the device that never ends, included", "-r /dev/zero", "it is a device"),
    _line("itself, included", "-r requirements.txt", "includes itself"),
    _line("a secret of the machine, included", "-r /etc/passwd", "not a requirement"),
    _line(
        "an address with a password",
        "six @ https://u:hunter2@evil.invalid/six.whl",
        "by URL or path",
        "direct-reference",
    ),
    _line("a file of this machine", "six @ file:///etc/passwd", "by URL or path", "direct-reference"),
    _line("a path", "../../evil.whl", "not a requirement"),
    _line("a shell command", "six; rm -rf ~", "not a requirement"),
    _line("a substitution", "$(touch pwned)", "not a requirement"),
    _line("a variable of the environment", "${HOME}", "not a requirement"),
    _line("a name of another alphabet", "n\u0443mpy", "not a requirement"),
    _line("escape sequences", f"six{ESCAPES}", "not a requirement"),
    _line("a marker nested 900 deep", f"six; {DEEP}", "not a requirement"),
    _line("a version of 100,000 digits", "six==" + "1" * 100_000, "not a requirement"),
    _line("400,000 spaces in a line", "six" + " " * 400_000 + "x", "not a requirement"),
    _line("100,000 continued lines", "six \\\n" * 100_000 + "x", "not a requirement"),
    _line("a zero byte", "six\0", "not a requirement"),
    _read("UTF-16", rewritten(_FILE, lambda data: data.decode().encode("utf-16")), "not UTF-8 text"),
    _read("3 MB", appended(_FILE, "# no\n" * 600_000), "longer than 2 MB"),
    _read("a pipe that nobody writes to", piped(_FILE), "nothing came out of this pipe"),
    _read("a socket", socketed(_FILE), "it is a socket"),
    _read("a directory", emptied(_FILE), "Is a directory"),
    _read("a link to itself", linked(_FILE, "requirements.txt"), "symbolic links"),
    _read("nobody may read it", closed(_FILE), "Permission denied"),
    Hostile(
        KIND,
        "a mark of byte order and line ends of Windows",
        _CREATE,
        0,
        "six",
        "",
        rewritten(_FILE, lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")),
    ),
    _rescued("a link to a device", linked(_FILE, "/dev/zero"), "it is a device"),
    _rescued("a pipe that nobody writes to", piped(_FILE), "nothing came out of this pipe"),
    _rescued("random bytes", rewritten(_FILE, lambda _data: bytes(range(256)) * 40), "not a text file"),
    _rescued("itself, included", appended(_FILE, "-r requirements.txt\n"), "includes itself"),
    _rescued("a secret of the machine, included", appended(_FILE, "-r /etc/passwd\n"), "not understood", 0),
    _rescued(
        "400,000 spaces in a line", appended(_FILE, "pytz" + " " * 400_000 + "x\n"), "more than 2000 characters", 0
    ),
    _rescued("escape sequences", appended(_FILE, f"pytz{ESCAPES}\n"), "not understood", 0),
    _rescued("a marker nested 900 deep", appended(_FILE, f"pytz; {DEEP}\n"), "not understood", 0),
    _rescued(
        "YAML whose aliases make a billion entries",
        appended(_YAML, _BOMB + "dependencies: *k\n"),
        "not understood",
        0,
        file="environment.yml",
    ),
    _rescued(
        "YAML that calls a function",
        written(_YAML, "dependencies: [!!python/object/apply:os.system ['touch pwned']]\n"),
        "not valid YAML",
        file="environment.yml",
    ),
    _rescued(
        "YAML nested 100,000 deep", written(_YAML, "dependencies: " + "[" * 100_000), "YAML", file="environment.yml"
    ),
    _rescued(
        "TOML nested 100,000 deep", appended(_TOML, "x = " + "[" * 100_000), "not valid TOML", file="pyproject.toml"
    ),
    _rescued(
        "TOML with a number of 100,000 digits",
        appended(_TOML, "x = 1" + "1" * 100_000),
        "not valid TOML",
        file="pyproject.toml",
    ),
)
