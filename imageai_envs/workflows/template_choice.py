"""Which of several templates that answer equally serves this machine: by its Pythons, and by its driver for a GPU."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

from packaging.version import Version

from imageai_envs.base.errors import ImageAIEnvError
from imageai_envs.engines.uv import find_uv
from imageai_envs.installed.cuda_builds import build_of, obstacle
from imageai_envs.interpreters import within_reach
from imageai_envs.request.request import Request
from imageai_envs.templates.catalog import select

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imageai_envs.base.context import Context
    from imageai_envs.doctor.nvidia import Driver
    from imageai_envs.templates.template import Template


class MachineChoice:
    """Takes the first template for which a Python is within reach and that the driver and the GPUs here serve.

    One that they do not serve is taken when they serve none: it may be built for another machine.

    Attributes:
        reason: why it was that one; empty for the first without a GPU.
    """

    def __init__(
        self, variant: str, wanted: str | None, context: Context, *, download: bool, newest: bool = False
    ) -> None:
        """Choose for a variant and the Python that was asked for.

        Args:
            variant: ``cpu`` or ``gpu``.
            wanted: the Python.
            context: directories of the command.
            download: a missing Python may be fetched.
            newest: the newest minor is preferred.
        """
        self._variant, self._wanted, self._context = variant, wanted, context
        self._download, self._newest = download, newest
        self.reason = ""

    def __call__(self, templates: Sequence[Template]) -> Template:
        """Return one of ``templates``, the preferred ones first."""
        if self._newest:
            templates = sorted(templates, key=lambda one: Version(one.minor), reverse=True)
        can_fetch = self._download and find_uv() is not None
        reached = [one for one in templates if within_reach(one, self._wanted, self._context, can_fetch=can_fetch)]
        passed = []
        if reached and reached[0] is not templates[0]:
            asked = f"Python {self._wanted} was asked for" if self._wanted else "none is here"
            passed = [f"{templates[0].name} needs Python {templates[0].python_words()}, and {asked}"]
        chosen = (reached or templates)[0]
        if self._variant == "gpu" and sys.platform == "linux" and platform.machine() == "x86_64":
            chosen, told = for_driver(reached or templates, _driver())
            passed += told
        self.reason = "; ".join(passed)
        return chosen


def name_another(
    error: ImageAIEnvError, template: Template, variant: str, wanted: str | None, context: Context
) -> None:
    """Add to the hint of ``error`` the newest release for which a Python is here, where ``template`` has none."""
    choice = MachineChoice(variant, wanted, context, download=False, newest=True)
    request = Request(imageai=template.imageai.version, variant=variant, python=wanted)
    try:
        other = select(request, context.home, choice).template
    except ImageAIEnvError:  # nobody but this template has its ImageAI
        return
    if other.name != template.name and within_reach(other, wanted, context, can_fetch=False):
        where = f"Python {wanted}" if wanted else "a Python that is here"
        error.hint = f"{error.hint}; or {other.framework.option} {other.minor}, which runs on {where}"


def for_driver(templates: Sequence[Template], driver: Driver | None) -> tuple[Template, list[str]]:
    """Return the first template whose CUDA runs with a driver and its GPUs, and why: what was passed over first."""
    if driver is None or not driver.version:
        return templates[0], ["no driver of NVIDIA is here to choose by"]
    gpus = [gpu.capability for gpu in driver.gpus if gpu.capability]
    passed: list[str] = []
    for template in templates:
        build = build_of(template.framework.name, template.newest)
        why_not = obstacle(build, driver.version, gpus) if build else ""
        if not why_not:
            cuda = f" serves its CUDA {build.cuda}" if build else ""
            return template, [*passed, f"NVIDIA's driver {driver.version}{cuda or ' is here'}"]
        passed.append(f"{template.name}: {why_not}")
    return templates[0], passed


def _driver() -> Driver | None:
    from imageai_envs.doctor import nvidia

    return nvidia.driver(os.environ, nvidia.Sources())
