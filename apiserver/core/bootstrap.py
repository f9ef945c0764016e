"""What every cluster has from the beginning, and how it is kept so. Pure; `apiserver.bootstrap` writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, TypeAlias

from apiserver.core.values import Json, metadata
from machinery.model.storage import IS_DEFAULT_CLASS, NODE_FOLDERS, WAIT_FOR_FIRST_CONSUMER

SYSTEM: Final = "kube-system"
NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", SYSTEM)
AUTOUPDATE: Final = "rbac.authorization.kubernetes.io/autoupdate"

Key: TypeAlias = tuple[str, str, str]
"""(kind, namespace, name)"""


@dataclass(frozen=True, slots=True)
class Missing:
    """An object that has to be created."""

    obj: Json


@dataclass(frozen=True, slots=True)
class Lacking:
    """An object that has to be replaced by this one, since it lacks rules, subjects, labels or what it aggregates."""

    obj: Json


@dataclass(frozen=True, slots=True)
class Misdirected:
    """A binding that has to be deleted and created anew: its role cannot be changed."""

    obj: Json


Repair: TypeAlias = Missing | Lacking | Misdirected


def key_of(obj: Json) -> Key:
    """Return what identifies an object."""
    return obj["kind"], metadata(obj).get("namespace", ""), metadata(obj)["name"]


def namespace(name: str) -> Json:
    """Return a namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def plan_rbac(wanted: Sequence[Json], existing: Mapping[Key, Json]) -> list[Repair]:
    """Compare the default roles and bindings with what is there.

    Permissions and labels that somebody added or changed stay, those that are missing come back, unless the object's
    annotation `rbac.authorization.kubernetes.io/autoupdate` is "false". The rules of aggregated roles are not wanted here.
    """
    repairs = (_repair(obj, existing.get(key_of(obj))) for obj in wanted)
    return [repair for repair in repairs if repair]


def _repair(wanted: Json, existing: Json | None) -> Repair | None:
    if existing is None:
        return Missing(wanted)
    if (metadata(existing).get("annotations") or {}).get(AUTOUPDATE) == "false":
        return None
    if wanted.get("roleRef") != existing.get("roleRef"):
        return Misdirected(wanted)
    merged = {**existing, "metadata": _labelled(metadata(existing), metadata(wanted))}
    for field in ("rules", "subjects"):
        if both := _joined(existing.get(field), wanted.get(field)):
            merged[field] = both
    if (gathered := wanted.get("aggregationRule")) is not None:
        there = existing.get("aggregationRule") or {}
        selectors = _joined(there.get("clusterRoleSelectors"), gathered["clusterRoleSelectors"])
        merged["aggregationRule"] = {**there, "clusterRoleSelectors": selectors}
    return None if merged == existing else Lacking(merged)


def _labelled(meta: Json, wanted: Json) -> Json:
    both = {
        name: {**(wanted.get(name) or {}), **(meta.get(name) or {})} for name in ("annotations", "labels")
    }
    return {**meta, **{name: texts for name, texts in both.items() if texts}}


def _joined(there: list[Json] | None, wanted: list[Json] | None) -> list[Json]:
    have = there or []
    return [*have, *(item for item in wanted or [] if item not in have)]


def priority_classes() -> list[Json]:
    """Return the PriorityClasses of the system: https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/."""
    about = {
        "system-cluster-critical": (
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        ),
        "system-node-critical": (
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    }
    return [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": text,
            "preemptionPolicy": "PreemptLowerPriority",
        }
        for name, (value, text) in about.items()
    ]


def default_storage_class() -> Json:
    """Return the class that claims without any get: folders of the node that their first pod goes to."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {IS_DEFAULT_CLASS: "true"}},
        "provisioner": NODE_FOLDERS,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": WAIT_FOR_FIRST_CONSUMER,
        "allowVolumeExpansion": True,
    }


def kubernetes_service(address: str, port: int) -> Json:
    """Return the Service by which pods find the apiserver."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": address,
            "clusterIPs": [address],
            "type": "ClusterIP",
            "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
        },
    }


def kubernetes_endpoints(addresses: Sequence[str], port: int) -> Json:
    """Return its endpoints: the apiservers that are alive."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [each], "conditions": {"ready": True}} for each in sorted(addresses)],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }


def kubernetes_endpoints_object(addresses: Sequence[str], port: int) -> Json:
    """Return its endpoints in the older form, which nobody is to mirror."""
    subset = {
        "addresses": [{"ip": each} for each in sorted(addresses)],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"},
        },
        "subsets": [subset],
    }


def kubernetes_cidr(cidrs: Sequence[str]) -> Json:
    """Return the ServiceCIDR of the range that the apiservers are started with."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": list(cidrs)},
    }


def shows(slice_: Json, addresses: Sequence[str], port: int) -> bool:
    """Whether an EndpointSlice has just these addresses, and this port."""
    shown = sorted(
        address for each in slice_.get("endpoints") or [] for address in each.get("addresses") or []
    )
    return shown == sorted(addresses) and [each.get("port") for each in slice_.get("ports") or []] == [port]


def can_be_endpoint(address: str) -> bool:
    """Whether pods could reach an apiserver at this address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return parsed.version == 4 and not (parsed.is_loopback or parsed.is_unspecified or parsed.is_link_local)
