"""For tests of the controllers: their own types built, and a world in a dictionary that plans are applied to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from controllers.core.actions import (
    Action,
    AllAtOnce,
    Attempt,
    Count,
    Create,
    Delete,
    Facts,
    Lookup,
    Patch,
    Plan,
    RecordEvent,
    Remember,
    SlowStart,
    Write,
)
from controllers.core.documents import Document
from controllers.core.moment import Moment
from controllers.core.workloads import (
    DaemonSet,
    DaemonSetSpec,
    Deployment,
    DeploymentSpec,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicationController,
    ReplicationControllerSpec,
)
from machinery.model.k8s.apps_v1 import (
    DaemonSetUpdateStrategy,
    DeploymentStrategy,
    RollingUpdateDaemonSet,
    RollingUpdateDeployment,
)
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import LabelSelector, ObjectMeta, OwnerReference
from machinery.model.resources import PODS, KubeObject, Resource
from tests.support.builders import meta

NOW_S = 1_767_225_600.0 + 3_600  # 2026-01-01T01:00:00Z
CREATED = "2026-01-01T00:00:00Z"


def moment(later_s: float = 0) -> Moment:
    """Return the tests' now, or so many seconds after it."""
    return Moment(NOW_S + later_s)


def at(offset_s: float) -> str:
    """Write the tests' now, plus an offset, as a timestamp."""
    return Moment(NOW_S + offset_s).text


def template(image: str = "app:1", labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return a pod template."""
    return {
        "metadata": {"labels": dict(labels or {"app": "web"})},
        "spec": {"containers": [{"name": "main", "image": image}]},
    }


def rolling(max_surge: int | str, max_unavailable: int | str) -> DeploymentStrategy:
    """Return the strategy RollingUpdate."""
    update = RollingUpdateDeployment(maxSurge=max_surge, maxUnavailable=max_unavailable)
    return DeploymentStrategy(type="RollingUpdate", rollingUpdate=update)


def deployment(replicas: int = 3, *, image: str = "app:1", **fields: Any) -> Deployment:
    """Return the Deployment default/web."""
    metadata = fields.pop("metadata", {})
    spec = DeploymentSpec(
        replicas=replicas,
        selector=LabelSelector(matchLabels={"app": "web"}),
        template=template(image),
        strategy=fields.pop("strategy", rolling("25%", "25%")),
        progressDeadlineSeconds=fields.pop("progressDeadlineSeconds", 600),
        revisionHistoryLimit=fields.pop("revisionHistoryLimit", 10),
        **fields,
    )
    return Deployment(metadata=meta("web", "default", generation=1, **metadata), spec=spec)


def replica_set(name: str = "web-1", replicas: int = 1, **fields: Any) -> ReplicaSet:
    """Return the ReplicaSet default/NAME, which selects app=web."""
    metadata = {"generation": 1, "creationTimestamp": CREATED, **fields.pop("metadata", {})}
    spec = ReplicaSetSpec(
        replicas=replicas,
        selector=LabelSelector(matchLabels={"app": "web"}),
        template=fields.pop("template", template()),
        **fields,
    )
    return ReplicaSet(metadata=meta(name, "default", **metadata), spec=spec)


def replication_controller(name: str = "web-1", replicas: int = 1, **fields: Any) -> ReplicationController:
    """Return the ReplicationController default/NAME, which selects app=web."""
    metadata = {"generation": 1, "creationTimestamp": CREATED, **fields.pop("metadata", {})}
    spec = ReplicationControllerSpec(
        replicas=replicas, labels={"app": "web"}, template=fields.pop("template", template()), **fields
    )
    return ReplicationController(metadata=meta(name, "default", **metadata), spec=spec)


def daemon_set(*, image: str = "app:1", **fields: Any) -> DaemonSet:
    """Return the DaemonSet default/web; `surge` and `unavailable` are of its rolling update."""
    metadata = {"generation": 1, **fields.pop("metadata", {})}
    rolling_update = RollingUpdateDaemonSet(
        maxSurge=fields.pop("surge", 0), maxUnavailable=fields.pop("unavailable", 1)
    )
    strategy = DaemonSetUpdateStrategy(type="RollingUpdate", rollingUpdate=rolling_update)
    pod_template = template(image)
    pod_template["spec"] |= fields.pop("pod_spec", {})
    spec = DaemonSetSpec(
        selector=LabelSelector(matchLabels={"app": "web"}),
        template=pod_template,
        updateStrategy=fields.pop("updateStrategy", strategy),
        revisionHistoryLimit=fields.pop("revisionHistoryLimit", 10),
        **fields,
    )
    return DaemonSet(metadata=meta("web", "default", **metadata), spec=spec)


def document(resource: Resource[Any], name: str, namespace: str = "", **fields: Any) -> Document:
    """Return an object of which controllers know no more than that it has a spec and a status."""
    metadata = {"name": name, "uid": f"uid-{name}", **fields.pop("metadata", {})}
    if namespace:
        metadata["namespace"] = namespace
    known = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **fields}
    return msgspec.convert(known, Document)


def owner(obj: KubeObject, *, controller: bool = True, block: bool = True) -> OwnerReference:
    """Refer to an owner."""
    return OwnerReference(
        apiVersion=obj.apiVersion,
        kind=obj.kind,
        name=obj.metadata.name,
        uid=obj.metadata.uid,
        controller=controller,
        blockOwnerDeletion=block,
    )


def writes(plan: Plan) -> list[Write]:
    """Return every write of a plan, in order."""
    return [write for action in plan.actions for write in flat(action)]


def flat(action: Action) -> list[Write]:
    """Return the writes of an action."""
    match action:
        case RecordEvent() | Remember() | Count():
            return []
        case SlowStart(writes=inner) | AllAtOnce(writes=inner):
            return list(inner)
        case Attempt(write=write, then=then):
            return [write, *(each for action in then for each in flat(action))]
        case _:
            return [action]


def of_type(plan: Plan, kind: type[Any]) -> list[Any]:
    """Return a plan's writes of one type."""
    return [write for write in writes(plan) if isinstance(write, kind)]


def events(plan: Plan) -> list[tuple[str, str, str]]:
    """Return type, reason and message of the events of a plan."""
    told = [action for action in plan.actions if isinstance(action, RecordEvent)]
    told += [found for write in writes(plan) if (found := getattr(write, "on_success", None))]
    return [(found.type, found.reason, found.message) for found in told]


def status_of(plan: Plan) -> dict[str, Any]:
    """Return the status patch of a plan; {} where there is none."""
    patches = [write for write in of_type(plan, Patch) if "status" in write.patch]
    return patches[0].patch["status"] if patches else {}


class Crashed(Exception):  # noqa: N818 - it says what happened
    """The process was killed."""


class Refused(Exception):  # noqa: N818 - it says what happened
    """The server said no: a conflict, or nothing there."""


class SmallWorld:
    """Objects as JSON, changed by plans. `crash_after` writes the process dies; a crash loses no write."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.revision = 0
        self.writes = 0
        self.crash_after: int | None = None
        self._numbers = itertools.count(1)
        self.now_s = NOW_S

    @property
    def moment(self) -> Moment:
        """Now."""
        return Moment(self.now_s)

    def add(self, resource: Resource[Any], obj: KubeObject) -> None:
        """Put an object in, as a user would."""
        body = msgspec.to_builtins(obj)
        body["metadata"] |= {"uid": f"uid-{next(self._numbers)}", "creationTimestamp": self.moment.text}
        body["metadata"].setdefault("generation", 1)
        self._store(resource, body)

    def list(self, resource: Resource[Any]) -> list[Any]:
        """Return the objects of a kind, typed."""
        found = [obj for key, obj in sorted(self.objects.items()) if key[0] == str(resource)]
        return [msgspec.convert(obj, resource.type) for obj in found]

    def change(self, resource: Resource[Any], name: str, patch: dict[str, Any]) -> None:
        """Change an object, as a user or a kubelet would."""
        self._patch(Patch(resource, "default" if resource.namespaced else "", name, patch))

    def change_finalizers(self, pod: str, finalizers: list[str] | None) -> None:
        """Hold a pod, or let it go."""
        self.change(PODS, pod, {"metadata": {"finalizers": finalizers}})

    def facts(self, plan: Plan) -> Facts:
        """Answer a plan's questions."""
        objects: dict[Lookup, ObjectMeta | None] = {}
        for need in plan.needs:
            assert isinstance(need, Lookup)
            found = self.objects.get((str(need.resource), need.namespace, need.name))
            objects[need] = msgspec.convert(found["metadata"], ObjectMeta) if found else None
        return Facts(objects=objects)

    def run(self, make: Callable[[Facts], Plan]) -> bool:
        """Make a plan and carry it out; return whether it wrote anything. A refused write ends it."""
        plan = make(Facts())
        if plan.needs:
            plan = make(self.facts(plan))
        before = self.revision
        try:
            for write in writes(plan):
                self._write(write)
        except Refused:
            pass
        return self.revision != before

    def _write(self, write: Write) -> None:
        match write:
            case Create():
                self._create(write)
            case Patch():
                self._patch(write)
            case Delete():
                self._delete(write)
            case _:
                raise AssertionError(f"the small world has no {write}")
        self.writes += 1
        if self.crash_after is not None and self.writes >= self.crash_after:
            self.crash_after = None
            raise Crashed

    def _create(self, write: Create) -> None:
        body = msgspec.to_builtins(write.object)
        body |= {"apiVersion": write.resource.api_version, "kind": write.resource.kind}
        number = next(self._numbers)
        name = body["metadata"].get("name") or f"{body['metadata']['generateName']}{number:04d}"
        if (str(write.resource), body["metadata"]["namespace"], name) in self.objects:
            raise Refused
        stamp = {"name": name, "uid": f"uid-{number}", "creationTimestamp": self.moment.text, "generation": 1}
        self._store(write.resource, body | {"metadata": body["metadata"] | stamp})

    def _patch(self, write: Patch) -> None:
        old = self._found(write.resource, write.namespace, write.name)
        wanted = write.patch.get("metadata", {})
        for field in ("uid", "resourceVersion"):
            if wanted.get(field, old["metadata"].get(field)) != old["metadata"].get(field):
                raise Refused
        spec = {"spec"} if write.subresource == "status" else set()
        new = merged(old, {key: value for key, value in write.patch.items() if key not in spec})
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1
        same = new | {"metadata": new["metadata"] | {"resourceVersion": old["metadata"]["resourceVersion"]}}
        if same != old:
            self._store(write.resource, new)
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            self._drop(write.resource, new)

    def _delete(self, write: Delete) -> None:
        old = self.objects.get((str(write.resource), write.namespace, write.name))
        if old is None or old["metadata"]["uid"] != write.uid:
            return
        if write.resource_version not in {"", old["metadata"]["resourceVersion"]}:
            raise Refused
        held = {"Foreground": ["foregroundDeletion"], "Orphan": ["orphan"]}.get(write.propagation_policy, [])
        finalizers = [*dict.fromkeys([*old["metadata"].get("finalizers", []), *held])]
        if not finalizers:
            self._drop(write.resource, old)
            return
        marks = {"finalizers": finalizers, "deletionTimestamp": self.moment.text}
        self._store(write.resource, old | {"metadata": old["metadata"] | marks})

    def _found(self, resource: Resource[Any], namespace: str, name: str) -> dict[str, Any]:
        found = self.objects.get((str(resource), namespace, name))
        if found is None:
            raise Refused
        return found

    def _store(self, resource: Resource[Any], body: dict[str, Any]) -> None:
        self.revision += 1
        metadata = body["metadata"] | {"resourceVersion": str(self.revision)}
        key = (str(resource), metadata.get("namespace", ""), metadata["name"])
        self.objects[key] = body | {"metadata": metadata}

    def _drop(self, resource: Resource[Any], body: dict[str, Any]) -> None:
        self.revision += 1
        metadata = body["metadata"]
        del self.objects[str(resource), metadata.get("namespace", ""), metadata["name"]]


def merged(target: Any, patch: Any) -> Any:
    """Apply a merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return patch
    base = target if isinstance(target, Mapping) else {}
    kept = {key: value for key, value in base.items() if patch.get(key, key) is not None}
    return kept | {key: merged(base.get(key), value) for key, value in patch.items() if value is not None}


def set_ready(world: SmallWorld, pod: Pod, *, ready: bool = True) -> None:
    """Be the kubelet: run a pod, and say whether it is Ready."""
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": world.moment.text}
    status = {"phase": "Running", "conditions": [condition]}
    world.change(PODS, pod.metadata.name, {"status": status})


def pods_of(world: SmallWorld) -> list[Pod]:
    """Return all pods."""
    return world.list(PODS)
