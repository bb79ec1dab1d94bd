"""The directory of the project's templates: in the working directory or its nearest parent that has one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.paths import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKER = "owner.json"  # beside it lies an environment


@dataclass(frozen=True)
class ProjectTemplates:
    """The templates of the project.

    Attributes:
        directory: where they are; None when there are none.
        refused: directories that would have been taken, but belong to another user; nearest first.
    """

    directory: Path | None
    refused: tuple[Path, ...] = ()


def project_templates() -> ProjectTemplates:
    """Find ``.imageai-env/templates`` of the project: the nearest from the working directory upwards.

    The search ends with the root of a git repository, and before the home directory. Only what belongs to the user, to
    root, or to the owner of the working directory is taken: anybody may put a directory into ``/tmp``.
    """
    here = Path.cwd()
    owners = {os.geteuid(), 0, here.stat().st_uid} if os.name != "nt" else None
    refused: list[Path] = []
    for directory in _upwards(here):
        metadata = directory / METADATA
        templates = metadata / "templates"
        if not os.path.isdir(templates) or os.path.lexists(metadata / _MARKER):  # noqa: PTH112 - Path's raises
            continue
        if owners is None or _owners(metadata, templates) <= owners:
            return ProjectTemplates(templates, tuple(refused))
        refused.append(templates)
    return ProjectTemplates(None, tuple(refused))


def _upwards(here: Path) -> Iterator[Path]:
    home = os.path.realpath(os.path.expanduser("~"))  # noqa: PTH111 - of nobody: no error
    for directory in (here, *here.parents):
        if directory != here and str(directory) == home:
            return
        yield directory
        if str(directory) == home or os.path.lexists(directory / ".git"):
            return


def _owners(*paths: Path) -> set[int]:
    """Return to whom these belong, and what they link to."""
    return {status.st_uid for path in paths for status in (path.lstat(), path.stat())}
