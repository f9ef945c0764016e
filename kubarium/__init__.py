"""Kubarium: a real Kubernetes-shaped cluster under glass, in your hand.

`Cluster` is the library's handle; `kubarium` on the command line is the same handle for people. In the order of use:

- `cli`, `cluster`: the two handles; `starting`, `ending`, `claims`, `remains`: a cluster's begin and end; `logs`, `usage`, `waiting`: what they read of a cluster that runs;
- `preflight`, `homes`: what has to be there first, and where clusters live; `docker_host`, `search_path`: what the environment says;
- `core`: what a cluster is made of, decided without I/O;
- `credentials`, `pki`, `signing`: keys and certificates; `kubeconfigs`: the user's own kubeconfig;
- `starter`, `supervisor`: the process that runs a cluster's programs; `import_path`, `program`: how these are found;
- `simulating`: what the scheduler would do, without a cluster;
- `network`, `mounts`, `containers`, `pidfd`: the kernel's and the engine's side of nodes;
- `node_identity`: a node's ids; `machine`, `machine_lock`: the same cluster as compose services; `compose_hosts`: those of two hosts.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubarium.cluster import Cluster, ProcessInfo
    from kubarium.errors import KubariumError
    from kubarium.simulating.simulation import simulate

__all__ = ["Cluster", "KubariumError", "ProcessInfo", "simulate"]


def __getattr__(name: str) -> Any:
    """Import the handle when it is asked for: the supervisor and the components do without it."""
    if name == "KubariumError":
        from kubarium.errors import KubariumError

        return KubariumError
    if name == "simulate":
        from kubarium.simulating.simulation import simulate

        return simulate
    if name in __all__:
        from kubarium import cluster

        return getattr(cluster, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
