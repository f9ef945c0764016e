"""Whether the server of an APIService can be asked, as far as its Service and its endpoints tell; with Kubernetes' words.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/api-service-v1/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from apiserver.core.aggregation.heads import AVAILABLE, Condition, Head, Service
from apiserver.core.values import Json, spec


class Verdict(NamedTuple):
    """What the condition Available says."""

    is_available: bool
    reason: str
    message: str


LOCAL: Final = Verdict(is_available=True, reason="Local", message="Local APIServices are always available")
PASSED: Final = Verdict(is_available=True, reason="Passed", message="all checks passed")
MOST_SAID: Final = 4096
"""Characters of what a server is quoted with."""


def failed_check(message: str) -> Verdict:
    """Return the verdict on a server that does not say what it serves."""
    return Verdict(is_available=False, reason="FailedDiscoveryCheck", message=message[:MOST_SAID])


def obstacle(wanted: Service, service: Json | None, slices: Sequence[Json]) -> Verdict | None:
    """Return why nobody has to ask a server behind a Service; None where it has to be asked."""
    where = f'service/{wanted.name} in "{wanted.namespace}"'
    if service is None:
        return Verdict(is_available=False, reason="ServiceNotFound", message=f"{where} is not present")
    if spec(service).get("type", "ClusterIP") != "ClusterIP":
        return None
    port = next((each for each in spec(service).get("ports") or () if each.get("port") == wanted.port), None)
    if port is None:
        text = f"{where} is not listening on port {wanted.port}"
        return Verdict(is_available=False, reason="ServicePortError", message=text)
    if not slices:
        text = f"cannot find endpointslices for {where}"
        return Verdict(is_available=False, reason="EndpointsNotFound", message=text)
    name = port.get("name", "")
    if not any(_leads_somewhere(each, name) for each in slices):
        text = f'endpointslices for {where} have no addresses with port name "{name}"'
        return Verdict(is_available=False, reason="MissingEndpoints", message=text)
    return None


def changed_conditions(head: Head, verdict: Verdict, now: str) -> list[Json] | None:
    """Return the conditions of an APIService after a look at it; None where they stay as they are.

    The time of a transition moves where the status does.
    """
    status, before = str(verdict.is_available), head.available
    if before is not None and (before.status, before.reason, before.message) == (status, *verdict[1:]):
        return None
    since = before.lastTransitionTime if before is not None and before.status == status else now
    made = Condition(AVAILABLE, status, verdict.reason, verdict.message, since)
    others = [each for each in head.status.conditions if each.type != AVAILABLE]
    return [_json(each) for each in (*others, made)]


def location(wanted: Service, service: Json | None, path: str) -> str:
    """Return the URL that a server is asked at, as it is told to people."""
    address = spec(service or {}).get("clusterIP", "")
    host = address if address and address != "None" else f"{wanted.name}.{wanted.namespace}.svc"
    return f"https://{f'[{host}]' if ':' in host else host}:{wanted.port}{path}"


def _leads_somewhere(slice_: Json, port_name: str) -> bool:
    ports: Iterable[Json] = slice_.get("ports") or ()
    has_port = any((each.get("name") or "") == port_name and each.get("port") for each in ports)
    endpoints: Iterable[Json] = slice_.get("endpoints") or ()
    return has_port and any(_is_ready(each) for each in endpoints)


def _is_ready(endpoint: Json) -> bool:
    ready = (endpoint.get("conditions") or {}).get("ready")
    return bool(endpoint.get("addresses")) and ready is not False


def _json(condition: Condition) -> Json:
    return {name: value for name, value in msgspec.structs.asdict(condition).items() if value}
