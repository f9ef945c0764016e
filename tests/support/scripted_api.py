"""A real apiserver's registry in the test's process, and clients to it whose calls a test sees and may spoil.

Nothing of the server is played: the registry (validation, defaults, admission, watch caches) stands over the store in
memory, and its gRPC door is entered through a `LocalChannel` with the admin's certificate. What a `ScriptedApi` adds
happens on the client's side, where it could happen on a wire: a call that fails or hangs before it arrives, an answer
that is lost on its way back, a connection that breaks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, TypeAlias, TypeVar

import msgspec

from apiserver.core.kinds import KINDS
from apiserver.services.resources import resources_handler
from kubarium.core.certificates import Certificate
from kubarium.identity.signing import new_authority, new_certificate
from machinery.client.api import Api
from machinery.client.grpc_transport import GrpcTransport
from machinery.client.transport import ApiRequest, Page, Transport
from machinery.model.clock import Clock
from machinery.model.errors import DeadlineExceeded
from machinery.model.k8s.core_v1 import Binding, ObjectReference
from machinery.model.k8s.meta_v1 import ObjectMeta, Status
from machinery.model.requests import WatchEvent
from machinery.model.resources import NODES, PODS, KubeObject, Resource
from tests.support.apiserver import RegistryBench, running_registry
from tests.support.builders import changed
from tests.support.folder_nodes import FolderNodes
from tests.support.local_channel import LocalChannel, ServerTasks
from tests.support.streams import closing

T = TypeVar("T", bound=KubeObject)
Hook: TypeAlias = Callable[[str, str, str], Awaitable[None]]  # verb, plural, name ("" for a collection)

_NAMESPACES = ("kube-system", "kube-node-lease")  # "default" is there


class ScriptedApi(Api):
    """One client.

    `calls` remembers every call. `before_call` may raise, or wait, in place of the request; `before_reply` in place of
    the answer to a write that has been carried out. Neither waits longer than the call's own deadline. `before_event`
    may wait with an event of a watch, or raise in its place: then the watch has ended with that error.
    """

    def __init__(self, transport: Transport) -> None:
        self._script = _Script(transport)
        super().__init__(self._script)
        self.calls = self._script.calls

    @property
    def before_call(self) -> Hook | None:
        """What happens before a request is sent."""
        return self._script.before_call

    @before_call.setter
    def before_call(self, hook: Hook | None) -> None:
        self._script.before_call = hook

    @property
    def before_reply(self) -> Hook | None:
        """What happens to the answer of a write."""
        return self._script.before_reply

    @before_reply.setter
    def before_reply(self, hook: Hook | None) -> None:
        self._script.before_reply = hook

    @property
    def before_event(self) -> Hook | None:
        """What happens before an event of a watch is delivered; bookmarks are none."""
        return self._script.before_event

    @before_event.setter
    def before_event(self, hook: Hook | None) -> None:
        self._script.before_event = hook


class _Script:
    """Stands between the client and its transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.calls: list[tuple[str, str, str]] = []
        self.before_call: Hook | None = None
        self.before_reply: Hook | None = None
        self.before_event: Hook | None = None

    @property
    def answered_by(self) -> str:
        return self._transport.answered_by

    async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
        await self._ask(request, timeout_s)
        answer = await self._transport.call(request, timeout_s)
        if request.method != "Get":
            name = _name(request) or msgspec.json.decode(answer, type=_Named).metadata.name
            await _in_time(self.before_reply, _verb(request), request.resource, name, timeout_s)
        return answer

    async def page(self, request: ApiRequest, timeout_s: float) -> Page:
        await self._ask(request, timeout_s)
        answer = await self._transport.page(request, timeout_s)
        if request.method != "List":
            await _in_time(self.before_reply, _verb(request), request.resource, "", timeout_s)
        return answer

    async def stream(self, request: ApiRequest, type_: type[T]) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        await self._ask(request, None)
        async with closing(self._transport.stream(request, type_)) as batches:
            async for batch in batches:
                if self.before_event is None:
                    yield batch
                    continue
                for event in batch:
                    if event.object is not None:
                        await self.before_event("watch", request.resource.plural, event.object.metadata.name)
                    yield [event]

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _ask(self, request: ApiRequest, timeout_s: float | None) -> None:
        verb, name = _verb(request), _name(request)
        self.calls.append((verb, request.resource.plural, name))
        await _in_time(self.before_call, verb, request.resource, name, timeout_s)


class _Named(msgspec.Struct):
    metadata: ObjectMeta = ObjectMeta()  # a review has none


def _verb(request: ApiRequest) -> str:
    """Kubernetes' verb; a subresource that is created is "post binding"."""
    created = request.method == "Create" and request.subresource
    return f"post {request.subresource}" if created else request.method.lower()


def _name(request: ApiRequest) -> str:
    """The object's name, also of one that is to be created; "" where the server chooses it."""
    if request.name or request.method != "Create":
        return request.name
    return msgspec.json.decode(request.body, type=_Named).metadata.name


async def _in_time(
    hook: Hook | None, verb: str, resource: Resource[Any], name: str, timeout_s: float | None
) -> None:
    if hook is None:
        return
    try:
        async with asyncio.timeout(timeout_s) as limit:
            await hook(verb, resource.plural, name)
    except TimeoutError:
        if limit.expired():
            raise DeadlineExceeded("no answer in time") from None
        raise


class LocalRegistry:
    """A registry that runs, any number of clients to it, and what a test may do to both."""

    def __init__(self, bench: RegistryBench) -> None:
        self.storage, self.feed = bench.storage, bench.feed
        self._channels: list[LocalChannel] = []
        self._tasks = ServerTasks()
        self.kubelets = FolderNodes()
        core = bench.core
        self._handler = resources_handler(
            core.catalogue, core.registry, core.gate, core.authenticator, kubelets=self.kubelets
        )
        self.user = self.api("user")

    def api(self, name: str = "test") -> ScriptedApi:
        """Return a client with a connection of its own."""
        channel = LocalChannel([self._handler], self._tasks, certificate=_admins_certificate())
        self._channels.append(channel)
        return ScriptedApi(GrpcTransport(channel, caller=name))

    async def given(self, resource: Resource[T], obj: Any) -> T:
        """Store an object with its status, under a uid of its own; a node has only the taints that it says."""
        stored: T = await self.user.create(
            resource, changed(obj, metadata__uid="", metadata__resourceVersion="")
        )
        name, namespace = stored.metadata.name, stored.metadata.namespace
        if resource is NODES:
            stored = await self.user.patch(resource, name, {"spec": {"taints": obj.spec.taints}})
        if status := msgspec.to_builtins(obj).get("status"):
            stored = await self.user.patch(
                resource, name, {"status": status}, namespace=namespace, subresource="status"
            )
        return stored

    async def bind(self, name: str, node: str) -> None:
        """Bind a pod of the namespace `default` to a node."""
        binding = Binding(metadata=ObjectMeta(name=name), target=ObjectReference(kind="Node", name=node))
        await self.user.post(PODS, name, "binding", binding, Status, namespace="default")

    def break_watches(self) -> None:
        """Break every connection for a moment: every watch ends with an error, calls go on."""
        for channel in self._channels:
            channel.cut()
            channel.join()

    async def forget_history(self) -> None:
        """Expire every watch from before now, as a compaction does."""
        await self.feed.fresh()
        for kind in KINDS.values():
            page = await self.storage.list(f"{kind.storage_prefix}/")
            self.feed.cache(kind).replace(page.items, page.revision)

    async def aclose(self) -> None:
        """End what is under way; what failed in the server fails the test."""
        await self._tasks.aclose()
        assert not self._tasks.bugs, self._tasks.bugs


@asynccontextmanager
async def local_registry(clock: Clock | None = None) -> AsyncIterator[LocalRegistry]:
    """Run a registry with the namespaces of a cluster; the account `default` puts no token into its pods."""
    async with running_registry(clock=clock) as bench:
        for name in _NAMESPACES:
            await bench.create("namespaces", {"metadata": {"name": name}})
        await bench.patch("serviceaccounts", "default", {"automountServiceAccountToken": False})
        registry = LocalRegistry(bench)
        try:
            yield registry
        finally:
            bench.feed.end_watches()
            await registry.aclose()


@cache
def _admins_certificate() -> bytes:
    wanted = Certificate("admin", "kubernetes-admin", ("system:masters",))
    return new_certificate(wanted, new_authority("tests"))[1]
