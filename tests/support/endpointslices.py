"""Services, pods and the slices that a plan makes of them."""

from __future__ import annotations

import msgspec

from controllers.core.actions import Create, Delete, Patch
from controllers.endpointslice.plan import Seen, plan
from machinery.model.k8s.core_v1 import (
    PodCondition,
    PodIP,
    Service,
    ServicePort,
    ServiceSpec,
)
from tests.support import builders
from tests.support.builders import changed, meta
from tests.support.controllers import CREATED, at, merged, moment, of_type

ZONES = {"node-1": "zone-a", "node-2": ""}


def service(*ports, **spec):
    ports = ports or (ServicePort(name="http", port=80, protocol="TCP", targetPort=8080),)
    fields = {"selector": {"app": "web"}, "clusterIP": "10.96.0.10", "ipFamilies": ["IPv4"]} | spec
    metadata = meta("web", "default", labels={"tier": "front"}, creationTimestamp=CREATED)
    return Service(metadata=metadata, spec=ServiceSpec(ports=list(ports), **fields))


def pod(number=1, *, ready=True, node="node-1", ip=None, **fields):
    condition = PodCondition(type="Ready", status=str(ready), lastTransitionTime=fields.pop("since", at(-60)))
    made = builders.pod(f"web-{number}", node=node, phase="Running", conditions=[condition], **fields)
    address = f"10.244.{number // 250}.{number % 250 + 1}" if ip is None else ip
    ips = [PodIP(ip=address)] if address else []
    return changed(made, status__podIP=address, status__podIPs=ips)


def plan_for(svc, pods, slices=()):
    return plan(Seen(svc, list(pods), list(slices), ZONES), moment())


def applied(made, slices=()):
    """Return the slices after a plan."""
    by_name = {slice_.metadata.name: slice_ for slice_ in slices}
    for number, create in enumerate(of_type(made, Create)):
        name = f"{create.object.metadata.generateName}{len(by_name):03d}{number}"
        by_name[name] = changed(create.object, metadata__name=name, metadata__uid=f"uid-{name}")
    for patch in of_type(made, Patch):
        old = msgspec.to_builtins(by_name[patch.name])
        by_name[patch.name] = msgspec.convert(merged(old, patch.patch), type(by_name[patch.name]))
    for delete in of_type(made, Delete):
        del by_name[delete.name]
    return list(by_name.values())


def addresses(slices):
    return sorted(endpoint.addresses[0] for slice_ in slices for endpoint in slice_.endpoints)
