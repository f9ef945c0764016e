"""The ReplicationController controller: what ReplicaSets have replaced, by the same plan (`controllers.core.replicas`).

https://kubernetes.io/docs/concepts/workloads/controllers/replicationcontroller/
"""

from controllers.replicationcontroller.controller import build

__all__ = ["build"]
