"""Hostile locks: what a colleague, a clone or the web hands over as ``--lock FILE``."""

from __future__ import annotations

import re
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
    from tests.hostile.ground import Ground
    from tests.hostile.mutations import Mutation

_LOCK = "project/lock.txt"
_CREATE = ("create", "y", "--lock", "lock.txt", "--dry-run")
_HASH = "sha256:" + "0" * 64


def _lock(name: str, mutate: Mutation, says: str, code: int = 3, words: tuple[str, ...] = _CREATE) -> Hostile:
    return Hostile("lock", name, words, code, says, "bad-lock" if code == 3 else "", mutate)


def _line(name: str, old: str, new: str, says: str, words: tuple[str, ...] = _CREATE) -> Hostile:
    return _lock(name, replaced(_LOCK, old, new), says, words=words)


def _without_hashes(ground: Ground) -> None:
    path = ground.world / _LOCK
    path.write_text(re.sub(r" \\\n    --hash=\S+", "", path.read_text(encoding="utf-8"), count=1), encoding="utf-8")


def _pin_twice(ground: Ground) -> None:
    appended(_LOCK, f"numpy==9.9.9 \\\n    --hash={_HASH}\n")(ground)


LOCKS = (
    _line(
        "a requirement of the header is an option",
        "# inputs:",
        "# requires: --index-url http://evil.invalid\n# inputs:",
        "not a requirement",
    ),
    _line(
        "a requirement of the header is an address",
        "# inputs:",
        "# requires: six @ https://u:hunter2@evil.invalid/six.whl\n# inputs:",
        "by URL or path",
    ),
    _line(
        "a requirement of the header is nested 900 deep",
        "# inputs:",
        f"# requires: six; {DEEP}\n# inputs:",
        "not a requirement",
    ),
    _line(
        "everything is to be built from source",
        "built-from-source: keras-resnet",
        "built-from-source: :all:",
        "built-from-source",
    ),
    _line(
        "a distribution to build is an option",
        "built-from-source: keras-resnet",
        "built-from-source: --index-url=http://evil.invalid",
        "built-from-source",
    ),
    _line("the template is a path", "# template: tiny", "# template: ../../../../etc/passwd", "template's name"),
    _line("the version is a shell's", "# tensorflow: ", "# tensorflow: $(touch pwned)", "must be a version"),
    _line("escape sequences in the header", "# engine: uv", f"# engine: uv {ESCAPES}", "engine is"),
    _line("an override of direction in the header", "# engine: uv", f"# engine: uv {OVERRIDE}", "engine is"),
    _line("a header line twice", "# variant: cpu", "# variant: cpu\n# variant: gpu", "repeated"),
    _line("two frameworks", "# variant: cpu", "# variant: cpu\n# torch: 1.12.1", "one 'tensorflow' or 'torch' line"),
    _line("another platform", "linux-x86_64", "win32-x86_64", "win32"),
    _line("a platform that is a path", "-linux-x86_64", "-linux-../../x", "not a target"),
    _line("another format", "format 1", "format 99", "has format 99"),
    _line(
        "an index among the pins", "\nnumpy==", "\n--index-url http://evil.invalid\nnumpy==", "not a pinned requirement"
    ),
    _line("an editable directory among the pins", "\nnumpy==", "\n-e ../..\nnumpy==", "not a pinned requirement"),
    _line("an option behind a pin", "\nnumpy==1", "\nnumpy==1 --config-settings=x=y #", "not a pinned requirement"),
    _line(
        "a shell command behind a version", "\nnumpy==1", "\nnumpy==1.0; $(touch pwned) #", "not a pinned requirement"
    ),
    _line(
        "a marker that bare pip would heed",
        "\nnumpy==1.23.5",
        '\nnumpy==1.23.5 ; sys_platform == "win32"',
        "not a pinned requirement",
    ),
    _line("a version that is a path", "\nnumpy==1", "\nnumpy==../../evil#", "is not a version"),
    _line("a name with a letter of another alphabet", "\nnumpy==", "\nnum\u0440y==", "not a pinned requirement"),
    _line("a zero byte in a pin", "\nnumpy==1", "\nnumpy==1\0", "is not a version"),
    _line("escape sequences in a pin", "\nnumpy==1", f"\nnumpy=={ESCAPES}1", "not a pinned requirement"),
    _line("a version of 100,000 digits", "\nnumpy==1", "\nnumpy==1" + "1" * 100_000, "is not a version"),
    _line("hashes of a weak algorithm only", "# inputs: sha256:", "# inputs: md5:", "sha256 digest"),
    _lock("a pin without hashes", _without_hashes, "has no sha256 hash"),
    _lock("a pin twice", _pin_twice, "pinned twice"),
    _lock("another ImageAI than promised", replaced(_LOCK, "# imageai: 2.1.6", "# imageai: 2.1.5"), "is pinned"),
    _lock("a link to a device", linked(_LOCK, "/dev/zero"), "it is a device"),
    Hostile(
        "lock",
        "a device",
        ("create", "y", "--lock", "/dev/zero", "--dry-run"),
        3,
        "it is a device",
        "bad-lock",
        good=_CREATE,
    ),
    _lock("a pipe that nobody writes to", piped(_LOCK), "nothing came out of this pipe"),
    _lock("a socket", socketed(_LOCK), "it is a socket"),
    _lock("a directory", emptied(_LOCK), "Is a directory"),
    _lock("a link to itself", linked(_LOCK, "lock.txt"), "Too many levels of symbolic links"),
    _lock("a link to nothing", linked(_LOCK, "{ground}/canary/none"), "No such file"),
    _lock("nobody may read it", closed(_LOCK), "Permission denied"),
    _lock("UTF-16", rewritten(_LOCK, lambda data: data.decode().encode("utf-16")), "not UTF-8 text"),
    _lock(
        "a mark of byte order before the first line",
        rewritten(_LOCK, lambda data: b"\xef\xbb\xbf" + data),
        "as locked",
        0,
        ("sync", "x", "lock.txt", "--verify", "none"),
    ),
    _lock(
        "line ends of Windows",
        rewritten(_LOCK, lambda data: data.replace(b"\n", b"\r\n")),
        "as locked",
        0,
        ("sync", "x", "lock.txt", "--verify", "none"),
    ),
    _lock("random bytes", rewritten(_LOCK, lambda _data: bytes(range(256)) * 40), "not UTF-8 text"),
    _lock("9 MB of comments", appended(_LOCK, "# no\n" * 1_800_000), "longer than 8 MB"),
    _lock(
        "7 MB of hashes",
        appended(_LOCK, f"    --hash={_HASH}\n" * 84_000),
        "The same packages",
        0,
        ("diff", "same.txt", "lock.txt"),
    ),
    _lock(
        "read by sync",
        replaced(_LOCK, "\nnumpy==", "\n-r /etc/passwd\nnumpy=="),
        "not a pinned requirement",
        words=("sync", "x", "lock.txt"),
    ),
    _lock("read by diff", linked(_LOCK, "/dev/urandom"), "it is a device", words=("diff", "lock.txt", "same.txt")),
    Hostile(
        "lock",
        "a file of the user's where a lock is to be written",
        ("lock", "--template", "tiny", "-o", "../canary/photo"),
        3,
        "not a lock",
        "not-ours",
        good=("lock", "--template", "tiny", "-o", "lock.txt"),
    ),
)
