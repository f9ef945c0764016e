"""What the leader writes into Ingresses, where some of it is refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ingress.reporting import Reporter
from machinery.model.errors import Invalid
from machinery.model.k8s.core_v1 import Namespace, Service
from machinery.model.k8s.networking_v1 import Ingress, IngressClass
from machinery.model.log import SILENT
from machinery.model.resources import INGRESSES, NAMESPACES
from machinery.model.store import Store
from machinery.process.clock import SystemClock
from tests.support.builders import meta
from tests.support.ingress import ingress, path, service
from tests.support.scripted_api import local_registry


class Gateways:
    """Counts how often it was asked to report."""

    def __init__(self) -> None:
        self.reports = 0

    async def report(self, _plan: Any) -> None:
        """Count."""
        self.reports += 1


async def test_what_is_refused_of_one_ingress_keeps_no_other_waiting() -> None:
    """Neither an Ingress nor the Gateways; it is tried again."""
    async with local_registry(SystemClock()) as registry:
        await registry.given(NAMESPACES, Namespace(metadata=meta("shop")))
        ingresses: Store[Ingress] = Store()
        ours = [ingress(name, ("a.com", [path("/")])) for name in ("bad", "good")]
        for each in ours:
            ingresses.put(await registry.given(INGRESSES, each))
        api, gateways, classes = registry.api("leader"), Gateways(), Store[IngressClass]()
        published: Service = service("edge", "shop")
        reporter = Reporter(
            api, None, ingresses, classes, lambda: published, gateways, clock=SystemClock(), log=SILENT
        )  # type: ignore[arg-type]  # nothing is told by events
        refusals = 0

        async def refuse(verb: str, _plural: str, name: str) -> None:
            nonlocal refusals
            if (verb, name) == ("patch", "bad"):
                refusals += 1
                raise Invalid("a policy says no")

        api.before_call = refuse
        reporter.on_plan(SimpleNamespace(ours=ours, problems=(), gateways=None))  # type: ignore[arg-type]
        reporter.on_running()
        try:
            await reporter._report()
        except Invalid:
            refusals += 1
        assert refusals == 2
        assert gateways.reports == 1
        good = await registry.user.get(INGRESSES, "good", namespace="shop")
        assert good.status.loadBalancer
        assert [each.ip for each in good.status.loadBalancer.ingress] == [published.spec.clusterIP]
