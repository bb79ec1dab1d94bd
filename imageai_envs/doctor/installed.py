"""What is installed in an environment, from its files alone: enough to confirm or refute a cause."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imageai_envs.base.context import Context
from imageai_envs.base.errors import RequestError, VerifyError
from imageai_envs.base.paths import expanded, looks_like_path
from imageai_envs.installed.distributions import distributions_in
from imageai_envs.installed.venv_files import site_packages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from imageai_envs.base.paths import Home

_INSIDE = (".venv", "venv", "env", ".env")  # where projects keep their environment


def environment_root(home: Home, name_or_path: str) -> Path:
    """Return the directory of an environment of ours, or of any: by itself, its project or its Python.

    Raises:
        RequestError: there is none.
    """
    from imageai_envs.base.progress import Silent
    from imageai_envs.environments.ownership import has_marker
    from imageai_envs.environments.store import Store, validate_name

    path = expanded(name_or_path).absolute()
    if not looks_like_path(name_or_path) and not _root_in(path):
        store = Store(Context(home, Silent()))
        named = store.root_for(validate_name(name_or_path))
        if not has_marker(named):
            raise store.missing(name_or_path)
        return named
    root = _root_in(path) or next((found for name in _INSIDE if (found := _root_in(path / name))), None)
    if root is None and path.parent.name in ("bin", "Scripts"):
        root = _root_in(path.parent.parent)
    if root is None:
        raise RequestError(
            f"There is no environment at {name_or_path}: no site-packages was found there.",
            hint="imageai-env list",
            code="no-such-environment",
        )
    return root


def installed_in(root: Path) -> Mapping[str, str]:
    """Return the distributions of an environment, normalized name to version, and ``python`` where its path shows it.

    Raises:
        VerifyError: it has no site-packages.
    """
    site = site_packages(root)
    found = {item.name: item.version for item in distributions_in(site)}
    minor = re.fullmatch(r"python(3\.\d+)", site.parent.name)
    return {**found, "python": minor[1]} if minor else found


def _root_in(path: Path) -> Path | None:
    try:
        site_packages(path)
    except (OSError, VerifyError):
        return None
    return path
