"""Are the files there that the installed distributions brought? What is gone, or is only half of a library.

Asked of the distributions that decide whether ImageAI runs, of their modules and libraries only, and by RECORD's sizes:
hashing everything (``check``) takes twenty times as long as all other inspections together, and even asking the ledger
of known files as long as they do. The size of a module is asked where we installed it: others rewrite some (conda puts
its prefix in).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import read_record_file
from imageai_envs.base.finding import Finding
from imageai_envs.doctor import remedy
from imageai_envs.request.stack import KERASES, MODULES, OPENCVS, PIPELINE

if TYPE_CHECKING:
    from imageai_envs.doctor.subject import Subject
    from imageai_envs.installed.distributions import Distribution

_LIBRARIES = (".so", ".pyd", ".dll", ".dylib")
_ENOUGH = 3  # files named per distribution
_FAMILIES = (MODULES["tensorflow"], KERASES, OPENCVS)


def inspect(subject: Subject) -> list[Finding]:
    """Find missing modules and libraries, and libraries of another size than they were installed with.

    In environments of ours also modules of another size.
    """
    findings = []
    for name in sorted(PIPELINE & subject.winners.keys()):
        item = subject.winners[name]
        missing, cut, edited = _damage(item, modules=subject.environment is not None)
        if _overwritten(subject, item):  # by its twin, which is what overlaps are about
            cut, edited = [], []
        if missing:
            findings.append(
                _finding(
                    subject,
                    item,
                    "file-missing",
                    f"{len(missing)} files of {item.name} {item.version} are missing: {_listing(missing)}",
                    "They were deleted, or went with the uninstallation of another distribution that has the same "
                    "files, or the installation was interrupted. A folder without its __init__.py imports as an empty "
                    "module (AttributeError: module '…' has no attribute …).",
                )
            )
        if cut:
            findings.append(
                _finding(
                    subject,
                    item,
                    "file-altered",
                    f"libraries of {item.name} {item.version} are not as they were installed: {_listing(cut)}",
                    "The disk was full, a copy or download was interrupted, or another installation overwrote them. "
                    "They do not load: 'file too short', 'invalid ELF header', 'DLL load failed'.",
                )
            )
        if edited and not cut:
            findings.append(
                _finding(
                    subject,
                    item,
                    "file-altered",
                    f"modules of {item.name} {item.version} are not as they were installed: {_listing(edited)}",
                    "They were edited here, or in place in another environment that shares them through uv's cache.",
                    "warning",
                )
            )
    return findings


def _finding(
    subject: Subject, item: Distribution, id_: str, evidence: str, cause: str, severity: str = "error"
) -> Finding:
    fix = remedy.install(subject, "--force-reinstall", "--no-deps", f"{item.name}=={item.version}")
    return Finding(id_, severity, item.name, evidence, cause, fix, item.name)


def _overwritten(subject: Subject, item: Distribution) -> bool:
    return any(
        item.name in family and any(other != item.name and subject.has(other) for other in family)
        for family in _FAMILIES
    )


def _damage(item: Distribution, *, modules: bool) -> tuple[list[str], list[str], list[str]]:
    """Return paths that are missing, libraries and (if asked) modules of another size, relative to site-packages."""
    missing: list[str] = []
    cut: list[str] = []
    edited: list[str] = []
    names: dict[str, frozenset[str]] = {}
    site = os.fspath(item.site)
    for path, size in _recorded(item):
        directory, _, name = path.rpartition("/")
        if directory not in names:
            names[directory] = _names_in(os.path.join(item.site, directory))  # noqa: PTH118 - a hot loop
        if name not in names[directory]:
            missing.append(path)
        elif size.isdigit():
            kind = cut if name.endswith(_LIBRARIES) else edited
            if (kind is cut or modules) and _size(site, path) not in (int(size), None):
                kind.append(path)
    return missing, cut, edited


def _recorded(item: Distribution) -> list[tuple[str, str]]:
    """Return modules and libraries of RECORD with their sizes as written (PEP 376: path, hash, size).

    Read without the csv module, which takes longer than all the rest; a path with a comma in it is left out.
    """
    try:
        text = read_record_file(item.path / "RECORD", errors="replace")
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        parts = line.split(",")
        if len(parts) == 3 and parts[0].endswith((".py", *_LIBRARIES)) and not parts[0].startswith(("..", "/")):
            found.append((parts[0], parts[2]))
    return found


def _names_in(directory: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(directory))  # noqa: PTH208 - a hot loop
    except OSError:
        return frozenset()


def _size(site: str, path: str) -> int | None:
    try:
        return os.stat(f"{site}/{path}").st_size  # noqa: PTH116 - as above
    except OSError:
        return None


def _listing(paths: list[str]) -> str:
    # The shortest first: a package's own __init__.py says most.
    chosen = sorted(paths, key=lambda path: (not path.endswith("__init__.py"), path.count("/"), path))
    return ", ".join(chosen[:_ENOUGH]) + (f" and {len(paths) - _ENOUGH} more" if len(paths) > _ENOUGH else "")
