"""What only one of several replicas says: addresses in the status of Ingresses, events about what is wrong with them, and what Gateways need.

A replica that loses the lease goes on as a proxy, and waits for its turn again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ingress.core.planning import Plan
from ingress.core.rules import Problem
from ingress.core.status import addresses_of, out_of_date
from ingress.gateway_reporting import GatewayReporter
from machinery.client.api import Api
from machinery.client.events import WARNING, EventRecorder
from machinery.client.leader import LeaderElector, LeadershipLost
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, BadRequest, Forbidden, Invalid, NotFound
from machinery.model.insist import Failures, tell_first
from machinery.model.k8s.core_v1 import ObjectReference, Service
from machinery.model.k8s.networking_v1 import Ingress, IngressClass, IngressLoadBalancerIngress
from machinery.model.log import EventLog
from machinery.model.requests import reference_to
from machinery.model.resources import INGRESSES
from machinery.model.store import Store

_BACKOFF = Backoff(0.2, 10.0)  # wall seconds


class Reporter:
    """Says what the plan says."""

    def __init__(
        self,
        api: Api,
        events: EventRecorder,
        ingresses: Store[Ingress],
        classes: Store[IngressClass],
        find_service: Callable[[], Service | None],
        gateways: GatewayReporter,
        *,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._api = api
        self._events = events
        self._ingresses = ingresses
        self._classes = classes
        self._find_service = find_service
        self._gateways = gateways
        self._clock = clock
        self._log = log
        self._plan: Plan | None = None
        self._running: Plan | None = None  # what the proxy follows
        self._told: set[Problem] = set()
        self._dirty = asyncio.Event()

    def on_plan(self, plan: Plan) -> None:
        """Note what is planned now."""
        self._plan = plan
        self._dirty.set()

    def on_running(self) -> None:
        """Note that the proxy follows what is planned."""
        if self._running is not self._plan:
            self._running = self._plan
            self._dirty.set()

    def wake(self) -> None:
        """Note that an address, or what an Ingress says of itself, may have changed."""
        self._dirty.set()

    async def run(self, candidate: Callable[[], LeaderElector] | None) -> None:
        """Report whenever we lead, of the candidates there are; without any, always."""
        while candidate is not None:
            try:
                await candidate().run(self._lead)
            except LeadershipLost as error:
                self._log.warning("not_reporting", error=error)
        await self._lead()

    async def _lead(self) -> None:
        self._told.clear()
        self._dirty.set()
        failures = Failures(self._clock, _BACKOFF, tell_first(self._log.warning, "report_failed"))
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._report()
                failures.forget()
            except ApiError as error:
                failures.note(error)
                self._dirty.set()
                await failures.pause()

    async def _report(self) -> None:
        if self._plan is None:
            return
        self._complain(self._plan)
        refused = await self._tell_addresses(self._plan)
        if self._running is not None:  # a Gateway is programmed when its requests get in
            await self._gateways.report(self._running.gateways)
        if refused:
            raise refused[0]

    async def _tell_addresses(self, plan: Plan) -> list[ApiError]:
        """Write the addresses into the Ingresses; return what was refused of some, which does not keep the others waiting."""
        addresses = addresses_of(self._find_service())
        current = [self._ingresses.get(each.metadata.namespace, each.metadata.name) for each in plan.ours]
        refused: list[ApiError] = []
        for ingress in out_of_date(filter(None, current), addresses):
            try:
                await self._write(ingress, addresses)
            except (Invalid, Forbidden, BadRequest) as error:
                refused.append(error)
        return refused

    async def _write(self, ingress: Ingress, addresses: tuple[IngressLoadBalancerIngress, ...]) -> None:
        meta = ingress.metadata
        patch = {"status": {"loadBalancer": {"ingress": addresses or None}}}
        try:
            await self._api.patch(INGRESSES, meta.name, patch, namespace=meta.namespace, subresource="status")
        except NotFound:
            return
        self._log.info("status_written", ingress=f"{meta.namespace}/{meta.name}", addresses=len(addresses))

    def _complain(self, plan: Plan) -> None:
        """Record an event of each problem that is new since we lead."""
        for problem in plan.problems:
            if problem not in self._told and (about := self._reference(problem)) is not None:
                self._events.record(about, WARNING, problem.reason, problem.message)
        self._told = set(plan.problems)

    def _reference(self, problem: Problem) -> ObjectReference | None:
        _, namespace, name, _ = owner = problem.owner
        if owner.kind not in {"Ingress", "IngressClass"}:
            return ObjectReference(kind=owner.kind, namespace=namespace, name=name, apiVersion="v1")
        store: Store[Any] = self._ingresses if owner.kind == "Ingress" else self._classes
        found = store.get(namespace, name)
        return reference_to(found) if found is not None else None
