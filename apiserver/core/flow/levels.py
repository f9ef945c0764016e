"""The priority levels, with Kubernetes' shares, in the order in which they are served when a seat is free.

    level            shares   of which it lends     whose
    exempt                -   -                     system:masters: never waits, takes no seat
    leader-election      10   0 %                   elections of the system's own components
    node-high            40   25 %                  leases, nodes and node status of kubelets
    system               30   33 %                  everything else that kubelets ask
    workload-high        40   50 %                  controllers, scheduler, proxies, ServiceAccounts of kube-system
    workload-low        100   90 %                  all other ServiceAccounts
    global-default       20   50 %                  everybody else
    catch-all             5   0 %                   whoever is neither authenticated nor known as a stranger; never waits

A level's nominal seats are its share of all. What it lends is anybody's while it does not need it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple

EXEMPT: Final = "exempt"


@dataclass(frozen=True, slots=True)
class Level:
    """One priority level."""

    name: str
    shares: int
    lendable_percent: int
    queue_length: int = 300  # requests of one flow that may wait: in Kubernetes, a hand of 6 queues of 50
    queued: int = 3_200  # requests of all flows that may wait
    borrowing_percent: int | None = (
        None  # of its nominal seats that it may have beside them; None: any number
    )


LEVELS: Final = (
    Level("leader-election", 10, 0, queue_length=200, queued=800),
    Level("node-high", 40, 25),
    Level("system", 30, 33),
    Level("workload-high", 40, 50),
    Level("workload-low", 100, 90),
    Level("global-default", 20, 50),
    Level("catch-all", 5, 0, queue_length=0),
)


class Share(NamedTuple):
    """What a level has of all seats."""

    nominal: int
    own: int  # seats of these that it does not lend
    most: int | None = None  # seats that it may have with those that it borrows; None: any number


def shares_of(total: int, levels: tuple[Level, ...] = LEVELS) -> dict[str, Share]:
    """Divide the seats; every level has one of its own at least."""
    whole = sum(level.shares for level in levels) or 1
    shares = {}
    for level in levels:
        nominal = ceil(total * level.shares / whole)
        lent = nominal * level.lendable_percent // 100
        borrowed = None if level.borrowing_percent is None else nominal * level.borrowing_percent // 100
        most = None if borrowed is None else max(1, nominal + borrowed)
        shares[level.name] = Share(nominal, max(1, nominal - lent), most)
    return shares
