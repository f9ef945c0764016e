"""Nodes, leases, and the runtimes of nodes."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import AGE, NAME, NONE, UNKNOWN, Cells, Column, Moment, Table, age, name, wide
from apiserver.core.values import Json, metadata, spec

_ROLE_PREFIX: Final = "node-role.kubernetes.io/"
_ROLE_LABEL: Final = "kubernetes.io/role"


def _node(obj: Json, moment: Moment) -> Cells:
    status = obj.get("status") or {}
    info = status.get("nodeInfo") or {}
    addresses = status.get("addresses") or ()
    return [
        name(obj),
        _status(obj),
        ",".join(_roles(metadata(obj).get("labels") or {})) or NONE,
        age(obj, moment),
        info.get("kubeletVersion", ""),
        _address(addresses, "InternalIP"),
        _address(addresses, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _status(obj: Json) -> str:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    ready = next((each for each in conditions if each.get("type") == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"]
    if spec(obj).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(labels: Json) -> list[str]:
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    return sorted(filter(None, roles | {labels.get(_ROLE_LABEL, "")}))


def _address(addresses: tuple[Json, ...] | list[Json], kind: str) -> str:
    return next((each.get("address", "") for each in addresses if each.get("type") == kind), NONE)


def _lease(obj: Json, moment: Moment) -> Cells:
    return [name(obj), spec(obj).get("holderIdentity") or "", age(obj, moment)]


def _runtime_class(obj: Json, moment: Moment) -> Cells:
    return [name(obj), obj.get("handler", ""), age(obj, moment)]


NODES: Final = Table(
    (
        NAME,
        Column("Status", description="Whether pods run there, and new ones may come."),
        Column("Roles", description="The roles that its labels name."),
        AGE,
        Column("Version", description="The version of its kubelet."),
        wide("Internal-IP"),
        wide("External-IP"),
        wide("OS-Image"),
        wide("Kernel-Version"),
        wide("Container-Runtime"),
    ),
    _node,
)
LEASES: Final = Table((NAME, Column("Holder", description="Who holds the lease."), AGE), _lease)
RUNTIME_CLASSES: Final = Table(
    (NAME, Column("Handler", description="What the runtime calls it."), AGE), _runtime_class
)
