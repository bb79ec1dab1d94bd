"""All hostile inputs."""

from __future__ import annotations

from tests.hostile.environments import ENVIRONMENTS
from tests.hostile.locks import LOCKS
from tests.hostile.names import NAMES
from tests.hostile.requirements import REQUIREMENTS
from tests.hostile.templates import TEMPLATES
from tests.hostile.variables import VARIABLES

INPUTS = (*LOCKS, *TEMPLATES, *REQUIREMENTS, *ENVIRONMENTS, *VARIABLES, *NAMES)
