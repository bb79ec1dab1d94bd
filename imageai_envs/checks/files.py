"""Is every installed file the one that its wheel brought? Each against its hash in RECORD.

Hashed for real, whatever is known of a file (:mod:`imageai_envs.installed.known_files`): a disk alters files and not
their times.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.installed.known_files import ALGORITHM, hash_file, hash_files
from imageai_envs.installed.record_files import algorithm_of, listing, place, read_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from imageai_envs.checks.view import View
    from imageai_envs.installed.distributions import Distribution


def inspect(view: View) -> list[Finding]:
    """Find missing and altered files."""
    findings: list[Finding] = []
    records: list[tuple[Distribution, list[tuple[str, str]]]] = []
    for item in view.installed:
        if item.path.suffix == ".dist-info":
            try:
                records.append((item, _rows(view, item)))
            except (OSError, ValueError):
                cause = "The file was deleted or damaged."
                findings.append(_finding(view, item, "record-missing", "its RECORD cannot be read", cause))
    site = str(view.site)
    hashes = hash_files(
        place(site, path) for item, rows in records for path, said in rows if algorithm_of(said) == ALGORITHM
    )
    for item, rows in records:
        findings += _compared(view, item, rows, hashes)
    return findings


def _rows(view: View, item: Distribution) -> list[tuple[str, str]]:
    links = {f"tensorflow/{name}" for name in view.additions.links}  # looked at as links, see checks.additions
    misrecorded = view.additions.misrecorded
    return [(path, misrecorded.get(path, said)) for path, said in read_record(item.path) if path not in links]


def _compared(view: View, item: Distribution, rows: list[tuple[str, str]], hashes: Mapping[str, str]) -> list[Finding]:
    missing, altered, site = [], [], str(view.site)
    for path, said in rows:
        found = _found(place(site, path), said, hashes)
        if not found:
            missing.append(path)
        elif algorithm_of(said) and found != said:
            altered.append(path)
    findings = []
    if missing:
        cause = "They were deleted, or another distribution's uninstallation took them along."
        findings.append(_finding(view, item, "file-missing", f"missing: {listing(missing)}", cause))
    if altered:
        cause = "They were edited by hand, or another distribution overwrote them."
        findings.append(_finding(view, item, "file-altered", f"altered: {listing(altered)}", cause))
    return findings


def _finding(view: View, item: Distribution, id_: str, evidence: str, cause: str) -> Finding:
    return Finding(id_, "error", item.name, evidence, cause, view.environment.fix_by("repair"), item.name)


def _found(where: str, said: str, hashes: Mapping[str, str]) -> str:
    """Return the hash of a file, for one without a hash in RECORD anything; empty when it is missing."""
    algorithm = algorithm_of(said)
    if algorithm == ALGORITHM:
        return hashes.get(where, "")
    if algorithm:
        return hash_file(where, algorithm)
    return "there" if os.path.lexists(where) else ""
