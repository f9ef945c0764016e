"""What the components of a cluster may do, and what others of Kubernetes' are known to need.

Kubelets need no role, as the Node authorizer knows them; `system:node` says what it allows at most. Kubernetes' own
controllers have an identity each (`controllers`); ours have one for all of them, that of the process, so beside
`system:kube-controller-manager` that one has `kubarium:controllers`: the union of what they do.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from apiserver.core.bootstrap_rbac.rows import (
    EVENTS,
    READ,
    SYSTEM,
    account,
    binding,
    cluster_binding,
    cluster_role,
    group,
    role,
    user,
)
from machinery.model.hollow_nodes import USER as HOLLOW_NODES

Json: TypeAlias = dict[str, Any]

_UPDATE: Final = f"{READ},patch,update"
_CERTIFICATES: Final = "certificates.k8s.io"
_REQUESTS: Final = "certificatesigningrequests"
_CLIENT_SIGNER: Final = "kubernetes.io/kube-apiserver-client"
_KUBELET_SIGNER: Final = "kubernetes.io/kube-apiserver-client-kubelet"
_SIGNERS: Final = (
    f"{_CLIENT_SIGNER},{_KUBELET_SIGNER},kubernetes.io/kubelet-serving,kubernetes.io/legacy-unknown"
)
_REVIEWS: Final = (  # what tells who somebody is, and what they may do
    "create authentication.k8s.io tokenreviews",
    "create authorization.k8s.io subjectaccessreviews",
)

_NODE: Final = (
    "create authentication.k8s.io tokenreviews",
    "create authorization.k8s.io localsubjectaccessreviews,subjectaccessreviews",
    f"{READ} core services",
    f"create,{READ} core nodes",
    "patch,update core nodes/status",
    "patch,update core nodes",
    EVENTS,
    f"{READ} core pods",
    "create,delete core pods",
    "patch,update core pods/status",
    "create core pods/eviction",
    f"{READ} core configmaps,secrets",
    "get core persistentvolumeclaims,persistentvolumes",
    "get core endpoints",
    f"create,{READ} {_CERTIFICATES} {_REQUESTS}",
    "create,delete,get,patch,update coordination.k8s.io leases",
    "get storage.k8s.io volumeattachments",
    "create core serviceaccounts/token",
    "get,patch,update core persistentvolumeclaims/status",
    f"{READ} storage.k8s.io csidrivers",
    "create,delete,get,patch,update storage.k8s.io csinodes",
    f"{READ} node.k8s.io runtimeclasses",
    "get resource.k8s.io resourceclaims",
    "deletecollection resource.k8s.io resourceslices",
    "get core serviceaccounts",
)
_CONTROLLER_MANAGER: Final = (
    EVENTS,
    "create coordination.k8s.io leases",
    "get,update coordination.k8s.io leases kube-controller-manager",
    "create core secrets,serviceaccounts",
    "delete core secrets",
    "get core configmaps,namespaces,secrets,serviceaccounts",
    "update core secrets,serviceaccounts",
    *_REVIEWS,
    "list,watch * *",
    "create core serviceaccounts/token",
)
_OUR_CONTROLLERS: Final = (
    # The garbage collector and the deletion of namespaces look at every kind, and take objects away; the
    # collector also takes owners and finalizers out of them.
    f"delete,deletecollection,patch,{READ} * *",
    "create,update core configmaps,pods,serviceaccounts",
    "create core nodes/proxy,persistentvolumeclaims,persistentvolumes",
    "create storage.k8s.io volumeattachments",
    "update core namespaces/finalize,namespaces/status,nodes,nodes/status,pods/status",
    "create,update apps controllerrevisions,replicasets",
    "create,update core persistentvolumeclaims",
    "update apps deployments,deployments/status,replicasets/status",
    "create batch jobs",
    "create resource.k8s.io resourceclaims",
    "create,update discovery.k8s.io endpointslices",
    "create core endpoints,endpoints/restricted",
    f"patch,update {_CERTIFICATES} {_REQUESTS}/approval,{_REQUESTS}/status",
    f"approve {_CERTIFICATES} signers {_KUBELET_SIGNER}",
    f"sign {_CERTIFICATES} signers {_SIGNERS}",
    "patch core services,services/status",
    "escalate rbac.authorization.k8s.io clusterroles",  # an aggregated role may come to hold anything
)
_SCHEDULER: Final = (
    EVENTS,
    "create coordination.k8s.io leases",
    f"{READ},update coordination.k8s.io leases kube-scheduler",
    f"{READ} core nodes",
    f"delete,{READ} core pods",
    "create core bindings,pods/binding",
    "patch,update core pods/status",
    f"{READ} core replicationcontrollers,services",
    f"{READ} apps,extensions replicasets",
    f"{READ} apps statefulsets",
    f"{READ} policy poddisruptionbudgets",
    f"{READ} core persistentvolumeclaims,persistentvolumes",
    *_REVIEWS,
    f"{READ} storage.k8s.io csinodes",
    f"{READ} storage.k8s.io volumeattachments",
    f"{READ} core namespaces",
    f"{READ} storage.k8s.io csidrivers",
    f"{READ} storage.k8s.io csistoragecapacities",
    f"{READ} resource.k8s.io deviceclasses",
    f"{_UPDATE} resource.k8s.io resourceclaims",
    f"{_UPDATE} resource.k8s.io resourceclaims/status",
    "update core pods/finalizers",
    f"{READ} resource.k8s.io resourceslices",
    "create,delete resource.k8s.io resourceclaims",
    "patch,update resource.k8s.io resourceclaims/binding",
)
_PROXY: Final = (
    "list,watch core endpoints,services",
    f"{READ} core nodes",
    EVENTS,
    "list,watch networking.k8s.io servicecidrs",
    "list,watch discovery.k8s.io endpointslices",
)
_OUR_PROXY: Final = (  # what NetworkPolicies are about
    "list,watch core namespaces,pods",
    "list,watch networking.k8s.io networkpolicies",
)
_VOLUME_PROVISIONER: Final = (
    f"create,delete,{READ} core persistentvolumes",
    f"{READ},update core persistentvolumeclaims",
    f"{READ} storage.k8s.io storageclasses",
    "watch core events",
    EVENTS,
)
_VOLUME_SCHEDULER: Final = (
    f"{_UPDATE} core persistentvolumes",
    f"{READ} storage.k8s.io storageclasses",
    f"{_UPDATE} core persistentvolumeclaims",
)


def _csr_role(what: str) -> str:
    return f"system:{_CERTIFICATES}:{_REQUESTS}:{what}"


def _approver(name: str) -> Json:
    row = f"approve {_CERTIFICATES} signers kubernetes.io/{name}"
    return cluster_role(f"system:{_CERTIFICATES}:{name}-approver", row)


_BOOTSTRAPPERS: Final = group("system:bootstrappers")

OBJECTS: Final[tuple[Json, ...]] = (
    cluster_role("system:node", *_NODE),
    cluster_role("system:node-bootstrapper", f"create,{READ} {_CERTIFICATES} {_REQUESTS}"),
    *(
        cluster_role(_csr_role(what), f"create {_CERTIFICATES} {_REQUESTS}/{what}")
        for what in ("nodeclient", "selfnodeclient")
    ),
    *(
        _approver(name)
        for name in (
            "kube-apiserver-client",
            "kube-apiserver-client-kubelet",
            "kubelet-serving",
            "legacy-unknown",
        )
    ),
    cluster_role(
        "system:kubelet-api-admin",
        f"{READ} core nodes",
        "proxy core nodes",
        "* core nodes/log,nodes/metrics,nodes/proxy,nodes/stats",
        "* core nodes/configz,nodes/healthz,nodes/pods",
    ),
    cluster_role("system:node-problem-detector", "get core nodes", "patch core nodes/status", EVENTS),
    cluster_role("system:node-proxier", *_PROXY),
    cluster_role("kubarium:proxy", *_OUR_PROXY),
    cluster_role("system:kube-controller-manager", *_CONTROLLER_MANAGER),
    cluster_role("kubarium:controllers", *_OUR_CONTROLLERS),
    cluster_role("system:kube-scheduler", *_SCHEDULER),
    cluster_role("system:volume-scheduler", *_VOLUME_SCHEDULER),
    cluster_role("system:persistent-volume-provisioner", *_VOLUME_PROVISIONER),
    cluster_role("system:kube-aggregator", f"{READ} core endpoints,services"),
    cluster_role("system:kube-dns", "list,watch core endpoints,services"),
    cluster_role(
        "kubarium:dns",
        "list,watch core namespaces,services",
        "list,watch discovery.k8s.io endpointslices",
    ),
    cluster_role(
        "system:heapster", f"{READ} core events,namespaces,nodes,pods", f"{READ} extensions deployments"
    ),
    cluster_binding("system:node"),  # to nobody, since the Node authorizer is there
    cluster_binding("system:node-proxier", user("system:kube-proxy")),
    cluster_binding("kubarium:proxy", user("system:kube-proxy")),
    cluster_binding("system:kube-controller-manager", user("system:kube-controller-manager")),
    cluster_binding("kubarium:controllers", user("system:kube-controller-manager")),
    cluster_binding("system:kube-scheduler", user("system:kube-scheduler")),
    cluster_binding("system:volume-scheduler", user("system:kube-scheduler")),
    cluster_binding("system:kube-dns", account("kube-dns")),
    cluster_binding("kubarium:dns", user("system:kube-dns"), account("kube-dns")),
    role(
        "kubarium:dns-announcer",
        SYSTEM,
        "create core services",
        "patch core services kube-dns",
        "create,delete,patch discovery.k8s.io endpointslices",
    ),
    binding("kubarium:dns-announcer", SYSTEM, user("system:kube-dns")),
    role("kubarium:dns-settings", SYSTEM, "get,list,watch core configmaps kubarium-dns"),
    binding("kubarium:dns-settings", SYSTEM, user("system:kube-dns"), account("kube-dns")),
    cluster_binding(
        "kubarium:apiserver-kubelet-client",
        user("kube-apiserver-kubelet-client"),
        to="system:kubelet-api-admin",
    ),
    cluster_binding("kubarium:hollow-nodes", user(HOLLOW_NODES), to="system:node"),
    cluster_binding("kubarium:kubelet-bootstrap", _BOOTSTRAPPERS, to="system:node-bootstrapper"),
    cluster_binding("kubarium:node-autoapprove-bootstrap", _BOOTSTRAPPERS, to=_csr_role("nodeclient")),
    cluster_binding(
        "kubarium:node-autoapprove-certificate-rotation",
        group("system:nodes"),
        to=_csr_role("selfnodeclient"),
    ),
)
