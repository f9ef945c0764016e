"""A Deployment and its ReplicaSets at work in a `SmallWorld`, for tests of whole rollouts."""

from __future__ import annotations

from typing import Any

from controllers.core.actions import Facts, Plan
from controllers.core.replicas import plan as replicaset
from controllers.core.workloads import DEPLOYMENTS, REPLICA_SETS, ReplicaSet
from controllers.deployment import plan as deployment
from machinery.model.pods import is_active, is_ready
from machinery.model.resources import PODS
from tests.support.controllers import Crashed, SmallWorld, pods_of, set_ready


class Rollout:
    """The world of default/web."""

    def __init__(self, world: SmallWorld) -> None:
        self.world = world

    def step_deployment(self) -> bool:
        """Plan for the Deployment, and do it."""
        return self.world.run(self._plan_deployment)

    def step_replica_set(self, name: str) -> bool:
        """Plan for a ReplicaSet, and do it."""
        return self.world.run(lambda facts: self._plan_replica_set(name, facts))

    def step(self) -> bool:
        """Run every controller once; return whether one of them wrote."""
        wrote = self.step_deployment()
        for rs in self.replica_sets:
            wrote |= self.step_replica_set(rs.metadata.name)
        return wrote

    def make_ready(self, most: int = 1_000) -> int:
        """Make so many pods Ready; return how many were."""
        waiting = [pod for pod in pods_of(self.world) if is_active(pod) and not is_ready(pod)][:most]
        for pod in waiting:
            set_ready(self.world, pod)
        return len(waiting)

    def settle(self) -> int:
        """Run controllers and kubelets until nothing happens; return after how many rounds."""
        for rounds in range(300):
            wrote = self.step_surviving()
            if not self.make_ready() and not wrote:
                return rounds
        raise AssertionError("the rollout does not come to rest")

    def step_surviving(self) -> bool:
        """Have a turn; a crash only ends it."""
        try:
            return self.step()
        except Crashed:
            return True

    @property
    def replica_sets(self) -> list[ReplicaSet]:
        """Return the ReplicaSets."""
        return self.world.list(REPLICA_SETS)

    @property
    def deployment(self) -> Any:
        """Return the Deployment."""
        return self.world.list(DEPLOYMENTS)[0]

    @property
    def active(self) -> int:
        """How many pods there are that count."""
        return sum(is_active(pod) for pod in pods_of(self.world))

    @property
    def ready(self) -> int:
        """How many of them are Ready."""
        return sum(is_active(pod) and is_ready(pod) for pod in pods_of(self.world))

    def outcome(self) -> dict[str, Any]:
        """Describe what matters at the end: sizes, revisions, pods by image, status without its times."""
        status = self.deployment.status
        return {
            "sets": sorted(
                (rs.metadata.name, rs.spec.replicas, rs.metadata.annotations) for rs in self.replica_sets
            ),
            "pods": sorted(pod.spec.containers[0].image for pod in pods_of(self.world)),
            "counts": (
                status.replicas,
                status.updatedReplicas,
                status.readyReplicas,
                status.availableReplicas,
            ),
            "conditions": sorted((item.type, item.status, item.reason) for item in status.conditions),
            "revision": self.deployment.metadata.annotations,
        }

    def _plan_deployment(self, facts: Facts) -> Plan:
        world = self.world
        seen = deployment.Seen(self.deployment, self.replica_sets, pods_of(world))
        return deployment.plan(seen, world.moment, facts)

    def _plan_replica_set(self, name: str, facts: Facts) -> Plan:
        every = self.replica_sets
        rs = next(rs for rs in every if rs.metadata.name == name)
        siblings = replicaset.siblings_of(rs, every)
        seen = replicaset.Seen(rs, self.world.list(PODS), siblings)
        return replicaset.plan(seen, self.world.moment, facts)
