"""A workload becomes the pods that its controller would make, all at once.

    Deployment, ReplicaSet, ReplicationController   spec.replicas pods; a ReplicaSet that spreading knows them by
    StatefulSet                                     NAME-0…, with the claims of its volumeClaimTemplates
    Job, CronJob                                    as many as run side by side: spec.parallelism, at most spec.completions
    DaemonSet                                       a pod for each node that it would have one on

A pod that stands in a file is itself. Volumes and claims of devices that are made for a pod are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from kubarium.core.simulating.manifests import Item, Json
from machinery.model.k8s.core_v1 import Node, PodSpec
from machinery.model.placement import selects_node, tolerates_taints

_MOST: Final = 100_000  # pods of one workload
_DAEMON_TOLERATIONS: Final = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
Nodes = Sequence[Node]


def expand(item: Item, nodes: Nodes) -> list[Item]:
    """Return what an object stands for, the pods last; itself where it is no workload.

    Raises:
        ManifestError: its template or its number of replicas makes no sense; the text names the field.
    """
    make = _MAKERS.get(item.kind)
    if make is None:
        return [item]
    return [Item(item.place, each) for each in make(item, nodes)]


def _pod(item: Item, nodes: Nodes) -> Iterator[Json]:
    del nodes
    yield from _with_claims(item.obj)


def _replicated(item: Item, nodes: Nodes) -> Iterator[Json]:
    del nodes
    spec = _object(item, item.obj, "spec")
    template = _template(item, spec, "spec")
    name, owner = item.obj["metadata"]["name"], item.kind
    if owner in {"Deployment", "ReplicaSet"}:
        owner = "ReplicaSet"
        yield {
            "apiVersion": "apps/v1",
            "kind": owner,
            "metadata": {"name": name, "namespace": _namespace(item)},
            "spec": {"selector": spec.get("selector") or {}},
        }
    for number in range(_count(item, spec, "spec.replicas", 1)):
        yield from _with_claims(_made(item, template, f"{name}-{number}", owner))


def _stateful(item: Item, nodes: Nodes) -> Iterator[Json]:
    del nodes
    spec = _object(item, item.obj, "spec")
    template = _template(item, spec, "spec")
    claims = spec.get("volumeClaimTemplates") or []
    if not isinstance(claims, list) or not all(isinstance(each, dict) for each in claims):
        raise item.refuse("spec.volumeClaimTemplates: has to be a list of claims")
    for number in range(_count(item, spec, "spec.replicas", 1)):
        pod = _made(item, template, f"{item.obj['metadata']['name']}-{number}", "StatefulSet")
        volumes = []
        for each in claims:
            volume = str((each.get("metadata") or {}).get("name", ""))
            claim = f"{volume}-{pod['metadata']['name']}"
            yield _claim(item, each, claim)
            volumes.append({"name": volume, "persistentVolumeClaim": {"claimName": claim}})
        if volumes:
            own = list(pod["spec"].get("volumes") or [])
            pod["spec"] = {**pod["spec"], "volumes": [*own, *volumes]}
        yield from _with_claims(pod)


def _job(item: Item, nodes: Nodes) -> Iterator[Json]:
    del nodes
    spec, path = _object(item, item.obj, "spec"), "spec"
    if item.kind == "CronJob":
        template = _object(item, spec, "jobTemplate", "spec.")
        spec, path = _object(item, template, "spec", "spec.jobTemplate."), "spec.jobTemplate.spec"
    parallelism = _count(item, spec, f"{path}.parallelism", 1)
    completions = _count(item, spec, f"{path}.completions", parallelism)
    template = _template(item, spec, path)
    for number in range(min(parallelism, completions)):
        yield from _with_claims(_made(item, template, f"{item.obj['metadata']['name']}-{number}", "Job"))


def _daemons(item: Item, nodes: Nodes) -> Iterator[Json]:
    template = _template(item, _object(item, item.obj, "spec"), "spec")
    more = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _DAEMON_TOLERATIONS]
    spec = {**template["spec"], "tolerations": [*(template["spec"].get("tolerations") or []), *more]}
    try:
        typed = msgspec.convert(spec, PodSpec)
    except msgspec.ValidationError as error:
        raise item.refuse(f"spec.template.spec: {error}") from error
    affinity = typed.affinity.nodeAffinity if typed.affinity else None
    for node in nodes:
        name = node.metadata.name
        if selects_node(typed.nodeSelector, affinity, node.metadata.labels, name) and tolerates_taints(
            node.spec.taints, typed.tolerations
        ):
            there = {**template, "spec": {**spec, "affinity": _only_on(name, spec.get("affinity") or {})}}
            pod_name = f"{item.obj['metadata']['name']}-{name}"
            yield from _with_claims(_made(item, there, pod_name, "DaemonSet"))


def _only_on(node: str, affinity: Json) -> Json:
    """Return the affinity that a DaemonSet's pod has: to its node, in the place of what chose it."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    required = {"nodeSelectorTerms": [term]}
    own = affinity.get("nodeAffinity") or {}
    return {
        **affinity,
        "nodeAffinity": {**own, "requiredDuringSchedulingIgnoredDuringExecution": required},
    }


_MAKERS: Final[Mapping[str, Callable[[Item, Nodes], Iterable[Json]]]] = {
    "Pod": _pod,
    "Deployment": _replicated,
    "ReplicaSet": _replicated,
    "ReplicationController": _replicated,
    "StatefulSet": _stateful,
    "Job": _job,
    "CronJob": _job,
    "DaemonSet": _daemons,
}
WORKLOADS: Final = frozenset(_MAKERS) - {"Pod"}


# -- parts --


def _namespace(item: Item) -> str:
    return str(item.obj["metadata"].get("namespace", ""))


def _object(item: Item, around: Json, field: str, path: str = "") -> Json:
    value = around.get(field)
    if not isinstance(value, dict):
        raise item.refuse(f"{path}{field}: has to be an object")
    return value


def _template(item: Item, spec: Json, path: str) -> Json:
    template = _object(item, spec, "template", f"{path}.")
    _object(item, template, "spec", f"{path}.template.")
    if not isinstance(template.get("metadata") or {}, dict):
        raise item.refuse(f"{path}.template.metadata: has to be an object")
    return template


def _count(item: Item, spec: Json, path: str, default: int) -> int:
    value = spec.get(path.rpartition(".")[2])
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise item.refuse(f"{path}: has to be a whole number from 0 to {_MOST}, not {value!r}")
    return value


def _made(item: Item, template: Json, name: str, owner_kind: str) -> Json:
    meta = template.get("metadata") or {}
    owner = {
        "apiVersion": "v1" if owner_kind == "ReplicationController" else "apps/v1",
        "kind": owner_kind,
        "name": item.obj["metadata"]["name"],
        "uid": f"{owner_kind}/{item.obj['metadata']['name']}",
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**meta, "name": name, "namespace": _namespace(item), "ownerReferences": [owner]},
        "spec": template["spec"],
    }


def _claim(item: Item, template: Json, name: str) -> Json:
    meta = {**(template.get("metadata") or {}), "name": name, "namespace": _namespace(item)}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": meta,
        "spec": template.get("spec") or {},
    }


def _with_claims(pod: Json) -> Iterator[Json]:
    """Yield the claims of volumes that are made for a pod, then the pod."""
    meta, spec = pod["metadata"], pod.get("spec")
    volumes: Any = spec.get("volumes") if isinstance(spec, dict) else None
    for each in volumes if isinstance(volumes, list) else ():
        ephemeral = each.get("ephemeral") if isinstance(each, dict) else None
        template = ephemeral.get("volumeClaimTemplate") if isinstance(ephemeral, dict) else None
        if isinstance(template, dict):
            owner = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "controller": True}
            owner["uid"] = meta.get("uid") or f"{meta.get('namespace', '')}/{meta['name']}"
            own = {**(template.get("metadata") or {}), "ownerReferences": [owner]}
            own |= {"name": f"{meta['name']}-{each.get('name')}", "namespace": meta.get("namespace", "")}
            yield {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": own,
                "spec": template.get("spec") or {},
            }
    yield pod
