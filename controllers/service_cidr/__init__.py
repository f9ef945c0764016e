"""The ServiceCIDR controller: ranges of Services' addresses are ready, and go when nobody has an address of theirs.

controller  what it watches, whom a change concerns, what it looks at
plan        the finalizer and the condition of a range

Addresses are given out by the apiserver (`apiserver.allocation`).
https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/, KEP-1880
"""

from controllers.service_cidr.controller import build

__all__ = ["build"]
