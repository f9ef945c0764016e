"""How many pods like one fit into a world as it is: replicas are placed one after the other until one fits nowhere.

The replicas share what the pod names (claims, host ports of one node…), as those of a Deployment would. The world is as before afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from msgspec import structs

from scheduler.core.simulation.placing import Left, Placed, Placing, Profiles
from scheduler.core.simulation.world import Member, World


@dataclass(frozen=True, slots=True)
class Capacity:
    """What there is room for."""

    member: Member
    number: int
    nodes: Counter[str]  # replicas by node
    left: Left | None  # why there are not more; None: as many as were tried fit


def count_fitting(
    member: Member, world: World, profiles: Profiles, tie_breaks: Callable[[], float], *, most: int
) -> Capacity:
    """Return how many replicas of a pod fit, of at most `most`."""
    placing = Placing(world, profiles, tie_breaks, preempts=False)
    placed: list[Placed] = []
    left: Left | None = None
    while len(placed) < most:
        [result] = placing.run([_replica(member, len(placed))]).values()
        if isinstance(result, Left):
            left = replace(result, member=member)
            break
        placed.append(result)
    for each in reversed(placed):
        placing.undo(each)
    return Capacity(member, len(placed), Counter(each.decision.node for each in placed), left)


def _replica(member: Member, number: int) -> Member:
    info = structs.replace(member.info, uid=f"{member.info.uid}+{number}", node="")
    return replace(member, info=info)
