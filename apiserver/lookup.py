"""Single objects, for what the apiserver itself has to know: nobody is asked whether it may."""

from __future__ import annotations

from typing import Any, Final

from apiserver.core import answers
from apiserver.core.catalogue import Catalogue
from apiserver.registry.reads import Reads
from apiserver.request import ObjectReply, Request, UserInfo
from machinery.model.kinds import KindNames

SELF: Final = UserInfo("system:apiserver", groups=("system:masters",))


def own_request(verb: str, kind: KindNames, **fields: Any) -> Request:
    """Return a request that the apiserver itself makes."""
    return Request(
        user=SELF, verb=verb, group=kind.group, version=kind.version, resource=kind.plural, **fields
    )


class Lookup:
    """Reads objects of the core group by resource, namespace ("" for cluster-scoped ones) and name."""

    def __init__(self, catalogue: Catalogue, reads: Reads) -> None:
        self._catalogue = catalogue
        self._reads = reads

    async def current(self, resource: str, namespace: str, name: str) -> ObjectReply:
        """Return an object as it is now.

        Raises:
            NotFound: there is none.
            Unavailable: the store does not answer.
        """
        return await self._get(resource, namespace, name, "")

    async def cached(self, resource: str, namespace: str, name: str) -> ObjectReply:
        """Return an object as the watch cache has it, maybe a moment old.

        Raises:
            NotFound: there is none.
            Unavailable: the cache is not filled yet.
        """
        return await self._get(resource, namespace, name, "0")

    async def _get(self, resource: str, namespace: str, name: str, version: str) -> ObjectReply:
        kind = self._catalogue.stored("", resource)
        if kind is None:
            raise answers.no_such_resource("", resource)
        request = own_request("get", kind, namespace=namespace, name=name, resource_version=version)
        return await self._reads.get(kind, request)
