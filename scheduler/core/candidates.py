"""The nodes on which pods of one kind and priority would fit if pods of lower priority went, kept up to date as the cluster changes.

As an Evaluation does, Candidates look again only at the nodes that have changed since the last decision; what results is what
looking at all of them afresh would give. Where relations filter, a node's verdict follows from other nodes, too. Nodes that see the
same of them (those of a zone, say, that have the same of their own) are a group, and what was found for its nodes is kept apart by
what they saw: where a pod comes to a zone, the groups of the zone take up what was found when they saw that last.

    node ─▶ group: its neighbourhood ─▶ what its nodes see beside them, now ─▶ findings ─▶ the node whose victims cost least
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Final, NamedTuple

from scheduler.core import messages
from scheduler.core.findings import Finding, Findings
from scheduler.core.framework import KindVerdicts, NodeVerdicts, Verdicts
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.preemption import Victims, find_victims
from scheduler.core.snapshot import Snapshot

_KEPT: Final = 8  # findings of a group of several nodes, by what these see


class Candidate(NamedTuple):
    """A node, and who would have to go."""

    node: NodeInfo
    victims: Victims


class _Group:
    """Nodes that always see the same beside them."""

    def __init__(self) -> None:
        self.members: set[int] = set()
        self.findings = Findings()  # that hold now
        self._by_sight: dict[Hashable, Findings] = {}  # the one that was used last is last

    def join(self, index: int) -> None:
        self.members.add(index)
        for each in self._by_sight.values():
            each.missing.add(index)

    def leave(self, index: int) -> None:
        self.members.discard(index)
        for each in self._by_sight.values():
            each.remove(index)

    def see(self, sight: Hashable) -> None:
        """Use from now on what was found when the nodes saw this."""
        found = self._by_sight.pop(sight, None)
        if found is None:
            found = Findings()
            found.missing.update(self.members)
            if len(self._by_sight) >= (_KEPT if len(self.members) > 1 else 1):
                del self._by_sight[next(iter(self._by_sight))]
        self.findings = self._by_sight[sight] = found


class Candidates:
    """The candidates for pods of a priority, over the verdicts about their kind."""

    def __init__(self, verdicts: KindVerdicts, snapshot: Snapshot, priority: int) -> None:
        self._verdicts = verdicts
        self._snapshot = snapshot
        self._priority = priority
        self._position = -1
        self._version: Hashable = None  # of the neighbourhoods
        self._groups: dict[Hashable, _Group] = {}
        self._keys: dict[int, Hashable] = {}  # of the nodes' groups

    def refresh(self) -> None:
        """Look at the nodes that have changed since the last time, or that see something now that they have not seen."""
        snapshot = self._snapshot
        if self._position == snapshot.position:
            return
        changed = snapshot.changes_since(self._position) if self._position >= 0 else None
        self._position = snapshot.position
        for index in range(len(snapshot.nodes)) if changed is None else changed:
            self._leave(index)
            if snapshot.nodes[index].exists:
                self._join(index, self._key(index))
        if self._verdicts.has_relations:
            self._regroup()
        for group in self._groups.values():
            self._complete(group)

    def best(self, pod: PodInfo, verdicts: Verdicts) -> Candidate | Mapping[str, int]:
        """Return the node whose victims cost least, one of several by the number that was drawn; where none helps, why, counted.

        A node that is kept for the pod itself is looked at as if it were not; `verdicts` are those about the pod.

        Raises:
            ValueError: the number that was drawn is not in [0, 1).
        """
        own = self._snapshot.node(self._snapshot.nominations.node_of(pod.uid))
        if own is None:
            return self._best(verdicts.tie_break)
        findings = self._groups[self._keys[own.index]].findings
        theirs = findings.remove(own.index)
        findings.put(own.index, self._find(own, verdicts, pod.uid))
        best = self._best(verdicts.tie_break)
        findings.remove(own.index)
        findings.put(own.index, theirs)
        return best

    def every(self, pod: PodInfo, verdicts: Verdicts) -> dict[str, Victims]:
        """Return who would have to go from each node where that helps, by its name."""
        nodes = self._snapshot.nodes
        groups = self._groups.values()
        found = {nodes[index].name: each for group in groups for index, each in group.findings.helping()}
        own = self._snapshot.node(self._snapshot.nominations.node_of(pod.uid))
        if own is not None:
            found.pop(own.name, None)
            if isinstance(mine := self._find(own, verdicts, pod.uid), Victims):
                found[own.name] = mine
        return found

    def _best(self, tie_break: float) -> Candidate | Mapping[str, int]:
        ranked = [
            (cost, group.findings) for group in self._groups.values() if (cost := group.findings.lowest())
        ]
        if not ranked:
            return _sum(group.findings.reasons for group in self._groups.values())
        lowest = min([cost for cost, _ in ranked])
        best = [(nodes, found) for cost, found in ranked if cost == lowest and (nodes := found.at(cost))]
        chosen = int(tie_break * sum([len(nodes) for nodes, _ in best]))
        for nodes, found in best:
            if chosen < len(nodes):
                return Candidate(self._snapshot.nodes[nodes[chosen]], found.victims(nodes[chosen]))
            chosen -= len(nodes)
        raise ValueError(f"a tie is broken by a number in [0, 1), not {tie_break}")

    # -- groups --

    def _key(self, index: int) -> Hashable:
        """Return what a node's group is found by: where relations count, also how many pods the node is kept for."""
        if not self._verdicts.has_relations:
            return ()
        return self._verdicts.neighbourhood(index), self._kept(index)

    def _kept(self, index: int) -> int:
        return len(self._snapshot.nominations.on(self._snapshot.nodes[index].name))

    def _join(self, index: int, key: Hashable) -> None:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group()
        group.join(index)
        self._keys[index] = key

    def _leave(self, index: int) -> None:
        key = self._keys.pop(index, None)
        if key is None:
            return
        group = self._groups[key]
        group.leave(index)
        if not group.members:
            del self._groups[key]

    def _regroup(self) -> None:
        """Put nodes that have not changed into the groups of the neighbourhoods that they have by now."""
        version = self._verdicts.neighbourhood_version()
        if version == self._version:
            return
        self._version = version
        for index, key in [*self._keys.items()]:
            if (now := self._key(index)) != key:
                self._leave(index)
                self._join(index, now)

    def _complete(self, group: _Group) -> None:
        """Find what is missing for what the nodes of a group see now."""
        verdicts, nodes = self._verdicts, self._snapshot.nodes
        if verdicts.has_relations:
            some = next(iter(group.members))
            group.see(verdicts.besides(some, self._kept(some)))
        else:
            group.see(())
        findings = group.findings
        while findings.missing:
            index = findings.missing.pop()
            findings.put(index, self._find(nodes[index], verdicts, ""))

    # -- one node --

    def _find(self, node: NodeInfo, verdicts: NodeVerdicts, without: str) -> Finding:
        """Return who would have to go from a node that may be kept for pods, except for one; why it does not help."""
        rejection = verdicts.rejection_of(node.index)
        if rejection is not None and not rejection.resolvable:
            return (messages.NOT_HELPFUL,)
        if min(node.priorities, default=self._priority) >= self._priority:
            return (messages.NO_VICTIMS,)
        kept = self._snapshot.nominations.on_from(node.name, self._priority, without)
        found = find_victims(node, self._priority, kept, verdicts.rejection_with, self._snapshot.budgets)
        if isinstance(found, Victims):
            return found
        return (messages.NO_VICTIMS,) if found is None else found.reasons


def _sum(counts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total
