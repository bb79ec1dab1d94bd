"""Jupyter kernels whose Python is gone, or is not the one that their directory or name suggests.

A notebook runs in the Python that the kernel's ``kernel.json`` names first, not in the one that Jupyter runs in or
that is active in the terminal.

Sources: https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs and
https://docs.jupyter.org/en/latest/use/jupyter-directories.html. The directories of macOS and Windows are from the
latter and were not run: unproven.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import parse_json, read_text
from imageai_envs.base.finding import Finding
from imageai_envs.base.paths import scripts_directory
from imageai_envs.base.redaction import redact
from imageai_envs.doctor import remedy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imageai_envs.doctor.subject import Subject

SYSTEM_DIRECTORIES = (Path("/usr/local/share/jupyter"), Path("/usr/share/jupyter"))
_LIMIT = 1 << 20  # bytes; a kernel.json has a few hundred
_SPECS = "https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs"


@dataclass(frozen=True)
class Kernel:
    """A kernel of Python.

    Attributes:
        name: name of its directory, what ``jupyter kernelspec list`` shows.
        file: its ``kernel.json``.
        python: the first word of its command.
        display_name: what people choose it by.
    """

    name: str
    file: Path
    python: str
    display_name: str


def inspect(subject: Subject) -> list[Finding]:
    """Find broken and misleading kernels among all that Jupyter would list for this user."""
    findings: list[Finding] = []
    for directory in data_directories(subject):
        for file in _files(directory):
            kernel = read(file)
            if isinstance(kernel, Kernel):
                findings += _kernel(subject, kernel)
            elif kernel:
                findings.append(_damaged(file, kernel))
    return findings


def data_directories(subject: Subject) -> tuple[Path, ...]:
    """Return Jupyter's data directories for a user of the subject, each once."""
    environ = subject.environ
    found = [Path(text) for text in environ.get("JUPYTER_PATH", "").split(os.pathsep) if text]
    found.append(Path(environ["JUPYTER_DATA_DIR"]) if environ.get("JUPYTER_DATA_DIR") else _user_data(subject))
    prefixes = [subject.root] if subject.root else []
    if subject.facts:
        prefixes += [subject.facts.prefix]
    found += [prefix / "share" / "jupyter" for prefix in prefixes]
    if os.name == "nt":
        found.append(Path(environ.get("PROGRAMDATA", r"C:\ProgramData")) / "jupyter")
    else:
        found += SYSTEM_DIRECTORIES
    return tuple({os.path.realpath(path): path for path in reversed(found)}.values())[::-1]


def read(file: Path) -> Kernel | str | None:
    """Return the kernel of a ``kernel.json``; None for one of another language, and why it cannot be used if so."""
    try:
        data = parse_json(read_text(file, limit=_LIMIT, encoding="utf-8-sig"))
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except ValueError:
        return "it is not JSON"
    if not isinstance(data, dict):
        return "it is not an object"
    argv = data.get("argv")
    if not isinstance(argv, list) or not argv or not isinstance(argv[0], str) or not argv[0]:
        return "it has no argv, the command that starts the kernel"
    words = " ".join(str(word) for word in argv)
    if str(data.get("language", "python")).lower() != "python" and "ipykernel" not in words:
        return None
    if argv[0].startswith("{"):  # {prefix}, {resource_dir}: filled in by Jupyter
        return None
    return Kernel(file.parent.name, file, argv[0], str(data.get("display_name", file.parent.name)))


def _user_data(subject: Subject) -> Path:
    environ = subject.environ
    platform = subject.facts.sys_platform if subject.facts else ""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or os.path.expanduser("~"))  # noqa: PTH111 - no error
    if platform == "darwin":
        return home / "Library" / "Jupyter"
    if platform == "win32":
        return Path(environ.get("APPDATA") or home / "AppData" / "Roaming") / "jupyter"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "jupyter"


def _files(directory: Path) -> Iterator[Path]:
    try:
        yield from sorted(directory.glob("kernels/*/kernel.json"))
    except OSError:
        return


def _kernel(subject: Subject, kernel: Kernel) -> list[Finding]:
    python = Path(kernel.python)
    if not python.is_absolute():
        return []  # `python` is the one that Jupyter itself runs in; others are looked for on PATH
    if _is_gone(python):
        return [_gone(subject, kernel)]
    if is_subject(subject, python):
        return _ipykernel(subject, kernel)
    return _elsewhere(subject, kernel) or _shadow(subject, kernel)


def is_subject(subject: Subject, python: Path) -> bool:
    """Tell whether a path is the subject's Python, under any name in the same directory."""
    if subject.root:
        return os.path.realpath(python.parent) == os.path.realpath(scripts_directory(subject.root))
    in_environment = (python.parent.parent / "pyvenv.cfg").is_file()
    return not in_environment and os.path.realpath(python) == os.path.realpath(subject.executable)


def _within(subject: Subject, path: Path) -> bool:
    prefix = subject.root or (subject.facts.prefix if subject.facts else None)
    return prefix is not None and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(prefix))


def _is_gone(python: Path) -> bool:
    try:
        python.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # someone else's, which we may not see
        return False
    return False


def _gone(subject: Subject, kernel: Kernel) -> Finding:
    ours = _within(subject, kernel.file) or _within(subject, Path(kernel.python).parent)
    return Finding(
        "kernel-python-missing",
        "warning" if ours else "note",
        str(kernel.file),
        f"the Jupyter kernel '{kernel.display_name}' starts {redact(kernel.python)}, which does not exist",
        "The environment that the kernel was registered for was removed, moved or made again with another Python. "
        "Jupyter shows the kernel still, and it dies at once.",
        _register(subject, kernel) if ours else f"jupyter kernelspec remove {shlex.quote(kernel.name)}",
        link=_SPECS,
    )


def _elsewhere(subject: Subject, kernel: Kernel) -> list[Finding]:
    root = subject.root
    if root is None:
        return []
    named = _names(subject.environment.name if subject.environment else root.name, kernel)
    if not named and not _within(subject, kernel.file):
        return []
    why = f"has the name of {root}" if named else f"is in {root}"
    return [
        Finding(
            "kernel-elsewhere",
            "warning",
            str(kernel.file),
            f"the Jupyter kernel '{kernel.display_name}' {why}, but starts {redact(kernel.python)}",
            "It was registered with another Python ('ipykernel install' runs with the Python that is called), or the "
            "environment was copied. The notebook imports that Python's packages.",
            _register(subject, kernel),
            link=_SPECS,
        )
    ]


def _names(name: str, kernel: Kernel) -> bool:
    # `.venv`, `env` and `python3` name no environment in particular.
    generic = {"venv", "env", "python", "python3"}
    return name.strip(".").lower() not in generic and name.lower() in (kernel.name.lower(), kernel.display_name.lower())


def _shadow(subject: Subject, kernel: Kernel) -> list[Finding]:
    """Find a user's kernel ``python3``: Jupyter before jupyter_core 5 prefers it to the environment's own."""
    if kernel.name != "python3" or subject.root is None or not subject.has("jupyter-core", "<5"):
        return []
    if subject.environ.get("JUPYTER_PREFER_ENV_PATH") or _within(subject, kernel.file):
        return []
    if not kernel.file.is_relative_to(_user_data(subject)):
        return []
    return [
        Finding(
            "kernel-elsewhere",
            "warning",
            str(kernel.file),
            f"the kernel 'python3' of your user starts {redact(kernel.python)}, and Jupyter of this environment "
            f"(jupyter_core {subject.version('jupyter-core')}) prefers it to the environment's own",
            "'ipykernel install --user' was run with another Python without --name.",
            "jupyter kernelspec remove python3   (or set JUPYTER_PREFER_ENV_PATH=1)",
            link="https://docs.jupyter.org/en/latest/use/jupyter-directories.html",
        )
    ]


def _ipykernel(subject: Subject, kernel: Kernel) -> list[Finding]:
    if subject.facts is None or "ipykernel" in subject.winners:
        return []
    return [
        Finding(
            "ipykernel-missing",
            "warning",
            str(kernel.file),
            f"the Jupyter kernel '{kernel.display_name}' starts this Python, which has no ipykernel",
            "It was never installed here, or went with an uninstallation. The kernel ends with 'No module named "
            "ipykernel_launcher'.",
            remedy.install(subject, "ipykernel"),
            link="https://ipython.readthedocs.io/en/stable/install/kernel_install.html",
        )
    ]


def _damaged(file: Path, why: str) -> Finding:
    return Finding(
        "kernel-damaged",
        "note",
        str(file),
        why,
        "Jupyter leaves such a kernel out of its list, or cannot start it.",
        f"jupyter kernelspec remove {shlex.quote(file.parent.name)}",
        link=_SPECS,
    )


def _register(subject: Subject, kernel: Kernel) -> str:
    where = f"--prefix {shlex.quote(str(subject.root))}" if _within(subject, kernel.file) else "--user"
    name = shlex.quote(kernel.name)
    return f"{shlex.quote(str(subject.executable))} -m ipykernel install {where} --name {name}"
