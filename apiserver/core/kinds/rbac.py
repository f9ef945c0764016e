"""Role"""

from __future__ import annotations

from apiserver.core.kinds.kind import Kind

ROLES = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="roles",
    singular="role",
    kind="Role",
    definition="io.k8s.api.rbac.v1.Role",
    namespaced=True,
    storage_prefix="/registry/roles",
)

from apiserver.core.kinds.kind import Kind

ROLE_BINDINGS = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="rolebindings",
    singular="rolebinding",
    kind="RoleBinding",
    definition="io.k8s.api.rbac.v1.RoleBinding",
    namespaced=True,
    storage_prefix="/registry/rolebindings",
)

from apiserver.core.kinds.kind import Kind

CLUSTER_ROLES = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="clusterroles",
    singular="clusterrole",
    kind="ClusterRole",
    definition="io.k8s.api.rbac.v1.ClusterRole",
    namespaced=False,
    storage_prefix="/registry/clusterroles",
)

from apiserver.core.kinds.kind import Kind

CLUSTER_ROLE_BINDINGS = Kind(
    group="rbac.authorization.k8s.io",
    version="v1",
    plural="clusterrolebindings",
    singular="clusterrolebinding",
    kind="ClusterRoleBinding",
    definition="io.k8s.api.rbac.v1.ClusterRoleBinding",
    namespaced=False,
    storage_prefix="/registry/clusterrolebindings",
)
