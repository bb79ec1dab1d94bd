"""Hostile environments: one that came with a clone, and one of ours in a store that others can write to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.hostile.environment_mutations import (
    META,
    OURS,
    THEIRS,
    clone_with_marker,
    evil_python,
    in_site,
    installed_is,
    marker_of_ours,
    nested,
    of_numpy,
    plan,
    record,
    rest_with_plan,
    rewrite_record,
    state,
    waiting_beside,
)
from tests.hostile.hostile import Hostile
from tests.hostile.mutations import (
    ESCAPES,
    OVERRIDE,
    appended,
    both,
    closed,
    emptied,
    linked,
    piped,
    socketed,
    written,
)

if TYPE_CHECKING:
    from tests.hostile.mutations import Mutation

_GONE = (OURS, "store/records", "store/envs")
_DEEP = "[" * 100_000


def _look(
    name: str,
    mutate: Mutation,
    says: str,
    code: int = 1,
    id_: str = "",
    words: tuple[str, ...] = ("check", ".venv"),
    good: tuple[str, ...] | None = None,
) -> Hostile:
    return Hostile("environment", f"of a clone: {name}", words, code, says, id_, mutate, good=good)


def _ours(
    name: str,
    words: tuple[str, ...],
    mutate: Mutation,
    says: str,
    code: int = 0,
    id_: str = "",
    changes: tuple[str, ...] = (),
    good: tuple[str, ...] | None = None,
) -> Hostile:
    return Hostile("environment", f"of ours: {name}", words, code, says, id_, mutate, changes=changes, good=good)


def _theirs(file: str) -> str:
    return f"{THEIRS}/{META}/{file}"


def _mine(file: str) -> str:
    return f"{OURS}/{META}/{file}"


_REMOVE = ("remove", "x", "--yes")

ENVIRONMENTS = (
    _look(
        "the clone itself has a marker, and is being built",
        clone_with_marker,
        "not finished",
        words=("show", "."),
        good=("show", ".venv"),
    ),
    _look(
        "its marker has the id of an environment of ours",
        marker_of_ours,
        "no record of it",
        3,
        "not-ours",
        ("remove", ".venv", "--yes"),
        _REMOVE,
    ),
    _look(
        "to be replaced",
        marker_of_ours,
        "no record of it",
        3,
        "not-ours",
        ("create", "y", "--path", ".venv", "--lock", "lock.txt", "--force", "--verify", "none"),
        ("create", "y", "--path", ".other", "--lock", "lock.txt", "--verify", "none"),
    ),
    _look(
        "its marker is a link to a device",
        linked(_theirs("owner.json"), "/dev/zero"),
        "not an environment",
        3,
        "no-such-environment",
    ),
    _look("its marker is a pipe", piped(_theirs("owner.json")), "not an environment", 3, "no-such-environment"),
    _look("its marker is nested 100,000 deep", written(_theirs("owner.json"), _DEEP), "as locked", 0),
    _look(
        "what we know of it is a link to ours",
        linked(f"{THEIRS}/{META}", "{ground}/store/envs/x/.imageai-env"),
        "not an environment",
        3,
        "no-such-environment",
        ("remove", ".venv", "--yes"),
        _REMOVE,
    ),
    _look("it is a link to itself", linked(THEIRS, ".venv"), "not an environment", 3, "no-such-environment"),
    _look("others wait and are left beside it", waiting_beside, "as locked", 0),
    _look("it is finished and being built", written(_theirs("building"), ""), "as locked", 0),
    _look(
        "its state has lists where texts must be", state(THEIRS, template=["x"], tool={}), "state", 1, "state-missing"
    ),
    _look("its state is nested 100,000 deep", written(_theirs("state.json"), _DEEP), "state", 1, "state-missing"),
    _look("its state has 5 MB", appended(_theirs("state.json"), " " * 5_000_000), "state", 1, "state-missing"),
    _look("its state is a pipe", piped(_theirs("state.json")), "state", 1, "state-missing"),
    _look("its state is of a version to come", state(THEIRS, schema=99), "newer version", 1, "state-newer"),
    _look(
        "escape sequences in its state",
        state(THEIRS, template=f"tiny{ESCAPES}", tool=OVERRIDE),
        "\\x1b[2J",
        0,
        "",
        ("show", ".venv"),
    ),
    _look(
        "its lock is a link to a device",
        linked(_theirs("requirements.txt"), "/dev/zero"),
        "it is a device",
        1,
        "lock-missing",
    ),
    _look("its lock is a socket", socketed(_theirs("requirements.txt")), "it is a socket", 1, "lock-missing"),
    _look("its list of what was created is a pipe", piped(_theirs("venv.json")), "venv.json", 1, "users-files"),
    _look("its list of what was created is nested 100,000 deep", written(_theirs("venv.json"), _DEEP), "as locked", 0),
    _look("a RECORD is a pipe", of_numpy(THEIRS, "RECORD", piped), "RECORD cannot be read", 1, "record-missing"),
    _look("a RECORD names a device", record(THEIRS, "/dev/zero,sha256=AAAA,1"), "missing", 1, "file-missing"),
    _look(
        "a RECORD names a device by a path that climbs out",
        record(THEIRS, "../" * 12 + "dev/urandom,sha256=AAAA,1"),
        "missing",
        1,
        "file-missing",
    ),
    _look(
        "a RECORD of two million rows",
        of_numpy(THEIRS, "RECORD", lambda file: appended(file, "a,,\n" * 2_000_000)),
        "RECORD",
        1,
        "record-missing",
    ),
    _look(
        "an installed file is a pipe",
        in_site(THEIRS, lambda ground, site: piped(f"{site}/numpy/__init__.py")(ground)),
        "missing",
        1,
        "file-missing",
    ),
    _look(
        "pyvenv.cfg names a device as its home",
        written(f"{THEIRS}/pyvenv.cfg", "home = /dev/zero\n"),
        "names it as the home",
        1,
        "python-missing",
    ),
    _look(
        "pyvenv.cfg is a link to a device",
        linked(f"{THEIRS}/pyvenv.cfg", "/dev/zero"),
        "names no home",
        1,
        "pyvenv-cfg",
    ),
    _look(
        "its Python is a device",
        linked(f"{THEIRS}/bin/python", "/dev/zero"),
        "not be executed",
        1,
        "python-not-executable",
    ),
    _look("its Python is someone's script", evil_python, "as locked", 0),
    _look(
        "code that runs at every start of its Python",
        in_site(
            THEIRS,
            lambda ground, site: written(f"{site}/evil.pth", "import os; os.mknod('{ground}/canary/pwned')\n")(ground),
        ),
        "evil.pth",
        0,
    ),
    _look(
        "a script whose first line has no end", written(f"{THEIRS}/bin/evil", "#!" + "x" * 30_000_000), "bin/evil", 0
    ),
    _look(
        "its lib leads to the root directory",
        linked(f"{THEIRS}/lib", "/"),
        "no site-packages",
        1,
        "site-packages-missing",
    ),
    _look(
        "its metadata directories are links to a device",
        of_numpy(THEIRS, "METADATA", lambda file: linked(file, "/dev/zero")),
        "METADATA",
        1,
        "file-missing",
    ),
    _look(
        "rescued: its metadata is a pipe",
        of_numpy(THEIRS, "METADATA", piped),
        "stay as they are",
        0,
        "",
        ("rescue", ".venv"),
    ),
    _look(
        "rescued: a direct URL of 100,000 levels",
        of_numpy(THEIRS, "direct_url.json", lambda file: written(file, _DEEP)),
        "stay as they are",
        0,
        "",
        ("rescue", ".venv"),
    ),
    _look(
        "adopted, with a marker that is a link",
        both(linked(_theirs("requirements.txt"), "{ground}/project/lock.txt")),
        "is a link",
        3,
        "not-adoptable",
        ("adopt", ".venv", "--yes", "--name", "y"),
    ),
    _look(
        "adopted, with another's files as its own",
        record(THEIRS, "../../../../../../canary/photo,sha256=AAAA,1"),
        "cannot be adopted",
        3,
        "not-adoptable",
        ("adopt", ".venv", "--yes", "--name", "y"),
    ),
    _ours(
        "its record leads to the root directory",
        _REMOVE,
        lambda ground: rewrite_record(ground, "/"),
        "no record of it",
        3,
        "not-ours",
    ),
    _ours(
        "its record leads to the canary",
        _REMOVE,
        lambda ground: rewrite_record(ground, "../canary"),
        "no record of it",
        3,
        "not-ours",
    ),
    _ours("its record has a number for a path", ("list",), lambda ground: rewrite_record(ground, 5), "x", 0),
    _ours("its record has a zero byte", ("list",), lambda ground: rewrite_record(ground, "a\0b"), "x", 0),
    _ours("it is of a version to come", ("recreate", "x"), state(OURS, schema=99), "newer version", 3, "newer"),
    _ours(
        "a plan to keep what is not in it, moved",
        _REMOVE,
        plan(_mine("keep.json"), "x-kept"),
        "Removed x",
        changes=_GONE,
    ),
    _ours(
        "a plan to keep that leads elsewhere",
        _REMOVE,
        plan(_mine("keep.json"), "../../canary/x"),
        "Removed x",
        changes=_GONE,
    ),
    _ours(
        "a plan to keep in what a kill seems to have left",
        ("list",),
        rest_with_plan,
        "x",
        changes=("store/envs/.x.imageai-env-rest-12345678",),
    ),
    _ours("a plan to keep that is a pipe", _REMOVE, piped(_mine("keep.json")), "Removed x", changes=_GONE),
    _ours(
        "its creator's list names what is not in it",
        _REMOVE,
        written(_mine("venv.json"), json.dumps({"../../../canary/photo": "sha256=A", "/dev/zero": "x"})),
        "Removed x",
        changes=_GONE,
    ),
    _ours(
        "a RECORD names what is not in it",
        ("repair", "x", "--verify", "none"),
        record(OURS, "../../../../../../../canary/photo,sha256=AAAA,1"),
        "x",
        changes=(OURS, "store/envs"),
    ),
    _ours(
        "an absolute path in a RECORD",
        ("repair", "x", "--verify", "none"),
        record(OURS, "{ground}/canary/photo,sha256=AAAA,1"),
        "x",
        changes=(OURS, "store/envs"),
    ),
    _ours(
        "links that would be made outside",
        ("repair", "x", "--verify", "none"),
        written(_mine("additions.json"), json.dumps({"links": {"..": "/etc", ".": "x"}, "hook": None})),
        "x",
        changes=(OURS,),
    ),
    _ours(
        "additions of wrong types",
        ("check", "x"),
        written(_mine("additions.json"), json.dumps({"links": [], "hook": {}, "misrecorded": 3})),
        "as locked",
    ),
    _ours("an installed file is a pipe", _REMOVE, installed_is(piped), "Removed x", changes=_GONE),
    _ours("an installed file is a directory", _REMOVE, installed_is(emptied), "Removed x", changes=_GONE),
    _ours("an installed file is a socket", _REMOVE, installed_is(socketed), "Removed x", changes=_GONE),
    _ours("directories nested 1500 deep: checked", ("check", "x"), nested, "as locked"),
    _ours("directories nested 1500 deep: removed", _REMOVE, nested, "Removed x", changes=_GONE),
    _ours("names that a terminal obeys", ("check", "x"), written(f"{OURS}/{ESCAPES}\n{OVERRIDE}", ""), "\\x1b[2J"),
    _ours("a name that is no text", ("check", "x"), written(f"{OURS}/a\udcff", ""), "\\udcff"),
    _ours("nobody may look into it", ("list",), closed(OURS), "cannot be looked into"),
    _ours("its directory of records is a device", ("list",), linked("store/records", "/dev/zero"), "x"),
)
