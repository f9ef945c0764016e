"""Kubarium: a real Kubernetes-shaped cluster under glass, in your hand.

`Cluster` is the library's handle; `kubarium` on the command line is the same handle for people. In the order of use:

- `cli`, `cluster`: the two handles; `core`: what can be asked for and what a cluster is made of, decided without I/O;
- `beginning`, `starting`, `ending`, `claims`, `remains`, `patience`: a cluster's begin and end; `membership`, `joining`: of machines in it;
- `running`, `nodes`, `logs`, `waiting`: a cluster that runs, asked and changed; `recommendations`, `explanations`, `tunnels`, `net`: questions about it;
- `preflight`, `homes`: what has to be there first, and where clusters live;
- `identity`: keys, certificates, kubeconfigs, the ids of nodes; `host`: the kernel's and the engine's side of nodes;
- `starter`, `supervisor`: the process that runs a cluster's programs; `import_path`, `program`: how these are found;
- `simulating`: what the scheduler would do, without a cluster; `machine`: the same cluster as compose services.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubarium.cluster import Cluster
    from kubarium.core.options.up_options import UpOptions
    from kubarium.errors import KubariumError
    from kubarium.running import ProcessInfo
    from kubarium.simulating.simulation import simulate

__all__ = ["Cluster", "KubariumError", "ProcessInfo", "UpOptions", "simulate"]

_HOMES = {
    "Cluster": "kubarium.cluster",
    "KubariumError": "kubarium.errors",
    "ProcessInfo": "kubarium.running",
    "UpOptions": "kubarium.core.options.up_options",
    "simulate": "kubarium.simulating.simulation",
}


def __getattr__(name: str) -> Any:
    """Import the handle when it is asked for: the supervisor and the components do without it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
