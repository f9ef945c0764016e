"""The gRPC front door: kubarium.api.v1.Resources, for the cluster's own components.

It only translates, and checks with `apiserver.request_checks` what the REST door checks. Who asks is in the client certificate; the gate authorizes; the registry does the rest, on the
same path as for the REST door, and errors travel as the same Status.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final, Protocol

from msgspec import structs

from apiserver import objects
from apiserver.aggregation.remote_registry import RemoteRegistry
from apiserver.authentication import Authenticator
from apiserver.core import answers
from apiserver.core.authn_impersonation import PREFIX
from apiserver.core.catalogue import Catalogue, PerGeneration
from apiserver.core.connect_options import NodeProxyOptions
from apiserver.core.discovery import Discovery
from apiserver.gate import Gate
from apiserver.registry import Registry
from apiserver.request import (
    DeleteOptions,
    ListOptions,
    ListReply,
    ObjectReply,
    Part,
    Request,
    UserInfo,
    WriteOptions,
    request_about,
)
from apiserver.request_checks import (
    checked_body,
    checked_count,
    checked_deletion,
    checked_selection,
    checked_verb,
    checked_writing,
    found_kind,
    selected,
)
from apiserver.rest.bodies import patch_json
from apiserver.services import frames
from machinery.model.errors import BadRequest, NotFound
from machinery.model.k8s.served import NODES
from machinery.model.kubelet_paths import NODE_PAGE, does_something
from machinery.model.requests import Fence, PatchType
from machinery.process.server import peer
from machinery.wire import fence_header
from machinery.wire.cause_headers import SERVER_KEY, parse_header
from machinery.wire.resources import EACH_LIMIT, SERVICE, SERVICE_PATH
from machinery.wire.resources import messages as pb
from machinery.wire.services import ServiceHandler, answer_to, handler

_PATCHES: Final = {
    pb.PatchRequest.JSON: PatchType.JSON,
    pb.PatchRequest.MERGE: PatchType.MERGE,
    pb.PatchRequest.STRATEGIC_MERGE: PatchType.STRATEGIC_MERGE,
    pb.PatchRequest.APPLY: PatchType.APPLY,
}
_COLLECTIONS: Final = frozenset({"list", "watch", "deletecollection"})
_READS: Final = frozenset({"get", "list", "watch"})
_WRITES: Final = frozenset({"create", "update", "patch"})
_METHODS: Final = {"get": "GET", "create": "POST", "delete": "DELETE"}  # of HTTP, as kubelets know them
_PROXY: Final = "proxy"
_QUIET: Final = "Ignore"  # this door has no place for warnings, so nobody has to look for what they are about


class NodePages(Protocol):
    """What the door needs of the kubelets."""

    async def page(self, node: str, method: str, path: str) -> bytes:
        """Return a page of a node's kubelet."""
        ...


def resources_handler(
    catalogue: Catalogue,
    registry: Registry,
    gate: Gate,
    authenticator: Authenticator,
    *,
    name: str = "apiserver",
    others: RemoteRegistry | None = None,
    kubelets: NodePages | None = None,
) -> ServiceHandler:
    """Return the door's handler for a gRPC server; `name` is the apiserver's, which every answer carries.

    `others` asks the servers behind APIServices, `kubelets` has their pages.
    """
    service = SERVICE
    door = Resources(catalogue, registry, gate, authenticator, name, others, kubelets)
    return handler(service, SERVICE_PATH, door, serialized=tuple(method.name for method in service.methods))


class Resources:
    """One method for each of the proto's; answers are bytes, written by `frames`.

    Raises:
        Unauthorized: the caller's certificate names nobody.
        Forbidden: the caller may not do this.
        BadRequest: an option, or the fence, makes no sense.
        ApiError: what the registry refuses.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        registry: Registry,
        gate: Gate,
        authenticator: Authenticator,
        name: str,
        others: RemoteRegistry | None = None,
        kubelets: NodePages | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._registry = registry
        self._gate = gate
        self._authenticator = authenticator
        self._signature = ((SERVER_KEY, name),)
        self._others = others
        self._kubelets = kubelets
        self._elsewhere = others.remote if others is not None else {}  # empty as a rule
        self._discovery = PerGeneration(catalogue, lambda: Discovery(catalogue.served(), catalogue.elsewhere))

    async def Get(self, call: pb.GetRequest, context: Any) -> bytes:  # noqa: N802 - the proto's name
        """Read one object, or a page of a kubelet."""
        if call.target.subresource.startswith(NODE_PAGE):
            return await self._node_page("get", call, context)
        fields: dict[str, Any] = {"query": tuple(call.query.items())} if call.query else {}
        request = await self._admitted("get", call, context, resource_version=call.resource_version, **fields)
        return frames.object_reply(await self._serving(request).get(request))

    async def List(self, call: pb.ListRequest, context: Any) -> bytes:  # noqa: N802 - the proto's name
        """Read a collection, or a page of it."""
        return await frames.object_list(await self._list(call, context))

    async def ListInParts(self, call: pb.ListRequest, context: Any) -> AsyncIterator[bytes]:  # noqa: N802 - the proto's name
        """Read a collection that is too large for one message."""
        for part in frames.list_parts(await self._list(call, context)):
            yield part

    async def _list(self, call: pb.ListRequest, context: Any) -> ListReply:
        selection = ListOptions(
            label_selector=call.label_selector,
            field_selector=call.field_selector,
            limit=max(0, call.limit),  # as at the REST door, one below 0 is none
            continue_=getattr(call, "continue"),
            resource_version=call.resource_version,
            resource_version_match=call.resource_version_match,
        )
        request = await self._admitted("list", call, context, selection=selection)
        return await self._serving(request).list(request)

    async def Watch(self, call: pb.WatchRequest, context: Any) -> AsyncIterator[bytes]:  # noqa: N802 - the proto's name
        """Follow a collection; the first message, maybe empty, says that the watch is established."""
        selection = ListOptions(
            label_selector=call.label_selector,
            field_selector=call.field_selector,
            resource_version=call.resource_version,
            allow_bookmarks=call.allow_bookmarks,
            timeout_s=call.timeout_seconds or None,
        )
        request = await self._admitted("watch", call, context, selection=selection)
        watch = await self._serving(request).watch(request)
        try:
            async for events in watch:
                yield frames.batch(events)
        finally:
            await watch.aclose()

    async def Create(self, call: pb.CreateRequest, context: Any) -> bytes:  # noqa: N802 - the proto's name
        """Store a new object, or create a subresource."""
        if call.target.subresource.startswith(NODE_PAGE):
            return await self._node_page("create", call, context)
        request = await self._admitted("create", call, context, writing=_writing(call), body=call.json)
        return frames.object_reply(await self._serving(request).create(request))

    async def CreateEach(self, call: pb.CreateEachRequest, context: Any) -> bytes:  # noqa: N802 - the proto's name
        """Store several new objects of one kind; each is checked, and answered, for itself."""
        return await self._each("create", call, context)

    async def Update(self, call: pb.UpdateRequest, context: Any) -> bytes:  # noqa: N802 - the proto's name
        """Replace an object or a subresource."""
        request = await self._admitted("update", call, context, writing=_writing(call), body=call.json)
        return frames.object_reply(await self._serving(request).update(request))

    async def UpdateEach(self, call: pb.UpdateEachRequest, context: Any) -> bytes:  # noqa: N802 - the proto's name
        """Replace several objects of one kind; each is checked, and answered, for itself."""
        return await self._each("update", call, context)

    async def Patch(self, call: pb.PatchRequest, context: Any) -> bytes:  # noqa: N802 - the proto's name
        """Change a part of an object or of a subresource."""
        writing = _writing(call, force=call.force or None)
        patch_type = _PATCHES.get(call.type)
        request = await self._admitted(
            "patch", call, context, writing=writing, body=call.patch, patch_type=patch_type
        )
        if patch_type is None:
            raise BadRequest(f"type: {call.type} is not one of {', '.join(each.name for each in PatchType)}")
        if patch_type is PatchType.APPLY:
            sent = await patch_json(patch_type, request.body)
            request = structs.replace(request, body=sent.json, repeated=sent.repeated)
        return frames.object_reply(await self._serving(request).patch(request))

    async def PatchEach(self, call: pb.PatchEachRequest, context: Any) -> bytes:  # noqa: N802 - the proto's name
        """Change several objects of one kind; each is checked, and answered, for itself."""
        patch_type = _PATCHES.get(call.type)
        if patch_type is None or patch_type is PatchType.APPLY:
            raise BadRequest(
                f"type: {call.type} is not one of {', '.join(each.name for each in PatchType if each is not PatchType.APPLY)}"
            )
        return await self._each("patch", call, context, patch_type=patch_type)

    async def Delete(self, call: pb.DeleteRequest, context: Any) -> bytes:  # noqa: N802 - the proto's name
        """Delete an object, or ask to."""
        if call.target.subresource.startswith(NODE_PAGE):
            return await self._node_page("delete", call, context)
        request = await self._admitted("delete", call, context)
        request = structs.replace(request, deleting=_deleting(call.options))
        return frames.object_reply(await self._serving(request).delete(request))

    async def DeleteCollection(self, call: pb.DeleteCollectionRequest, context: Any) -> bytes:  # noqa: N802 - the proto's name
        """Delete every object that is selected."""
        selection = ListOptions(label_selector=call.label_selector, field_selector=call.field_selector)
        request = await self._admitted("deletecollection", call, context, selection=selection)
        request = structs.replace(request, deleting=_deleting(call.options))
        return await frames.object_list(
            frames.deleted(await self._serving(request).delete_collection(request))
        )

    async def Discover(self, call: pb.DiscoverRequest, context: Any) -> bytes:  # noqa: N802 - the proto's name
        """Say what a version of a group serves."""
        user, _ = await self._caller("get", context)
        group, version = call.target.group, call.target.version
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        await self._gate.admit_path(user, "get", path)
        if self._others is not None and (group, version) in self._elsewhere:
            found = await self._others.discover(group, version, user)
        else:
            await self._registry.try_to_catch_up()
            if version not in self._discovery().versions(group):
                raise NotFound("the server could not find the requested resource")
            found = objects.to_json(self._discovery().resource_list(group, version))
        return frames.object_reply(ObjectReply(found))

    async def _node_page(self, verb: str, call: Any, context: Any) -> bytes:
        """Pass a request on to a node's kubelet, as the REST door does for `nodes/NAME/proxy/PATH`; it has no body."""
        path = call.target.subresource.removeprefix(NODE_PAGE)
        user, _ = await self._caller(verb, context)
        request = structs.replace(request_about(call.target, user, verb), subresource=_PROXY)
        request = await self._acting(request, context)
        await self._gate.admit(request)
        if request.resource != NODES.plural or self._kubelets is None or does_something(path):
            raise NotFound("the server could not find the requested resource")
        await self._registry.get(structs.replace(request, verb="get", subresource=""))
        asked = structs.replace(request, verb="connect")
        await self._registry.connect(asked, NodeProxyOptions(path=f"/{path}"))
        page = await self._kubelets.page(request.name, _METHODS[verb], f"/{path}")
        return frames.object_reply(ObjectReply(page))

    def _serving(self, request: Request) -> Registry | RemoteRegistry:
        """Return who serves a request that is admitted."""
        if self._elsewhere and (request.group, request.version) in self._elsewhere:
            assert self._others is not None  # noqa: S101 - it serves them
            return self._others
        return self._registry

    async def _admitted(self, verb: str, call: Any, context: Any, **fields: Any) -> Request:
        """Build the request, once it is known who asks, and that they may."""
        user, fence = await self._caller(verb, context)
        request = request_about(call.target, user, verb, fence=fence, **fields)
        if verb in _COLLECTIONS:
            checked_selection(request.selection)
            request = selected(request)
        return await self._checked(await self._acting(request, context))

    async def _caller(self, verb: str, context: Any) -> tuple[UserInfo, Fence | None]:
        """Return who asks, and the leadership under which they write."""
        context.set_trailing_metadata(self._signature)
        user = self._authenticator.of_peer(peer(context))
        if not self._registry.is_open:
            await self._registry.wait_open()
        fence = None if verb in _READS else fence_header.of_metadata(context.invocation_metadata())
        return user, fence

    async def _acting(self, request: Request, context: Any) -> Request:
        """Return a request as that of whom its caller wants to be taken for; metadata says so as headers do."""
        metadata = context.invocation_metadata()
        for key, _ in metadata or ():
            if key.startswith(PREFIX):
                asked = partial(self._gate.attributes, request)
                user = await self._gate.impersonated(request.user, metadata, asked)
                return structs.replace(request, user=user)
        return request

    async def _each(self, verb: str, call: Any, context: Any, **fields: Any) -> bytes:
        """Write several objects of one kind; each is checked, and answered, for itself."""
        checked_count(len(call.items), EACH_LIMIT)
        user, fence = await self._caller(verb, context)
        writing = WriteOptions(
            field_validation=call.field_validation or _QUIET, field_manager=call.field_manager
        )
        whole = request_about(call.target, user, verb, fence=fence, writing=writing, **fields)
        outcomes = [await self._checked_item(whole, item, context) for item in call.items]
        parts = [outcome for outcome in outcomes if isinstance(outcome, Part)]
        replies = iter(await self._registry.write_each(parts) if parts else ())
        each = [next(replies) if isinstance(outcome, Part) else outcome for outcome in outcomes]
        return frames.outcomes(
            [reply if isinstance(reply, ObjectReply) else answer_to(reply) for reply in each]
        )

    async def _checked_item(self, whole: Request, item: Any, context: Any) -> Part | Exception:
        """Return the request of one of several objects, or why there can be none."""
        try:
            body = item.patch if whole.verb == "patch" else item.json
            name = item.name or whole.name
            request = structs.replace(whole, namespace=item.namespace, name=name, body=body)
            checked = await self._checked(await self._acting(request, context))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this object's
            return error
        return Part(checked, parse_header(item.cause))

    async def _checked(self, request: Request) -> Request:
        """Return a request that its caller may make, and that makes sense."""
        await self._gate.admit(request)
        if self._elsewhere and (request.group, request.version) in self._elsewhere:
            checked_body(request.body)
            return request
        found = found_kind(self._catalogue, request)
        if found is None:  # unless another apiserver has only just begun to serve it
            await self._registry.catch_up()
            found = found_kind(self._catalogue, request)
        if found is None:
            raise answers.no_such_resource(request.group, request.resource)
        checked_verb(found, request)
        checked_body(request.body)
        return checked_writing(request) if request.verb in _WRITES else request


def _writing(call: Any, *, force: bool | None = None) -> WriteOptions:
    return WriteOptions(
        dry_run=call.dry_run,
        field_validation=call.field_validation or _QUIET,
        field_manager=call.field_manager,
        force=force,
    )


def _deleting(options: pb.DeleteOptions) -> DeleteOptions:
    grace_s = options.grace_period_seconds if options.HasField("grace_period_seconds") else None
    given = DeleteOptions(
        grace_period_s=grace_s,
        propagation_policy=options.propagation_policy,
        uid=options.uid,
        resource_version=options.resource_version,
        dry_run=options.dry_run,
    )
    return checked_deletion(given)
