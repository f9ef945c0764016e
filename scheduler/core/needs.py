"""What a pod asks of a node: the part of its spec that scheduling looks at, read once per template.

Pods of one template share one `Needs`, and `Needs` are equal when their specs are: whatever was worked out for one
such pod holds for the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from machinery.model.k8s.core_v1 import (
    Affinity,
    Container,
    NodeAffinity,
    PodAffinity,
    PodAntiAffinity,
    PodSpec,
    ResourceRequirements,
    Toleration,
    TopologySpreadConstraint,
)
from machinery.model.k8s.core_v1 import Pod as KubePod
from machinery.model.placement import HostPort, host_ports
from machinery.model.pods import requests
from scheduler.core.disks import Disk, disks_of
from scheduler.core.unbuilt import unbuilt_constraints

DEFAULT_CPU_MILLICORES: Final = 100  # what a container without a request counts as when nodes are compared
DEFAULT_MEMORY_BYTES: Final = 200 * 1024 * 1024
NO_AFFINITY: Final = NodeAffinity()
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Needs:
    """What pods of one template need. Amounts in millicores, bytes, and whole units."""

    key: bytes
    cpu: int = field(compare=False)
    memory: int = field(compare=False)
    ephemeral: int = field(compare=False)
    extended: tuple[tuple[str, int], ...] = field(compare=False)
    nonzero_cpu: int = field(compare=False)  # with defaults for containers that ask for nothing
    nonzero_memory: int = field(compare=False)
    ports: tuple[HostPort, ...] = field(compare=False)
    images: tuple[str, ...] = field(compare=False)  # one for each container, normalized
    node_name: str = field(compare=False)
    node_selector: dict[str, str] = field(compare=False)
    node_affinity: NodeAffinity = field(compare=False)
    tolerations: tuple[Toleration, ...] = field(compare=False)
    constraints: tuple[TopologySpreadConstraint, ...] = field(compare=False)
    pod_affinity: PodAffinity | None = field(compare=False)
    pod_anti_affinity: PodAntiAffinity | None = field(compare=False)
    claims: tuple[tuple[str, bool], ...] = field(
        compare=False
    )  # names, or those of volumes that claims are made for
    disks: tuple[Disk, ...] = field(compare=False)  # that other pods of a node may be in the way of
    unbuilt: tuple[str, ...] = field(compare=False)  # constraints that no plugin here understands

    @property
    def has_terms(self) -> bool:
        """Whether it may have terms of affinity between pods."""
        return self.pod_affinity is not None or self.pod_anti_affinity is not None

    @property
    def is_best_effort(self) -> bool:
        """Whether it asks for neither cpu nor memory."""
        return self.cpu == 0 and self.memory == 0


def spec_key(spec: PodSpec) -> bytes:
    """Return the bytes in which two specs that mean the same to a scheduler do not differ, whatever their claims of devices are."""
    return _encode(msgspec.structs.replace(spec, nodeName="", schedulingGates=[], resourceClaims=[]))


def read_needs(spec: PodSpec, key: bytes) -> Needs:
    """Read a spec."""
    own = requests(KubePod(spec=spec))
    nonzero = requests(KubePod(spec=_with_defaults(spec)))
    affinity = spec.affinity or Affinity()
    return Needs(
        key=key,
        cpu=own.cpu_millicores,
        memory=own.memory_bytes,
        ephemeral=own.ephemeral_bytes,
        extended=tuple((name, amount) for name, amount in sorted(own.extended.items()) if amount),
        nonzero_cpu=nonzero.cpu_millicores,
        nonzero_memory=nonzero.memory_bytes,
        ports=tuple(host_ports(spec)),
        images=tuple(
            normalized_image(each.image) for each in (*spec.initContainers, *spec.containers) if each.image
        ),
        node_name="",  # who has one is not scheduled
        node_selector=spec.nodeSelector,
        node_affinity=affinity.nodeAffinity or NO_AFFINITY,
        tolerations=tuple(spec.tolerations),
        constraints=tuple(spec.topologySpreadConstraints),
        pod_affinity=affinity.podAffinity,
        pod_anti_affinity=affinity.podAntiAffinity,
        claims=tuple(_claims(spec)),
        disks=tuple(disks_of(spec.volumes)),
        unbuilt=unbuilt_constraints(spec),
    )


def _claims(spec: PodSpec) -> Iterator[tuple[str, bool]]:
    for volume in spec.volumes:
        if volume.persistentVolumeClaim is not None:
            yield volume.persistentVolumeClaim.claimName, False
        elif volume.ephemeral is not None:
            yield volume.name, True


def normalized_image(name: str) -> str:
    """Write an image's name as nodes list it: with a tag."""
    return name if name.rfind(":") > name.rfind("/") else f"{name}:latest"


def _with_defaults(spec: PodSpec) -> PodSpec:
    pod_level = spec.resources.requests if spec.resources else {}
    defaults = {
        name: amount
        for name, amount in (
            ("cpu", f"{DEFAULT_CPU_MILLICORES}m"),
            ("memory", str(DEFAULT_MEMORY_BYTES)),
        )
        if name not in pod_level
    }
    return msgspec.structs.replace(
        spec,
        containers=[_defaulted(each, defaults) for each in spec.containers],
        initContainers=[_defaulted(each, defaults) for each in spec.initContainers],
    )


def _defaulted(container: Container, defaults: dict[str, str]) -> Container:
    own = container.resources.requests if container.resources else {}
    return msgspec.structs.replace(container, resources=ResourceRequirements(requests={**defaults, **own}))
