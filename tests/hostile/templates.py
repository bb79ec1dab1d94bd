"""Hostile templates: what a clone brings in ``.imageai-env/templates``, or is given as ``--template FILE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.hostile import Hostile
from tests.hostile.mutations import (
    DEEP,
    ESCAPES,
    OVERRIDE,
    appended,
    closed,
    emptied,
    linked,
    piped,
    replaced,
    rewritten,
    socketed,
)

if TYPE_CHECKING:
    from tests.hostile.mutations import Mutation

_NEAR = "project/.imageai-env/templates/tiny.toml"
_GIVEN = "project/given.toml"
_VALIDATE = ("templates", "validate", "given.toml")
_LOCK = ("lock", "--template", "tiny", "-o", "lock.txt")
_LIST = ("templates", "list")


def _given(name: str, mutate: Mutation, says: str, words: tuple[str, ...] = _VALIDATE) -> Hostile:
    return Hostile("template", name, words, 3, says, "bad-template", mutate)


def _near(name: str, mutate: Mutation, says: str) -> Hostile:
    return Hostile("template", name, _LOCK, 3, says, "bad-template", mutate)


def _listed(name: str, mutate: Mutation, says: str) -> Hostile:
    return Hostile("template", name, _LIST, 0, says, "", mutate)


def _value(name: str, old: str, new: str, says: str) -> Hostile:
    return _given(name, replaced(_GIVEN, old, new), says)


TEMPLATES = (
    _value("a name that climbs out", 'name = "given"', 'name = "../../../canary/x"', "name"),
    _value("a name that is an option", 'name = "given"', 'name = "--help"', "name"),
    _value("a name of another alphabet", 'name = "given"', 'name = "\u0442\u04262.10"', "name"),
    _value("a CUDA link that climbs out", '"libnvrtc.so" =', '"../../../../canary/photo" =', "cuda-links"),
    _value(
        "a CUDA link's target that climbs out", '= "libnvrtc.so.11.2"', '= "../../../../canary/photo"', "cuda-links"
    ),
    _value("escape sequences in the summary", 'summary = "', 'summary = "\\u001b]0;owned\\u0007', "control characters"),
    _value("an override of direction in the summary", 'summary = "', f'summary = "{OVERRIDE}', "control characters"),
    _value("a raw escape sequence", "schema = 1", f"schema = 1\n# {ESCAPES}", "not valid TOML"),
    _value("a requirement by address", '"numpy"', '"numpy @ file:///etc/passwd"', "direct references"),
    _value("a requirement that is an option", '"numpy"', '"--index-url http://evil.invalid"', "PEP 508"),
    _value("a marker nested 900 deep", '"numpy"', f'"numpy; {DEEP}"', "PEP 508"),
    _value("a cap with a shell command", '"numpy<1.24"', '"numpy<1.24; $(touch pwned)"', "PEP 508"),
    _value("a Python that is a command", 'requires = ">=3.8"', 'requires = ">=3.8; rm -rf ~"', "requires"),
    _value("a source-only of everything", 'distribution = "keras-resnet"', 'distribution = ":all:"', "distribution"),
    _value("a key that is misspelt", "schema = 1", "schema = 1\nsumary = 'x'", "did you mean 'summary'"),
    _value("a key twice", "schema = 1", "schema = 1\nschema = 1", "not valid TOML"),
    _value("a number where a text must be", 'minor = "2.10"', "minor = 2.10", "must be a string"),
    _value("another schema", "schema = 1", "schema = 99", "schema"),
    _value("a number of 100,000 digits", "schema = 1", "schema = 1" + "1" * 100_000, "not valid TOML"),
    _value("a size that is no number", "disk-mb = 1391", "disk-mb = nan", "integer"),
    _value("a zero byte", "schema = 1", "schema = 1\n# \0", "not valid TOML"),
    _given("arrays nested 100,000 deep", appended(_GIVEN, "x = " + "[" * 100_000), "not valid TOML"),
    _given("a key of 200,000 parts", appended(_GIVEN, ".".join("a" * 200_000) + " = 1\n"), "TOML"),
    _given("100,000 unknown keys", appended(_GIVEN, "".join(f"k{n} = 1\n" for n in range(60_000))), "unknown key"),
    _given("UTF-16", rewritten(_GIVEN, lambda data: data.decode().encode("utf-16")), "not UTF-8 text"),
    _given("2 MB", appended(_GIVEN, "# no\n" * 400_000), "longer than 1 MB"),
    _given("a pipe that nobody writes to", piped(_GIVEN), "nothing came out of this pipe"),
    _given("a directory", emptied(_GIVEN), "Is a directory"),
    _given(
        "a link to a device",
        linked(_GIVEN, "/dev/zero"),
        "it is a device",
        ("lock", "--template", "./given.toml", "-o", "lock.txt"),
    ),
    _near("in the project: a link to a device", linked(_NEAR, "/dev/zero"), "it is a device"),
    _near("in the project: a pipe", piped(_NEAR), "nothing came out of this pipe"),
    _near("in the project: a link to itself", linked(_NEAR, "tiny.toml"), "symbolic links"),
    _near("in the project: nobody may read it", closed(_NEAR), "Permission denied"),
    _near("in the project: another's secret, by a link", linked(_NEAR, "/etc/passwd"), "not valid TOML"),
    _listed("listed: a socket", socketed(_NEAR), "it is a socket"),
    _listed("listed: random bytes", rewritten(_NEAR, lambda _data: bytes(range(256)) * 40), "not UTF-8 text"),
    _listed("listed: a name with escape sequences", replaced(_NEAR, 'name = "tiny"', 'name = "\\u001b[2J"'), "name"),
    Hostile(
        "template",
        "the directory of templates is a device",
        _LIST,
        0,
        "tf2.10",
        "",
        linked("project/.imageai-env/templates", "/dev/zero"),
    ),
    Hostile(
        "template",
        "nobody may look into the directory of templates",
        _LIST,
        0,
        "tf2.10",
        "",
        closed("project/.imageai-env/templates"),
    ),
)
