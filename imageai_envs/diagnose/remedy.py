"""The commands that mend what inspections find, for the environment at hand: ours, another's, or none at all."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from imageai_envs.diagnose.subject import release

if TYPE_CHECKING:
    from imageai_envs.diagnose.subject import Subject

# TensorFlow minors with a template (templates/tf*.toml; a test holds this to them). Reading the templates for one
# sentence would cost more than the whole diagnosis.
MINORS = ("1.15", *(f"2.{minor}" for minor in range(4, 16)))
_USUAL = "2.10"  # where nothing says which


def fresh(subject: Subject) -> str:
    """Return the command that makes a clean environment with the TensorFlow that was found, or the nearest one.

    Without TensorFlow, ImageAI 3 that has its PyTorch is what is wanted; without PyTorch too, nobody knows.
    """
    found = release(subject.tensorflow.version) if subject.tensorflow else None
    if found is None:
        imageai = release(subject.version("imageai") or "")
        if imageai is not None and imageai.major >= 3 and subject.has("torch"):
            return "imageai-env create myproj --imageai 3"
        return f"imageai-env create myproj --tf {_USUAL}"
    minor = f"{found.major}.{found.minor}"
    oldest_of_2 = MINORS[1]
    older = MINORS[0] if found.major < 2 else oldest_of_2
    nearest = minor if minor in MINORS else MINORS[-1] if (found.major, found.minor) > (2, 4) else older
    return f"imageai-env create myproj --tf {nearest}"


def install(subject: Subject, *requirements: str) -> str:
    """Return the command that brings distributions to these versions.

    Never into a global installation: there the cure is an environment of its own.
    """
    if subject.environment:
        return f"imageai-env repair {subject.environment.name}"
    if subject.kind == "global":
        return fresh(subject)
    return f"{_pip(subject, 'install')} {' '.join(map(shlex.quote, requirements))}"


def uninstall(subject: Subject, *names: str) -> str:
    """Return the command that removes distributions; from a global installation too, pip knows what it put there."""
    if subject.environment:
        return f"imageai-env repair {subject.environment.name}"
    return f"{_pip(subject, 'uninstall')} {' '.join(names)}"


def reinstall(subject: Subject, remove: tuple[str, ...], *requirements: str) -> str:
    """Return the commands that remove distributions which share files, then install what is to stay."""
    if subject.environment or subject.kind == "global":
        return install(subject)
    return f"{uninstall(subject, *remove)} && {install(subject, *requirements)}"


def _pip(subject: Subject, verb: str) -> str:
    python = shlex.quote(str(subject.executable))
    if subject.version("pip") is None and subject.facts is not None:  # as uv makes environments
        return f"uv pip {verb} --python {python}"
    return f"{python} -m pip {verb}{' -y' if verb == 'uninstall' else ''}"
