"""Kubarium: a real Kubernetes-shaped cluster under glass, in your hand.

`Cluster` is the library's handle; `kubarium` on the command line is the same handle for people.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubarium.cluster import Cluster, ProcessInfo
    from kubarium.errors import KubariumError

__all__ = ["Cluster", "KubariumError", "ProcessInfo"]


def __getattr__(name: str) -> Any:
    """Import the handle when it is asked for: the supervisor and the components do without it."""
    if name == "KubariumError":
        from kubarium.errors import KubariumError

        return KubariumError
    if name in __all__:
        from kubarium import cluster

        return getattr(cluster, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
