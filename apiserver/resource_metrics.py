"""metrics.k8s.io, served by the apiserver itself: who there is, the caches say; what they use, the kubelets.

Where an APIService sends the group to another server, as metrics-server's does, the doors never come here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from apiserver import objects
from apiserver.core.catalogue import Catalogue
from apiserver.core.resource_metrics import KINDS, Usage, node_metrics, pod_metrics
from apiserver.core.values import Json
from apiserver.lookup import own_request
from apiserver.node_usages import NodeUsages
from apiserver.objects import CachedObject
from apiserver.registry import Handlers, Listers, Posted
from apiserver.registry.reads import Reads
from apiserver.request import ListOptions, ListReply, ObjectReply, Request, SharedItems
from machinery.model.clock import Clock
from machinery.model.errors import NotFound
from machinery.model.k8s import served
from machinery.model.kinds import KindNames
from machinery.model.resource_metrics import GROUP, NODE_METRICS, POD_METRICS

__all__ = ["KINDS", "ResourceMetrics"]
_AS_CACHED: Final = "0"


class ResourceMetrics:
    """Answers for nodes and pods."""

    def __init__(self, catalogue: Catalogue, reads: Reads, usages: NodeUsages, clock: Clock) -> None:
        self._catalogue = catalogue
        self._reads = reads
        self._usages = usages
        self._clock = clock

    def handlers(self) -> Handlers:
        """Return who serves single ones."""
        return {
            (GROUP, NODE_METRICS.plural, "", "get"): self._node,
            (GROUP, POD_METRICS.plural, "", "get"): self._pod,
        }

    def listers(self) -> Listers:
        """Return who serves collections."""
        return {
            (GROUP, NODE_METRICS.plural): self._nodes,
            (GROUP, POD_METRICS.plural): self._pods,
        }

    async def _node(self, request: Request, _posted: Posted) -> ObjectReply:
        found, _ = await self._of_nodes(_one(request))
        if not found:
            raise _unknown(NODE_METRICS, request.name)
        return ObjectReply(objects.to_json(found[0]))

    async def _pod(self, request: Request, _posted: Posted) -> ObjectReply:
        found, _ = await self._of_pods(_one(request))
        if not found:
            raise _unknown(POD_METRICS, f"{request.namespace}/{request.name}")
        return ObjectReply(objects.to_json(found[0]))

    async def _nodes(self, request: Request) -> ListReply:
        return _list(NODE_METRICS, *await self._of_nodes(request))

    async def _pods(self, request: Request) -> ListReply:
        return _list(POD_METRICS, *await self._of_pods(request))

    async def _of_nodes(self, request: Request) -> tuple[list[Json], int]:
        nodes, revision = await self._selected(served.NODES, request)
        by_name = {each.place: each for each in nodes}
        replies = await self._usages.of(by_name)
        now, timescale = self._now(), self._clock.timescale
        found = [
            node_metrics(name, by_name[name].labels, _usage(reply.node), now, timescale)
            for name, reply in sorted(replies.items())
            if reply.HasField("node")
        ]
        return found, revision

    async def _of_pods(self, request: Request) -> tuple[list[Json], int]:
        pods, revision = await self._selected(served.PODS, request)
        running = [each for each in pods if each.fields.get("status.phase") == "Running"]
        replies = await self._usages.of({name for each in running if (name := _node_of(each))})
        known = {name: {each.pod_uid: each for each in reply.pods} for name, reply in replies.items()}
        now, timescale = self._now(), self._clock.timescale
        found = []
        for pod in running:
            usage = known.get(_node_of(pod), _NOTHING).get(pod.uid)
            if usage is not None:
                containers = [(each.container, _usage(each.usage)) for each in usage.containers]
                namespace, _, name = pod.place.partition("/")
                found.append(pod_metrics((namespace, name), pod.labels, containers, now, timescale))
        return found, revision

    async def _selected(self, names: KindNames, request: Request) -> tuple[list[CachedObject], int]:
        """Return the nodes or pods that a request selects, by all that these can be selected by."""
        kind = self._catalogue.stored(names.group, names.plural)
        assert kind is not None  # noqa: S101 - nodes and pods are always served
        chosen = ListOptions(
            label_selector=request.selection.label_selector,
            field_selector=request.selection.field_selector,
            resource_version=_AS_CACHED,
        )
        asked = own_request("list", kind, namespace=request.namespace, selection=chosen)
        reply = await self._reads.list(kind, asked)
        found: list[Any] = list(reply.items)
        return sorted(found, key=_place), reply.revision

    def _now(self) -> str:
        return self._clock.timescale.format(self._clock.now())


_NOTHING: Final[Mapping[str, Any]] = {}


def _unknown(kind: KindNames, name: str) -> NotFound:
    """Return the error of metrics that there are not, in metrics-server's words."""
    plural = kind.kind.lower()
    text = f'{plural}.{kind.group} "{name}" not found'
    return NotFound(text, kind=plural, group=kind.group, name=name)


def _place(obj: CachedObject) -> str:
    return obj.place


def _node_of(pod: CachedObject) -> str:
    return pod.fields.get("spec.nodeName", "")


def _one(request: Request) -> Request:
    """Return the same question as that for a collection."""
    chosen = ListOptions(field_selector=f"metadata.name={request.name}")
    return replace(request, name="", selection=chosen)


def _usage(window: Any) -> Usage:
    return Usage(window.end_ns, window.length_ns, window.cpu_nano_cores, window.memory_bytes)


def _list(kind: KindNames, found: list[Json], revision: int) -> ListReply:
    items = SharedItems([ObjectReply(objects.to_json(each)) for each in found])
    return ListReply(kind.api_version, kind.kind, items, revision, is_cached=False, items_say_kind=False)
