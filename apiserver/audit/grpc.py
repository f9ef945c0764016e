"""The gRPC door's calls in the audit log, as the requests that they would be at the REST door."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec
from google.protobuf.descriptor import MethodDescriptor
from msgspec.structs import replace

from apiserver import audit_notes
from apiserver.audit.parts import note_object
from apiserver.audit.trail import STARTED, Trail, current
from apiserver.authentication import Authenticator
from apiserver.core.audit.event import Story
from apiserver.core.audit.policy import Level
from apiserver.gate import Gate
from apiserver.request import ListOptions, UserInfo, request_about
from apiserver.rest.http_request import random_id
from machinery.model.errors import ApiError, InternalError, Unauthorized
from machinery.process.server import peer
from machinery.wire.cause_headers import CALLER_KEY
from machinery.wire.resources import messages as pb
from machinery.wire.services import Behaviour, ServiceHandler

_SELECTING: Final = frozenset({"list", "watch", "deletecollection"})
_GONE: Final[Mapping[str, Any]] = {"code": 499, "status": "Failure", "message": "the client has gone"}
_NOBODY: Final = UserInfo("")


def audited(
    handler: ServiceHandler, gate: Gate, authenticator: Authenticator, trail: Trail
) -> ServiceHandler:
    """Return a service whose calls are written down."""
    calls = _Calls(gate, authenticator, trail)

    def wrap(method: MethodDescriptor, behaviour: Behaviour) -> Behaviour:
        if method.server_streaming:
            return calls.stream(behaviour)
        verb = method.name.lower()
        several = verb.removesuffix("each")
        return calls.unary(verb, behaviour) if several == verb else calls.each(several, behaviour)

    return handler.wrapped(wrap)


class _Calls:
    def __init__(self, gate: Gate, authenticator: Authenticator, trail: Trail) -> None:
        self._gate = gate
        self._authenticator = authenticator
        self._trail = trail

    def unary(self, verb: str, behaviour: Behaviour) -> Behaviour:
        """Write down calls with one answer."""
        code = 201 if verb == "create" else 200

        async def audited_call(request: Any, context: Any) -> Any:
            story = self._begun(verb, request, context)
            told, notes = current.set(story), audit_notes.begin()
            status: Mapping[str, Any] = _GONE
            try:
                answer = await behaviour(request, context)
                status = {"code": code}
            except Exception as error:
                status = _failed(story, error)
                raise
            finally:
                self._trail.end(story, dict(status))
                current.reset(told)
                audit_notes.end(notes)
            await self._trail.room()
            return answer

        return audited_call

    def stream(self, behaviour: Behaviour) -> Behaviour:
        """Write down watches: when they are established, and when they end."""

        async def audited_watch(request: Any, context: Any) -> AsyncIterator[Any]:
            story = self._begun("watch", request, context)
            told, notes = current.set(story), audit_notes.begin()
            status: Mapping[str, Any] = {"code": 200}  # a watch that its caller ends has been one
            try:
                async for item in behaviour(request, context):
                    if story.status is None:
                        story.status = {"code": 200}
                        self._trail.write(story, STARTED)
                    yield item
            except Exception as error:
                status = _failed(story, error)
                raise
            finally:
                self._trail.end(story, dict(status))
                current.set(None)
                del told, notes  # the generator may be closed in another context

        return audited_watch

    def each(self, verb: str, behaviour: Behaviour) -> Behaviour:
        """Write down each of the writes that come in one call."""

        async def audited_writes(request: Any, context: Any) -> Any:
            whole = self._begun(verb, request, context)
            told, notes = current.set(whole), audit_notes.begin()
            failure: Mapping[str, Any] = _GONE
            answered: list[Any] = []
            try:
                answer = await behaviour(request, context)
                answered = list(pb.ObjectList.FromString(answer).items)
            except Exception as error:
                failure = _failed(whole, error)
                raise
            finally:
                for number, item in enumerate(request.items):
                    outcome = answered[number] if number < len(answered) else None
                    self._end_part(whole, item, outcome, failure)
                current.reset(told)
                audit_notes.end(notes)
            await self._trail.room()
            return answer

        return audited_writes

    def _end_part(self, whole: Story, item: Any, outcome: Any, failure: Mapping[str, Any]) -> None:
        is_create = isinstance(item, pb.CreateEachRequest.Item)
        attributes = replace(whole.attributes, namespace=item.namespace, name=item.name)
        story = Story(
            audit_id=random_id(),
            uri=_path(attributes),
            received=whole.received,
            attributes=attributes,
            sources=whole.sources,
            agent=whole.agent,
        )
        self._trail.known(story, whole.user if isinstance(whole.user, UserInfo) else _NOBODY)
        story.impersonated, story.constraint = whole.impersonated, whole.constraint
        note_object(story, item.patch if isinstance(item, pb.PatchEachRequest.Item) else item.json)
        if outcome is not None and story.recorded.level is Level.REQUEST_RESPONSE:
            story.response_object = outcome.json
        if outcome is None:
            status = dict(failure)
        else:
            status = (
                {"code": 201 if is_create else 200}
                if outcome.uid
                else _status(msgspec.json.decode(outcome.json))
            )
        self._trail.end(story, status)

    def _begun(self, verb: str, request: Any, context: Any) -> Story:
        selection = ListOptions()
        if verb in _SELECTING:
            selection = ListOptions(
                label_selector=request.label_selector, field_selector=request.field_selector
            )
        attributes = self._gate.attributes(request_about(request.target, _NOBODY, verb, selection=selection))
        told = dict(context.invocation_metadata() or ())
        story = Story(
            audit_id=random_id(),
            uri=_path(attributes),
            received=self._trail.now(),
            attributes=attributes,
            sources=(context.address,) if context.address else (),
            agent=str(told.get(CALLER_KEY) or told.get("user-agent", "")),
        )
        with suppress(Unauthorized):  # the call will fail for it, too
            self._trail.known(story, self._authenticator.of_peer(peer(context)))
        return story


def _failed(story: Story, error: Exception) -> dict[str, Any]:
    found = error if isinstance(error, ApiError) else InternalError(f"Internal error occurred: {error}")
    status = found.to_status()
    if story.recorded.level is Level.REQUEST_RESPONSE:
        story.response_object = msgspec.json.encode(status)
    return _status(status)


def _status(status: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("status", "message", "reason", "details", "code")
    return {name: status[name] for name in kept if name in status}


def _path(asked: Any) -> str:
    """Write what a call is about as the path by which the REST door knows it."""
    root = f"/apis/{asked.group}/{asked.version}" if asked.group else f"/api/{asked.version or 'v1'}"
    place = f"namespaces/{asked.namespace}" if asked.namespace else ""
    path = "/".join(filter(None, (root, place, asked.resource, asked.name, asked.subresource)))
    return f"{path}?watch=true" if asked.verb == "watch" else path
