"""The ranges of the cluster's pod addresses, and which of them nodes have: kept as nodes come, change and go."""

from __future__ import annotations

import ipaddress
from collections import Counter
from contextlib import suppress
from heapq import heappop, heappush
from itertools import chain

from controllers.core.pod_ranges import NODE_MASKS, Network
from machinery.model.k8s.core_v1 import Node


class Ranges:
    """The ranges of one family by their number, from the lowest address on."""

    def __init__(self, cluster: Network) -> None:
        self._cluster = cluster
        self._mask = NODE_MASKS[self._cluster.version]
        self._size: int = 2 ** (self._cluster.max_prefixlen - self._mask)
        self._total = self._cluster.num_addresses // self._size
        self._users: Counter[int] = Counter()  # nodes by the number of a range that they touch
        self._by_node: dict[str, list[range]] = {}
        self._next = 0  # all from here on have never been given back
        self._given_back: list[
            int
        ] = []  # a heap of lower numbers; some are in use again, some are there twice

    def put(self, node: Node) -> None:
        """Note the ranges of a node; those of another size touch several of ours, or a part of one."""
        touched = [self._touched(network) for network in _networks(node)]
        if touched == self._by_node.get(node.metadata.name):
            return
        self.drop(node.metadata.name)
        self._by_node[node.metadata.name] = touched
        self._users.update(chain.from_iterable(touched))

    def drop(self, name: str) -> None:
        """Forget a node: its ranges are free, where no other node has them."""
        for number in chain.from_iterable(self._by_node.pop(name, ())):
            self._users[number] -= 1
            if not self._users[number]:
                del self._users[number]
                heappush(self._given_back, number)

    def lowest(self, count: int) -> list[Network]:
        """Return the lowest free ranges, fewer where there are no more; they stay free until a node has them."""
        found: list[int] = []
        while len(found) < count and (number := self._take()) is not None:
            found.append(number)
        for number in found:
            heappush(self._given_back, number)
        base = int(self._cluster.network_address)
        make = type(self._cluster)
        return [make((base + number * self._size, self._mask)) for number in found]

    def _take(self) -> int | None:
        while self._given_back:
            number = heappop(self._given_back)
            is_last = not self._given_back or self._given_back[0] != number
            if is_last and number < self._next and number not in self._users:
                return number
        while self._next < self._total:
            self._next += 1
            if self._next - 1 not in self._users:
                return self._next - 1
        return None

    def _touched(self, network: Network) -> range:
        if network.version != self._cluster.version or not network.overlaps(self._cluster):
            return range(0)
        base = int(self._cluster.network_address)
        first = max(0, int(network.network_address) - base)
        last = min(self._cluster.num_addresses - 1, int(network.broadcast_address) - base)
        return range(first // self._size, last // self._size + 1)


def _networks(node: Node) -> list[Network]:
    """Return the ranges that a node says it has; what is none takes nothing."""
    found: list[Network] = []
    for text in sorted({*node.spec.podCIDRs, node.spec.podCIDR} - {""}):
        with suppress(ValueError):
            found.append(ipaddress.ip_network(text, strict=False))
    return found
