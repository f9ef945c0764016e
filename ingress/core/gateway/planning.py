"""All of it together: the Gateway API's objects in, what the proxy has to be and what is to be said of each object out.

Nothing is remembered: the same objects give the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ingress.core.backends import BackendKey
from ingress.core.certificates import Certificate
from ingress.core.gateway.attaching import Attached, LabelsOf, Neighbours, attach, is_gateway
from ingress.core.gateway.filters import sent_at
from ingress.core.gateway.listeners import HTTPS, Door, Secrets, judge_listeners
from ingress.core.gateway.objects import (
    Gateway,
    GatewayClass,
    GRPCRoute,
    HTTPRoute,
    ParentRef,
    ReferenceGrant,
    Route,
)
from ingress.core.gateway.precedence import Action, Answer, Entry, Opened, Tables, compile_doors
from ingress.core.gateway.rules import Read, Rule, Surroundings, read_route
from ingress.core.gateway.services import Wish, own_ports, service_name, wanted_ports
from ingress.core.gateway.verdicts import ACCEPTED, PARTIALLY_INVALID, Verdict, bad, good
from ingress.core.rules import Owner
from machinery.model.k8s.core_v1 import Secret, Service


@dataclass(frozen=True, slots=True)
class GatewayView:
    """What the plan looks at.

    Attributes:
        namespace: where the Gateways' Services are, "" where there are none.
        is_known: whether all Gateways that there are have been seen by now.
    """

    classes: Iterable[GatewayClass] = ()
    gateways: Iterable[Gateway] = ()
    routes: Iterable[HTTPRoute] = ()
    grpc_routes: Iterable[GRPCRoute] = ()
    grants: Iterable[ReferenceGrant] = ()
    labels_of: LabelsOf = lambda _namespace: {}
    find_secret: Callable[[str, str], Secret | None] = lambda _namespace, _name: None
    find_service: Callable[[str, str], Service | None] = lambda _namespace, _name: None
    namespace: str = ""
    is_known: Callable[[], bool] = lambda: False


class Port(NamedTuple):
    """A port that the proxy listens at.

    Attributes:
        number: the proxy's own; `shown` is the one that clients know.
        certified: of HTTPS, what is shown to whom, by host; "" for everybody else.
    """

    number: int
    shown: int
    is_tls: bool
    certified: tuple[tuple[str, Certificate], ...]


@dataclass(frozen=True, slots=True)
class Site:
    """What the proxy has to be for the Gateways."""

    ports: tuple[Port, ...] = ()
    tables: Tables = field(default_factory=lambda: compile_doors(()))


class JudgedGateway(NamedTuple):
    """A Gateway of ours, what is thought of it, and how many routes go with each of its doors."""

    gateway: Gateway
    accepted: Verdict
    doors: tuple[Door, ...]
    attached: tuple[int, ...]


class JudgedParent(NamedTuple):
    """What is thought of a route at one of its parents."""

    parent: ParentRef
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """What is to be done.

    Attributes:
        is_known: whether what is not in it is not there; else it may only be unknown yet.
        routes: those that name a Gateway of ours, or that have said something of one.
        secrets: what the plan depends on, there or not, by namespace and name; likewise `services`.
    """

    site: Site = field(default_factory=Site)
    backends: Mapping[BackendKey, Owner] = field(default_factory=dict)
    classes: tuple[tuple[GatewayClass, Verdict], ...] = ()
    gateways: tuple[JudgedGateway, ...] = ()
    routes: tuple[tuple[Route, tuple[JudgedParent, ...]], ...] = ()
    secrets: frozenset[tuple[str, str]] = frozenset()
    services: frozenset[tuple[str, str]] = frozenset()
    is_known: bool = False

    @property
    def wishes(self) -> tuple[Wish, ...]:
        """The ports that the Gateways want."""
        return tuple(
            Wish(each.gateway, wanted_ports(each.doors)) for each in self.gateways if each.accepted.status
        )


def owner_of(obj: Gateway | Route) -> Owner:
    """Return who an object is."""
    meta = obj.metadata
    return Owner(obj.kind, meta.namespace, meta.name, meta.creationTimestamp or "")


def plan_gateways(view: GatewayView, controller: str, refused: Mapping[Owner, str]) -> GatewayPlan:
    """Return what is to be done. Of what the proxy has `refused`, with what it said, nothing is followed."""
    planning = _Planning(view, controller, refused)
    planning.look()
    return planning.result()


def judge_class(class_: GatewayClass) -> Verdict:
    """Return whether Gateways of a class are followed."""
    if class_.spec.parametersRef is None:
        return good(ACCEPTED)
    return bad(ACCEPTED, "InvalidParameters", "parametersRef is not supported: leave it out")


class _Planning:
    def __init__(self, view: GatewayView, controller: str, refused: Mapping[Owner, str]) -> None:
        self._view = view
        self._controller = controller
        self._refused = refused
        grants = tuple(view.grants)
        self._secrets = Secrets(view.find_secret, grants, frozenset(refused))
        self._around = Surroundings(view.find_service, grants)
        self._classes = [
            (each, judge_class(each)) for each in view.classes if each.spec.controllerName == controller
        ]
        accepted = {each.metadata.name for each, verdict in self._classes if verdict.status}
        ours = [each for each in view.gateways if each.spec.gatewayClassName in accepted]
        self._gateways = {
            (each.metadata.namespace, each.metadata.name): each for each in sorted(ours, key=_age)
        }
        self._doors = {place: judge_listeners(each, self._secrets) for place, each in self._gateways.items()}
        self._entries: dict[tuple[tuple[str, str], str], list[tuple[str, Entry]]] = {}
        self._neighbours = {place: Neighbours() for place in self._gateways}
        self._routes: list[tuple[Route, tuple[JudgedParent, ...]]] = []
        self._services: set[tuple[str, str]] = set()

    def look(self) -> None:
        """Go through the routes, the oldest first."""
        every: list[Route] = [*self._view.routes, *self._view.grpc_routes]
        for route in sorted(every, key=_age):
            parents = [(each, place) for each in route.spec.parentRefs if (place := self._place(route, each))]
            said = any(each.controllerName == self._controller for each in route.status.parents)
            if not parents and not said:
                continue
            read = read_route(route, self._around)
            self._services |= read.services
            judged = tuple(
                JudgedParent(each, self._judge(route, each, place, read)) for each, place in parents
            )
            self._routes.append((route, judged))

    def _place(self, route: Route, parent: ParentRef) -> tuple[str, str] | None:
        place = parent.namespace or route.metadata.namespace, parent.name
        return place if is_gateway(parent) and place in self._gateways else None

    def _judge(
        self, route: Route, parent: ParentRef, place: tuple[str, str], read: Read
    ) -> tuple[Verdict, ...]:
        attached, accepted = attach(
            route, parent, self._gateways[place], self._doors[place], self._view.labels_of
        )
        owner = owner_of(route)
        accepted = self._neighbours[place].conflict(route, attached) or accepted
        if not accepted.status:
            return accepted, read.resolved
        if said := self._refused.get(owner):
            return bad(ACCEPTED, "UnsupportedValue", f"the proxy refuses it: {said}"), read.resolved
        dropped = "; ".join(f"rule {number}: {why}" for number, why in read.dropped)
        if not read.rules and read.dropped:
            return bad(ACCEPTED, "UnsupportedValue", dropped), read.resolved
        for each in attached:
            self._go_with(place, each, route, read.rules)
        partly = Verdict(PARTIALLY_INVALID, True, "UnsupportedValue", f"Dropped Rule: {dropped}")  # noqa: FBT003
        return (accepted, read.resolved, partly) if read.dropped else (accepted, read.resolved)

    def _go_with(
        self, place: tuple[str, str], attached: Attached, route: Route, rules: Sequence[Rule]
    ) -> None:
        door = attached.door
        if not self._neighbours[place].add(route, attached):
            return
        entries = list(_entries(owner_of(route), rules, door))
        self._entries.setdefault((place, door.listener.name), []).extend(
            (host, entry) for host in attached.hosts for entry in entries
        )

    def result(self) -> GatewayPlan:
        """Return the plan."""
        opened, ports = self._open()
        entries = [entry for door in opened for _, entry in door.entries]
        return GatewayPlan(
            Site(ports, compile_doors(opened)),
            _backends(entries),
            tuple(self._classes),
            tuple(self._judged(*item) for item in self._gateways.items()),
            tuple(self._routes),
            frozenset(_secrets(self._gateways.values())),
            frozenset(self._services | {self._front(each) for each in self._gateways.values()}),
            self._view.is_known(),
        )

    def _front(self, gateway: Gateway) -> tuple[str, str]:
        return self._view.namespace, service_name(gateway)

    def _judged(self, place: tuple[str, str], gateway: Gateway) -> JudgedGateway:
        doors = self._doors[place]
        counts = tuple(self._neighbours[place].count(each) for each in doors)
        return JudgedGateway(gateway, judge_gateway(gateway, doors), doors, counts)

    def _open(self) -> tuple[list[Opened], tuple[Port, ...]]:
        """Return the doors that are served, with what goes with them, and the proxy's ports for them."""
        opened: list[Opened] = []
        ports: list[Port] = []
        for place, gateway in self._gateways.items():
            doors = self._doors[place]
            if not judge_gateway(gateway, doors).status:
                continue
            for shown, number in own_ports(self._view.find_service(*self._front(gateway))).items():
                here = [each for each in doors if each.is_served and each.listener.port == shown]
                if not here or any(each.number == number for each in ports):
                    continue
                for door in here:
                    entries = self._entries.get((place, door.listener.name), ())
                    opened.append(Opened(number, door.listener.hostname, tuple(entries)))
                ports.append(Port(number, shown, here[0].protocol == HTTPS, _certified(here)))
        return opened, tuple(ports)


def judge_gateway(gateway: Gateway, doors: Sequence[Door]) -> Verdict:
    """Return whether a Gateway is followed: at least one of its listeners has to be."""
    if gateway.spec.infrastructure.parametersRef is not None:
        return bad(
            ACCEPTED, "InvalidParameters", "infrastructure.parametersRef is not supported: leave it out"
        )
    others = [each.type for each in gateway.spec.addresses if each.type != "IPAddress"]
    if others or sum(1 for each in gateway.spec.addresses if each.value) > 1:
        return bad(
            ACCEPTED, "UnsupportedAddress", "only one address, of the type IPAddress, can be asked for"
        )
    wrong = [each.listener.name for each in doors if not all(_is_fine(verdict) for verdict in each.verdicts)]
    text = f"see the status of the listeners {', '.join(wrong)}"
    if not any(each.is_accepted for each in doors):
        return bad(ACCEPTED, "ListenersNotValid", text)
    return Verdict(ACCEPTED, True, "ListenersNotValid", text) if wrong else good(ACCEPTED)  # noqa: FBT003


def _is_fine(verdict: Verdict) -> bool:
    return verdict.status is (verdict.type != "Conflicted")


def _entries(owner: Owner, rules: Iterable[Rule], door: Door) -> Iterator[Entry]:
    for rule in rules:
        action = _action(rule, door)
        for number, conditions in enumerate(rule.matches):
            yield Entry(owner, (rule.number, number), conditions, action)


def _action(rule: Rule, door: Door) -> Action:
    headers = rule.steps.options.response_headers
    if rule.steps.redirect is not None:
        scheme = door.protocol.lower()
        return Answer(sent_at(rule.steps.redirect, rule.steps.moved, scheme, door.listener.port), headers)
    return rule.backends or Answer(None, headers)


def _certified(doors: Iterable[Door]) -> tuple[tuple[str, Certificate], ...]:
    return tuple((each.listener.hostname, found) for each in doors for found in each.certificates)


def _backends(entries: Iterable[Entry]) -> dict[BackendKey, Owner]:
    found: dict[BackendKey, Owner] = {}
    for entry in entries:
        if not isinstance(entry.action, Answer):
            for part in entry.action:
                if part.backend is not None:
                    found.setdefault(part.backend, entry.owner)
    return found


def _secrets(gateways: Iterable[Gateway]) -> Iterator[tuple[str, str]]:
    for gateway in gateways:
        for listener in gateway.spec.listeners:
            for each in listener.tls.certificateRefs if listener.tls else ():
                yield each.namespace or gateway.metadata.namespace, each.name


def _age(obj: Gateway | Route) -> tuple[str, str, str]:
    return owner_of(obj).age
