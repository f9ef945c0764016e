"""Which routes go with which listeners, and why others do not.

https://gateway-api.sigs.k8s.io/reference/spec/#parentreference
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from ingress.core.gateway.hostnames import ANY, intersection
from ingress.core.gateway.listeners import Door
from ingress.core.gateway.objects import GROUP, Gateway, ParentRef, Route, RouteKind, RouteNamespaces
from ingress.core.gateway.verdicts import ACCEPTED, Verdict, bad, good
from machinery.model.selectors import from_selector

LabelsOf = Callable[[str], Mapping[str, str]]  # of a namespace, by its name


class Attached(NamedTuple):
    """A door that a route goes with, and the hosts that it has there; "" for every host."""

    door: Door
    hosts: tuple[str, ...]


def is_gateway(parent: ParentRef) -> bool:
    """Whether a route names a Gateway there, and not something else."""
    return (parent.group, parent.kind) == (GROUP, "Gateway")


def attach(
    route: Route, parent: ParentRef, gateway: Gateway, doors: Sequence[Door], labels_of: LabelsOf
) -> tuple[tuple[Attached, ...], Verdict]:
    """Return what a route goes with at one of its parents, and whether it is accepted there."""
    namespaces = route.metadata.namespace, gateway.metadata.namespace
    named = [each for each in doors if _is_meant(each, parent)]
    if not named:
        section = f" named {parent.sectionName}" if parent.sectionName else ""
        port = f" with port {parent.port}" if parent.port else ""
        return (), bad(ACCEPTED, "NoMatchingParent", f"the Gateway has no listener{section}{port}")
    kind = RouteKind(group=GROUP, kind=route.kind)
    allowing = [each for each in named if _allows(each, kind, *namespaces, labels_of)]
    if not allowing:
        names = ", ".join(each.listener.name for each in named)
        text = f"no {route.kind} of the namespace {namespaces[0]} may go with {names}"
        return (), bad(ACCEPTED, "NotAllowedByListeners", text)
    found = [Attached(each, _hosts(each, route.spec.hostnames)) for each in allowing]
    found = [each for each in found if each.hosts]
    if not found:
        hosts = ", ".join(each.listener.hostname for each in allowing)
        return (), bad(ACCEPTED, "NoMatchingListenerHostname", f"none of its hostnames is one of {hosts}")
    return tuple(found), good(ACCEPTED)


class Neighbours:
    """The routes that go with the doors of one Gateway. Where hosts are the same, routes are of one kind: the older one's."""

    def __init__(self) -> None:
        self._found: dict[str, list[tuple[Route, tuple[str, ...]]]] = {}  # by the name of the listener

    def add(self, route: Route, attached: Attached) -> bool:
        """Note that a route goes with a door; return whether that is new."""
        here = self._found.setdefault(attached.door.listener.name, [])
        if any(each is route for each, _ in here):
            return False
        here.append((route, attached.hosts))
        return True

    def count(self, door: Door) -> int:
        """Return how many routes go with a door."""
        return len(self._found.get(door.listener.name, ()))

    def conflict(self, route: Route, every: Iterable[Attached]) -> Verdict | None:
        """Return why a route cannot go with these doors: routes of another kind, which are older, have its hosts there."""
        for attached in every:
            for other, hosts in self._found.get(attached.door.listener.name, ()):
                if other.kind != route.kind and _meet(hosts, attached.hosts):
                    where = f"{other.kind} {other.metadata.namespace}/{other.metadata.name}"
                    text = f"{where} is older and has the same hosts at the listener {attached.door.listener.name}"
                    return bad(ACCEPTED, "HostnameConflict", text)
        return None


def _meet(some: Iterable[str], others: Sequence[str]) -> bool:
    return any(intersection(one, other) is not None for one in some for other in others)


def _is_meant(door: Door, parent: ParentRef) -> bool:
    listener = door.listener
    return parent.sectionName in {"", listener.name} and parent.port in {0, listener.port}


def _allows(door: Door, kind: RouteKind, namespace: str, own: str, labels_of: LabelsOf) -> bool:
    if not door.is_accepted or kind not in door.kinds:
        return False
    return _is_from(door.listener.allowedRoutes.namespaces, namespace, own, labels_of)


def _is_from(allowed: RouteNamespaces, namespace: str, own: str, labels_of: LabelsOf) -> bool:
    if allowed.source == "Same":
        return namespace == own
    if allowed.source != "Selector":
        return allowed.source == "All"
    try:
        return from_selector(allowed.selector).matches(labels_of(namespace))
    except ValueError:  # an operator that is none selects nothing
        return False


def _hosts(door: Door, hostnames: Iterable[str]) -> tuple[str, ...]:
    wanted = list(hostnames) or [ANY]
    common = (intersection(door.listener.hostname, each) for each in wanted)
    return tuple(dict.fromkeys(each for each in common if each is not None))
