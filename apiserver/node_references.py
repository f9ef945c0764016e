"""What the pods of a node refer to, for the Node authorizer: kept as the watch cache's events arrive.

An event costs a note. A pod is decoded when its node asks for the first time after it changed, so what a request costs
follows the pods of its node that changed, not the pods that there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from apiserver.core.authz.attributes import Attributes
from apiserver.core.authz.node import (
    ATTACHMENTS,
    SLICES,
    VOLUMES,
    Reference,
    References,
    references_of,
    relates,
)
from apiserver.core.kind import Kind
from apiserver.objects import CachedObject
from apiserver.registry.reads import Reads
from apiserver.watch_cache_feed import Feed

_NODE_NAME = "spec.nodeName"


class NodeReferences:
    """The references of all nodes; follows the cache of pods (`apiserver.watch_cache.Follower`)."""

    def __init__(self, feed: Feed, reads: Reads, kinds: Mapping[tuple[str, str], Kind]) -> None:
        self._reads = reads
        self._feed = feed
        self._pods = pods = kinds["", "pods"]
        self._telling = {  # whose objects say themselves which node they are of
            VOLUMES: kinds["", VOLUMES],
            ATTACHMENTS: kinds["storage.k8s.io", ATTACHMENTS],
            SLICES: kinds["resource.k8s.io", SLICES],
        }
        self._nodes: dict[str, _Node] = {}  # those that have pods
        feed.cache(pods).follow(self)

    async def of(self, name: str, asked: Attributes) -> References:
        """Return what the pods that are bound to a node refer to, now: it is to be looked at before the next await.

        Volumes, attachments and slices say themselves whose they are: of these the one is among them that is `asked` for.

        Raises:
            Unavailable: a cache is not filled yet.
        """
        await self._reads.ready(self._pods)
        kind = self._telling.get(asked.resource)
        if kind is not None:
            await self._reads.ready(kind)
        node = self._nodes.get(name)
        references = node.references() if node else frozenset()
        if kind is None or (found := self._feed.cache(kind).get(kind.place("", asked.name))) is None:
            return references
        obj = msgspec.json.decode(found.json)
        is_related = relates(obj, asked.resource, name, references)
        return {(asked.resource, "", asked.name)} if is_related else frozenset()

    def replaced(self, every: Iterable[CachedObject]) -> None:
        """Begin again from a whole list."""
        self._nodes.clear()
        for pod in every:
            self.changed(None, pod)

    def changed(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Follow a write: `old` is None for a new pod, `new` for one that is gone."""
        before = old.fields.get(_NODE_NAME) if old else None
        after = new.fields.get(_NODE_NAME) if new else None
        if old and before and before != after:
            self._nodes[before].drop(old.place)
            if self._nodes[before].is_empty:
                del self._nodes[before]
        if new and after:
            self._nodes.setdefault(after, _Node()).note(new)


class _Node:
    """The pods of one node."""

    def __init__(self) -> None:
        self._changed: dict[str, CachedObject] = {}  # by place: read when somebody asks
        self._of_pods: dict[str, frozenset[Reference]] = {}  # by place
        self._counts: dict[Reference, int] = {}  # how many pods refer to it

    @property
    def is_empty(self) -> bool:
        return not self._changed and not self._of_pods

    def note(self, pod: CachedObject) -> None:
        self._changed[pod.place] = pod

    def drop(self, place: str) -> None:
        self._changed.pop(place, None)
        self._set(place, frozenset())

    def references(self) -> References:
        for place, pod in self._changed.items():
            self._set(place, frozenset(references_of(msgspec.json.decode(pod.json))))
        self._changed.clear()
        return self._counts.keys()

    def _set(self, place: str, references: frozenset[Reference]) -> None:
        before = self._of_pods.pop(place, frozenset())
        if references:
            self._of_pods[place] = references
        for each in references - before:
            self._counts[each] = self._counts.get(each, 0) + 1
        for each in before - references:
            self._counts[each] -= 1
            if not self._counts[each]:
                del self._counts[each]
