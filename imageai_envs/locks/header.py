"""The header of a lock: what it is for and what it was compiled from. Data of others, believed in no field.

A lock comes from a colleague, a repository, the web. What its header says becomes arguments of installers, names of
files, words on a terminal; so each field has one shape, and what has another is refused with its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.utils import is_normalized_name
from packaging.version import Version

from imageai_envs.base.errors import LockFileError, RequestError
from imageai_envs.base.printable import one_line
from imageai_envs.request.framework import FRAMEWORKS, Release
from imageai_envs.request.request import Request
from imageai_envs.request.requirements import parse_requirement
from imageai_envs.request.target import Target
from imageai_envs.templates.template import VARIANTS, is_template_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    T = TypeVar("T")

FORMAT = 1
FIRST = f"# imageai-env lock, format {FORMAT}"
_REPLACED = "replaced"
_REMARK = " (its own requirements are replaced by the template's)"
"""How locks said it before `imageai-requirements` was a field."""

_AGAIN = "Delete the file and lock again: imageai-env lock -o FILE, with the options it was made with."
_FIELD = re.compile(r"# ([a-z0-9-]+):(?: (.*))?")
_ENGINE = re.compile(r"[A-Za-z][A-Za-z0-9 .,+()_-]{0,99}")
_VERIFIED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} on [A-Za-z0-9 ,.;:_-]{1,200}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST = 100  # characters of a version or name


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
        remarked: it was read from a lock that says ``replaced`` in a remark, as all did once; written so again, since
            environments remember the digest of their lock's text.
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
    remarked: bool = field(default=False, compare=False)

    def request(self, *, python: str | None = None, extras: Iterable[str] = ()) -> Request:
        """Return the request that a lock answers.

        ImageAI's version is not in it: the template has one, and a lock of an earlier version of that template can
        still be installed.

        Args:
            python: the Python to ask for.
            extras: further requirements.
        """
        requires = tuple(dict.fromkeys((*self.requires, *extras)))
        return Request(template=self.template, variant=self.variant, python=python, extras=requires).at(self.release)

    def render(self) -> list[str]:
        """Return its lines."""
        remarked = self.replaced and self.remarked
        lines = [
            FIRST,
            "# Closed: install it with `imageai-env create NAME --lock FILE`, or with",
            "# `python -m pip install --no-deps --require-hashes -r FILE` in a Python of the target.",
            "#",
            f"# template: {self.template}",
            f"# {self.release.framework.name}: {self.release.version}",
            f"# imageai: {self.imageai}{_REMARK if remarked else ''}",
        ]
        lines += [f"# imageai-requirements: {_REPLACED}"] if self.replaced and not remarked else []
        lines += [f"# variant: {self.variant}", f"# target: {self.target}", f"# engine: {self.engine}"]
        lines += [f"# requires: {requirement}" for requirement in self.requires]
        lines += [f"# built-from-source: {name}" for name in self.built]
        lines += [f"# dropped: {name}" for name in self.dropped]
        lines += [f"# verified: {self.verified}"] if self.verified else []
        return [*lines, f"# inputs: {self.inputs}"]


def parse_header(text: str) -> Header:
    """Read the header of a lock's text: the comments before the first pin.

    Fields that are not known are passed over: what changes how a lock is to be installed comes with another format.

    Raises:
        LockFileError: a field is missing, said twice, or is not what it must be; with its line.
    """
    fields = _Fields(text)
    imageai, remarked = fields.one("imageai", _imageai)
    replaced = fields.optional("imageai-requirements", _replaced)
    if remarked and replaced:
        raise LockFileError("The header says twice that ImageAI's requirements are replaced.", hint=_AGAIN)
    return Header(
        template=fields.one("template", _template),
        release=fields.release(),
        imageai=imageai,
        variant=fields.one("variant", _variant),
        target=fields.one("target", Target.parse),
        engine=fields.one("engine", _shaped(_ENGINE, "such as uv 0.13.9")),
        requires=fields.all("requires", _requirement),
        replaced=remarked or replaced is not None,
        built=fields.all("built-from-source", _distribution),
        dropped=fields.all("dropped", _distribution),
        inputs=fields.one("inputs", _shaped(_DIGEST, "a sha256 digest")),
        verified=fields.optional("verified", _shaped(_VERIFIED, "a date, a platform and what works")) or "",
        remarked=remarked,
    )


class _Fields:
    """The fields of a header with their lines."""

    def __init__(self, text: str) -> None:
        self._said: dict[str, list[tuple[int, str]]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                break
            match = _FIELD.fullmatch(line.rstrip())
            if match:
                self._said.setdefault(match[1], []).append((number, (match[2] or "").strip()))

    def all(self, key: str, read: Callable[[str], T]) -> tuple[T, ...]:
        """Return every value of a field."""
        return tuple(self._read(key, number, text, read) for number, text in self._said.get(key, []))

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """Return the value of a field that need not be there."""
        return self.one(key, read) if key in self._said else None

    def one(self, key: str, read: Callable[[str], T]) -> T:
        """Return the value of a field that is there once."""
        said = self._said.get(key, [])
        if len(said) != 1 or not said[0][1]:
            where = f"Line {said[-1][0]}: the" if said else "The"
            what = "repeated" if len(said) > 1 else "missing or empty"
            raise LockFileError(f"{where} header's {key!r} line is {what}.", hint=_AGAIN)
        return self._read(key, *said[0], read)

    def release(self) -> Release:
        """Return the release of the one framework that is named."""
        named = [framework for framework in FRAMEWORKS if framework.name in self._said]
        if len(named) != 1:
            names = " or ".join(repr(framework.name) for framework in FRAMEWORKS)
            raise LockFileError(f"The header needs one {names} line.", hint=_AGAIN)
        return Release(named[0], self.one(named[0].name, _version))

    def _read(self, key: str, number: int, text: str, read: Callable[[str], T]) -> T:
        try:
            return read(text)
        except RequestError as error:
            raise LockFileError(f"Line {number}: {error.message}", hint=error.hint) from error
        except ValueError as error:
            shown = one_line(text[:_LONGEST])
            raise LockFileError(f"Line {number}: the header's {key} is '{shown}'; {error}.", hint=_AGAIN) from error


def _version(text: str) -> str:
    try:
        if len(text) > _LONGEST:
            raise ValueError("too long")
        Version(text)
    except ValueError as error:
        raise ValueError("it must be a version (PEP 440)") from error
    return text


def _imageai(text: str) -> tuple[str, bool]:
    """Return the version, and whether the remark is there that was the field `imageai-requirements` once."""
    version = text.removesuffix(_REMARK)
    return _version(version), version != text


def _replaced(text: str) -> bool:
    if text != _REPLACED:
        raise ValueError(f"it must be {_REPLACED}")
    return True


def _template(text: str) -> str:
    if not is_template_name(text):
        raise ValueError("it must be a template's name: letters, digits, dot, dash and underscore")
    return text


def _variant(text: str) -> str:
    if text not in VARIANTS:
        raise ValueError(f"it must be {' or '.join(VARIANTS)}")
    return text


def _requirement(text: str) -> str:
    parse_requirement(text, "requires")
    return text  # as written: another spelling is another digest


def _distribution(text: str) -> str:
    if len(text) > _LONGEST or not is_normalized_name(text):
        raise ValueError("it must be the normalized name of a distribution (PEP 503)")
    return text


def _shaped(pattern: re.Pattern[str], words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"it must be {words}")
        return text

    return read
