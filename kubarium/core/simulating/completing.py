"""What a file leaves out, and the apiserver or a kubelet would have added: only what decisions look at.

    Pod     requests of a container by its limits; spec.priority by its PriorityClass (or the default one); the overhead of its
            RuntimeClass
    Node    status.allocatable by status.capacity
    Claim   the default StorageClass, where it says nothing

Nothing that an object says is changed.

https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/
https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kubarium.core.simulating.manifests import Item, Json

_SYSTEM_CLASSES: Final = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_IS_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"


class Completion:
    """Completes objects by the classes of a cluster."""

    def __init__(self, cluster: Iterable[Item]) -> None:
        self._priorities: dict[str, Json] = {}
        self._runtimes: dict[str, Json] = {}
        self._default_priority: Json | None = None
        self._default_class: str | None = None
        for each in cluster:
            if each.kind == "PriorityClass":
                self._priorities[each.obj["metadata"]["name"]] = each.obj
                if each.obj.get("globalDefault"):
                    self._default_priority = each.obj
            elif each.kind == "RuntimeClass":
                self._runtimes[each.obj["metadata"]["name"]] = each.obj
            elif each.kind == "StorageClass":
                notes = each.obj["metadata"].get("annotations") or {}
                if notes.get(_IS_DEFAULT) == "true":
                    self._default_class = each.obj["metadata"]["name"]

    def complete(self, item: Item) -> Json:
        """Return an object with what it leaves out.

        Raises:
            ManifestError: it names a class that there is not.
        """
        obj = item.obj
        if item.kind == "Node":
            status = obj.get("status") or {}
            if "allocatable" not in status and "capacity" in status:
                return {**obj, "status": {**status, "allocatable": status["capacity"]}}
        elif item.kind == "ReplicaSet":
            return {"status": {"replicas": 0}, **obj}
        elif item.kind == "PersistentVolumeClaim":
            spec = obj.get("spec") or {}
            if spec.get("storageClassName") is None and not spec.get("volumeName") and self._default_class:
                return {**obj, "spec": {**spec, "storageClassName": self._default_class}}
        elif item.kind == "Pod" and isinstance(obj.get("spec"), dict):
            return {**obj, "spec": self._spec(item, obj["spec"])}
        return obj

    def _spec(self, item: Item, spec: Json) -> Json:
        added: Json = {}
        for field in ("containers", "initContainers"):
            if isinstance(containers := spec.get(field), list):
                added[field] = [_container(each) for each in containers]
        if spec.get("priority") is None:
            added |= self._priority(item, spec.get("priorityClassName") or "")
        runtime = spec.get("runtimeClassName")
        if runtime and not spec.get("overhead"):
            found = self._runtimes.get(runtime)
            if found is None:
                raise item.refuse(f'spec.runtimeClassName: there is no RuntimeClass "{runtime}"')
            if fixed := (found.get("overhead") or {}).get("podFixed"):
                added["overhead"] = fixed
        return {**spec, **added}

    def _priority(self, item: Item, name: str) -> Json:
        if name in _SYSTEM_CLASSES:
            return {"priority": _SYSTEM_CLASSES[name]}
        found = self._priorities.get(name) if name else self._default_priority
        if name and found is None:
            raise item.refuse(f'spec.priorityClassName: there is no PriorityClass "{name}"')
        if found is None:
            return {}
        policy = found.get("preemptionPolicy")
        return {"priority": found.get("value", 0), **({"preemptionPolicy": policy} if policy else {})}


def _container(container: Any) -> Any:
    """Return a container that requests its limits, where it says nothing else of a resource."""
    resources = container.get("resources") if isinstance(container, dict) else None
    if not isinstance(resources, dict):
        return container
    limits, own = resources.get("limits"), resources.get("requests") or {}
    if not isinstance(limits, dict) or not isinstance(own, dict):
        return container
    return {**container, "resources": {**resources, "requests": {**limits, **own}}}
