"""All hostile inputs."""

from __future__ import annotations

from tests.hostile.locks import LOCKS
from tests.hostile.requirements import REQUIREMENTS
from tests.hostile.templates import TEMPLATES

INPUTS = (*LOCKS, *TEMPLATES, *REQUIREMENTS)
