"""The pod garbage collector: pods that nobody else will ever end.

controller  what it watches and looks at: always all pods; since when it has missed a node
plan        which pods are ended, and how

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection
"""

from controllers.pod_gc.controller import build

__all__ = ["build"]
