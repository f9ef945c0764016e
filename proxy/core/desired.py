"""What the kernel of one node should have of one family of addresses, brought up to date by one Service or node at a time.

Fed by the shell with what has changed, in any order; the result depends on the objects only, except for which of its
places each endpoint has. A change costs as much as that Service or node, however many there are; only when the node
itself gets another address or pod range all nodes are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from machinery.model.dns_process import DNS_SERVICE, dns_processes
from machinery.model.k8s.core_v1 import Node, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.load_balancers import ANNOUNCER, is_ours
from proxy.core.endpoints import LocalEndpoints, PortPlan, Target, balancer_ips, plan_health, plan_ports
from proxy.core.families import V4, Family, family_of
from proxy.core.flows import Address, plan_abandoning, plan_udp
from proxy.core.merged import Merged, Owner
from proxy.core.policies import Policies
from proxy.core.routes import NodeFacts, facts_of, plan_routes
from proxy.core.ruleset import Surroundings, plan_base, plan_node, plan_service
from proxy.core.table import Item
from proxy.core.topology import Place

PRIMARY: Final = "primary"  # the node's own address, as its Node names it
_UNKNOWN: Final = NodeFacts()
_BASE: Final[Owner] = ("", "")  # before every Service and node


class Desired:
    """What the kernel should have, and what load balancers are told.

    `table`, in which `policies` keeps what NetworkPolicies want; `routes`, gateways by networks; `udp`, the endpoints that
    flows may have; `abandoned`, endpoints of TCP that have gone, until somebody has cleared it; `health`, by node ports; `held`, the addresses of load balancers that this node answers for, each with
    the node's own.
    """

    def __init__(
        self,
        node_name: str,
        cluster_cidr: str,
        *,
        sees_bridged: bool,
        node_ports: Sequence[str] = (),
        family: Family = V4,
    ) -> None:
        """Make it of nothing; `node_ports` are the networks of own addresses that node ports are served at, or `PRIMARY`."""
        self.table: Merged[Item, str] = Merged()
        self.routes: Merged[str, str] = Merged()
        self.udp: Merged[Address, frozenset[Target]] = Merged()
        self.abandoned: set[Target] = set()
        self.policies = Policies(self.table, node_name, family)
        self.health: Merged[int, LocalEndpoints] = Merged()
        self.held: Merged[str, str] = Merged()
        self._node_ports = [each for each in node_ports if each == PRIMARY or family_of(each) is family]
        self._node_name = node_name
        self._cluster_cidr = cluster_cidr
        self._sees_bridged = sees_bridged
        self.family = family
        self._plans: dict[Owner, tuple[PortPlan, ...]] = {}
        self._nodes: dict[str, NodeFacts] = {}
        self._write_base()

    @property
    def own(self) -> NodeFacts:
        """What is known of the node itself."""
        return self._nodes.get(self._node_name, _UNKNOWN)

    @property
    def around(self) -> tuple[str, tuple[str, ...]]:
        """What of the node itself all Services are planned by: when it changes, they have to be put again."""
        return self.own.zone, self.own.addresses

    def put_service(self, key: Owner, service: Service | None, slices: Iterable[EndpointSlice]) -> None:
        """Note a Service as it is now, None for one that is not there, with its own slices."""
        before = self._plans.pop(key, ())
        place, slices = Place(self._node_name, self.own.zone), tuple(slices)
        if key == DNS_SERVICE:
            self.policies.put_processes(dns_processes(service, slices))
        plans = plan_ports(service, slices, place, before, self.family) if service else ()
        if plans:
            self._plans[key] = plans
        if plans != before or any(plan.sources for plan in plans):
            self.table.put(key, plan_service(plans, self._cluster_cidr, self.own.addresses, self.family))
            self.udp.put(key, plan_udp(plans))
            self.abandoned |= plan_abandoning(before, plans)
        health = plan_health(service, slices, self._node_name, self.family) if service else {}
        self.health.put(key, health)
        self.held.put(key, self._answered(service) if service else {})

    def _answered(self, service: Service) -> dict[str, str]:
        """Return the addresses of a load balancer that this node answers for."""
        if service.metadata.annotations.get(ANNOUNCER) != self._node_name or not is_ours(service):
            return {}
        return dict.fromkeys(balancer_ips(service, self.family), self.own.gateway) if self.own.gateway else {}

    def put_node(self, name: str, node: Node | None) -> None:
        """Note a node as it is now, None for one that is not there."""
        before = self.own
        self._nodes.pop(name, None)
        if node is not None:
            self._nodes[name] = facts_of(node, self.family)
        self.table.put(("", name), plan_node(self._nodes[name].addresses if node else ()))
        self._route(name)
        if self.own != before:
            self._write_base()
            self.policies.set_range(self.own.pod_range)
            for other in self._nodes:
                self._route(other)

    def _route(self, name: str) -> None:
        facts = self._nodes.get(name, NodeFacts())
        self.routes.put(("", name), {} if name == self._node_name else plan_routes(facts, self.own))

    def _write_base(self) -> None:
        bridged = "" if self._sees_bridged else self.own.pod_range
        ranges = [self.own.gateway if each == PRIMARY else each for each in self._node_ports]
        node_ports = tuple(filter(None, ranges)) if ranges else None
        around = Surroundings(self._cluster_cidr, self.own.pod_range, bridged, node_ports, self.family)
        self.table.put(_BASE, plan_base(around))
