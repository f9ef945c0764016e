"""The controllers, in one table: what each is called, which changes concern which of its keys, and its plan.

A key is where an object is: (namespace, name); the garbage collector's has the resource in front, and a controller
that looks at everything at once has the one key `EVERYTHING`. The functions that give keys run inside the
informers: they are cheap and never fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from controllers import plans, triggers
from controllers.core.actions import Facts, Plan
from controllers.core.moment import Moment
from controllers.informers import AnyInformer, World
from controllers.triggers import EVERYTHING, Key, Keys
from machinery.model.profile import Intervals

Planner: TypeAlias = Callable[[World, Key, Moment, Intervals, Facts], Plan]


@dataclass(frozen=True, slots=True)
class Watched:
    """Which informers' changes concern the controller, and whom."""

    informers: Callable[[World], Sequence[AnyInformer]]
    keys: Keys


@dataclass(frozen=True, slots=True)
class Controller:
    """One row."""

    name: str  # as the source of events, and in logs
    plan: Planner
    watched: tuple[Watched, ...]
    workers: int = 1
    always: tuple[Key, ...] = ()  # keys that exist from the start
    counts_silence: bool = False  # it has to know when the apiserver is out of reach


def _on(kind: str, keys: Keys) -> Watched:
    def pick(world: World) -> Sequence[AnyInformer]:
        informer: Any = getattr(world, kind)
        return (informer,)

    return Watched(pick, keys)


def _on_owners(keys: Keys) -> Watched:
    return Watched(lambda world: world.owners, keys)


CONTROLLERS: Final = (
    Controller(
        "serviceaccount-controller",
        plans.serviceaccount_plan,
        (
            _on("namespaces", triggers.namespace_itself),
            _on("accounts", triggers.namespace_of_default_account),
            _on("root_cas", triggers.namespace_of),
        ),
        workers=5,
    ),
    Controller(
        "deployment-controller",
        plans.deployment_plan,
        (
            _on("deployments", triggers.itself),
            _on("replica_sets", triggers.deployments_of_replica_set),
            _on("pods", triggers.deployments_of_ended_pod),
        ),
        workers=5,
    ),
    Controller(
        "replicaset-controller",
        plans.replicaset_plan,
        (_on("replica_sets", triggers.itself), _on("pods", triggers.replica_sets_of_pod)),
        workers=5,
    ),
    Controller(
        "endpoint-slice-controller",
        plans.endpointslice_plan,
        (
            _on("services", triggers.itself),
            _on("pods", triggers.services_of_pod),
            _on("slices", triggers.service_of_slice),
            _on("nodes", triggers.services_of_node),
        ),
        workers=5,
    ),
    Controller(
        "node-controller",
        plans.node_lifecycle_plan,
        (_on("nodes", triggers.nodes_by_health), _on("pods", triggers.unhealthy_node_of_pod)),
        workers=8,
        counts_silence=True,
    ),
    Controller(
        "taint-eviction-controller",
        plans.taint_eviction_plan,
        (_on("nodes", triggers.itself), _on("pods", triggers.evicting_node_of_pod)),
        workers=8,
    ),
    Controller(
        "cidrAllocator",
        plans.node_ipam_plan,
        (_on("nodes", triggers.everything_if_unassigned),),
    ),
    Controller(
        "garbage-collector-controller",
        plans.garbage_plan,
        (_on_owners(triggers.graph_neighbours),),
        workers=10,
    ),
    Controller(
        "pod-garbage-collector",
        plans.pod_gc_plan,
        (
            _on("nodes", triggers.everything_if_gone),
            _on("pods", triggers.everything_if_ended_unassigned),
        ),
        always=(EVERYTHING,),
    ),
    Controller(
        "namespace-controller",
        plans.namespace_plan,
        (_on("namespaces", triggers.itself), _on_owners(triggers.leaving_namespace)),
        workers=5,
    ),
)
