"""CUDA from wheels for TensorFlow up to 2.13: links to the libraries, in the one directory that it searches.

TensorFlow 2.4 to 2.13 look for CUDA in the system and in ``site-packages/tensorflow/``, the only directory that the
RPATH or RUNPATH of all of them reaches (measured with 2.4.4 to 2.13.1). The wheels of NVIDIA bring the libraries
to ``nvidia/*/lib``. Relative links from one to the other let a bare ``bin/python`` see the GPU: no activation, no
LD_LIBRARY_PATH, so Jupyter and editors work. All links must lie in one directory: ``$ORIGIN`` of a library that is
reached through a link is the link's directory, and cuDNN looks for its parts there.

The links are entered into TensorFlow's RECORD, as an installer enters what it generates (PEP 376, PEP 627), so that
``pip uninstall tensorflow`` removes them too: what stayed would make ``import tensorflow`` an empty package.

TensorFlow 2.14 and newer search ``../nvidia/*/lib`` themselves and get no links.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import read_record_file
from imageai_envs.environments.environment import write_atomically
from imageai_envs.installed.distributions import distributions_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PACKAGE = "tensorflow"


def wanted_links(site: Path, aliases: Mapping[str, str]) -> dict[str, str]:
    """Return the links that belong into ``tensorflow/``: name to relative target.

    Args:
        site: the environment's site-packages.
        aliases: further names for libraries of the wheels; those whose library is not there are left out.
    """
    links = {
        library.name: f"../{library.relative_to(site).as_posix()}"
        for library in sorted(site.glob("nvidia/*/lib/*.so*"))
    }
    links.update({name: links[library] for name, library in aliases.items() if library in links})
    return links


def make_links(site: Path, links: Mapping[str, str]) -> None:
    """Make the links in ``tensorflow/`` and enter them into its RECORD; those that are right stay.

    Raises:
        OSError: a link or the RECORD cannot be written.
    """
    for name, target in links.items():
        place = site / _PACKAGE / name
        if not is_right(place, target):
            with contextlib.suppress(FileNotFoundError):
                place.unlink()
            place.symlink_to(target)
    _record(site, [f"{_PACKAGE}/{name}" for name in links])


def is_right(place: Path, target: str) -> bool:
    """Tell whether ``place`` is a link to ``target`` and the library is there."""
    try:
        return os.readlink(place) == target and place.exists()  # noqa: PTH115 - the text, not a path
    except OSError:
        return False


def _record(site: Path, paths: list[str]) -> None:
    for item in distributions_in(site):
        if item.name == _PACKAGE and item.files:
            record = item.path / "RECORD"
            rows = list(csv.reader(read_record_file(record).splitlines()))
            known = {row[0] for row in rows if row}
            new = [[path, "", ""] for path in paths if path not in known]
            if new:
                text = io.StringIO()
                csv.writer(text, lineterminator="\n").writerows([*rows, *new])
                write_atomically(record, text.getvalue())  # a new file: the old one may be linked to a cache
