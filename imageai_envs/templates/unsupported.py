"""Versions that no template offers, and why: what turns "not found" into an answer.

The file is ``unsupported.toml`` beside the shipped templates. Its format is documented in
``docs/templates.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from imageai_envs.base.toml_reader import Table, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

REASONS = "unsupported.toml"
SCHEMA = 1


@dataclass(frozen=True)
class Unsupported:
    """A range of versions that is not offered.

    Attributes:
        versions: the range.
        reason: what fails, in words and with the error text; it follows "is not offered:".
        source: where that was seen.
        instead: the words of the command line that work, such as ``--tf 2.10``.
    """

    versions: SpecifierSet
    reason: str
    source: str
    instead: str


@dataclass(frozen=True)
class Reasons:
    """The whole file, entries in its order.

    Attributes:
        tensorflow: versions of TensorFlow that no template has.
        imageai: versions of ImageAI that no template has.
        imageai_on_tensorflow: versions of ImageAI that do not run on TensorFlow 2, offered elsewhere or not.
    """

    tensorflow: tuple[Unsupported, ...]
    imageai: tuple[Unsupported, ...]
    imageai_on_tensorflow: tuple[Unsupported, ...]


def load_unsupported(path: Path) -> Reasons:
    """Read and validate the file.

    Raises:
        TemplateError: with every problem of the file.
    """
    root, problems = read_toml(path, "List")
    schema = root.integer("schema")
    if schema != SCHEMA and not problems.found:
        problems.add("schema", f"this version reads schema {SCHEMA}, the file says {schema}")
    lists = [
        tuple(_read_entry(table) for table in root.tables(key))
        for key in ("tensorflow", "imageai", "imageai-on-tensorflow-2")
    ]
    root.end()
    problems.raise_if_any("List")
    return Reasons(*lists)


def explain(entries: Iterable[Unsupported], version: str) -> Unsupported | None:
    """Return the first entry that has ``version``, or None.

    A pre-release, post-release or local version is looked up as the release that it belongs to.

    Raises:
        InvalidVersion: ``version`` is not a PEP 440 version; a ValueError.
    """
    release = Version(version).base_version
    return next((entry for entry in entries if entry.versions.contains(release)), None)


def _read_entry(table: Table) -> Unsupported:
    entry = Unsupported(
        versions=table.parsed("versions", table.text("versions"), SpecifierSet) or SpecifierSet(),
        reason=table.text("reason"),
        source=table.text("source"),
        instead=table.text("instead"),
    )
    table.end()
    return entry
