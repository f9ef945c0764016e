"""The ConfigMaps and Secrets that the node's pods refer to: each is followed while a pod reads it.

A list and a watch of one object, by its name, from the first pod that reads it to the end of the last one: so what the
next pod reads, or the same one again, costs no request, and is as new as the watch. An object that is immutable is not
watched any longer once it is here. That is how a kubelet reads them by default (`configMapAndSecretChangeDetectionStrategy:
Watch`). What is kept is bounded: a large object, and what there is no room for, is read each time.

Fed by environment, volumes and images; `forget` is called when a pod has ended.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import msgspec

from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.clock import Clock
from machinery.model.errors import NotFound
from machinery.model.k8s.core_v1 import ConfigMap, Pod, Secret
from machinery.model.log import SILENT, EventLog
from machinery.model.requests import Selection
from machinery.model.resources import Resource

S = TypeVar("S", ConfigMap, Secret)
_Key: TypeAlias = tuple[str, str, str]  # plural, namespace, name

_PATIENCE_S: Final = 1.0  # wall seconds that a pod waits for an object's first list before it asks itself
_FOLLOWED: Final = 256  # objects
_LARGEST: Final = 64 * 1024  # bytes of one of them


_NOTHING: Final[dict[type, dict[str, Any]]] = {ConfigMap: {"binaryData": {}}, Secret: {}}  # beside `data`


class ObjectSource(Protocol):
    """Where the objects that pods refer to are read."""

    async def get(self, resource: Resource[S], pod: Pod, name: str) -> S:
        """Return an object of the pod's namespace.

        Raises:
            NotFound: there is none of this name.
            ApiError: it cannot be read now.
        """
        ...


@dataclass(slots=True)
class _Followed:
    informer: Informer[Any] = field(init=False)
    is_large: bool = False  # the informer has not kept what is in it
    following: asyncio.Task[None] | None = None
    readers: set[str] = field(default_factory=set)  # uids of pods

    def keep(self, obj: S) -> S:
        """Return the part of an object that is worth its memory."""
        self.is_large = _size(obj) > _LARGEST
        return msgspec.structs.replace(obj, data={}, **_NOTHING[type(obj)]) if self.is_large else obj

    def stop(self) -> None:
        if self.following is not None:
            self.following.cancel()


class ReferencedObjects:
    """Follows them. Implements `ObjectSource`."""

    def __init__(self, api: Api, clock: Clock, log: EventLog = SILENT) -> None:
        self._api = api
        self._clock = clock
        self._log = log
        self._followed: dict[_Key, _Followed] = {}
        self._read_by: dict[str, set[_Key]] = {}  # by the pod's uid
        self._group: asyncio.TaskGroup | None = None

    @property
    def followed(self) -> int:
        """How many objects are followed, or kept because they cannot change."""
        return len(self._followed)

    async def run(self) -> None:
        """Follow what is read until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for followed in self._followed.values():
                self._begin(followed)
            await asyncio.get_running_loop().create_future()

    async def get(self, resource: Resource[S], pod: Pod, name: str) -> S:
        """Return an object of the pod's namespace, as the watch has it.

        Raises:
            NotFound: there is none of this name.
            ApiError: it cannot be read now.
        """
        namespace = pod.metadata.namespace
        followed = self._of(resource, namespace, name, pod.metadata.uid)
        if followed is None or not await self._is_kept(followed):
            return await self._api.get(resource, name, namespace=namespace)
        found: S | None = followed.informer.store.get(namespace, name)
        if found is None:
            raise NotFound(f'{resource.plural} "{name}" not found', kind=resource.plural, name=name)
        if found.immutable:
            followed.stop()
        return found

    def forget(self, pod_uid: str) -> None:
        """Follow no longer what only this pod has read."""
        for key in self._read_by.pop(pod_uid, ()):
            followed = self._followed[key]
            followed.readers.discard(pod_uid)
            if not followed.readers:
                followed.stop()
                del self._followed[key]

    async def _is_kept(self, followed: _Followed) -> bool:
        """Whether what is followed can be read here, once it is listed; a large one is followed no longer."""
        try:
            async with self._clock.timeout_wall(_PATIENCE_S):
                await followed.informer.synced()
        except TimeoutError:  # whoever asks himself is told why
            return False
        if followed.is_large:
            followed.stop()
        return not followed.is_large

    def _of(self, resource: Resource[S], namespace: str, name: str, pod_uid: str) -> _Followed | None:
        key = (resource.plural, namespace, name)
        followed = self._followed.get(key)
        if followed is None and len(self._followed) >= _FOLLOWED:
            return None
        if followed is None:
            followed = self._followed[key] = _Followed()
            selection = Selection(namespace, field_selector=f"metadata.name={name}")
            followed.informer = Informer(
                self._api, resource, selection, clock=self._clock, keep=followed.keep, log=self._log
            )
            self._begin(followed)
        followed.readers.add(pod_uid)
        self._read_by.setdefault(pod_uid, set()).add(key)
        return followed

    def _begin(self, followed: _Followed) -> None:
        if self._group is not None:
            followed.following = self._group.create_task(followed.informer.run(), name="referenced-object")


def _size(obj: ConfigMap | Secret) -> int:
    size = sum(len(key) + len(value) for key, value in obj.data.items())
    if isinstance(obj, ConfigMap):
        size += sum(len(key) + len(value) for key, value in obj.binaryData.items())
    return size
