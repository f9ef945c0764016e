"""What the pods of a node refer to, for the Node authorizer: kept as the watch cache's events arrive.

An event costs a note. A pod is decoded when its node asks for the first time after it changed, so what a request costs
follows the pods of its node that changed, not the pods that there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from apiserver.core.authz.attributes import Attributes
from apiserver.core.authz.node import (
    ATTACHMENTS,
    CLAIMS,
    SLICES,
    VOLUMES,
    Reference,
    References,
    references_of,
    relates,
    volume_secrets,
)
from apiserver.core.kind import Kind
from apiserver.objects import CachedObject
from apiserver.registry.reads import Reads
from apiserver.watch_cache_feed import Feed

_NODE_NAME = "spec.nodeName"
_Name: TypeAlias = tuple[str, str]  # namespace, name


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
        self._secrets = _VolumeSecrets()
        feed.cache(pods).follow(self)
        feed.cache(self._telling[VOLUMES]).follow(self._secrets)

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
        if asked.resource == "secrets" and ("secrets", asked.namespace, asked.name) not in references:
            return await self._secret_of_volume(asked, references)
        if kind is None or (found := self._feed.cache(kind).get(kind.place("", asked.name))) is None:
            return references
        obj = msgspec.json.decode(found.json)
        is_related = relates(obj, asked.resource, name, references)
        return {(asked.resource, "", asked.name)} if is_related else frozenset()

    async def _secret_of_volume(self, asked: Attributes, references: References) -> References:
        """Return a Secret that is asked for where a volume names it that one of these claims has."""
        await self._reads.ready(self._telling[VOLUMES])
        claims = self._secrets.claims(asked.namespace, asked.name)
        is_related = any((CLAIMS, namespace, name) in references for namespace, name in claims)
        return {("secrets", asked.namespace, asked.name)} if is_related else frozenset()

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


class _VolumeSecrets:
    """Which claims have a volume that names a Secret; follows the cache of volumes. A volume is read when somebody asks."""

    def __init__(self) -> None:
        self._changed: dict[str, CachedObject | None] = {}  # by place
        self._secrets: dict[str, tuple[_Name, frozenset[_Name]]] = {}  # by place: the claim, and the Secrets
        self._claims: dict[_Name, dict[str, _Name]] = {}  # by Secret: the claims, by the volume's place

    def replaced(self, every: Iterable[CachedObject]) -> None:
        """Begin again from a whole list."""
        self._changed = {**dict.fromkeys(self._secrets), **{each.place: each for each in every}}

    def changed(self, old: CachedObject | None, new: CachedObject | None) -> None:
        """Follow a write: `old` is None for a new volume, `new` for one that is gone."""
        if new is not None:
            self._changed[new.place] = new
        elif old is not None and old.place in self._secrets:
            self._changed[old.place] = None
        elif old is not None:
            self._changed.pop(old.place, None)

    def claims(self, namespace: str, name: str) -> Iterable[_Name]:
        """Return the claims whose volumes name a Secret."""
        for place, volume in self._changed.items():
            self._read(place, volume)
        self._changed.clear()
        return self._claims.get((namespace, name), {}).values()

    def _read(self, place: str, volume: CachedObject | None) -> None:
        _, before = self._secrets.pop(place, (("", ""), frozenset()))
        for secret in before:
            del self._claims[secret][place]
            if not self._claims[secret]:
                del self._claims[secret]
        claim, secrets = (
            volume_secrets(msgspec.json.decode(volume.json)) if volume else (("", ""), frozenset())
        )
        if secrets:
            self._secrets[place] = claim, secrets
        for secret in secrets:
            self._claims.setdefault(secret, {})[place] = claim


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
