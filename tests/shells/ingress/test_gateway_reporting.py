"""What the leader writes for Gateways, where it does not know all of them yet, or never will."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ingress import gateway_watching
from ingress.core.classes import CONTROLLER
from ingress.core.gateway.objects import GATEWAY_CLASSES, GATEWAYS, HTTP_ROUTES
from ingress.core.gateway.planning import GatewayPlan, plan_gateways
from ingress.core.gateway.services import own_ports, service_name
from ingress.gateway_reporting import GatewayReporter
from ingress.gateway_watching import WatchedGateways
from machinery.client.informer import Informer
from machinery.model.conditions import find
from machinery.model.errors import Invalid
from machinery.model.k8s.core_v1 import Namespace, Secret, Service
from machinery.model.log import SILENT
from machinery.model.resources import NAMESPACES, SERVICES
from machinery.model.store import Store
from machinery.process.clock import SystemClock
from tests.support.builders import changed, meta
from tests.support.gateway import gateway, gateway_class, route
from tests.support.gateway_kinds import define
from tests.support.ingress import service
from tests.support.scripted_api import LocalRegistry, ScriptedApi, local_registry
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(180)


class Leader:
    """The part of a controller that watches Gateways and writes for them, without a proxy."""

    def __init__(self, api: ScriptedApi) -> None:
        clock = SystemClock()
        self.api = api
        self.watched = WatchedGateways(api, clock, SILENT)
        self.services: Informer[Service] = Informer(api, SERVICES, clock=clock)
        self._reporter = GatewayReporter(
            api,
            self.watched,
            self.services.store,
            lambda: self.services.store.get("shop", "edge"),
            CONTROLLER,
            clock=clock,
            log=SILENT,
        )
        secrets: Store[Secret] = Store()
        self._view = self.watched.view(secrets, self.services.store, "shop")

    @property
    def plan(self) -> GatewayPlan:
        """The plan of now."""
        return plan_gateways(self._view, CONTROLLER, {})

    async def report(self, plan: GatewayPlan | None = None) -> None:
        """Write what the plan of now says, or another one."""
        await self._reporter.report(plan or self.plan)


@asynccontextmanager
async def _leading(registry: LocalRegistry, hold: Any = None) -> AsyncIterator[Leader]:
    api = registry.api("leader")
    api.before_call = hold
    leader = Leader(api)
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(leader.services.run()), tasks.create_task(leader.watched.begin(tasks))]
        await leader.services.synced()
        try:
            yield leader
        finally:
            for each in [*work, *asyncio.all_tasks()]:
                if each.get_name().startswith(("informer-", "known-", "gateway-kinds")) or each in work:
                    each.cancel()


@asynccontextmanager
async def _with_a_gateway() -> AsyncIterator[LocalRegistry]:
    async with local_registry(SystemClock()) as registry:
        await registry.given(NAMESPACES, Namespace(metadata=meta("shop")))
        await registry.given(SERVICES, changed(service("edge", "shop"), spec__clusterIP=""))
        await define(registry.user)
        await registry.given(GATEWAY_CLASSES, gateway_class())
        await registry.given(GATEWAYS, gateway())
        yield registry


async def _front(registry: LocalRegistry) -> Service | None:
    listed = (await registry.user.list(SERVICES)).items
    return next((each for each in listed if each.metadata.name == service_name(gateway())), None)


async def test_who_does_not_know_all_gateways_deletes_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leader that has just come waits until it does, and then leaves the Service and its ports as they are."""
    monkeypatch.setattr(gateway_watching, "_BEGIN_S", 0.2)
    async with _with_a_gateway() as registry:
        async with _leading(registry) as first:
            await until(lambda: first.plan.is_known and first.plan.gateways)
            await first.report()
        made = await _front(registry)
        assert made is not None
        told = asyncio.Event()

        async def hold(verb: str, plural: str, _name: str) -> None:
            if (verb, plural) == ("list", "gateways"):
                await told.wait()

        async with _leading(registry, hold) as second:
            await until(lambda: second.services.store.get("shop", made.metadata.name))
            await until(lambda: list(second.watched.classes))
            assert not second.plan.is_known
            await second.report()
            assert await _front(registry) is not None
            told.set()
            await until(lambda: second.plan.is_known and second.plan.gateways)
            await second.report()
        kept = await _front(registry)
        assert own_ports(kept) == own_ports(made) == {80: 20_000}


async def test_a_second_report_writes_nothing() -> None:
    """What is said already is not said again."""
    async with _with_a_gateway() as registry, _leading(registry) as leader:
        await until(lambda: leader.plan.is_known and leader.plan.gateways)
        await leader.report()

        async def is_all_seen() -> bool:
            await leader.report()
            before = len(leader.api.calls)
            await leader.report()
            return len(leader.api.calls) == before

        await until(is_all_seen, what="a report writes nothing")
        [seen] = leader.watched.gateways
        assert [each.reason for each in seen.status.conditions] == ["Accepted", "Programmed"]


async def test_a_route_whose_gateway_goes_while_it_is_written_of_says_nothing_of_it() -> None:
    """The plan without the Gateway may be older than what the route was told to say of it."""
    async with _with_a_gateway() as registry:
        await registry.given(HTTP_ROUTES, route())
        async with _leading(registry) as leader:
            await until(lambda: leader.plan.is_known and leader.plan.routes)
            before = leader.plan
            await registry.user.delete(GATEWAYS, "g", namespace="shop")
            await until(lambda: not leader.plan.gateways)
            after = leader.plan
            assert not after.routes
            await leader.report(before)
            await until(lambda: [each for each in leader.watched.routes if each.status.parents])
            await leader.report(after)
            found = await registry.user.get(HTTP_ROUTES, "r", namespace="shop")
            assert found.status.parents == []


async def test_what_is_refused_of_one_gateway_is_its_own_matter() -> None:
    """The others get their Services and statuses; the failure is told, so that it is tried again."""
    async with _with_a_gateway() as registry:
        await registry.given(GATEWAYS, gateway(name="other"))
        wrong = service_name(gateway())

        async def refuse(verb: str, plural: str, name: str) -> None:
            if (verb, plural, name) == ("create", "services", wrong):
                raise Invalid("no")

        async with _leading(registry, refuse) as leader:
            await until(lambda: leader.plan.is_known and len(leader.plan.gateways) == 2)
            with pytest.raises(Invalid, match="no"):
                await leader.report()
            other = service_name(gateway(name="other"))
            await until(lambda: leader.services.store.get("shop", other))
            with pytest.raises(Invalid, match="no"):
                await leader.report()
            found = (await registry.user.list(GATEWAYS)).items
            said = {each.metadata.name: find(each.status.conditions, "Programmed") for each in found}
            assert {name: each.reason for name, each in said.items() if each} == {
                "g": "AddressNotAssigned",
                "other": "Programmed",
            }
