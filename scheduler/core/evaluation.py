"""What every node is worth to pods of one kind, kept up to date as the cluster changes.

An Evaluation has the verdict about *every* node. When a decision is due, only the nodes that have changed since the
last one are judged again; what results is what judging all of them afresh would give (a property test says so).
Facts that hold between nodes (how many pods in which domain, what the highest score is) are worked out for each
decision, over the classes of like nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.core.device_filter import DeviceFilter
from scheduler.core.like_nodes import LikeNodes
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.plugins import (
    balanced_allocation,
    image_locality,
    node_affinity,
    node_name,
    node_ports,
    node_resources_fit,
    node_unschedulable,
    taint_toleration,
    topology_spread,
)
from scheduler.core.plugins.normalize import less_is_better, more_is_better
from scheduler.core.plugins.topology_spread import Spread
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot
from scheduler.core.spreading import Domain, Place, Tally
from scheduler.core.volume_filter import VolumeFilter


@dataclass(frozen=True, slots=True)
class Traits:
    """What scores see of a node itself, whatever pods it has."""

    avoided: int  # taints that the pod had rather avoid
    preference: int  # weights of the preferred terms that it matches
    images: int  # 0 to 100


@dataclass(slots=True)
class _Standing:
    """The verdict about one node: a Rejection, or a place in a class."""

    version: int  # of the node, when `verdict` was given
    verdict: Traits | Rejection
    rejection: Rejection | None = None
    class_: LikeNodes | None = None
    score: int = 0
    position: int = 0


class Evaluation:
    """The verdicts about all nodes, for pods with these needs and this spreading in this namespace, these volumes and devices."""

    def __init__(
        self,
        needs: Needs,
        namespace: str,
        spread: Spread,
        snapshot: Snapshot,
        volumes: VolumeFilter | None = None,
        devices: DeviceFilter | None = None,
    ) -> None:
        self._needs = needs
        self._volumes = volumes
        self._devices = devices
        self._has_claims = volumes is not None or devices is not None
        self._spread = spread
        self._snapshot = snapshot
        hard_labels = [each.topology_key for each in spread.hard]
        soft_labels = [each.topology_key for each in spread.soft] if spread.needs_all_labels else []
        self._hard = [Tally(each, namespace, needs, hard_labels) for each in spread.hard]
        self._soft = [Tally(each, namespace, needs, soft_labels) for each in spread.soft]
        self._tallies = [*self._hard, *self._soft]
        self._classes: dict[tuple[int, int, Place], LikeNodes] = {}
        self._rejections: dict[Rejection, int] = {}
        self._standings: dict[int, _Standing] = {}
        self._position = -1
        self._images_version = -1
        self._shares: dict[str, float] = {}
        self._least: list[int] = []  # for each hard constraint, what the emptiest domain has

    def refresh(self) -> None:
        """Judge the nodes that have changed since the last time."""
        snapshot = self._snapshot
        changed = snapshot.changes_since(self._position) if self._position >= 0 else None
        self._position = snapshot.position
        if self._images_version != snapshot.images_version and self._shares_changed():
            changed = None
            for standing in self._standings.values():
                standing.version = -1
        for index in range(len(snapshot.nodes)) if changed is None else changed:
            self._judge(snapshot.nodes[index])
        self._least = [tally.least() for tally in self._hard]

    def candidates(self) -> list[tuple[int, LikeNodes]]:
        """Return the classes of nodes that can take the pod, with the points that all of their nodes get.

        A node's whole score is its class's points and its own absolute score.
        """
        fitting = [each for each in self._classes.values() if self._spread_rejection(each.place) is None]
        if not fitting:
            return []
        most_avoided = max(each.avoided for each in fitting)
        most_preferred = max(each.preference for each in fitting)
        spread_points = self._spread_points(fitting)
        return [
            (
                taint_toleration.WEIGHT * less_is_better(each.avoided, most_avoided)
                + node_affinity.WEIGHT * more_is_better(each.preference, most_preferred)
                + topology_spread.WEIGHT * points,
                each,
            )
            for each, points in zip(fitting, spread_points, strict=True)
        ]

    def rejections(self) -> dict[Rejection, int]:
        """Count the nodes that cannot take the pod, by reason."""
        counts = dict(self._rejections)
        for each in self._classes.values():
            if (rejection := self._spread_rejection(each.place)) is not None:
                counts[rejection] = counts.get(rejection, 0) + each.size
        return counts

    def rejection_of(self, index: int) -> Rejection | None:
        """Return why one node cannot take the pod, None where it can or does not exist."""
        standing = self._standings.get(index)
        if standing is None or standing.class_ is None:
            return standing.rejection if standing else None
        return self._spread_rejection(standing.class_.place)

    # -- one node --

    def _judge(self, node: NodeInfo) -> None:
        standing = self._standings.get(node.index)
        if standing is not None:
            self._withdraw(node.index, standing)
        if not node.exists:
            if self._standings.pop(node.index, None) is not None:
                self._leave_domains(node.index)
            return
        if standing is None or standing.version != node.version:
            standing = self._standings[node.index] = _Standing(node.version, self._verdict(node))
            self._leave_domains(node.index)
            for tally in self._tallies:
                tally.join(node)
                self._move_neighbours(tally, node.index)
        else:
            for tally in self._tallies:
                tally.recount(node)
                self._move_neighbours(tally, node.index)
        self._place(node, standing)

    def _verdict(self, node: NodeInfo) -> Traits | Rejection:
        """Judge what pods do not change: the filters before the ports, in their order, then the scores."""
        needs = self._needs
        if not node_unschedulable.fits(needs, node):
            return node_unschedulable.REJECTION
        if not node_name.fits(needs, node):
            return node_name.REJECTION
        if not taint_toleration.fits(needs, node):
            return taint_toleration.REJECTION
        if not node_affinity.fits(needs, node):
            return node_affinity.REJECTION
        return Traits(
            taint_toleration.count_avoided(needs, node),
            node_affinity.preference(needs, node),
            image_locality.locality(needs.images, node.images, self._shares),
        )

    def _place(self, node: NodeInfo, standing: _Standing) -> None:
        needs, traits = self._needs, standing.verdict
        if isinstance(traits, Rejection):
            self._reject(standing, traits)
        elif needs.ports and not node_ports.fits(needs, node):
            self._reject(standing, node_ports.REJECTION)
        elif not node_resources_fit.fits(needs, node):
            self._reject(standing, node_resources_fit.explain(needs, node))
        elif self._has_claims and (rejection := self._claims_rejection(node)) is not None:
            self._reject(standing, rejection)
        else:
            own = node_resources_fit.least_allocated(needs, node) + balanced_allocation.balance(needs, node)
            self._enter(node.index, standing, traits, own + traits.images)

    def _claims_rejection(self, node: NodeInfo) -> Rejection | None:
        """Return why the pod's claims of volumes and devices keep it from a node."""
        rejection = self._volumes.rejection(node) if self._volumes else None
        return self._devices.rejection(node) if self._devices and rejection is None else rejection

    def _reject(self, standing: _Standing, rejection: Rejection) -> None:
        standing.rejection = rejection
        self._rejections[rejection] = self._rejections.get(rejection, 0) + 1

    def _enter(self, index: int, standing: _Standing, traits: Traits, score: int) -> None:
        place = self._place_of(index)
        key = (traits.avoided, traits.preference, place)
        class_ = self._classes.get(key)
        if class_ is None:
            class_ = self._classes[key] = LikeNodes(*key)
        standing.class_ = class_
        standing.score = score
        standing.position = class_.add(index, score)

    def _withdraw(self, index: int, standing: _Standing) -> None:
        if (rejection := standing.rejection) is not None:
            standing.rejection = None
            self._rejections[rejection] -= 1
            if not self._rejections[rejection]:
                del self._rejections[rejection]
        if (class_ := standing.class_) is not None:
            standing.class_ = None
            moved, position = class_.remove(standing.score, standing.position)
            if moved != index:
                self._standings[moved].position = position
            if not class_.size:
                del self._classes[class_.avoided, class_.preference, class_.place]

    # -- domains --

    def _place_of(self, index: int) -> Place:
        if not self._tallies:
            return ()
        hard = tuple(self._hard_fact(tally, index) for tally in self._hard)
        soft = tuple(
            tally.on_node[index] if tally.is_by_host and domain else domain
            for tally in self._soft
            for domain in (tally.domain(index),)
        )
        return (*hard, *soft)

    @staticmethod
    def _hard_fact(tally: Tally, index: int) -> Domain | int | None:
        domain = tally.domain(index)
        return domain.matching if domain and tally.is_by_host else domain

    def _leave_domains(self, index: int) -> None:
        for tally in self._tallies:
            domain = tally.domain(index)
            tally.forget(index)
            if domain is not None and tally.is_by_host and domain.members:
                self._move(domain.members)

    def _move_neighbours(self, tally: Tally, index: int) -> None:
        """Where several nodes share a hostname, their place depends on the pods of all of them."""
        domain = tally.domain(index)
        if domain is not None and tally.is_by_host and len(domain.members) > 1:
            self._move(domain.members - {index})

    def _move(self, indexes: set[int]) -> None:
        for index in indexes:
            standing = self._standings.get(index)
            if standing is not None and standing.class_ is not None and isinstance(standing.verdict, Traits):
                self._withdraw(index, standing)
                self._enter(index, standing, standing.verdict, standing.score)

    def _spread_rejection(self, place: Place) -> Rejection | None:
        for tally, fact, least in zip(self._hard, place, self._least, strict=False):
            if fact is None:
                return topology_spread.UNLABELED
            matching = fact if isinstance(fact, int) else fact.matching
            if topology_spread.is_skewed(tally.constraint, matching, least):
                return topology_spread.SKEWED
        return None

    def _spread_points(self, fitting: list[LikeNodes]) -> list[int]:
        """Return 0 to 100 for each class by the soft constraints."""
        if not self._soft:
            return [0] * len(fitting)
        start = len(self._hard)
        all_labels = self._spread.needs_all_labels
        scored = [not (all_labels and None in each.place[start:]) for each in fitting]
        weights = self._weights([each for each, counts in zip(fitting, scored, strict=True) if counts])
        raw = [self._cost(each.place[start:], weights) for each in fitting]
        counted = [cost for cost, counts in zip(raw, scored, strict=True) if counts]
        lowest, highest = min(counted, default=0), max(counted, default=0)
        return [
            topology_spread.normalize(cost, lowest, highest) if counts else 0
            for cost, counts in zip(raw, scored, strict=True)
        ]

    def _weights(self, scored: list[LikeNodes]) -> list[float]:
        nodes = sum(each.size for each in scored)
        start = len(self._hard)
        return [
            topology_spread.topology_weight(
                nodes if tally.is_by_host else len({each.place[start + number] for each in scored})
            )
            for number, tally in enumerate(self._soft)
        ]

    def _cost(self, facts: Place, weights: list[float]) -> int:
        total = 0.0
        for tally, fact, weight in zip(self._soft, facts, weights, strict=True):
            if fact is not None:
                matching = fact if isinstance(fact, int) else fact.matching
                total += topology_spread.cost(tally.constraint, matching, weight)
        return topology_spread.rounded(total)

    def _shares_changed(self) -> bool:
        snapshot = self._snapshot
        self._images_version = snapshot.images_version
        total = snapshot.node_count or 1
        shares = {
            image: snapshot.image_nodes[image] / total
            for image in self._needs.images
            if image in snapshot.image_nodes
        }
        changed = shares != self._shares
        self._shares = shares
        return changed
