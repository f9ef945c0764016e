"""Which endpoints are near: what a proxy makes of the hints in EndpointSlices.

https://kubernetes.io/docs/reference/networking/virtual-ips/#traffic-distribution, KEP-2433, KEP-4444, KEP-3015
Hints count only where every ready endpoint has some and one of them is meant for this node, or else for its zone. So
nobody is left without endpoints because of them, and while they are being written all endpoints are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from machinery.model.endpoints import Backend, usable

ZONE_LABEL: Final = "topology.kubernetes.io/zone"


class Place(NamedTuple):
    """Where a proxy is."""

    node: str
    zone: str = ""  # "" for a node that is in none


def near(backends: Sequence[Backend], place: Place) -> list[Backend]:
    """Return the endpoints that take new connections from a place, under the Cluster traffic policy."""
    found = usable(backends)
    if not found or not found[0].ready:  # those that terminate are taken from anywhere
        return found
    if all(backend.node_hints for backend in found) and (
        of_node := [backend for backend in found if place.node in backend.node_hints]
    ):
        return of_node
    if all(backend.zone_hints for backend in found) and (
        of_zone := [backend for backend in found if place.zone in backend.zone_hints]
    ):
        return of_zone
    return found
