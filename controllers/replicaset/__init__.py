"""The ReplicaSet controller: keep so many pods of a template running (`controllers.core.replicas`).

https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
"""

from controllers.replicaset.controller import build

__all__ = ["build"]
