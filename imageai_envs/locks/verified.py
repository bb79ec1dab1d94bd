"""The locks that come with the templates: exact sets of versions that were proved, and the record of the proofs.

``templates/locks/<template>/<variant>-<target>.txt`` is installed by ``create`` as it is, so that what was proved is
what is installed and nothing has to be resolved. ``templates/matrix.json`` says for each what ran. Both are written by
``nox -s matrix``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from imageai_envs.base.errors import LockFileError
from imageai_envs.base.paths import shipped_templates
from imageai_envs.locks.lockfile import Lock, read_lock
from imageai_envs.request.framework import release_in
from imageai_envs.templates.template import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from imageai_envs.locks.inputs import LockInputs
    from imageai_envs.request.framework import Release
    from imageai_envs.request.target import Target
    from imageai_envs.templates.catalog import Selection

MATRIX = "matrix.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Cell:
    """One proof: a template on a Python of a platform.

    Attributes:
        template: its name.
        variant: ``cpu`` or ``gpu``.
        target: such as ``cp310-linux-x86_64``.
        release: exact release of the framework.
        features: what of ImageAI was tried, and whether it works.
        date: ISO 8601.
    """

    template: str
    variant: str
    target: str
    release: Release
    features: Mapping[str, bool]
    date: str

    def to_json(self) -> dict[str, object]:
        """Return plain data."""
        data: dict[str, object] = {}
        for key, value in vars(self).items():
            data |= self.release.to_json() if key == "release" else {key: value}
        return data

    @property
    def works(self) -> bool:
        """Everything that was tried works."""
        return all(self.features.values())


def lock_path(template: str, variant: str, target: Target) -> Path:
    """Return the path of the verified lock of a template's variant for ``target``, which need not exist."""
    return shipped_templates() / "locks" / template / f"{variant}-{target}.txt"


def verified_lock(inputs: LockInputs) -> Lock | None:
    """Return the shipped lock for exactly these inputs; None when there is none, or the template is not the shipped."""
    lock = nearest_lock(inputs)
    return lock if lock and lock.header.inputs == inputs.digest else None


def nearest_lock(inputs: LockInputs) -> Lock | None:
    """Return the shipped lock of the same template, variant and target, regardless of further requirements.

    Without one, that of the other variant if it has exactly these inputs. Its pins are what a resolution with further
    requirements should stay near to.
    """
    selection = inputs.selection
    if selection.entry.origin != "shipped":
        return None
    own = _lock_of(selection, selection.variant, inputs.target)
    alike = (_lock_of(selection, variant, inputs.target) for variant in VARIANTS if own is None)
    # Of PyTorch on Linux x86_64 both variants are one set, which is proved once.
    other = next((lock for lock in alike if lock and lock.header.inputs == inputs.digest), None)
    return replace(other, header=replace(other.header, variant=selection.variant)) if other else own


def _lock_of(selection: Selection, variant: str, target: Target) -> Lock | None:
    path = lock_path(selection.template.name, variant, target)
    if not path.is_file():
        return None
    try:
        return read_lock(path)
    except LockFileError:
        return None  # a damaged installation of ours; resolving still works


def load_matrix() -> tuple[Cell, ...]:
    """Return the record of what was proved; empty when it does not come with this installation."""
    try:
        data = json.loads((shipped_templates() / MATRIX).read_text(encoding="utf-8"))
        if data["schema"] != _SCHEMA:
            return ()
        return tuple(_cell(cell) for cell in data["cells"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def _cell(data: Mapping[str, Any]) -> Cell:
    release = release_in(data)
    if release is None:
        raise KeyError("no framework")
    return Cell(
        template=data["template"],
        variant=data["variant"],
        target=data["target"],
        release=release,
        features=dict(data["features"]),
        date=data["date"],
    )
