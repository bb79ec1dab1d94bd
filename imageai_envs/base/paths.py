"""Where things live: one place that knows the directories of this tool.

``IMAGEAI_ENV_HOME`` moves everything under one directory, ``IMAGEAI_ENV_CACHE`` only what can be made again; otherwise
``platformdirs`` decides.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HOME_VARIABLE = "IMAGEAI_ENV_HOME"
CACHE_VARIABLE = "IMAGEAI_ENV_CACHE"
METADATA = ".imageai-env"
"""In an environment: the directory of what we know of it. In a project: that of its templates."""
_APP = "imageai-env"


@dataclass(frozen=True)
class Home:
    """The directories of one user's installation."""

    data: Path
    cache: Path
    config: Path

    @property
    def environments(self) -> Path:
        """Named environments, one directory each."""
        return self.data / "envs"

    @property
    def records(self) -> Path:
        """One small file per environment that we made, saying where it is (see ``environments/ownership.py``)."""
        return self.data / "records"

    @property
    def links(self) -> Path:
        """What versions before the records wrote for a ``--path`` environment: where it is, named after it."""
        return self.data / "links"

    @property
    def locks(self) -> Path:
        """Files that processes lock, so that two never change one environment."""
        return self.data / "locks"

    @property
    def logs(self) -> Path:
        """Full logs of every subprocess, a directory per environment."""
        return self.data / "logs"

    @property
    def known_files(self) -> Path:
        """The hashes of installed files that were computed before (see :mod:`imageai_envs.installed.known_files`)."""
        return self.cache / "known-files"

    @property
    def helpers(self) -> Path:
        """Cached environments that hold pip-tools, one per target Python."""
        return self.cache / "helpers"

    @property
    def templates(self) -> Path:
        """The user's own templates."""
        return self.config / "templates"


def home() -> Home:
    """Return the directories in effect, without creating any."""
    override, cache = _from_variable(HOME_VARIABLE), _from_variable(CACHE_VARIABLE)
    if override:
        return Home(data=override, cache=cache or override / "cache", config=override / "config")
    import platformdirs

    return Home(
        data=Path(platformdirs.user_data_dir(_APP, appauthor=False)),
        cache=cache or Path(platformdirs.user_cache_dir(_APP, appauthor=False)),
        config=Path(platformdirs.user_config_dir(_APP, appauthor=False)),
    )


def _from_variable(name: str) -> Path | None:
    value = os.environ.get(name)
    return expanded(value, name).absolute() if value else None


def expanded(path: str | Path, origin: str = "") -> Path:
    """Return a path that someone wrote, ``~`` and ``~user`` replaced by the home that is meant.

    Args:
        path: the path.
        origin: where it was said, for the error: a variable.

    Raises:
        RequestError: there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        from imageai_envs.base.errors import RequestError

        said = f"{origin}: {path}" if origin else str(path)
        raise RequestError(
            f"{said}: there is no user of that name whose home could be meant.",
            hint="Write the whole path; a directory whose name begins with ~ is ./~name.",
            code="bad-path",
        ) from error


def shipped_templates() -> Path:
    """Return the templates that came with this package (beside it in a checkout, inside it in a wheel)."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "templates" / "shipped"
    return inside if inside.is_dir() else package.parent / "templates"


def scripts_directory(root: Path) -> Path:
    """Return where an environment keeps its executables (PEP 405; ``Scripts`` on Windows, unproven)."""
    return root / ("Scripts" if os.name == "nt" else "bin")


def environment_python(root: Path) -> Path:
    """Return the Python executable of the environment at ``root``."""
    return scripts_directory(root) / ("python.exe" if os.name == "nt" else "python")


def is_inside(path: str) -> bool:
    """Tell whether a relative path, ``/`` between its parts, names something below where it begins, to the letter."""
    parts = path.split("/")
    return "\0" not in path and not any(part in ("", ".", "..") for part in parts)


def runs(path: Path) -> bool:
    """Tell whether ``path`` is a file that may be executed; never raises."""
    return os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113 - Path.is_file raises PermissionError


def looks_like_path(text: str) -> bool:
    """Tell whether a NAME argument means a directory: ``./x``, ``.venv``, ``/srv/env``, ``~/env``."""
    return "/" in text or "\\" in text or text.startswith((".", "~"))
