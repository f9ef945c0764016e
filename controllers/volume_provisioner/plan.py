"""Plan for a claim, or for a volume."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from controllers.core.actions import NO_FACTS, Facts, Plan
from controllers.core.moment import Moment
from controllers.volume_provisioner.deleting import SeenVolume, plan_volume
from controllers.volume_provisioner.making import SeenClaim, plan_claim

Seen: TypeAlias = SeenClaim | SeenVolume


def plan(seen: Seen, _moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for what was looked at."""
    match seen:
        case SeenClaim():
            return plan_claim(seen, facts)
        case SeenVolume():
            return plan_volume(seen, facts)
        case _:
            assert_never(seen)
