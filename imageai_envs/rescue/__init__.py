"""From someone's requirements, or a broken environment, to a clean one that works."""

from imageai_envs.rescue.choosing import RescueOptions
from imageai_envs.rescue.planning import Rescue, carry_out, check_name, plan_rescue, plan_rescue_of, write_lock_to

__all__ = ["Rescue", "RescueOptions", "carry_out", "check_name", "plan_rescue", "plan_rescue_of", "write_lock_to"]
