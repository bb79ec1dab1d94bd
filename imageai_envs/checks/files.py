"""Is every installed file the one that its wheel brought? Each against its hash in RECORD."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from imageai_envs.file_reading import RECORDS, read_text
from imageai_envs.finding import Finding

if TYPE_CHECKING:
    from pathlib import Path

    from imageai_envs.checks.view import View
    from imageai_envs.distributions import Distribution

_CHUNK = 1 << 20  # bytes
_ENOUGH = 3  # files named per distribution


def inspect(view: View) -> list[Finding]:
    """Find missing and altered files. Hashing runs in threads: hashlib lets other threads work meanwhile."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        answers = pool.map(lambda item: _distribution(view, item), view.installed)
        return [finding for findings in answers for finding in findings]


def _distribution(view: View, item: Distribution) -> list[Finding]:
    fix = f"imageai-env repair {view.name}"
    if item.path.suffix != ".dist-info":
        return []
    try:
        text = read_text(item.path / "RECORD", limit=RECORDS)
    except OSError:
        cause = "The file was deleted or damaged."
        return [Finding("record-missing", "error", item.name, "its RECORD cannot be read", cause, fix, item.name)]
    missing, altered = [], []
    links = {f"tensorflow/{name}" for name in view.additions.links}  # looked at as links, see checks.additions
    for row in csv.reader(text.splitlines()):
        # PEP 376: path, hash, size. Compiled files come and go; virtualenv lists those of its pip without __pycache__.
        if len(row) < 2 or row[0].endswith((".pyc", "__pycache__")) or row[0] in links:
            continue
        expected = view.additions.misrecorded.get(row[0], row[1])
        state = _state(item.path.parent, row[0], expected)
        if state == "missing":
            missing.append(row[0])
        elif state == "altered":
            altered.append(row[0])
    findings = []
    if missing:
        cause = "They were deleted, or another distribution's uninstallation took them along."
        findings.append(
            Finding("file-missing", "error", item.name, _listing("missing", missing), cause, fix, item.name)
        )
    if altered:
        cause = "They were edited by hand, or another distribution overwrote them."
        findings.append(
            Finding("file-altered", "error", item.name, _listing("altered", altered), cause, fix, item.name)
        )
    return findings


def _listing(what: str, paths: list[str]) -> str:
    shown = ", ".join(paths[:_ENOUGH]) + (f" and {len(paths) - _ENOUGH} more" if len(paths) > _ENOUGH else "")
    return f"{what}: {shown}"


def _state(site: Path, relative: str, expected: str) -> str:
    """Return ``ok``, ``missing`` or ``altered``."""
    path = os.path.join(site, relative)  # noqa: PTH118 - a hot loop over 20,000 files
    algorithm, _, value = expected.partition("=")
    if not value or algorithm not in hashlib.algorithms_available:
        return "ok" if os.path.lexists(path) else "missing"
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - as above
            digest = hashlib.new(algorithm)
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return "missing"
    return "ok" if base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode() == value else "altered"
