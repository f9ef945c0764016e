"""What NetworkPolicies want of one node's packet filter, brought up to date by one object at a time.

Fed by the shell with policies, pods, namespaces and processes that count as pods, in any order; what results depends on the objects only. A pod that
changes costs what its own policies and the selectors of its namespace cost; a policy that changes costs the pods of its
namespace, and of those that a selector of it means which no other policy has.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Final, TypeVar

from machinery.model.network_policies import (
    EGRESS,
    INGRESS,
    Labels,
    PodPeer,
    Policy,
    PolicyPod,
    ProcessPort,
)
from proxy.core.families import V4, Family, family_of
from proxy.core.merged import Merged, Owner
from proxy.core.policy_rules import (
    PodPort,
    peer_set,
    peers_of,
    plan_isolation,
    plan_local,
    plan_policies_base,
    plan_sets,
    port_set,
    ports_of,
)
from proxy.core.table import Item

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
_BASE: Final[Owner] = ("/policies", "")  # no Service's: no namespace is called so
_DIRECTIONS: Final = (EGRESS, INGRESS)


class Policies:
    """Writes into a table what isolates the pods of a node."""

    def __init__(self, table: Merged[Item, str], node_name: str, family: Family = V4) -> None:
        """Make it of nothing; of pods only the addresses of a family count."""
        self._table = table
        self._node_name = node_name
        self._family = family
        self._pod_range = ""
        self._policies: dict[str, dict[str, Policy]] = defaultdict(dict)  # by namespace and name
        self._pods: dict[str, dict[str, PolicyPod]] = defaultdict(dict)
        self._labels: dict[str, Labels] = {}  # of namespaces
        self._peers: Counter[PodPeer] = Counter()  # how many policies have it
        self._peers_by_namespace: dict[str, dict[str, PodPeer]] = defaultdict(dict)  # by set; "": by labels
        self._ports: Counter[PodPort] = Counter()
        self._processes: tuple[ProcessPort, ...] = ()
        self._waiting: dict[
            Owner, frozenset[str]
        ] = {}  # pods without an address: the directions to be isolated in

    def set_range(self, pod_range: str) -> None:
        """Note which addresses the pods of the node have ("10.244.1.0/24"), "" while it is not known."""
        if pod_range != self._pod_range:
            self._pod_range = pod_range
            self._write_base()

    def put_policy(self, namespace: str, name: str, policy: Policy | None) -> None:
        """Note a policy as it is now, None for one that is not there."""
        were_any = bool(self._policies)
        before = _replaced(self._policies, namespace, name, policy)
        if policy == before:
            return
        self._table.put((f"/policy/{namespace}", name), plan_sets(policy, self._family) if policy else {})
        affected = self._count_peers(before, policy) | self._count_ports(before, policy) | {namespace}
        if bool(self._policies) != were_any:
            self._write_base()
            affected |= set(self._pods)
        for each in affected:
            self._write_pods(each)

    def put_pod(self, namespace: str, name: str, pod: PolicyPod | None) -> None:
        """Note a pod as it is now, None for one that is not there."""
        if _replaced(self._pods, namespace, name, pod) != pod:
            self._write_pod(namespace, name)

    def put_namespace(self, name: str, labels: Labels | None) -> None:
        """Note a namespace's labels as they are now, None for one that is not there."""
        if self._labels.get(name) == labels:
            return
        if labels is None:
            self._labels.pop(name, None)
        else:
            self._labels[name] = labels
        counts = any(process.pod.namespace == name for process in self._processes)
        for each in list(self._pods) if counts else (name,):
            self._write_pods(each)

    def put_processes(self, processes: tuple[ProcessPort, ...]) -> None:
        """Note which processes count as pods now; a change costs all pods."""
        if processes != self._processes:
            self._processes = processes
            for each in self._pods:
                self._write_pods(each)

    def _count_peers(self, before: Policy | None, after: Policy | None) -> set[str]:
        """Count who has which selector; return the namespaces of whose pods one means some that nobody had, or has."""
        namespaces: set[str] = set()
        for peer, is_there in _turned(self._peers, before, after, peers_of):
            _replaced(self._peers_by_namespace, peer.namespace, peer_set(peer), peer if is_there else None)
            namespaces.update([peer.namespace] if peer.namespace else self._pods)
        return namespaces

    def _count_ports(self, before: Policy | None, after: Policy | None) -> set[str]:
        return set(self._pods) if list(_turned(self._ports, before, after, ports_of)) else set()

    def _write_base(self) -> None:
        if self._policies:
            waiting = (direction for each in self._waiting.values() for direction in each)
            self._table.put(_BASE, plan_policies_base(waiting, self._pod_range, self._family))
        else:
            self._table.put(_BASE, {})

    def _write_pods(self, namespace: str) -> None:
        for name in self._pods.get(namespace, ()):
            self._write_pod(namespace, name)

    def _write_pod(self, namespace: str, name: str) -> None:
        pod = self._pods.get(namespace, {}).get(name)
        self._table.put((f"/pod/{namespace}", name), dict(self._items(pod)) if pod else {})
        self._wait((namespace, name), pod)

    def _items(self, pod: PolicyPod) -> Iterator[tuple[Item, str]]:
        """Return what a pod is to all policies, and what they do to it if it is on this node."""
        if not self._policies:
            return
        peers = [name for name, peer in self._selectors(pod.namespace) if peer.matches(pod, self._labels)]
        for ip in filter(None, map(self._family.read, pod.ips)):
            yield from ((Item(name, ip), "") for name in peers)
            for protocol, name, number in pod.ports:
                if (port := PodPort(protocol, name)) in self._ports:
                    yield Item(port_set(port), f"{ip} . {number}"), ""
            if pod.node == self._node_name:
                yield from self._isolate(pod, ip).items()

    def _isolate(self, pod: PolicyPod, ip: str) -> Mapping[Item, str]:
        items = plan_local(ip)
        for direction in _DIRECTIONS:
            isolating = self._isolating(pod, direction)
            processes = self._admitted(isolating) if direction == EGRESS else ()
            items |= plan_isolation(ip, isolating, direction, processes, self._family)
        return items

    def _admitted(self, policies: Iterable[Policy]) -> list[ProcessPort]:
        """Return the processes that rules for egress let through to as pods."""
        if not self._processes:
            return []
        rules = [rule for policy in policies for rule in policy.egress or ()]
        return [
            process
            for process in self._processes
            if family_of(process.pod.ips[0]) is self._family
            and any(rule.admits_process(process, self._labels) for rule in rules)
        ]

    def _isolating(self, pod: PolicyPod, direction: str) -> list[Policy]:
        own = self._policies.get(pod.namespace, {}).values()
        return [policy for policy in own if policy.isolates(pod, direction)]

    def _selectors(self, namespace: str) -> Iterator[tuple[str, PodPeer]]:
        for where in (namespace, ""):
            yield from self._peers_by_namespace.get(where, {}).items()

    def _wait(self, key: Owner, pod: PolicyPod | None) -> None:
        """Note in which directions a pod of this node that has no address yet is going to be isolated."""
        directions: frozenset[str] = frozenset()
        if pod and pod.node == self._node_name and not pod.ips:
            directions = frozenset(each for each in _DIRECTIONS if self._isolating(pod, each))
        if directions == self._waiting.get(key, frozenset()):
            return
        if directions:
            self._waiting[key] = directions
        else:
            del self._waiting[key]
        self._write_base()


def _replaced(known: dict[str, dict[str, T]], namespace: str, name: str, new: T | None) -> T | None:
    """Put an entry where it belongs, or take it away; return what was there."""
    own = known[namespace]
    before = own.pop(name, None)
    if new is not None:
        own[name] = new
    if not own:
        del known[namespace]
    return before


def _turned(
    counter: Counter[K], before: Policy | None, after: Policy | None, of: Callable[[Policy], frozenset[K]]
) -> Iterator[tuple[K, bool]]:
    """Count what a policy has now instead of before; return what somebody has for the first time, or nobody any more."""
    had, has = (of(policy) if policy else frozenset[K]() for policy in (before, after))
    for key in has - had:
        counter[key] += 1
        if counter[key] == 1:
            yield key, True
    for key in had - has:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]
            yield key, False
