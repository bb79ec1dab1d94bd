"""Distributions that install the same files: the one installed last wins, and uninstalling one breaks the other.

pip does not notice (https://github.com/pypa/pip/issues/4625). What is shared is told from the RECORDs of families
that are known for it; reading every RECORD would take longer than everything else together.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from imageai_envs.base.finding import Finding
from imageai_envs.doctor import remedy
from imageai_envs.request.stack import KERASES, MODULES, OPENCVS

if TYPE_CHECKING:
    from imageai_envs.doctor.subject import Subject
    from imageai_envs.installed.distributions import Distribution


@dataclass(frozen=True)
class _Family:
    """Distributions of one package, in the order in which they are worth keeping."""

    names: tuple[str, ...]
    cause: str
    link: str


_FAMILIES = (
    _Family(
        MODULES["tensorflow"],
        "Both install the package tensorflow. What is there now is a mixture, and uninstalling either leaves the other "
        "without files (AttributeError: module 'tensorflow' has no attribute '__version__').",
        "https://github.com/tensorflow/tensorflow/issues/24694",
    ),
    _Family(
        KERASES,
        "Both install the package keras: tensorflow 2.5 asks for keras-nightly, keras-resnet for keras. Mixed files: "
        "AttributeError: module 'keras.utils.generic_utils' has no attribute 'populate_dict_with_module_objects'.",
        "https://github.com/tensorflow/tensorflow/issues/49179",
    ),
    _Family(
        OPENCVS,
        "All four OpenCV distributions install the package cv2. The one installed last won: with a headless one "
        "cv2.imshow fails ('The function is not implemented'), and uninstalling either removes cv2 for both.",
        "https://github.com/opencv/opencv-python/issues/467",
    ),
    _Family(
        ("tensorboard", "tb-nightly"),
        "Both install the package tensorboard (ValueError: Duplicate plugins for name projector).",
        "https://github.com/tensorflow/tensorboard/issues/2748",
    ),
    _Family(
        ("tensorflow-estimator", "tf-estimator-nightly"),
        "Both install the package tensorflow_estimator.",
        "https://github.com/pypa/pip/issues/4625",
    ),
    _Family(
        ("pillow", "pillow-simd", "pil"),
        "Both install the package PIL.",
        "https://github.com/pypa/pip/issues/4625",
    ),
)  # fmt: skip


def inspect(subject: Subject) -> list[Finding]:
    """Find families with two members in one directory that have files in common."""
    findings = []
    for family in _FAMILIES:
        present = [subject.winners[name] for name in family.names if name in subject.winners]
        for kept, other in combinations(present, 2):
            if kept.site == other.site and (shared := kept.hashes.keys() & other.hashes.keys()):
                findings.append(_finding(subject, family, kept, other, shared))
    return findings


def _finding(subject: Subject, family: _Family, kept: Distribution, other: Distribution, shared: set[str]) -> Finding:
    files = sorted(path for path in shared if "__pycache__" not in path)
    different = [path for path in files if kept.hashes[path] != other.hashes[path]]
    example = next(
        (path for path in different or files if path.endswith("__init__.py")), (different or files or [""])[0]
    )
    evidence = (
        f"{kept.name} {kept.version} and {other.name} {other.version} share {len(files)} files, "
        f"{len(different)} of them with different contents, such as {example}"
        if different
        else f"{kept.name} {kept.version} and {other.name} {other.version} share {len(files)} files, such as {example}"
    )
    return Finding(
        "overlap",
        "error" if different else "warning",
        f"{kept.name}, {other.name}",
        evidence,
        family.cause,
        remedy.reinstall(subject, (kept.name, other.name), f"{kept.name}=={kept.version}"),
        link=family.link,
    )
