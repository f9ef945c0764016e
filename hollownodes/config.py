"""What the process of the hollow nodes is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kubelet.core.node_status import MAX_PODS
from machinery.model.hollow_nodes import MOST_NODES, pod_range
from machinery.model.k8s.core_v1 import Taint
from machinery.model.taints import read_taint
from machinery.process.config import ComponentConfig, ConfigError, check_given, check_quantity, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class HollowNodesConfig(ComponentConfig):
    """Every field is a flag."""

    nodes: int = setting(0, help="how many nodes: hollow-0001, hollow-0002…")
    node_ip: str = setting("127.0.0.1", help="address of all nodes; each listens there at a port of its own")
    listen: bool = setting(
        default=True, help="serve the Node service of each node (logs, pages), at any free port"
    )
    serving_certs: tuple[str, ...] = setting(
        (), help="PEM certificates that the nodes serve with: for 250 nodes each, with their names"
    )
    serving_keys: tuple[str, ...] = setting((), help="the PEM keys of --serving-certs")
    root_dir: str = setting("/var/lib/hollownodes", help="folder for the files of pods, one in it a node")
    cpu: str = setting("32", help="declared cpu capacity of each node")
    memory: str = setting("256Gi", help="declared memory capacity of each node")
    pods: int = setting(MAX_PODS, help="declared number of pods of each node")
    node_labels: tuple[str, ...] = setting((), help="labels key=value of each node")
    register_with_taints: tuple[str, ...] = setting(
        (), help="taints key=value:Effect that each node has when it is registered"
    )
    pod_ranges: str = setting(
        "",
        help="IPv4 range of which each node takes a /24 when it registers, by its number; empty: a controller gives ranges",
    )
    cluster_domain: str = setting("cluster.local", help="domain of the cluster's names; none if empty")
    pull_time_s: float = setting(0.0, help="how long pulling an image takes", unit="cluster seconds")
    node_status_update_s: float = setting(
        60.0,
        help="how often a node looks whether its status has changed: a simulated machine does not change by itself",
        unit="cluster seconds",
    )
    starts_at_once: int = setting(32, help="nodes that register at the same time")
    requests: int = setting(48, help="requests in flight at most, of the nodes' pods together")
    check_invariants: bool = setting(
        default=False,
        help="check every step of every pod's life against its invariants; a node ends where one is broken",
    )

    @property
    def taints(self) -> list[Taint]:
        """The taints that the nodes are registered with."""
        return [read_taint(text) for text in self.register_with_taints]

    @property
    def root(self) -> Path:
        """The folder for the files of pods."""
        return Path(self.root_dir)

    def validate(self) -> None:
        """Check what has no default, and the ranges.

        Raises:
            ConfigError: a field has a value that does not work.
        """
        ComponentConfig.validate(self)
        check_given(self, "server")
        if self.transport != "grpc":
            raise ConfigError("transport", "has to be grpc: the nodes share its connections")
        if not 0 <= self.nodes <= MOST_NODES:
            raise ConfigError("nodes", f"has to be from 0 to {MOST_NODES}, not {self.nodes}")
        if not 1 <= self.pods <= 250:
            raise ConfigError("pods", f"has to be from 1 to 250 (a node has a /24), not {self.pods}")
        self._validate_amounts()
        if len(self.serving_certs) != len(self.serving_keys):
            raise ConfigError("serving_certs", "goes together with --serving-keys, one for each")
        if ":" in self.pod_ranges:
            why = "has to be one IPv4 range; leave it empty, and a controller gives each node ranges of both families"
            raise ConfigError("pod_ranges", why)
        try:
            if self.pod_ranges:
                pod_range(self.pod_ranges, max(1, self.nodes))
        except ValueError as error:
            raise ConfigError("pod_ranges", str(error)) from error
        try:
            _ = self.taints
        except ValueError as error:
            raise ConfigError("register_with_taints", str(error)) from error

    def _validate_amounts(self) -> None:
        for field in ("cpu", "memory"):
            check_quantity(field, getattr(self, field))
        for field in ("starts_at_once", "requests"):
            if getattr(self, field) < 1:
                raise ConfigError(field, f"has to be 1 or more, not {getattr(self, field)}")
        for field in ("pull_time_s", "node_status_update_s"):
            if getattr(self, field) < 0:
                raise ConfigError(field, f"has to be 0 or more, not {getattr(self, field)}")
