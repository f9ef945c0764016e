"""The decision: which node a pod goes to, or why to none.

pod ─▶ constraints that are not understood, claims that are not bound or have to wait? ─▶ Unschedulable
    ─▶ Evaluation of the pod's kind, refreshed ─▶ no candidate? ─▶ Unschedulable, reasons counted
    ─▶ the nodes with the highest score ─▶ one of them, by the random number that the caller drew ─▶ Bind
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from machinery.model.k8s.resource_v1 import ResourceClaim
from scheduler.core import messages, unbuilt
from scheduler.core.device_filter import DeviceFilter, PodDevices, look_at_devices, to_deallocate
from scheduler.core.evaluation import Evaluation
from scheduler.core.like_nodes import LikeNodes
from scheduler.core.needs import Needs
from scheduler.core.owners import Owners
from scheduler.core.plugins import dynamic_resources
from scheduler.core.plugins.topology_spread import Spread, read_spread
from scheduler.core.pod import PodInfo
from scheduler.core.snapshot import Snapshot
from scheduler.core.storage import NO_VOLUMES, PodVolumes
from scheduler.core.volume_filter import Stopped, VolumeFilter, look_at_volumes

NO_NODES_PLUGIN: Final = "NoNodes"  # stands for plugins where there was no node to filter
REPELLED: Final = "a running pod's spec.affinity.podAntiAffinity may exclude this pod, and checking it is not built in Kubarium"
_KINDS_LIMIT: Final = 64  # of pods whose evaluation is kept; 5,000 nodes take about 1 MB in each

_Kind: TypeAlias = tuple[Needs, str, Spread, VolumeFilter | None, DeviceFilter | None]


@dataclass(frozen=True, slots=True)
class Bind:
    """The pod goes to this node."""

    node: str
    score: int
    ties: int  # nodes with the same score, this one included
    volumes: PodVolumes = NO_VOLUMES  # what its claims get there, before the pod is bound
    devices: PodDevices = ()  # and what its claims of devices get

    @property
    def needs_more_than_a_node(self) -> bool:
        """Whether something has to be written of the pod's claims before it can be bound."""
        return self.volumes != NO_VOLUMES or bool(self.devices)


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """No node can take the pod now."""

    message: str
    plugins: frozenset[str]  # that rejected a node: what helps one of them may help the pod
    deallocate: ResourceClaim | None = None  # a claim of the pod whose devices had better be elsewhere


Decision: TypeAlias = Bind | Unschedulable


class Evaluations:
    """The evaluations of the kinds of pods that came by lately."""

    def __init__(self, snapshot: Snapshot, limit: int = _KINDS_LIMIT) -> None:
        self._snapshot = snapshot
        self._limit = limit
        self._kinds: OrderedDict[_Kind, Evaluation] = OrderedDict()

    def of(
        self,
        pod: PodInfo,
        owners: Owners,
        volumes: VolumeFilter | None = None,
        devices: DeviceFilter | None = None,
    ) -> Evaluation:
        """Return the evaluation of the pod's kind, as of now."""
        spread = _spread(pod, owners)
        namespace = pod.namespace if spread.hard or spread.soft else ""
        kind = (pod.needs, namespace, spread, volumes, devices)
        found = self._kinds.get(kind)
        if found is None:
            found = self._kinds[kind] = Evaluation(
                pod.needs, namespace, spread, self._snapshot, volumes, devices
            )
            if len(self._kinds) > self._limit:
                self._kinds.popitem(last=False)
        self._kinds.move_to_end(kind)
        found.refresh()
        return found


def schedule(
    pod: PodInfo, snapshot: Snapshot, owners: Owners, evaluations: Evaluations, *, tie_break: float
) -> Decision:
    """Choose a node. `tie_break`, in [0, 1), chooses among those with the highest score.

    Raises:
        ValueError: `tie_break` is out of its range.
    """
    if not snapshot.node_count:
        return Unschedulable(messages.NO_NODES, frozenset({NO_NODES_PLUGIN}))
    if constraints := _not_understood(pod, snapshot):
        text = messages.no_node_looked_at(snapshot.node_count, constraints)
        return Unschedulable(text, frozenset({unbuilt.NAME}))
    volumes: VolumeFilter | None = None
    if pod.needs.claims:
        found = look_at_volumes(pod, snapshot)
        if isinstance(found, Stopped):
            text = messages.no_node_looked_at(snapshot.node_count, (found.message,))
            return Unschedulable(text, frozenset({found.plugin}))
        volumes = found
    devices: DeviceFilter | None = None
    if pod.device_claims:
        wanted = look_at_devices(pod, snapshot.devices)
        if isinstance(wanted, Stopped):
            text = messages.no_node_looked_at(snapshot.node_count, (wanted.message,))
            return Unschedulable(text, frozenset({wanted.plugin}))
        devices = wanted
    evaluation = evaluations.of(pod, owners, volumes, devices)
    candidates = evaluation.candidates()
    if not candidates:
        return _unschedulable(pod, snapshot, evaluation)
    bind = _choose(candidates, snapshot, tie_break)
    return (
        bind if volumes is None and devices is None else _with_claims(pod, bind, volumes, devices, snapshot)
    )


def _choose(candidates: list[tuple[int, LikeNodes]], snapshot: Snapshot, tie_break: float) -> Bind:
    highest = max(points + class_.top for points, class_ in candidates)
    best = [class_.best() for points, class_ in candidates if points + class_.top == highest]
    ties = sum(len(indexes) for indexes in best)
    chosen = int(tie_break * ties)
    for indexes in best:
        if chosen < len(indexes):
            return Bind(snapshot.nodes[indexes[chosen]].name, highest, ties)
        chosen -= len(indexes)
    raise ValueError(f"a tie is broken by a number in [0, 1), not {tie_break}")


def _with_claims(
    pod: PodInfo, bind: Bind, volumes: VolumeFilter | None, devices: DeviceFilter | None, snapshot: Snapshot
) -> Bind:
    node = snapshot.node(bind.node)
    if node is None:
        return bind
    return replace(
        bind,
        volumes=volumes.choose(node) if volumes else NO_VOLUMES,
        devices=devices.choose(pod, node) if devices else (),
    )


def _spread(pod: PodInfo, owners: Owners) -> Spread:
    own = pod.needs.constraints
    return read_spread(own, pod.labels.labels, None if own else owners.selector_of(pod))


def _not_understood(pod: PodInfo, snapshot: Snapshot) -> tuple[str, ...]:
    if pod.needs.unbuilt:
        return pod.needs.unbuilt
    if unbuilt.repelled(pod.namespace, pod.labels.labels, snapshot.repelling_terms()):
        return (REPELLED,)
    return ()


def _unschedulable(pod: PodInfo, snapshot: Snapshot, evaluation: Evaluation) -> Unschedulable:
    rejections = evaluation.rejections()
    claims, deallocate = messages.NO_CLAIMS, None
    if pod.device_claims:
        deallocate = to_deallocate(pod, snapshot.devices, snapshot.existing_nodes)
        claims = dynamic_resources.DEALLOCATED if deallocate else dynamic_resources.STILL_NOT
    preemption = _preemption(pod, snapshot, evaluation)
    text = messages.unschedulable(snapshot.node_count, rejections, preemption, claims)
    return Unschedulable(text, frozenset(rejection.plugin for rejection in rejections), deallocate)


def _preemption(pod: PodInfo, snapshot: Snapshot, evaluation: Evaluation) -> str:
    if not pod.preempts:
        return messages.NEVER
    if not snapshot.has_lower(pod.priority):
        return messages.preemption(snapshot.node_count, _without_victims(snapshot, evaluation))
    reasons = {messages.NOT_HELPFUL: 0, messages.NO_VICTIMS: 0, messages.NOT_BUILT: 0}
    for node in snapshot.existing_nodes():
        rejection = evaluation.rejection_of(node.index)
        if rejection is not None and not rejection.resolvable:
            reasons[messages.NOT_HELPFUL] += 1
        elif min(node.priorities, default=pod.priority) < pod.priority:
            reasons[messages.NOT_BUILT] += 1
        else:
            reasons[messages.NO_VICTIMS] += 1
    return messages.preemption(snapshot.node_count, reasons)


def _without_victims(snapshot: Snapshot, evaluation: Evaluation) -> dict[str, int]:
    rejections = evaluation.rejections().items()
    unhelpful = sum(nodes for rejection, nodes in rejections if not rejection.resolvable)
    return {messages.NOT_HELPFUL: unhelpful, messages.NO_VICTIMS: snapshot.node_count - unhelpful}
