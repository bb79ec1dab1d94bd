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
from packaging.version import InvalidVersion, Version

from imageai_envs.errors import LockFileError, RequestError
from imageai_envs.framework import FRAMEWORKS, release_in
from imageai_envs.redaction import redact
from imageai_envs.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from imageai_envs.framework import Release

FORMAT = 1
_FIRST = f"# imageai-env lock, format {FORMAT}"
_ANY_FIRST = re.compile(r"# imageai-env lock, format (\d+)")
_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})(?=\s|\\|$)")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


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
class Header:
    """What a lock is for and what it was compiled from.

    Attributes:
        template: name of the template.
        release: exact release of the framework.
        imageai: exact release.
        variant: ``cpu`` or ``gpu``.
        target: CPython minor and platform.
        engine: name and version of what resolved it, for example ``uv 0.9.1``.
        requires: the user's further requirements.
        replaced: ImageAI's own requirements were set aside.
        built: distributions that are built from their sdist.
        dropped: distributions left out though something requires them.
        inputs: digest of everything that the resolution was given.
        verified: when and on what the full probe of ImageAI ran with exactly this set; empty when it did not.
    """

    template: str
    release: Release
    imageai: str
    variant: str
    target: Target
    engine: str
    requires: tuple[str, ...]
    replaced: bool
    built: tuple[str, ...]
    dropped: tuple[str, ...]
    inputs: str
    verified: str = ""


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
        return "\n".join([*_render_header(self.header), "", *render_pins(self.pins, comments=True)]) + "\n"


def _render_header(header: Header) -> list[str]:
    replaced = " (its own requirements are replaced by the template's)" if header.replaced else ""
    lines = [
        _FIRST,
        "# Closed: install it with `imageai-env create NAME --lock FILE`, or with",
        "# `python -m pip install --no-deps --require-hashes -r FILE` in a Python of the target.",
        "#",
        f"# template: {header.template}",
        f"# {header.release.framework.name}: {header.release.version}",
        f"# imageai: {header.imageai}{replaced}",
        f"# variant: {header.variant}",
        f"# target: {header.target}",
        f"# engine: {header.engine}",
    ]
    lines += [f"# requires: {requirement}" for requirement in header.requires]
    lines += [f"# built-from-source: {name}" for name in header.built]
    lines += [f"# dropped: {name}" for name in header.dropped]
    lines += [f"# verified: {header.verified}"] if header.verified else []
    return [*lines, f"# inputs: {header.inputs}"]


def render_pins(pins: Iterable[Pin], *, comments: bool) -> list[str]:
    """Return requirement lines with hashes; ``comments`` adds who requires each."""
    lines = []
    for pin in pins:
        lines.append(" \\\n".join([f"{pin.name}=={pin.version}", *(f"    --hash={value}" for value in pin.hashes)]))
        if comments and pin.via:
            lines.append(f"    # via {', '.join(pin.via)}")
    return lines


def parse_pins(text: str) -> tuple[Pin, ...]:
    """Read the pins of a compiled requirements file (ours, uv's or pip-tools').

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
        if not line or line.startswith("--hash="):
            hashes += _HASH.findall(line)
            continue
        match = _PIN.match(line)
        if not match:
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
    except InvalidVersion as error:
        raise LockFileError(f"Line {number}: {version!r} is not a version (PEP 440).") from error


def _read_via(comment: str) -> list[str]:
    """Return the distributions of a ``# via`` comment; files (``-r x``) are the template or the user, not named."""
    words = re.sub(r"^#\s*(?:via\b)?", "", comment).split(",")
    return [canonicalize_name(word.strip()) for word in words if _NAME.fullmatch(word.strip())]


def is_lock(path: Path) -> bool:
    """Tell whether the file at ``path`` starts like a lock of ours, without judging the rest."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return bool(_ANY_FIRST.match(stream.readline(200)))
    except OSError:
        return False


def read_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        LockFileError: unreadable, not ours, of another format, damaged, or with a pin that has no hash.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise LockFileError(f"{path} is not UTF-8 text.") from error
    except OSError as error:
        raise LockFileError(f"Cannot read lock {path}: {error.strerror or error}.") from error
    try:
        return parse_lock(text)
    except RequestError as error:
        raise LockFileError(f"{path}: {error.message}", hint=error.hint) from error


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
            f"The lock has format {match[1]}; this version reads format {FORMAT}.",
            hint="Use the version that made it, or lock again: imageai-env lock",
        )
    fields: dict[str, list[str]] = {}
    for line in text.splitlines():
        entry = re.match(r"# ([a-z-]+): (.*)", line)
        if entry:
            # A stranger's address would go into our own copy.
            fields.setdefault(entry[1], []).append(redact(entry[2].strip()))
    pins = parse_pins(text)
    for pin in pins:
        if not pin.hashes:
            raise LockFileError(
                f"{pin.name}=={pin.version} has no sha256 hash, so its files cannot be trusted.",
                hint="Delete the file and lock again: imageai-env lock -o FILE, with the options it was made with.",
            )
    if len({pin.name for pin in pins}) != len(pins):
        raise LockFileError("A distribution is pinned twice.", hint="Delete the file and lock again.")
    return Lock(_parse_header(fields), pins)


def _parse_header(fields: dict[str, list[str]]) -> Header:
    def one(key: str) -> str:
        values = fields.get(key, [])
        if len(values) != 1 or not values[0]:
            raise LockFileError(
                f"The header's {key!r} line is {'repeated' if len(values) > 1 else 'missing or empty'}.",
                hint="Delete the file and lock again.",
            )
        return values[0]

    imageai = one("imageai")
    release = release_in({framework.name: one(framework.name) for framework in FRAMEWORKS if framework.name in fields})
    if release is None:
        names = " or ".join(repr(framework.name) for framework in FRAMEWORKS)
        raise LockFileError(f"The header needs one {names} line.", hint="Delete the file and lock again.")
    variant = one("variant")
    if variant not in ("cpu", "gpu"):
        raise LockFileError(f"The header's variant is {variant!r}; it must be cpu or gpu.")
    return Header(
        template=one("template"),
        release=release,
        imageai=imageai.split(" (")[0],
        variant=variant,
        target=Target.parse(one("target")),
        engine=one("engine"),
        requires=tuple(fields.get("requires", ())),
        replaced=" (" in imageai,
        built=tuple(fields.get("built-from-source", ())),
        dropped=tuple(fields.get("dropped", ())),
        inputs=one("inputs"),
        verified=one("verified") if "verified" in fields else "",
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
