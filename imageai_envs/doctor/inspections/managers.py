"""Several managers at work on one place: conda beside pip, two copies in one directory, conda over a venv."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from imageai_envs.base.finding import Finding
from imageai_envs.doctor import remedy
from imageai_envs.request.stack import CONDA_NAMES, PIPELINE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from imageai_envs.doctor.subject import Subject
    from imageai_envs.installed.distributions import Distribution

_META = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)-[^-]+\.json")
_LINK = "https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html#using-pip-in-an-environment"
_ENOUGH = 5  # names shown


def inspect(subject: Subject) -> list[Finding]:
    """Find traces of a second manager."""
    return [*_twice(subject), *_leftovers(subject), *_conda(subject), *_active(subject)]


def _twice(subject: Subject) -> Iterable[Finding]:
    """Find a distribution that is recorded twice in one directory."""
    seen: dict[tuple[Path, str], list[Distribution]] = {}
    for item in subject.distributions:
        seen.setdefault((item.site, item.name), []).append(item)
    for (site, name), copies in seen.items():
        if len(copies) < 2:
            continue
        versions = ", ".join(item.path.name for item in copies)
        damaging = len({item.version for item in copies}) > 1
        keep = max(copies, key=lambda item: item.path.stat().st_mtime if item.path.exists() else 0.0)
        yield Finding(
            "duplicate",
            "error" if damaging else "warning",
            name,
            f"{name} is recorded {len(copies)} times in {site}: {versions}",
            "An installation was interrupted, two installers worked on one directory, or one environment was copied "
            "over another. Which files are there is a matter of luck.",
            remedy.reinstall(subject, (name,), f"{name}=={keep.version}"),
            name,
        )


def _leftovers(subject: Subject) -> Iterable[Finding]:
    """Find what pip renames before it uninstalls (``~ensorflow``) and leaves when that is interrupted."""
    for item in subject.distributions:
        if item.name.startswith("~"):
            yield Finding(
                "broken-uninstall",
                "warning",
                str(item.path),
                f"{item.path} is left of an interrupted pip uninstall",
                "pip was interrupted, or could not delete files that were in use. It warns 'Ignoring invalid "
                "distribution' ever since; the package itself may be half there.",
                f"remove {item.path} and the folders beside it that begin with ~",
                link="https://github.com/pypa/pip/issues/10452",
            )


def _conda(subject: Subject) -> Iterable[Finding]:
    """Find pip's packages in an environment of conda, and the packages that both installed."""
    if subject.root is None or not os.path.isdir(subject.root / "conda-meta"):  # noqa: PTH112 - Path's raises
        return
    recorded = _recorded(subject.root / "conda-meta")
    here = [item for item in subject.winners.values() if item.path.is_relative_to(subject.root)]
    by_pip = [item for item in here if item.installer in ("pip", "uv")]
    both = [item for item in by_pip if item.name in recorded]
    names = [f"{item.name} ({item.installer}: {item.version}, conda: {recorded[item.name]})" for item in both]
    if both:
        differ = any(item.version != recorded[item.name] for item in both)
        yield Finding(
            "conda-and-pip",
            "error" if differ and any(item.name in PIPELINE for item in both) else "warning",
            str(subject.root),
            _listing(names) + " were installed by both",
            "pip replaced files that conda still counts as its own. The next 'conda install' mixes them again.",
            remedy.fresh(subject),
            link=_LINK,
        )
    alone = [f"{item.name} {item.version}" for item in by_pip if item not in both]
    if alone:
        yield Finding(
            "pip-in-conda",
            "warning",
            str(subject.root),
            f"pip installed into an environment of conda: {_listing(alone)}",
            "conda does not know them: its next installation may replace what they need.",
            f"{remedy.fresh(subject)}   (in this one: run no conda install any more)",
            link=_LINK,
        )


def _recorded(meta: Path) -> dict[str, str]:
    """Return what conda has recorded, by the name that the distribution has on the index."""
    try:
        names = [entry.name for entry in meta.iterdir()]
    except OSError:
        return {}
    matches = [match for name in names if (match := _META.fullmatch(name))]
    return {canonicalize_name(CONDA_NAMES.get(match["name"], match["name"])): match["version"] for match in matches}


def _listing(names: list[str]) -> str:
    return ", ".join(names[:_ENOUGH]) + (f" and {len(names) - _ENOUGH} more" if len(names) > _ENOUGH else "")


def _active(subject: Subject) -> Iterable[Finding]:
    """Find conda active over a virtual environment, and a virtual environment on conda's Python."""
    if subject.kind != "venv":
        return
    prefix, active = subject.environ.get("CONDA_PREFIX"), subject.environ.get("VIRTUAL_ENV")
    if prefix and active:
        yield Finding(
            "conda-over-venv",
            "warning",
            prefix,
            f"conda's {prefix} and the virtual environment {active} are active at once",
            "Which python and pip you get depends on the order of activation, and conda's libraries come before the "
            "system's. Usually 'auto_activate_base' put conda there.",
            "conda deactivate   (for good: conda config --set auto_activate_base false)",
            link="https://docs.conda.io/projects/conda/en/stable/user-guide/configuration/settings.html",
        )
    if subject.facts and os.path.isdir(subject.facts.base_prefix / "conda-meta"):  # noqa: PTH112 - as above
        yield Finding(
            "venv-on-conda",
            "note",
            str(subject.facts.base_prefix),
            f"this environment was made from conda's Python in {subject.facts.base_prefix}",
            "It breaks when conda upgrades or removes that Python, and takes some libraries from conda.",
            remedy.fresh(subject),
        )
