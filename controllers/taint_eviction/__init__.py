"""Evict the pods that do not tolerate their node's NoExecute taints, at the end of their patience.

controller  what it watches and looks at
ages        since when each node has its taints
plan        which pods have to go, and when the next ones will have to

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions
"""

from controllers.taint_eviction.controller import build

__all__ = ["build"]
