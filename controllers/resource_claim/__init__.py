"""Claims of devices: made for pods from templates, freed when no pod uses them any more, and gone with their pods.

controller   what it watches: pods that have claims, claims, and templates that come
pod_plan     which claims of a pod are missing, and what its status says of them
claim_plan   who still uses a claim, whether it keeps its devices, and whether it is still needed

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/

Differs: the finalizer of a claim that has lost its devices goes some seconds later, at a revision of its own, so that a
process which dies in between leaves nothing behind. Pods are not evicted from devices with taints (not stable in v1.36).
"""

from controllers.resource_claim.controller import build

__all__ = ["build"]
