"""The lock: a plain requirements file, every distribution pinned with hashes, and a header that says what for.

It is *closed*: installed with ``--no-deps --require-hashes``, nothing is resolved again, by this tool or by bare
pip. Index addresses are never part of it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from imageai_envs.base.errors import LockFileError
from imageai_envs.base.file_reading import UnreadableError, read_head, read_text
from imageai_envs.locks.header import FORMAT, parse_header
from imageai_envs.locks.header import Header as Header

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_BYTES = 8_000_000
"""Of a lock. The longest shipped one has 0.3 MB: each file of a release takes a line."""
_ANY_FIRST = re.compile(r"# imageai-env lock, format ([0-9]{1,9})\b")
_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})(?=\s|\\|$)")
_REST = re.compile(r"(?:\s*\\|\s+--hash=\S+)*\s*(?:\s#.*)?")
"""What a lock may have behind a pin. A marker is none: bare pip heeds it, and we would install what it leaves out."""
_OPTION = re.compile(r"\s-(?!-hash=)")  # of bare pip, which reads what we would pass over
_VIA = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_FRAMEWORKS = ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel", "tensorflow-macos", "torch")


@dataclass(frozen=True)
class Pin:
    """One distribution of a lock.

    Attributes:
        name: normalized (PEP 503).
        version: exact (PEP 440).
        hashes: ``sha256:…`` of the files that may be installed, sorted.
        via: names of the distributions that require it; empty when the template or the user does.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    via: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lock:
    """A header and its pins, sorted by name."""

    header: Header
    pins: tuple[Pin, ...]
    _by_name: dict[str, Pin] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {pin.name: pin for pin in self.pins})

    def pin(self, name: str) -> Pin | None:
        """Return the pin of a distribution."""
        return self._by_name.get(canonicalize_name(name))

    @property
    def digest(self) -> str:
        """Digest of the lock's text."""
        return f"sha256:{hashlib.sha256(self.render().encode()).hexdigest()}"

    def render(self) -> str:
        """Return the file's text: the same lock is always the same bytes, so diffs show only what changed."""
        return "\n".join([*self.header.render(), "", *render_pins(self.pins, comments=True)]) + "\n"


def render_pins(pins: Iterable[Pin], *, comments: bool) -> list[str]:
    """Return requirement lines with hashes; ``comments`` adds who requires each."""
    lines = []
    for pin in pins:
        lines.append(" \\\n".join([f"{pin.name}=={pin.version}", *(f"    --hash={value}" for value in pin.hashes)]))
        if comments and pin.via:
            lines.append(f"    # via {', '.join(pin.via)}")
    return lines


def parse_pins(text: str, *, closed: bool = False) -> tuple[Pin, ...]:
    """Read the pins of a compiled requirements file (ours, uv's or pip-tools').

    Args:
        text: the file's.
        closed: it is a lock: nothing may stand behind a pin but its hashes. Resolvers repeat markers that are true.

    Raises:
        LockFileError: a line that is neither a pin, a hash nor a comment.
    """
    pins: list[Pin] = []
    name, version, hashes, via = "", "", list[str](), list[str]()

    def finish() -> None:
        if name:
            pins.append(Pin(name, version, tuple(sorted(set(hashes))), tuple(sorted(set(via)))))

    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("#"):
            if raw[:1].isspace():
                via += _read_via(line)
            continue
        option = _OPTION.search(f" {line}")
        if not option and (not line or line.startswith("--hash=")):
            hashes += _HASH.findall(line)
            continue
        match = _PIN.match(line)
        if not match or option or (closed and not _REST.fullmatch(line, match.end())):
            raise LockFileError(f"Line {number} is not a pinned requirement: {line[:80]!r}.")
        finish()
        name, version, hashes, via = (
            canonicalize_name(match["name"]),
            match["version"],
            _HASH.findall(line),
            [],
        )
        _check_version(version, number)
    finish()
    return tuple(sorted(pins, key=lambda pin: pin.name))


def _check_version(version: str, number: int) -> None:
    try:
        Version(version)
    except ValueError as error:  # also one of thousands of digits
        raise LockFileError(f"Line {number}: {version[:80]!r} is not a version (PEP 440).") from error


def _read_via(comment: str) -> list[str]:
    """Return the distributions of a ``# via`` comment; files (``-r x``) are the template or the user, not named."""
    words = [word.strip() for word in re.sub(r"^#\s*(?:via\b)?", "", comment).split(",")]
    return [canonicalize_name(word) for word in words if _VIA.fullmatch(word)]


def is_lock(path: Path) -> bool:
    """Tell whether the file at ``path`` starts like a lock of ours, without judging the rest."""
    try:
        return bool(_ANY_FIRST.match(read_head(path, 200).decode("utf-8-sig", "replace")))
    except OSError:
        return False


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        LockFileError: unreadable, not ours, of another format, damaged, or with a pin that has no hash.
    """
    try:
        text = read_text(path, limit=MAX_BYTES, encoding="utf-8-sig", pipe=True)  # as pip reads requirements files
    except UnreadableError as error:
        raise LockFileError(f"Cannot read lock {path}: {error.strerror}.", path=path) from error
    try:
        return parse_lock(text)
    except LockFileError as error:
        raise LockFileError(f"{path}: {error.message}", hint=error.hint, path=path) from error


def parse_lock(text: str) -> Lock:
    """Read a lock from its text.

    Raises:
        LockFileError: as :func:`read_lock`.
    """
    match = _ANY_FIRST.match(text)
    if not match:
        raise LockFileError("This is not a lock made by imageai-env.", hint="imageai-env lock -o requirements.lock.txt")
    if int(match[1]) != FORMAT:
        raise LockFileError(
            f"The lock has format {int(match[1])}; this version reads format {FORMAT}.",
            hint="Use the version that made it, or lock again: imageai-env lock",
        )
    pins = parse_pins(text, closed=True)
    for pin in pins:
        if not pin.hashes:
            raise LockFileError(
                f"{pin.name}=={pin.version} has no sha256 hash, so its files cannot be trusted.",
                hint="Delete the file and lock again: imageai-env lock -o FILE, with the options it was made with.",
            )
    if len({pin.name for pin in pins}) != len(pins):
        raise LockFileError("A distribution is pinned twice.", hint="Delete the file and lock again.")
    lock = Lock(parse_header(text), pins)
    _check_release(lock)
    return lock


def _check_release(lock: Lock) -> None:
    """Hold the pins against the header: what it promises is what is installed.

    Of the framework, by the minor: tensorflow-macos has not every patch.
    """
    header, imageai = lock.header, lock.pin("imageai")
    if imageai and Version(imageai.version) != Version(header.imageai):
        raise LockFileError(
            f"The header says ImageAI {header.imageai}, and imageai=={imageai.version} is pinned.",
            hint="Delete the file and lock again.",
        )
    for name in _FRAMEWORKS:
        pin = lock.pin(name)
        if pin and Version(pin.version).release[:2] != Version(header.release.version).release[:2]:
            raise LockFileError(
                f"The header says {header.release}, and {name}=={pin.version} is pinned.",
                hint="Delete the file and lock again.",
            )


def digest_inputs(inputs: dict[str, object]) -> str:
    """Return the digest of what a resolution is given, independent of key order."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass(frozen=True)
class Change:
    """One difference between two locks; an empty version means "not there"."""

    name: str
    before: str
    after: str

    def __str__(self) -> str:
        if not self.before:
            return f"+ {self.name}=={self.after}"
        if not self.after:
            return f"- {self.name}=={self.before}"
        if self.before == self.after:
            return f"~ {self.name}=={self.after} (other files)"
        return f"~ {self.name} {self.before} -> {self.after}"


def compare(before: Iterable[Pin], after: Iterable[Pin]) -> tuple[Change, ...]:
    """Return the differences between two sets of pins, by package."""
    old, new = {pin.name: pin for pin in before}, {pin.name: pin for pin in after}
    changes = []
    for name in sorted(old.keys() | new.keys()):
        left, right = old.get(name), new.get(name)
        if left is None or right is None or left.version != right.version or not set(left.hashes) & set(right.hashes):
            changes.append(Change(name, left.version if left else "", right.version if right else ""))
    return tuple(changes)
