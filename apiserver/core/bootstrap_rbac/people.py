"""What people, programs in pods, extension servers and whoever asks may be given, or have anyway.

`admin`, `edit` and `view` gather the rules of all roles with their label: what an operator adds for a custom resource
counts, too.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from apiserver.core.authz.attributes import AUTHENTICATED, MASTERS, UNAUTHENTICATED
from apiserver.core.bootstrap_rbac.rows import (
    READ,
    SYSTEM,
    WRITE,
    aggregated,
    binding,
    cluster_binding,
    cluster_role,
    group,
    role,
    user,
)

Json: TypeAlias = dict[str, Any]

_APPS: Final = "deployments,deployments/scale,replicasets,replicasets/scale"  # and more of them in each rule
_HEALTH: Final = "/healthz,/livez,/readyz"
_WHOM_TO_BELIEVE: Final = "extension-apiserver-authentication"  # a ConfigMap, for servers of APIServices
_METRICS_READER: Final = "system:aggregated-metrics-reader"  # as metrics-server's manifest has it
_VERSION: Final = "/version,/version/"

_VIEW: Final = (
    (
        f"{READ} core configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,"
        "replicationcontrollers/scale,serviceaccounts,services,services/status"
    ),
    (
        f"{READ} core bindings,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,"
        "resourcequotas,resourcequotas/status"
    ),
    f"{READ} core namespaces",  # in a role of a namespace: this one
    f"{READ} core,events.k8s.io events",
    f"{READ} discovery.k8s.io endpointslices",
    (
        f"{READ} apps {_APPS},controllerrevisions,daemonsets,daemonsets/status,deployments/status,replicasets/status,"
        "statefulsets,statefulsets/scale,statefulsets/status"
    ),
    f"{READ} autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status",
    f"{READ} batch cronjobs,cronjobs/status,jobs,jobs/status",
    (
        f"{READ} extensions {_APPS},daemonsets,daemonsets/status,deployments/status,ingresses,ingresses/status,"
        "networkpolicies,replicasets/status,replicationcontrollers/scale"
    ),
    f"{READ} policy poddisruptionbudgets,poddisruptionbudgets/status",
    f"{READ} networking.k8s.io ingresses,ingresses/status,networkpolicies",
    f"{READ} resource.k8s.io resourceclaims,resourceclaims/status,resourceclaimtemplates",
)
_EDIT: Final = (
    f"{READ} core pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy",
    "impersonate core serviceaccounts",
    f"{WRITE} core pods,pods/attach,pods/exec,pods/portforward,pods/proxy",
    "create core pods/eviction",
    (
        f"{WRITE} core configmaps,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,"
        "serviceaccounts,services,services/proxy"
    ),
    "create core serviceaccounts/token",
    f"{WRITE} core,events.k8s.io events",
    f"{WRITE} apps {_APPS},daemonsets,deployments/rollback,statefulsets,statefulsets/scale",
    f"{WRITE} autoscaling horizontalpodautoscalers",
    f"{WRITE} batch cronjobs,jobs",
    f"{WRITE} extensions {_APPS},daemonsets,deployments/rollback,ingresses,networkpolicies,replicationcontrollers/scale",
    f"{WRITE} policy poddisruptionbudgets",
    f"{WRITE} networking.k8s.io ingresses,networkpolicies",
    f"{READ},{WRITE} coordination.k8s.io leases",
    f"{WRITE} resource.k8s.io resourceclaims,resourceclaimtemplates",
)
_ADMIN: Final = (
    "create authorization.k8s.io localsubjectaccessreviews",
    f"{READ},{WRITE} rbac.authorization.k8s.io rolebindings,roles",
)

OBJECTS: Final[tuple[Json, ...]] = (
    cluster_role("cluster-admin", "* * *", "* *"),
    aggregated("admin"),
    aggregated("edit", part_of="admin"),
    aggregated("view", part_of="edit"),
    cluster_role("system:aggregate-to-admin", *_ADMIN, part_of="admin"),
    cluster_role("system:aggregate-to-edit", *_EDIT, part_of="edit"),
    cluster_role("system:aggregate-to-view", *_VIEW, part_of="view"),
    cluster_role(_METRICS_READER, f"{READ} metrics.k8s.io nodes,pods", part_of="view"),
    cluster_role(
        "system:basic-user",
        "create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews",
        "create authentication.k8s.io selfsubjectreviews",
    ),
    cluster_role(
        "system:discovery", f"get {_HEALTH},{_VERSION},/api,/api/*,/apis,/apis/*,/openapi,/openapi/*"
    ),
    cluster_role("system:public-info-viewer", f"get {_HEALTH},{_VERSION}"),
    cluster_role(
        "system:monitoring",
        f"get {_HEALTH},/healthz/*,/livez/*,/readyz/*,/metrics,/metrics/slis",
        "get /flagz",
        "get /statusz",
        "get core nodes/metrics",
    ),
    cluster_role(
        "system:service-account-issuer-discovery",
        "get /.well-known/openid-configuration,/.well-known/openid-configuration/,/openid/v1/jwks,/openid/v1/jwks/",
    ),
    cluster_role(
        "system:auth-delegator",
        "create authentication.k8s.io tokenreviews",
        "create authorization.k8s.io subjectaccessreviews",
    ),
    role(f"{_WHOM_TO_BELIEVE}-reader", SYSTEM, f"{READ} core configmaps {_WHOM_TO_BELIEVE}"),
    cluster_binding("cluster-admin", group(MASTERS)),
    cluster_binding("system:basic-user", group(AUTHENTICATED)),
    cluster_binding("system:discovery", group(AUTHENTICATED)),
    cluster_binding("system:public-info-viewer", group(AUTHENTICATED), group(UNAUTHENTICATED)),
    cluster_binding("system:monitoring", group("system:monitoring")),
    cluster_binding("system:service-account-issuer-discovery", group("system:serviceaccounts")),
    binding(
        f"system::{_WHOM_TO_BELIEVE}-reader",
        SYSTEM,
        user("system:kube-controller-manager"),
        user("system:kube-scheduler"),
        to=f"{_WHOM_TO_BELIEVE}-reader",
    ),
)
