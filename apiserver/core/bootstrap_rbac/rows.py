"""Roles and bindings as rows of text: one row for each rule.

    verbs           groups      resources           names
    "get,list,watch  apps,batch  deployments,jobs"
    "get,update      core        leases              kube-scheduler"
    "get             /healthz,/version"                               (of URLs)

The group without a name is `core`. In the object everything is sorted, as in the objects of a real cluster.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from apiserver.core.authz.rbac import RBAC_GROUP
from apiserver.core.bootstrap import AUTOUPDATE

Json: TypeAlias = dict[str, Any]

READ: Final = "get,list,watch"
WRITE: Final = "create,delete,deletecollection,patch,update"
EVENTS: Final = "create,patch,update core,events.k8s.io events"
SYSTEM: Final = "kube-system"
_AGGREGATE: Final = f"{RBAC_GROUP}/aggregate-to-"  # and a role's name: the label of what is a part of it


def cluster_role(name: str, *rows: str, part_of: str = "") -> Json:
    """Return a role; its rules are a part of those of `admin`, `edit` or `view`, where one of them is named."""
    meta = _meta(name)
    if part_of:
        meta["labels"][f"{_AGGREGATE}{part_of}"] = "true"
    return _object("ClusterRole", meta, rules=[_rule(row) for row in rows])


def aggregated(name: str, *, part_of: str = "") -> Json:
    """Return a role that has the rules of all others with its label."""
    selector = {"matchLabels": {f"{_AGGREGATE}{name}": "true"}}
    return {**cluster_role(name, part_of=part_of), "aggregationRule": {"clusterRoleSelectors": [selector]}}


def role(name: str, namespace: str, *rows: str) -> Json:
    """Return a role of a namespace."""
    return _object("Role", _meta(name, namespace), rules=[_rule(row) for row in rows])


def cluster_binding(name: str, *subjects: Json, to: str = "") -> Json:
    """Return a binding to the ClusterRole of its name, or to another one."""
    return _binding("ClusterRoleBinding", "ClusterRole", _meta(name), to or name, subjects)


def binding(name: str, namespace: str, *subjects: Json, to: str = "") -> Json:
    """Return a binding to the Role of its name, or to another one of its namespace."""
    return _binding("RoleBinding", "Role", _meta(name, namespace), to or name, subjects)


def user(name: str) -> Json:
    """Return a user as a subject."""
    return {"apiGroup": RBAC_GROUP, "kind": "User", "name": name}


def group(name: str) -> Json:
    """Return a group as a subject."""
    return {"apiGroup": RBAC_GROUP, "kind": "Group", "name": name}


def account(name: str, namespace: str = SYSTEM) -> Json:
    """Return a ServiceAccount as a subject."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def _rule(row: str) -> Json:
    verbs, *columns = (sorted(column.split(",")) for column in row.split())
    if len(columns) == 1:
        return {"verbs": verbs, "nonResourceURLs": columns[0]}
    groups, resources, *names = columns
    rule = {
        "verbs": verbs,
        "apiGroups": sorted("" if each == "core" else each for each in groups),
        "resources": resources,
    }
    return {**rule, "resourceNames": names[0]} if names else rule


def _meta(name: str, namespace: str = "") -> Json:
    meta: Json = {
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {AUTOUPDATE: "true"},
    }
    return {**meta, "namespace": namespace} if namespace else meta


def _binding(kind: str, of: str, meta: Json, to: str, subjects: Iterable[Json]) -> Json:
    found = _object(kind, meta, roleRef={"apiGroup": RBAC_GROUP, "kind": of, "name": to})
    whom = list(subjects)
    return {**found, "subjects": whom} if whom else found


def _object(kind: str, meta: Json, **fields: Any) -> Json:
    return {"apiVersion": f"{RBAC_GROUP}/v1", "kind": kind, "metadata": meta, **fields}
