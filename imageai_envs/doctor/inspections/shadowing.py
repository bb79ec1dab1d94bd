"""Which copy wins: user site, PYTHONPATH, the system's packages and stray files before the environment's own.

Python imports the first copy along ``sys.path``: PYTHONPATH, then (outside of virtual environments) the user site, then
site-packages (https://docs.python.org/3/library/site.html, PEP 370, PEP 405).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from imageai_envs.base.file_reading import read_text
from imageai_envs.base.finding import Finding
from imageai_envs.doctor import remedy
from imageai_envs.installed.venv_files import read_cfg
from imageai_envs.request.stack import MODULES, PIPELINE, PURPOSE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imageai_envs.doctor.subject import Facts, Subject
    from imageai_envs.installed.distributions import Distribution

_LINK = "https://docs.python.org/3/library/site.html"
_ENOUGH = 4  # distributions named; more say the same
_PYTHONPATH, _USER, _SYSTEM, _OWN = "PYTHONPATH", "the user site", "the system's packages", "its own site-packages"

_WHY = {
    _PYTHONPATH: "PYTHONPATH is set, and Python looks there first, in every environment. It is usually set once in a "
    "shell profile and forgotten.",
    _USER: "'pip install --user' (or pip without permission to write elsewhere) put it there; this Python looks into "
    "the user site before its own site-packages.",
    _SYSTEM: "pyvenv.cfg says include-system-site-packages = true (venv --system-site-packages), so what is missing "
    "here is taken from the Python below.",
}
_TOLD_BY = {_PYTHONPATH: "pythonpath-shadows", _USER: "user-site-shadows", _SYSTEM: "system-site-packages"}
_FIX = {_PYTHONPATH: "unset PYTHONPATH", _USER: "export PYTHONNOUSERSITE=1"}


def inspect(subject: Subject) -> list[Finding]:
    """Find what does not come from where its user thinks."""
    findings = [*_home(subject)]
    if subject.facts:
        findings += _foreign(subject, subject.facts)
        findings += _strays(subject, subject.facts)
    findings += _system_site(subject)
    return findings


def _home(subject: Subject) -> list[Finding]:
    value = subject.environ.get("PYTHONHOME")
    if not value:
        return []
    return [
        Finding(
            "pythonhome",
            "warning" if subject.facts else "error",
            "PYTHONHOME",
            f"PYTHONHOME is {value}",
            "It makes every Python take its standard library from there, whichever was started: another version fails "
            "with 'No module named encodings', and virtual environments lose their packages.",
            "unset PYTHONHOME",
            link="https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHOME",
        )
    ]


def origin(subject: Subject, facts: Facts, site: Path) -> str:
    """Return in words why a directory is on ``sys.path``."""
    real = os.path.realpath(site)
    named = [entry for entry in subject.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    if real in {os.path.realpath(entry) for entry in named}:
        return _PYTHONPATH
    if facts.user_site and real == os.path.realpath(facts.user_site):
        return _USER
    if facts.in_venv and not _under(real, facts.prefix) and _under(real, facts.base_prefix):
        return _SYSTEM
    if subject.root and not _under(real, subject.root) and read_cfg(subject.root).get(_INCLUDE, "").lower() == "true":
        return _SYSTEM  # Debian's Pythons have theirs in /usr/lib/python3/dist-packages, not below the prefix
    return _OWN


def blamed(subject: Subject, broken: Iterable[str]) -> frozenset[str]:
    """Return the ids of the findings that tell how broken distributions got in front of an environment's own.

    Empty where all comes from one place: then that it is elsewhere is not what breaks them.
    """
    facts = subject.facts
    if facts is None:
        return frozenset()
    places = {
        item.site: origin(subject, facts, item.site) for item in subject.winners.values() if item.name in PIPELINE
    }
    if _OWN not in places.values():
        return frozenset()
    origins = {places.get(subject.winners[name].site, _OWN) for name in broken if name in subject.winners}
    return frozenset(_TOLD_BY[where] for where in origins if where in _TOLD_BY)


_INCLUDE = "include-system-site-packages"


def _under(real: str, directory: Path) -> bool:
    return Path(real).is_relative_to(os.path.realpath(directory))


def _foreign(subject: Subject, facts: Facts) -> Iterable[Finding]:
    """Find distributions that PYTHONPATH or the user site bring in front of the environment's."""
    for site in subject.sites:
        where = origin(subject, facts, site)
        brought = [item for item in subject.winners.values() if item.site == site and item.name in PIPELINE]
        if where not in _FIX or not brought or (where == _USER and subject.kind == "global"):
            continue  # the user site of a global Python is what global-installation is about
        hidden = [(item, other) for item in brought for other in subject.copies(item.name)[1:2]]
        differ = [pair for pair in hidden if pair[0].version != pair[1].version]
        if hidden:
            words = "; ".join(_pair(*pair) for pair in (differ or hidden)[:_ENOUGH])
        else:
            words = ", ".join(f"{item.name} {item.version}" for item in brought[:_ENOUGH]) + f" come from {site}"
        more = len(differ or hidden or brought) - _ENOUGH
        yield Finding(
            "pythonpath-shadows" if where == _PYTHONPATH else "user-site-shadows",
            "error" if differ else "warning",
            str(site),
            words + (f"; and {more} more" if more > 0 else ""),
            _WHY[where],
            _FIX[where],
            link=_LINK,
        )
    if subject.kind == "global":
        yield from _copies_of_global(subject, facts)


def _copies_of_global(subject: Subject, facts: Facts) -> Iterable[Finding]:
    """Find a global Python's second copies: its user site in front of its site-packages."""
    pairs = []
    for name in sorted(PIPELINE & subject.winners.keys()):
        first, *others = subject.copies(name)
        different = [other for other in others if other.version != first.version and other.site != first.site]
        if different and origin(subject, facts, first.site) == _USER:
            pairs.append(_pair(first, different[0]))
    if pairs:
        more = f"; and {len(pairs) - _ENOUGH} more" if len(pairs) > _ENOUGH else ""
        yield Finding(
            "user-site-shadows",
            "warning",
            str(facts.user_site),
            "; ".join(pairs[:_ENOUGH]) + more,
            _WHY[_USER],
            remedy.fresh(subject),
            link=_LINK,
        )


def _pair(winner: Distribution, hidden: Distribution) -> str:
    return f"{winner.name} {winner.version} in {winner.site} hides {hidden.version} in {hidden.site}"


def _system_site(subject: Subject) -> list[Finding]:
    if subject.root is None or read_cfg(subject.root).get(_INCLUDE, "false").lower() != "true":
        return []
    facts = subject.facts
    known = [item for item in subject.winners.values() if item.name in PIPELINE] if facts else []
    through = [item for item in known if facts and origin(subject, facts, item.site) == _SYSTEM]
    shown = ", ".join(f"{item.name} {item.version} ({item.site})" for item in through[:_ENOUGH])
    return [
        Finding(
            "system-site-packages",
            "warning",
            str(subject.root / "pyvenv.cfg"),
            f"packages of the system shine through: {shown}" if through else "packages of the system shine through",
            _WHY[_SYSTEM] + " It works here and not on the next machine.",
            remedy.fresh(subject),
            link="https://docs.python.org/3/library/venv.html",
        )
    ]


def _strays(subject: Subject, facts: Facts) -> Iterable[Finding]:
    """Find modules that do not come from the distribution of their name."""
    for module, names in MODULES.items():
        location = facts.modules.get(module)
        owners = [subject.winners[name] for name in names if name in subject.winners]
        if not location:
            continue
        if owners:
            # A link to another directory, or an editable installation, is what its owner made on purpose.
            sites = [os.path.realpath(item.site) for item in owners]
            if any(Path(os.path.realpath(location)).is_relative_to(site) for site in sites) or _editable(owners):
                continue
            owner = owners[0]
            yield Finding(
                "module-shadowed",
                "error",
                module,
                f"import {module} loads {location}, not {owner.name} {owner.version} of {owner.site}",
                "Something with the same name lies earlier on the path: a file or folder of a project, or a copy.",
                f"rename or remove {location}" + ("" if not _on(subject, location) else ", or: unset PYTHONPATH"),
                link="https://docs.python.org/3/tutorial/modules.html#the-module-search-path",
            )
        elif module in PURPOSE and not _provided_otherwise(subject, module):
            yield Finding(
                "module-without-distribution",
                "error" if os.path.isdir(location) else "warning",  # noqa: PTH112 - Path's raises
                module,
                f"import {module} loads {location}, and no installed distribution brings it",
                "It was copied there by hand, or it is what an interrupted or overlapping uninstallation left: pip "
                "does not see it, and a folder without __init__.py imports as an empty module "
                f"(AttributeError: module '{module}' has no attribute …).",
                f"remove {location}, then: {remedy.install(subject, names[0])}",
            )


def _on(subject: Subject, location: str) -> bool:
    named = [entry for entry in subject.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return any(Path(os.path.realpath(location)).is_relative_to(os.path.realpath(entry)) for entry in named)


def _editable(owners: list[Distribution]) -> bool:
    return any(os.path.isfile(item.path / "direct_url.json") for item in owners)  # noqa: PTH113 - as above


def _provided_otherwise(subject: Subject, module: str) -> bool:
    """Tell whether another distribution declares the module (``top_level.txt``): vendors rename TensorFlow."""
    for item in subject.winners.values():
        try:
            text = read_text(item.path / "top_level.txt", errors="replace")
        except OSError:
            continue
        if module in text.split():
            return True
    return False
