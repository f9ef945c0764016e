"""What one of several replicas writes for the Gateways: the Services in front of them, and what the objects say of themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import msgspec

from ingress.core.gateway.objects import GATEWAY_CLASSES, GATEWAYS, GRPC_ROUTES, HTTP_ROUTES, Route
from ingress.core.gateway.planning import GatewayPlan
from ingress.core.gateway.services import plan_services, service_name
from ingress.core.gateway.status import class_status, gateway_status, route_status
from ingress.gateway_watching import WatchedGateways
from machinery.client.api import Api
from machinery.model.clock import Clock
from machinery.model.errors import AlreadyExists, ApiError, BadRequest, Conflict, Forbidden, Invalid, NotFound
from machinery.model.k8s.core_v1 import Service
from machinery.model.log import EventLog
from machinery.model.resources import SERVICES, Resource
from machinery.model.store import Store


class GatewayReporter:
    """Writes what the plan says, and is called again where something fails."""

    def __init__(
        self,
        api: Api,
        watched: WatchedGateways,
        services: Store[Service],
        find_published: Callable[[], Service | None],
        controller: str,
        *,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._api = api
        self._watched = watched
        self._services = services
        self._find_published = find_published
        self._controller = controller
        self._clock = clock
        self._log = log

    async def report(self, plan: GatewayPlan) -> None:
        """Bring Services and statuses up to date. What is refused of one object does not keep the others waiting.

        Raises:
            ApiError: something could not be written, or was refused; the first of it.
        """
        refused: list[ApiError] = []
        for write in self._writes(plan):
            try:
                await write
            except (Invalid, Forbidden, BadRequest) as error:
                refused.append(error)
            except (
                NotFound,
                Conflict,
                AlreadyExists,
            ):  # what has happened meanwhile is told soon, and looked at then
                continue
        if refused:
            raise refused[0]

    def _writes(self, plan: GatewayPlan) -> Iterator[Awaitable[None]]:
        published = self._find_published()
        if published is not None and plan.is_known:  # else a Service may be deleted whose Gateway is there
            yield from self._front(plan, published)
        namespace = published.metadata.namespace if published is not None else ""
        now_text = self._clock.timescale.format(self._clock.now())
        for class_, verdict in plan.classes:
            if (found := self._watched.classes.get("", class_.metadata.name)) is not None:
                yield self._say(GATEWAY_CLASSES, found, class_status(found, verdict, now_text))
        for judged in plan.gateways:
            service = self._services.get(namespace, service_name(judged.gateway))
            if (gateway := self._now(self._watched.gateways, judged.gateway)) is not None:
                status = gateway_status(judged._replace(gateway=gateway), service, now_text)
                yield self._say(GATEWAYS, gateway, status)
        kinds: dict[str, tuple[Resource[Any], Store[Any]]] = {
            HTTP_ROUTES.kind: (HTTP_ROUTES, self._watched.routes),
            GRPC_ROUTES.kind: (GRPC_ROUTES, self._watched.grpc_routes),
        }
        for route, parents in (*plan.routes, *self._forsaken(plan)):
            resource, store = kinds[route.kind]
            if (now := self._now(store, route)) is not None:
                yield self._say(resource, now, route_status(now, parents, self._controller, now_text))

    def _forsaken(self, plan: GatewayPlan) -> Iterator[tuple[Route, tuple[()]]]:
        """Go through the routes that say something of a Gateway of ours and name none.

        What was said last may be seen only after the plan without the Gateway was made, and a status leads to no other plan.
        """
        if not plan.is_known:
            return
        planned = {route.metadata.uid for route, _ in plan.routes}
        every: list[Route] = [*self._watched.routes, *self._watched.grpc_routes]
        for route in every:
            says = any(each.controllerName == self._controller for each in route.status.parents)
            if says and route.metadata.uid not in planned:
                yield route, ()

    def _now(self, store: Store[Any], judged: Any) -> Any:
        """Return an object with what it says now; None where something else is wanted by now, which is judged soon."""
        found = store.get(judged.metadata.namespace, judged.metadata.name)
        if found is None or found.metadata.generation != judged.metadata.generation:
            return None
        return found

    def _front(self, plan: GatewayPlan, published: Service) -> Iterator[Awaitable[None]]:
        changes = plan_services(plan.wishes, published, self._services)
        namespace = published.metadata.namespace
        for manifest in changes.made:
            yield self._make(msgspec.convert(manifest, Service))
        for name, patch in changes.patched:
            yield self._change(namespace, name, patch)
        for name in changes.deleted:
            yield self._delete(namespace, name)

    async def _make(self, service: Service) -> None:
        await self._api.create(SERVICES, service)
        self._log.info("service_made", service=f"{service.metadata.namespace}/{service.metadata.name}")

    async def _change(self, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        await self._api.patch(SERVICES, name, patch, namespace=namespace)
        self._log.info("service_changed", service=f"{namespace}/{name}")

    async def _delete(self, namespace: str, name: str) -> None:
        await self._api.delete(SERVICES, name, namespace=namespace)
        self._log.info("service_deleted", service=f"{namespace}/{name}")

    async def _say(self, resource: Resource[Any], found: Any, status: Any) -> None:
        """Write a status that is another one; nobody else's words are lost, since the revision is compared."""
        if found.status == status:
            return
        meta = found.metadata
        patch = {
            "metadata": {"resourceVersion": meta.resourceVersion},
            "status": {name: getattr(status, name) for name in status.__struct_fields__},
        }
        await self._api.patch(resource, meta.name, patch, namespace=meta.namespace, subresource="status")
        self._log.info("status_written", object=f"{found.kind}/{meta.namespace}/{meta.name}")
