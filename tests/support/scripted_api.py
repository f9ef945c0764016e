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
from tempfile import NamedTemporaryFile
from typing import Any, TypeAlias, TypeVar

import msgspec

from apiserver import schemas
from apiserver.authentication import Authenticator
from apiserver.core.kinds import ALL
from apiserver.gate import Gate
from apiserver.services.resources import resources_handler
from apiserver.token_requests import serve_token_requests
from apiserver.tokens import TokenKey
from kubarium.core.certificates import Certificate
from kubarium.signing import new_authority, new_certificate, new_key
from machinery.client.api import CALL_TIMEOUT_S, Api
from machinery.client.grpc_transport import GrpcApi
from machinery.model.clock import Clock
from machinery.model.errors import DeadlineExceeded
from machinery.model.k8s.core_v1 import Binding, ObjectReference
from machinery.model.k8s.meta_v1 import ObjectMeta, Status
from machinery.model.requests import EVERYTHING, Listing, Selection, WatchEvent
from machinery.model.resources import NODES, PODS, KubeObject, Resource
from tests.support.apiserver import RegistryBench, running_registry
from tests.support.builders import changed
from tests.support.local_channel import LocalChannel, ServerTasks
from tests.support.streams import closing

T = TypeVar("T", bound=KubeObject)
R = TypeVar("R")
Hook: TypeAlias = Callable[[str, str, str], Awaitable[None]]  # verb, plural, name ("" for a collection)

_NAMESPACES = ("kube-system", "kube-node-lease")  # "default" is there


class ScriptedApi:
    """One client. Implements `machinery.client.api.Api`.

    `calls` remembers every call. `before_call` may raise, or wait, in place of the request; `before_reply` in place of
    the answer to a write that has been carried out. Neither waits longer than the call's own deadline.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self.calls: list[tuple[str, str, str]] = []
        self.before_call: Hook | None = None
        self.before_reply: Hook | None = None

    async def get(self, resource: Resource[T], name: str, **options: Any) -> T:
        """Read one object."""
        await self._ask("get", resource, name, options)
        return await self._api.get(resource, name, **options)

    async def list(
        self, resource: Resource[T], selection: Selection = EVERYTHING, **options: Any
    ) -> Listing[T]:
        """Read a collection, or a page of it."""
        await self._ask("list", resource, "", options)
        return await self._api.list(resource, selection, **options)

    async def watch(
        self,
        resource: Resource[T],
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        timeout_s: float = 0,
    ) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        """Yield batches of events after `resource_version`."""
        await self._ask("watch", resource, "", {"timeout_s": None})
        watch = self._api.watch(resource, selection, resource_version=resource_version, timeout_s=timeout_s)
        async with closing(watch) as batches:
            async for batch in batches:
                yield batch

    async def create(self, resource: Resource[T], obj: T, **options: Any) -> T:
        """Write a new object."""
        await self._ask("create", resource, obj.metadata.name, options)
        created = await self._api.create(resource, obj, **options)
        await self._answer("create", resource, created.metadata.name, options)
        return created

    async def update(self, resource: Resource[T], obj: T, **options: Any) -> T:
        """Replace an object, or a subresource of it."""
        await self._ask("update", resource, obj.metadata.name, options)
        updated = await self._api.update(resource, obj, **options)
        await self._answer("update", resource, obj.metadata.name, options)
        return updated

    async def patch(self, resource: Resource[T], name: str, patch: Any, **options: Any) -> T:
        """Change some fields."""
        await self._ask("patch", resource, name, options)
        patched = await self._api.patch(resource, name, patch, **options)
        await self._answer("patch", resource, name, options)
        return patched

    async def delete(self, resource: Resource[T], name: str, **options: Any) -> None:
        """Delete, or ask to."""
        await self._ask("delete", resource, name, options)
        await self._api.delete(resource, name, **options)
        await self._answer("delete", resource, name, options)

    async def delete_collection(self, resource: Resource[T], selection: Selection, **options: Any) -> None:
        """Delete every object that is selected."""
        await self._ask("deletecollection", resource, "", options)
        await self._api.delete_collection(resource, selection, **options)
        await self._answer("deletecollection", resource, "", options)

    async def post(
        self,
        resource: Resource[Any],
        name: str,
        subresource: str,
        body: msgspec.Struct,
        reply: type[R],
        **options: Any,
    ) -> R:
        """Create a subresource; the verb is "post binding"."""
        await self._ask(f"post {subresource}", resource, name, options)
        answer = await self._api.post(resource, name, subresource, body, reply, **options)
        await self._answer(f"post {subresource}", resource, name, options)
        return answer

    async def aclose(self) -> None:
        """Close the connection; running watches break, later calls fail."""
        await self._api.aclose()

    async def _ask(self, verb: str, resource: Resource[Any], name: str, options: dict[str, Any]) -> None:
        self.calls.append((verb, resource.plural, name))
        await _in_time(self.before_call, verb, resource, name, options)

    async def _answer(self, verb: str, resource: Resource[Any], name: str, options: dict[str, Any]) -> None:
        await _in_time(self.before_reply, verb, resource, name, options)


async def _in_time(
    hook: Hook | None, verb: str, resource: Resource[Any], name: str, options: dict[str, Any]
) -> None:
    if hook is None:
        return
    try:
        async with asyncio.timeout(options.get("timeout_s", CALL_TIMEOUT_S)) as limit:
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
        registry, key = bench.registry, _signing_key()
        gate, authenticator = Gate(registry), Authenticator(registry, key, bench.clock)
        serve_token_requests(registry, key, bench.clock, schemas.load)
        self._handler = resources_handler(registry, gate, authenticator)
        self.user = self.api("user")

    def api(self, name: str = "test") -> ScriptedApi:
        """Give a client with a connection of its own."""
        channel = LocalChannel([self._handler], self._tasks, certificate=_admins_certificate())
        self._channels.append(channel)
        return ScriptedApi(GrpcApi(channel, caller=name))

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
        """Give a pod of the namespace `default` its node."""
        binding = Binding(metadata=ObjectMeta(name=name), target=ObjectReference(kind="Node", name=node))
        await self.user.post(PODS, name, "binding", binding, Status, namespace="default")

    def break_watches(self) -> None:
        """Break every connection for a moment: every watch ends with an error, calls go on."""
        for channel in self._channels:
            channel.cut()
            channel.join()

    async def forget_history(self) -> None:
        """Let no watch from before now go on, as after a compaction."""
        await self.feed.fresh()
        for kind in ALL:
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


@cache
def _signing_key() -> TokenKey:
    with NamedTemporaryFile() as file:
        file.write(new_key())
        file.flush()
        return TokenKey.load(file.name)
