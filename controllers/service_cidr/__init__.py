"""The ServiceCIDR controller: ranges of Services' addresses are ready, and go when nobody has an address of theirs.

controller  what it watches, whom a change concerns, what it looks at
plan        the finalizer and the condition of a range

Addresses are given out by the apiserver (`apiserver.allocation`).
https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/, KEP-1880

Differs: IPv4 only; a range that is being deleted does not stand for one that goes.
"""

from controllers.service_cidr.controller import build

__all__ = ["build"]
