"""The commands that mend what inspections find, for the environment at hand: ours, another's, or none at all."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from imageai_envs.doctor.subject import release

if TYPE_CHECKING:
    from packaging.version import Version

    from imageai_envs.doctor.subject import Subject

# TensorFlow minors with a template (templates/tf*.toml; a test holds this to them). Reading the templates for one
# sentence would cost more than the whole diagnosis.
MINORS = ("1.15", *(f"2.{minor}" for minor in range(4, 16)))
_USUAL = "2.10"  # where nothing says which


def fresh(subject: Subject, *, gpu: bool = False) -> str:
    """Return the command that makes a clean environment for what was found: ``rescue`` chooses alike.

    The TensorFlow that is there, or the nearest one; ImageAI 3 without a TensorFlow, or with all of PyTorch beside
    one, and PyTorch alone: ImageAI 3; an old ImageAI alone: the TensorFlow that it was written for.

    Args:
        subject: what was looked at.
        gpu: for CUDA, which the templates of TensorFlow 1 and PyTorch have no variant for.
    """
    found = release(subject.tensorflow.version) if subject.tensorflow else None
    if gpu:
        return f"imageai-env create myproj --tf {_near(found) if found and found.major >= 2 else _USUAL} --gpu"
    torch = [name for name in ("torch", "torchvision") if subject.has(name)]
    if subject.has("imageai", ">=3"):
        newer = found is None or len(torch) > 1
    else:
        newer = found is None and bool(torch) and not subject.has("imageai")
    if newer:
        return "imageai-env create myproj --imageai 3"
    if found is None:
        return f"imageai-env create myproj --tf {MINORS[0] if subject.has('imageai', '<2.1.6') else _USUAL}"
    return f"imageai-env create myproj --tf {_near(found)}"


def _near(found: Version) -> str:
    """Return the TensorFlow minor with a template that is nearest to one that was found."""
    minor = f"{found.major}.{found.minor}"
    oldest_of_2 = MINORS[1]
    older = MINORS[0] if found.major < 2 else oldest_of_2
    return minor if minor in MINORS else MINORS[-1] if (found.major, found.minor) > (2, 4) else older


def install(subject: Subject, *requirements: str) -> str:
    """Return the command that brings distributions to these versions.

    Never into a global installation: there the cure is an environment of its own.
    """
    if subject.environment:
        return subject.environment.fix_by("repair")
    if subject.kind == "global":
        return fresh(subject)
    return f"{_pip(subject, 'install')} {' '.join(map(shlex.quote, requirements))}"


def uninstall(subject: Subject, *names: str) -> str:
    """Return the command that removes distributions; from a global installation too, pip knows what it put there."""
    if subject.environment:
        return subject.environment.fix_by("repair")
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
