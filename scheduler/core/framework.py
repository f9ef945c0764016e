"""What a plugin is: an object with a name that says something at one or more points of a pod's way to a node.

    PreEnqueue            `gate`                      may the pod be looked at?
    PreFilter, PreScore   `need`                      what has to be known of the pod, as a value that equal pods share;
                                                      or: no node can take it
    Filter                `filter`, `relate`          which nodes can take pods with this need?
    PostFilter            `remedy`                    no node can: what is said, and what might help
    Score                 `score`, `relate`           how good are the nodes that can?
    QueueSort             `queue_key`                 which pod is looked at first? One plugin for all profiles
    Reserve               `reserve`, `keep`, `release`   what the pod gets beside the node
                          `unreserve`                 it does not get the node after all
    Permit                `permit`                    may it be bound now, or does it wait?
    PreBind, Bind, PostBind   `pre_bind`, `bind`, `post_bind`   do something, with a connection; what plugins of ours reserve is
                          written by the shell, under the plugin's name

A plugin keeps nothing of its own about the cluster: the Evaluation of a need does, and asks the plugin's filters, scores and
relations again about nodes that have changed. They have to say the same of the same, so that verdicts can be kept.

https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, ClassVar, Final, Protocol, TypeAlias

import msgspec

from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.permit import Handle, Wait
from scheduler.core.pod import PodInfo
from scheduler.core.preemption import Victims
from scheduler.core.rejection import Rejection, Stopped
from scheduler.core.snapshot import Snapshot

_encode: Final = msgspec.json.Encoder(order="deterministic").encode

Need: TypeAlias = Hashable
"""What a plugin has to know of a pod; what holds for one such pod holds for all that have an equal one."""

Fact: TypeAlias = Hashable
"""What a relation sees of one node."""

Normalize: TypeAlias = Callable[[int, int, int], int]
"""From a raw score, and the lowest and the highest of all candidates, to 0 to 100."""


class Sees(Enum):
    """What a verdict about a node follows from."""

    NODE = auto()  # the Node object alone: it stands while pods come and go
    PODS = auto()  # its pods, too, and whatever the snapshot notes as a change of the node


@dataclass(frozen=True, slots=True)
class Filter:
    """Which nodes can take a pod."""

    judge: Callable[[NodeInfo], Rejection | None]
    sees: Sees = Sees.PODS


@dataclass(frozen=True, slots=True)
class Score:
    """How good a node is; 0 to 100, or any number that `normalize` brings there."""

    rate: Callable[[NodeInfo], int]
    sees: Sees = Sees.PODS
    normalize: Normalize | None = None
    renew: Callable[[], bool] | None = None  # called first; True: what is rated by has changed for every node


class Relation(Protocol):
    """What holds between nodes: it is told of each, keeps counts, and judges by a fact that many nodes share.

    What changes a node's fact without a change of that node is returned: the indexes of those nodes.
    """

    filters: bool  # whether `rejection` may reject
    scores: bool  # whether `points` may tell nodes apart

    def join(self, node: NodeInfo) -> Collection[int]:
        """Add a node, or take its new labels and taints."""
        ...

    def recount(self, node: NodeInfo) -> Collection[int]:
        """Note that the pods of a node have changed, and nothing else."""
        ...

    def leave(self, index: int) -> Collection[int]:
        """Remove a node."""
        ...

    def fact(self, index: int) -> Fact:
        """Return what is seen of a node."""
        ...

    def settle(self) -> None:
        """Every change so far has been told: judgements follow."""
        ...

    def rejection(self, fact: Any) -> Rejection | None:
        """Return why nodes with a fact cannot take the pod, None where they can."""
        ...

    def rejection_with(self, changed: NodeInfo) -> Rejection | None:
        """Return why a node could not take the pod if its own pods were others than they are; None if it could."""
        ...

    def neighbourhood(self, index: int) -> Hashable:
        """Return what nodes have in common of which `besides` is always the same, as long as their own pods are."""
        ...

    def neighbourhood_version(self) -> Hashable:
        """Return what is the same as long as `neighbourhood` is, of all nodes that have not changed."""
        ...

    def besides(self, index: int, kept: int) -> Hashable:
        """Return what `rejection_with` follows from, except for the pods of the node itself and up to `kept` more of them."""
        ...

    def points(self, candidates: Sequence[tuple[Any, int]]) -> Sequence[int]:
        """Return 0 to 100 for each fact of the nodes that can take the pod; it comes with their number."""
        ...


@dataclass(frozen=True, slots=True)
class Nomination:
    """The node that is kept for a pod from now on, "" for none, and what follows from that at once."""

    node: str
    leaving: tuple[PodInfo, ...] = ()  # pods that are taken away for it
    displaced: tuple[
        PodInfo, ...
    ] = ()  # pods of lower priority that the node was kept for, and is not any more


@dataclass(frozen=True, slots=True)
class Remedy:
    """What PostFilter says of a pod that fits nowhere, and what it wants done."""

    message: str
    action: Any = None  # known to the shell under the plugin's name
    nomination: Nomination | None = None  # None: what is kept for the pod stays as it is
    succeeds: bool = False  # the pod will have a node: nothing more is said, and no further plugin asked


class NodeVerdicts(Protocol):
    """What was judged of nodes."""

    def rejections(self) -> Mapping[Rejection, int]:
        """Count the nodes by what keeps the pod from them."""
        ...

    def rejection_of(self, index: int) -> Rejection | None:
        """Return what keeps the pod from one node."""
        ...

    def rejection_with(self, changed: NodeInfo) -> Rejection | None:
        """Return what would keep the pod from a node whose pods were others than they are; the rest of the cluster as it is."""
        ...


class KindVerdicts(NodeVerdicts, Protocol):
    """What was judged of nodes for all pods of a kind."""

    @property
    def has_relations(self) -> bool:
        """Whether what holds between nodes may reject one: a verdict then follows from more than the node's own pods."""
        ...

    def neighbourhood(self, index: int) -> Hashable:
        """Return what nodes have in common that always see the same beside them, as long as their own pods are the same."""
        ...

    def neighbourhood_version(self) -> Hashable:
        """Return what is the same as long as `neighbourhood` is, of all nodes that have not changed."""
        ...

    def besides(self, index: int, kept: int) -> Hashable:
        """Return what else `rejection_with` follows from, with up to `kept` pods more on the node."""
        ...

    @property
    def memo(self) -> dict[Hashable, Any]:
        """What a plugin keeps about the nodes for all pods of this kind, under a key of its own."""
        ...


class Verdicts(NodeVerdicts, Protocol):
    """What PostFilter sees of the nodes that were judged, for one pod."""

    @property
    def tie_break(self) -> float:
        """A number in [0, 1) that chooses where a choice does not matter."""
        ...

    @property
    def offers(self) -> Mapping[str, Victims] | None:
        """What extenders have made of the victims on each node that may be kept for the pod; None: they were not asked."""
        ...

    @property
    def shared(self) -> KindVerdicts:
        """The verdicts for all pods of this kind; these are about one of them, which a node may be kept for."""
        ...


class Plugin:
    """A plugin that says nothing anywhere; real ones override what they have something to say to."""

    name: ClassVar[str]
    weight: ClassVar[int] = 1  # of its score, where the profile says nothing
    helped_by: ClassVar[frozenset[ClusterEvent]] = frozenset()  # what may change its mind about a pod
    helps_kinds: ClassVar[bool] = False  # whether `is_helped` says the same of all pods of one `PodInfo.kind`
    opened_by: ClassVar[frozenset[ClusterEvent]] = frozenset()  # what may let in a pod that `gate` holds back
    releases: ClassVar[frozenset[ClusterEvent]] = frozenset()  # what happens by `release`

    @property
    def original(self) -> Plugin:
        """The plugin itself; another one where this stands in front of it."""
        return self

    def reject(self, *reasons: str, resolvable: bool = True) -> Rejection:
        """Return a filter's verdict; `resolvable`: the node could take the pod if some of its pods went away."""
        return Rejection(self.name, reasons, resolvable)

    def stop(self, message: str) -> Stopped:
        """Return what `need` or `permit` says of a pod that gets no node."""
        return Stopped(self.name, message)

    def is_helped(self, waiting: PodInfo, arrived: PodInfo, snapshot: Snapshot) -> bool:
        """Whether a pod that has come to a node may help one that the plugin rejected, where that is an event that may help."""
        del waiting, arrived, snapshot
        return True

    def asks_each(self, needs: Needs) -> bool:
        """Whether `need` is asked about each pod of a template, since it follows from more than the template."""
        del needs
        return False

    def gate(self, pod: PodInfo, snapshot: Snapshot) -> str:
        """Return what the pod has to wait for before it is looked at, "" for nothing."""
        del pod, snapshot
        return ""

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Need | Stopped | None:
        """Return what has to be known of the pod; None where there is nothing to say of it to any node."""
        del pod, snapshot
        return None

    def filter(self, need: Any, snapshot: Snapshot) -> Filter | None:
        """Return the filter for pods with a need; None where there is none."""
        del need, snapshot
        return None

    def score(self, need: Any, snapshot: Snapshot) -> Score | None:
        """Return the score for pods with a need; None where there is none."""
        del need, snapshot
        return None

    def relate(self, need: Any, snapshot: Snapshot) -> Relation | None:
        """Return what filters and scores by what holds between nodes; a new one each time."""
        del need, snapshot
        return None

    def remedy(self, pod: PodInfo, verdicts: Verdicts, snapshot: Snapshot) -> Remedy | None:
        """Return what is said to a pod that fits nowhere."""
        del pod, verdicts, snapshot
        return None

    def reserve(self, pod: PodInfo, need: Any, node: NodeInfo, snapshot: Snapshot) -> Any:
        """Return what the pod gets beside the node; None for nothing. Nothing is changed by that."""
        del pod, need, node, snapshot
        return None

    def keep(self, reserved: Any, node: str, snapshot: Snapshot) -> None:
        """Count what was reserved as given away."""

    def release(self, reserved: Any, snapshot: Snapshot) -> None:
        """Undo `keep`. Idempotent."""

    def unreserve(self, pod: PodInfo, node: str, handle: Handle) -> None:
        """Note that a pod that had a node does not get it; the plugin that was last in `reserve` comes first."""

    def queue_key(self, pod: PodInfo, added_s: float) -> tuple[float, ...]:
        """Return numbers by which the queue is in order, the lowest first; `added_s` tells when the pod came, in cluster seconds."""
        return (-pod.priority, added_s)

    def permit(self, pod: PodInfo, node: NodeInfo, handle: Handle) -> Wait | Stopped | None:
        """Return how long a pod waits with its node, or that it does not get it; None where it may be bound."""
        del pod, node, handle
        return None

    async def pre_bind(self, pod: PodInfo, node: str, api: Any) -> None:
        """Do what has to be done before a pod is bound; an exception gives the node back."""

    async def bind(self, pod: PodInfo, node: str, api: Any) -> bool:
        """Bind a pod, and return True; False: the next plugin does it."""
        del pod, node, api
        return False

    async def post_bind(self, pod: PodInfo, node: str, api: Any) -> None:
        """Do what is to be done after a pod was bound; an exception is logged."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a template's needs that a plugin reads: equal where that part is."""

    key: bytes
    needs: Needs = field(compare=False)


def part(needs: Needs, *fields: str) -> Part:
    """Return the part that some fields make up."""
    return Part(_encode([getattr(needs, each) for each in fields]), needs)


def says_something(plugin: Plugin, *points: str) -> bool:
    """Whether a plugin has something to say at one of some points."""
    return any(getattr(type(plugin.original), each) is not getattr(Plugin, each) for each in points)
