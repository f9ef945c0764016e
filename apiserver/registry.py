"""SKETCH (H2): the signature; the body follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from apiserver.request import ListReply, ObjectReply, Request, WatchReply

Handler = Callable[[Request], Awaitable[ObjectReply]]


class Registry:
    """Every read and every write of both doors."""

    def extend(self, group: str, resource: str, subresource: str, verb: str, handler: Handler) -> None:
        """Serve what is not stored: reviews ("authorization.k8s.io", "subjectaccessreviews", "", "create"), and
        subresources that another part owns ("", "serviceaccounts", "token", "create")."""

    async def get(self, request: Request) -> ObjectReply: ...
    async def list(self, request: Request) -> ListReply: ...
    async def watch(self, request: Request) -> WatchReply: ...
    async def create(self, request: Request) -> ObjectReply: ...
    async def update(self, request: Request) -> ObjectReply: ...
    async def patch(self, request: Request) -> ObjectReply: ...
    async def delete(self, request: Request) -> ObjectReply: ...
    async def delete_collection(self, request: Request) -> ListReply: ...

    def snapshot(self, group: str, resource: str) -> list[dict]:
        """For authorizers: decoded objects of the cache, no I/O (RBAC kinds)."""

    def subscribe(self, group: str, resource: str, changed: Callable[[], None]) -> None:
        """Call back after every change of the cache of a resource."""
