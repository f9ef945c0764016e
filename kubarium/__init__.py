"""Kubarium: a real Kubernetes-shaped cluster under glass, in your hand.

`Cluster` is the library's handle; `kubarium` on the command line is the same handle for people.
"""

from kubarium.cluster import Cluster, ProcessInfo
from kubarium.errors import KubariumError

__all__ = ["Cluster", "KubariumError", "ProcessInfo"]
