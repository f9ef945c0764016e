"""The intervals of a cluster, in one table: every component reads its own from the row that `--profile` names.

`default` holds Kubernetes' own values (v1.36), `fast` shorter ones with the same order between them, so that a
dead node's pods run elsewhere within seconds. All are cluster seconds: `--time-scale` shortens either row further.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

ProfileName = Literal["default", "fast"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """One row. A node is healthy while grace > several renewals; a lease outlives several renewals too."""

    node_lease_duration_s: int = 40  # spec.leaseDurationSeconds of a node's Lease
    node_lease_renew_s: float = 10.0  # a quarter of it: the kubelet's heartbeat
    node_status_update_s: float = 10.0  # how often the kubelet looks whether its status has changed
    node_status_report_s: float = 300.0  # how often it reports a status that has not changed
    node_monitor_period_s: float = 5.0  # how often the node lifecycle controller looks
    node_monitor_grace_s: float = 50.0  # without a heartbeat for so long a node is Unknown
    node_startup_grace_s: float = 60.0  # the same for a node that has never reported
    default_toleration_s: int = 300  # of not-ready and unreachable, for pods that name none
    leader_lease_s: float = 15.0  # a standby that has seen no renewal for so long takes over
    leader_renew_deadline_s: float = 10.0  # a leader that could not renew for so long has stopped
    leader_retry_s: float = 2.0  # how often a leader renews; a standby that cannot watch asks about so often


INTERVALS: Final[dict[ProfileName, Intervals]] = {
    "default": Intervals(),
    "fast": Intervals(
        node_lease_duration_s=2,
        node_lease_renew_s=0.5,
        node_status_update_s=1.0,
        node_status_report_s=30.0,
        node_monitor_period_s=0.25,
        node_monitor_grace_s=2.0,
        node_startup_grace_s=4.0,
        default_toleration_s=1,
        leader_lease_s=3.0,
        leader_renew_deadline_s=2.0,
        leader_retry_s=0.5,
    ),
}


def intervals(profile: ProfileName) -> Intervals:
    """Return the row of a profile."""
    return INTERVALS[profile]
