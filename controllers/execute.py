"""The only module that writes: it carries a plan out, action by action.

No write is repeated here. What was written is noted as an expectation under the plan's key, so that the next plan
for it waits until the caches show it. New objects get their names here and not from the server: after a create of
unknown outcome its name is enough to find out whether it happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, Generic, TypeVar, assert_never

import msgspec

from controllers.answers import look_up
from controllers.core.actions import (
    Action,
    AllAtOnce,
    AskNode,
    Attempt,
    Count,
    Create,
    Delete,
    DeleteCollection,
    Failure,
    Finalize,
    Lookup,
    Patch,
    Plan,
    RecordEvent,
    Remember,
    SlowStart,
    Write,
)
from controllers.core.expectations import Expectations, Removed, Unclear, Written
from controllers.core.portions import portioned
from controllers.run_all import run_all
from machinery.client.api import Api
from machinery.client.events import EventRecorder
from machinery.model.clock import Clock
from machinery.model.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    DeadlineExceeded,
    Deposed,
    Invalid,
    NotFound,
    OutcomeUnknown,
    Unavailable,
    names_another,
)
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.names import generated
from machinery.model.requests import DeleteOptions, Selection, revision_of
from machinery.model.resources import KubeObject, Resource
from machinery.wire.cause_headers import acting_on

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_VERBS: Final[dict[type[Write], str]] = {
    Create: "create",
    Patch: "patch",
    Finalize: "finalize",
    Delete: "delete",
    DeleteCollection: "delete",
}
_AT_ONCE: Final = 64  # requests of one controller in flight
_PORTIONS_AT_ONCE: Final = 2  # requests with several new objects each: the apiserver always has the next one
_NO_NEWS: Final = (Conflict, AlreadyExists, Deposed, Unavailable, DeadlineExceeded)


class Executor(Generic[K]):
    """Carries out the plans of one controller."""

    def __init__(
        self,
        api: Api,
        recorder: EventRecorder,
        expectations: Expectations[K],
        *,
        sees: Callable[[str], bool],
        clock: Clock,
        random_ints: Callable[[int], int],
        remember: Callable[[Any], None] = lambda _note: None,
        count: Callable[[Count], None] = lambda _count: None,
        declared: frozenset[str] | None = None,
    ) -> None:
        self._api = api
        self._recorder = recorder
        self._expectations = expectations
        self._sees = sees  # whether an informer shows a resource: others cannot be waited for
        self._clock = clock
        self._random_ints = random_ints
        self._remember = remember
        self._count = count
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._portions = asyncio.Semaphore(_PORTIONS_AT_ONCE)
        self._declared = declared  # what may be written; None: that is not checked
        self._failures: dict[K, Failure] = {}
        self._refused: set[K] = set()  # keys of which an attempt was refused, last

    def failure(self, key: K) -> Failure | None:
        """How the last execution of a plan for the key failed, None where it did not."""
        return self._failures.get(key)

    async def settle(self, key: K) -> None:
        """Look up live what became of the key's creates whose outcome is unknown.

        Raises:
            ApiError: the apiserver did not answer.
        """
        for unclear in self._expectations.unclear(key):
            found = await look_up(self._api, Lookup(unclear.resource, unclear.namespace, unclear.name))
            self._expectations.settle(key, unclear, found, self._clock.monotonic())

    async def execute(self, key: K, plan: Plan) -> bool:
        """Carry a plan out, in order, to its end or to the first action that fails; return whether no attempt was refused.

        Raises:
            ApiError: how it failed; what was written before stays.
        """
        self._failures.pop(key, None)
        self._refused.discard(key)
        for action in plan.actions:
            await self._act(key, action)
        return key not in self._refused

    async def _act(self, key: K, action: Action) -> None:
        match action:
            case RecordEvent():
                self._record(action)
            case SlowStart(writes=writes):
                await self._slowly(key, writes)
            case AllAtOnce(writes=writes):
                await self._all_at_once(key, writes)
            case Attempt():
                await self._attempt(key, action)
            case Remember(note=note):
                self._remember(note)
            case Count():
                self._count(action)
            case _:
                await self._all_at_once(key, (action,))

    async def _attempt(self, key: K, attempt: Attempt) -> None:
        following = attempt.then
        try:
            await self._try(key, attempt.write)
        except (Deposed, OutcomeUnknown):
            raise
        except ApiError as error:
            self._refused.add(key)
            following = attempt.otherwise(Failure(error.reason, error.message))
        for action in following:
            await self._act(key, action)

    async def _slowly(self, key: K, writes: Sequence[Write]) -> None:
        size = 1
        while writes:
            await self._all_at_once(key, writes[:size])
            writes = writes[size:]
            size *= 2

    async def _all_at_once(self, key: K, writes: Sequence[Write]) -> None:
        single, portions = portioned(writes)
        together = [self._create_each(key, creates) for creates in portions]
        await run_all([*(self._try(key, write) for write in single), *together])

    async def _try(self, key: K, write: Write) -> None:
        async with self._slots:
            try:
                await self._write(key, write)
            except ApiError as error:
                if not self._is_no_failure(key, write, error):
                    raise

    def _is_no_failure(self, key: K, write: Write, error: ApiError) -> bool:
        """Whether there is nothing left to be done about an error; of what is one it is noted."""
        if _is_too_late(write, error):
            return True
        self._note_failure(key, write, error)
        return False

    def _note_failure(self, key: K, write: Write, error: ApiError) -> None:
        """Note and record a create or delete that was refused; a stale cache, a lost lease or a broken connection is none."""
        if isinstance(write, Patch | Finalize) or isinstance(error, _NO_NEWS):
            return
        self._failures.setdefault(key, Failure(error.reason, error.message))
        if not isinstance(write, DeleteCollection):
            self._record(write.on_failure, error=error.message)

    async def _write(self, key: K, write: Write) -> None:
        if self._declared is not None:
            _check(write, self._declared)
        match write:
            case Create():
                await self._create(key, write)
            case Patch():
                await self._patch(key, write)
            case Delete():
                await self._delete(key, write)
            case Finalize(resource=resource, object=obj):
                await self._api.update(resource, obj, subresource="finalize")
            case AskNode(node=node, method=method, path=path):
                await self._api.ask_node(node, method, path)
            case DeleteCollection(resource=resource, namespace=namespace):
                await self._api.delete_collection(resource, Selection(namespace=namespace))
            case _:
                assert_never(write)

    async def _create(self, key: K, write: Create) -> None:
        wanted = self._named(write.object)
        try:
            made = await self._api.create(write.resource, wanted)
        except ApiError as error:
            self._not_created(key, write, wanted.metadata, error)
        else:
            self._created(key, write, made.metadata)

    async def _create_each(self, key: K, writes: Sequence[Create]) -> None:
        """Create several objects of one kind by one request; what comes of one does not touch the others.

        Raises:
            ApiError: the first that one of them met, after what came of all is noted.
        """
        if self._declared is not None:
            _check(writes[0], self._declared)
        wanted = [self._named(write.object) for write in writes]
        async with self._portions:
            outcomes = await self._made(writes[0].resource, wanted)
        failures = []
        for write, obj, made in zip(writes, wanted, outcomes, strict=True):
            try:
                if isinstance(made, ApiError):
                    self._not_created(key, write, obj.metadata, made)
                else:
                    self._created(key, write, made.metadata)
            except ApiError as error:
                if not self._is_no_failure(key, write, error):
                    failures.append(error)
        if failures:
            raise failures[0]

    async def _made(
        self, resource: Resource[Any], wanted: Sequence[KubeObject]
    ) -> Sequence[KubeObject | ApiError]:
        causes = acting_on.get()
        try:
            return await self._api.create_each(resource, [(obj, causes) for obj in wanted])
        except ApiError as error:
            return [error] * len(wanted)

    def _created(self, key: K, write: Create, made: ObjectMeta) -> None:
        self._expect_written(key, write.resource, made)
        self._record(write.on_success, name=made.name)

    def _not_created(self, key: K, write: Create, meta: ObjectMeta, error: ApiError) -> None:
        if isinstance(error, AlreadyExists) and write.already_exists_is_fine:
            return
        if isinstance(error, OutcomeUnknown) and self._sees(str(write.resource)):
            unclear = Unclear(write.resource, meta.namespace, meta.name)
            self._expectations.expect(key, unclear, self._clock.monotonic())
        raise error

    def _named(self, obj: KubeObject) -> KubeObject:
        if obj.metadata.name:
            return obj
        name = generated(obj.metadata.generateName, self._random_ints)
        named: Any = msgspec.structs.replace(
            obj,  # type: ignore[type-var]  # every object is a Struct
            metadata=msgspec.structs.replace(obj.metadata, name=name),
        )
        return named  # type: ignore[no-any-return]

    async def _patch(self, key: K, write: Patch) -> None:
        try:
            after = await self._api.patch(
                write.resource,
                write.name,
                write.patch,
                namespace=write.namespace,
                subresource=write.subresource,
                kind=write.kind,
            )
        except NotFound:
            if not write.absent_is_fine:
                raise
            return
        except Invalid as error:
            if names_another(error):  # the uid in it is no precondition to the server; to who plans it is
                raise Conflict(error.message) from error
            raise
        self._expect_written(key, write.resource, after.metadata)
        self._record(write.on_success, name=write.name)

    async def _delete(self, key: K, write: Delete) -> None:
        options = DeleteOptions(
            write.grace_period_s, write.propagation_policy, write.uid, write.resource_version
        )
        try:
            await self._api.delete(write.resource, write.name, namespace=write.namespace, options=options)
        except NotFound:
            return
        except Conflict:
            if write.resource_version:
                raise
            return  # another object has the name now: this one is gone
        if self._sees(str(write.resource)):
            place = (str(write.resource), write.namespace, write.name)
            self._expectations.expect(key, Removed(place, write.uid), self._clock.monotonic())
        self._record(write.on_success, name=write.name)

    def _expect_written(self, key: K, resource: Resource[Any], meta: ObjectMeta) -> None:
        if self._sees(str(resource)):
            place = (str(resource), meta.namespace, meta.name)
            written = Written(place, meta.uid, revision_of(meta))
            self._expectations.expect(key, written, self._clock.monotonic())

    def _record(self, event: RecordEvent | None, **filled: str) -> None:
        if event is None:
            return
        message = event.message
        for word, text in filled.items():
            message = message.replace(f"{{{word}}}", text)
        self._recorder.record(event.regarding, event.type, event.reason, message)


def _check(write: Write, declared: frozenset[str]) -> None:
    """Check that a controller writes what it says that it writes (`Controller.writes`).

    Raises:
        RuntimeError: it does not.
    """
    if isinstance(write, AskNode):
        verb, resource, part = "ask", "nodes", "/proxy"
    else:
        verb, resource = _VERBS[type(write)], str(write.resource)
        part = f"/{write.subresource}" if isinstance(write, Patch) and write.subresource else ""
    if declared.isdisjoint((f"{verb} {resource}{part}", f"{verb} *{part}")):
        raise RuntimeError(f"a controller does not declare that it may {verb} {resource}{part}")


def _is_too_late(write: Write, error: ApiError) -> bool:
    """Whether a new object was refused because its namespace is being deleted: so is its owner, nothing is left to do."""
    terminating = any(cause.reason == "NamespaceTerminating" for cause in error.causes)
    return isinstance(write, Create) and terminating
