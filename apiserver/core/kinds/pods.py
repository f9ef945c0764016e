"""Pod"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind, Subresource, own_status

PODS = Kind(
    group="",
    version="v1",
    plural="pods",
    singular="pod",
    kind="Pod",
    definition="io.k8s.api.core.v1.Pod",
    namespaced=True,
    storage_prefix="/registry/pods",
    short_names=("po",),
    categories=("all",),
    subresources={
        "status": own_status("Pod", ""),
        "binding": Subresource("Binding", "", "v1", ("create",)),
        "eviction": Subresource("Eviction", "policy", "v1", ("create",)),
        "log": Subresource("Pod", "", "v1", ("get",)),
        "exec": Subresource("PodExecOptions", "", "v1", ("create", "get")),
        "attach": Subresource("PodAttachOptions", "", "v1", ("create", "get")),
        "portforward": Subresource("PodPortForwardOptions", "", "v1", ("create", "get")),
    },
    graceful=True,
)
