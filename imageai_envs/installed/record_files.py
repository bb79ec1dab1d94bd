"""RECORD: the files of an installed distribution and their hashes (PEP 376), and which of them are other ones now."""

from __future__ import annotations

import contextlib
import csv
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import read_record_file
from imageai_envs.installed.distributions import distributions_in
from imageai_envs.installed.known_files import ALGORITHM, ALGORITHMS, hash_file, hash_files

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

from imageai_envs.installed.known_files import Ledger


def read_record(info: Path) -> list[tuple[str, str]]:
    """Return path and hash (may be empty) of the rows of a dist-info's RECORD, without compiled files.

    Those come and go, and virtualenv lists its pip's without ``__pycache__``.

    Raises:
        OSError: there is none, it is no text, or longer than any.
        ValueError: it is no CSV.
    """
    text = read_record_file(info / "RECORD")
    if '"' in text:
        try:
            rows = list(csv.reader(text.splitlines()))
        except csv.Error as error:
            raise ValueError(str(error)) from error
    else:  # the same in half the time
        rows = [line.rsplit(",", 2) for line in text.split("\n")]
    return [(row[0], row[1]) for row in rows if len(row) > 1 and not row[0].endswith((".pyc", "__pycache__"))]


def algorithm_of(said: str) -> str:
    """Return the algorithm of a hash in RECORD; empty when there is no hash, or none that can be computed."""
    name, _, value = said.partition("=")
    return name if value and name in ALGORITHMS else ""


def place(site: str, path: str) -> str:
    """Return the file that a path of RECORD names: relative to site-packages, also above it (scripts), or absolute."""
    return path if path.startswith("/") else f"{site}/{path}"  # os.path.join takes five times as long


@dataclass(frozen=True)
class Difference:
    """A file that is not the one that RECORD names.

    Attributes:
        path: as in RECORD.
        found: the hash of what is there, as RECORD would write it; empty when nothing is, or it cannot be read.
    """

    path: str
    found: str


def read_records(site: Path) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the distributions of a site-packages with the rows of their RECORDs; without those that cannot be read."""
    found = []
    for item in distributions_in(site):
        if item.path.suffix == ".dist-info":
            with contextlib.suppress(OSError, ValueError):
                found.append((item.name, read_record(item.path)))
    return found


def differences(
    site: Path,
    ledger: Ledger | None = None,
    misrecorded: Mapping[str, str] | None = None,
    names: Collection[str] | None = None,
    records: Sequence[tuple[str, list[tuple[str, str]]]] | None = None,
) -> dict[str, tuple[Difference, ...]]:
    """Return the files that are missing or other ones than RECORD says, by distribution; nothing for those without.

    A file that several distributions have counts as right when it is the one of any of them. RECORDs that cannot be
    read tell nothing.

    Args:
        site: any site-packages.
        ledger: knows files that were hashed before; None: all are hashed.
        misrecorded: hashes that count as right for a path too.
        names: look only at these distributions (normalized).
        records: what :func:`read_records` returned, for who needs it too.
    """
    records = [(name, [row for row in rows if row[1]]) for name, rows in records or read_records(site)]
    claims: dict[str, str] = {}
    further: dict[str, set[str]] = {path: {said} for path, said in (misrecorded or {}).items()}
    for _, rows in records:
        for path, said in rows:
            if claims.setdefault(path, said) != said:
                further.setdefault(path, set()).add(claims[path])
                further[path].add(said)
    root = os.fspath(site)
    looked_at = [
        (name, [(path, said, place(root, path)) for path, said in rows])
        for name, rows in records
        if names is None or name in names
    ]
    usual = [where for _, rows in looked_at for _, said, where in rows if said.startswith(ALGORITHM)]
    hashes = (ledger.hashes if ledger else hash_files)(usual)
    found: dict[str, tuple[Difference, ...]] = {}
    for name, rows_there in looked_at:
        # What the ledger denies is hashed for real: it may be wrong, and few files are.
        wrong = [
            Difference(path, hash_file(where, algorithm_of(said)))
            for path, said, where in rows_there
            if hashes.get(where) != said
            and algorithm_of(said)
            and not _is_one_of(where, {said, *further.get(path, ())})
        ]
        if wrong:
            found[name] = (*found.get(name, ()), *wrong)  # two dist-infos of one name are possible
    return found


def _is_one_of(path: str, said: set[str]) -> bool:
    return any(hash_file(path, algorithm_of(one)) == one for one in said if algorithm_of(one))


def listing(paths: list[str], most: int = 3) -> str:
    """Return a few of the paths in words."""
    return ", ".join(paths[:most]) + (f" and {len(paths) - most} more" if len(paths) > most else "")
