"""A StatefulSet at work in a `SmallWorld`, whose pods end only when their kubelet says so."""

from __future__ import annotations

from typing import Any

import msgspec

from controllers.core.actions import Create, Delete, Facts, Plan
from controllers.core.metadata_only import MetadataOnly
from controllers.core.revisions import CONTROLLER_REVISIONS
from controllers.core.workloads import STATEFUL_SETS, StatefulSet, StatefulSetSpec
from controllers.statefulset.plan import Seen, plan
from controllers.statefulset.storage import CLAIMS
from machinery.model.k8s.apps_v1 import RollingUpdateStatefulSetStrategy, StatefulSetUpdateStrategy
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import LabelSelector
from machinery.model.pods import is_ready, is_terminating
from machinery.model.resources import PODS
from tests.support.builders import meta
from tests.support.controllers import Crashed, SmallWorld, pods_of, set_ready, template

ROLLING = StatefulSetUpdateStrategy(type="RollingUpdate")


def updating(**fields: Any) -> StatefulSetUpdateStrategy:
    """Return the strategy RollingUpdate with these fields (partition, maxUnavailable)."""
    return StatefulSetUpdateStrategy(
        type="RollingUpdate", rollingUpdate=RollingUpdateStatefulSetStrategy(**{"partition": 0, **fields})
    )


def claim_template(name: str = "data") -> dict[str, Any]:
    """Return a template of claims."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": name, "labels": {"of": name}}, "spec": spec}


def stateful_set(replicas: int = 3, *, image: str = "app:1", **fields: Any) -> StatefulSet:
    """Return the StatefulSet default/web of the Service `web`."""
    metadata = {"generation": 1, **fields.pop("metadata", {})}
    spec = StatefulSetSpec(
        replicas=replicas,
        selector=LabelSelector(matchLabels={"app": "web"}),
        serviceName="web",
        template=fields.pop("template", template(image)),
        updateStrategy=fields.pop("strategy", updating()),
        revisionHistoryLimit=fields.pop("revisionHistoryLimit", 10),
        **fields,
    )
    return StatefulSet(metadata=meta("web", "default", **metadata), spec=spec)


class StatefulWorld(SmallWorld):
    """Pods are Pending at first, and stay in the store, deleted, until they are ended."""

    def _create(self, write: Create) -> None:
        super()._create(write)
        if write.resource.plural == "pods":
            self.change(PODS, write.object.metadata.name, {"status": {"phase": "Pending"}})

    def _delete(self, write: Delete) -> None:
        assert write.grace_period_s is None, "a pod is ended by its kubelet, never by its controller"
        key = (str(write.resource), write.namespace, write.name)
        body = self.objects.get(key)
        if write.resource.plural != "pods" or body is None or body["metadata"]["uid"] != write.uid:
            super()._delete(write)
        elif not body["metadata"].get("deletionTimestamp"):
            marked = body["metadata"] | {"deletionTimestamp": self.moment.text}
            self._store(write.resource, body | {"metadata": marked})

    def mark_deleted(self, name: str) -> None:
        """Delete a pod, as a user would."""
        pod = self.objects[str(PODS), "default", name]
        self._delete(Delete(PODS, "default", name, pod["metadata"]["uid"]))

    def end(self, name: str) -> None:
        """Be the kubelet of a pod that is deleted: it has ended."""
        self._drop(PODS, self.objects[str(PODS), "default", name])


class Rollout:
    """The world of default/web."""

    def __init__(self, owner: StatefulSet, world: StatefulWorld | None = None) -> None:
        self.world = world or StatefulWorld()
        self.world.add(STATEFUL_SETS, owner)

    @property
    def owner(self) -> StatefulSet:
        """Return the StatefulSet."""
        [found] = self.world.list(STATEFUL_SETS)
        return found  # type: ignore[no-any-return]

    @property
    def pods(self) -> dict[str, Pod]:
        """Return the pods by name."""
        return {pod.metadata.name: pod for pod in pods_of(self.world)}

    @property
    def images(self) -> dict[str, str]:
        """Return the image that each pod runs."""
        return {name: pod.spec.containers[0].image for name, pod in self.pods.items()}

    @property
    def claims(self) -> dict[str, MetadataOnly]:
        """Return the claims by name."""
        return {claim.metadata.name: claim for claim in self.world.list(CLAIMS)}

    def look(self) -> Seen:
        """Return what there is."""
        revisions = self.world.list(CONTROLLER_REVISIONS)
        return Seen(self.owner, tuple(self.pods.values()), tuple(revisions), self.claims)

    def plan(self) -> Plan:
        """Return the next plan."""
        seen, moment = self.look(), self.world.moment
        made = plan(seen, moment)
        return plan(seen, moment, self.world.facts(made)) if made.needs else made

    def step(self) -> bool:
        """Plan, and do it; return whether that wrote anything. A crash only ends it."""
        seen = self.look()

        def make(facts: Facts) -> Plan:
            return plan(seen, self.world.moment, facts)

        try:
            return self.world.run(make)
        except Crashed:
            return True

    def steps(self) -> None:
        """Plan until there is nothing to do."""
        for _ in range(100):
            if not self.step():
                return
        raise AssertionError("the controller does not come to rest")

    def ready(self, *names: str) -> None:
        """Run pods, and make them Ready; all where none is named."""
        for name, pod in self.pods.items():
            if (not names or name in names) and not is_ready(pod) and not is_terminating(pod):
                set_ready(self.world, pod)

    def end(self) -> list[str]:
        """End the pods that are deleted; return their names."""
        ending = [name for name, pod in self.pods.items() if is_terminating(pod)]
        for name in ending:
            self.world.end(name)
        return ending

    def settle(self) -> None:
        """Run the controller and the kubelets until nothing happens."""
        for _ in range(300):
            before = self.world.revision
            self.step()
            self.end()
            self.ready()
            if self.world.revision == before:
                return
        raise AssertionError("the StatefulSet does not come to rest")

    def change(self, **spec: Any) -> None:
        """Change the StatefulSet's spec."""
        self.world.change(STATEFUL_SETS, "web", {"spec": msgspec.to_builtins(spec)})

    def status(self) -> dict[str, Any]:
        """Return the status, without the names of revisions but with whether they are the same."""
        found = msgspec.to_builtins(self.owner.status)
        names = found.pop("currentRevision", ""), found.pop("updateRevision", "")
        return found | {"complete": names[0] == names[1]}
