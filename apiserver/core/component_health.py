"""ComponentStatuses: how the components do, as objects that are made when they are asked for.

Kubernetes fetches /healthz of the scheduler and the controllers from ports of its own machine. Here they listen on no port,
and may run anywhere; what shows that they work is the lease that the leading one renews. So what is unhealthy here is a
component none of whose instances leads.
"""

from __future__ import annotations

from typing import Final

from apiserver.core.values import Json, spec
from machinery.model.kinds import KindNames

STORE: Final = "etcd-0"
LEASES: Final = {"controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler"}
"""What leads under which lease of kube-system."""
NAMES: Final = tuple(sorted((*LEASES, STORE)))
_OK: Final = "ok"


def lease_problem(lease: Json, renewed_s: float, now_s: float) -> str:
    """Return why a lease says that nobody leads; "" while somebody does. Both times are of the same clock."""
    said, meta = spec(lease), lease["metadata"]
    named = f"lease {meta['namespace']}/{meta['name']}"
    if not said.get("holderIdentity"):
        return f"{named} is held by nobody"
    age_s = now_s - renewed_s
    if age_s <= said.get("leaseDurationSeconds", 0):
        return ""
    return f"{named} was renewed by {said['holderIdentity']} {age_s:.0f}s ago, the last time"


def status_of(kind: KindNames, name: str, problem: str) -> Json:
    """Return a component's status; `problem` is "" for one that does well."""
    condition = {"type": "Healthy", "status": "False" if problem else "True"}
    condition |= {"error": problem} if problem else {"message": _OK}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name},
        "conditions": [condition],
    }
