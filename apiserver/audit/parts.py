"""Gate, authenticator and registry that add to the story of a request what they know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

import msgspec

from apiserver.audit.trail import Trail, current
from apiserver.audit_notes import annotate
from apiserver.authentication import Authenticator
from apiserver.core.audit.event import Story
from apiserver.core.audit.policy import Level
from apiserver.core.authz.attributes import Attributes
from apiserver.core.authz.messages import forbidden
from apiserver.gate import Gate
from apiserver.lookup import Lookup
from apiserver.registry import Registry
from apiserver.request import ListReply, ObjectReply, Request, UserInfo
from machinery.model.clock import Clock
from machinery.process.tls import Peer
from machinery.process.token_key import TokenKey

_R = TypeVar("_R")
_WRITES: Final = frozenset({"create", "update", "patch"})


class AuditedAuthenticator(Authenticator):
    """Tells who asks."""

    def __init__(self, trail: Trail, lookup: Lookup, key: TokenKey, clock: Clock) -> None:
        super().__init__(lookup, key, clock)
        self._trail = trail

    def of_peer(self, peer: Peer) -> UserInfo:
        """Return the user of a certificate."""
        return self._told(super().of_peer(peer))

    async def of_bearer(self, token: str) -> UserInfo:
        """Return the user of a token."""
        return self._told(await super().of_bearer(token))

    def _told(self, user: UserInfo) -> UserInfo:
        if (story := current.get()) is not None:
            self._trail.known(story, user)
        return user


class AuditedGate(Gate):
    """Tells what was decided, and as whom a request is made."""

    async def check(self, user: UserInfo, attributes: Attributes) -> None:
        """Check that the user may do something, and note what was decided.

        Raises:
            Forbidden: the user may not do this.
        """
        decision = await self.authorize(user, attributes)
        annotate("authorization.k8s.io/decision", "allow" if decision.allowed else "forbid")
        annotate("authorization.k8s.io/reason", decision.reason)
        if not decision.allowed:
            raise forbidden(user, attributes, decision)

    def acting(self, user: UserInfo, constraint: str) -> None:
        """Note as whom a request is made."""
        if (story := current.get()) is not None:
            story.impersonated, story.constraint = user, constraint


class AuditedRegistry(Registry):
    """Tells what was sent and what is answered, where the request's level asks for it."""

    async def get(self, request: Request) -> ObjectReply:
        """Read one object."""
        return await _told(request, super().get, _object)

    async def list(self, request: Request) -> ListReply:
        """Read a collection."""
        return await _told(request, super().list, _collection)

    async def create(self, request: Request) -> ObjectReply:
        """Store a new object, or create a subresource."""
        return await _told(request, super().create, _object)

    async def update(self, request: Request) -> ObjectReply:
        """Replace an object or a subresource."""
        return await _told(request, super().update, _object)

    async def patch(self, request: Request) -> ObjectReply:
        """Change a part of an object or of a subresource."""
        return await _told(request, super().patch, _object)

    async def delete(self, request: Request) -> ObjectReply:
        """Delete an object."""
        return await _told(request, super().delete, _object)

    async def delete_collection(self, request: Request) -> ListReply:
        """Delete all selected objects."""
        return await _told(request, super().delete_collection, _collection)


async def _told(
    request: Request, serve: Callable[[Request], Awaitable[_R]], written: Callable[[_R], bytes]
) -> _R:
    story = current.get()
    if story is None:
        return await serve(request)
    _note_request(story, request)
    reply = await serve(request)
    if story.recorded.level is Level.REQUEST_RESPONSE:
        story.response_object = written(reply)
    return reply


def _note_request(story: Story, request: Request) -> None:
    if story.recorded.level is Level.NONE:
        return
    note_object(story, request.body if request.verb in _WRITES else b"")


def note_object(story: Story, body: bytes) -> None:
    """Note an object that was sent: which one it is, and all of it where the level asks for that."""
    if not body:
        return
    try:
        meta = msgspec.json.decode(body, type=_Marked).metadata
    except (msgspec.DecodeError, RecursionError):
        meta = _Meta()
    story.name, story.uid, story.resource_version = (
        meta.name or "",
        meta.uid or "",
        meta.resourceVersion or "",
    )
    if story.recorded.level >= Level.REQUEST:
        story.request_object = body


def _object(reply: ObjectReply) -> bytes:
    return reply.json


def _collection(reply: ListReply) -> bytes:
    head = {"kind": f"{reply.kind}List", "apiVersion": reply.api_version}
    meta = {"resourceVersion": str(reply.revision)}
    items: Iterable[msgspec.Raw] = [msgspec.Raw(item.json) for item in reply.items]
    return msgspec.json.encode({**head, "metadata": meta, "items": items})


class _Meta(msgspec.Struct, frozen=True):
    name: str | None = None
    uid: str | None = None
    resourceVersion: str | None = None


class _Marked(msgspec.Struct):
    metadata: _Meta = _Meta()
