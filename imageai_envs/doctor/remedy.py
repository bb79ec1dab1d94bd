"""The commands that fix what inspections find, for the environment at hand: ours, another's, or none at all."""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import TYPE_CHECKING

from packaging.version import Version

from imageai_envs.base.paths import shipped_templates
from imageai_envs.doctor.subject import release
from imageai_envs.request.framework import TORCH

if TYPE_CHECKING:
    from imageai_envs.doctor.subject import Subject
    from imageai_envs.request.framework import Framework

_USUAL = "2.10"  # where nothing says which
_TEMPLATE = re.compile(r"tf([0-9]+)\.([0-9]+)")


@cache
def minors() -> tuple[str, ...]:
    """Return the TensorFlow minors with a shipped template, oldest first.

    By the names of the files: reading the templates for one sentence would cost more than the whole diagnosis.
    """
    found = filter(None, (_TEMPLATE.fullmatch(path.stem) for path in shipped_templates().glob("tf*.toml")))
    known = sorted((int(match[1]), int(match[2])) for match in found)
    return tuple(f"{major}.{minor}" for major, minor in known) or (_USUAL,)


def fresh(subject: Subject, *, gpu: bool = False) -> str:
    """Return the command that makes a clean environment for what was found; ``rescue`` makes the same choice.

    The TensorFlow that is there, or the nearest one; ImageAI 3 without a TensorFlow, or with all of PyTorch beside
    one, and PyTorch alone: ImageAI 3; an old ImageAI alone: the TensorFlow that it was written for.

    Args:
        subject: what was looked at.
        gpu: for the CUDA of TensorFlow, which the template of TensorFlow 1 has no variant for.
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
        return f"imageai-env create myproj --tf {minors()[0] if subject.has('imageai', '<2.1.6') else _USUAL}"
    return f"imageai-env create myproj --tf {_near(found)}{_python(subject, found)}"


def _python(subject: Subject, found: Version) -> str:
    """Return the option for the Python that is used, where it is one that older TensorFlows do not have."""
    facts = subject.facts
    if facts is None or facts.version[:2] < (3, 11) or not subject.has_tensorflow(">=2.12"):
        return ""
    if _near(found) != f"{found.major}.{found.minor}":
        return ""
    return f" --python {facts.minor}"


def with_gpu(framework: Framework) -> str:
    """Return the command that makes an environment for the GPU when nothing else is known."""
    wanted = "--imageai 3" if framework is TORCH else f"--tf {_USUAL}"
    return f"imageai-env create myproj {wanted} --gpu"


def _near(found: Version) -> str:
    """Return the TensorFlow minor with a template that is nearest to one that was found."""
    wanted = (found.major, found.minor)
    return next((minor for minor in minors() if Version(minor).release >= wanted), minors()[-1])


def install(subject: Subject, *requirements: str) -> str:
    """Return the command that brings distributions to these versions.

    Never into a global installation: there the fix is an environment of its own.
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
