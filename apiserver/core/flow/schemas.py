"""Which priority level a request belongs to, and which flow of it: Kubernetes' suggested flow schemas.

A flow is what gets its fair share inside a level: a user, or one namespace of a controller's work.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from apiserver.core.authz.attributes import AUTHENTICATED, MASTERS, UNAUTHENTICATED, User
from apiserver.core.flow.levels import EXEMPT

_NODES: Final = "system:nodes"
_COMPONENTS: Final = frozenset(
    {"system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"}
)
_ACCOUNT: Final = "system:serviceaccount:"
_SYSTEMS_ACCOUNT: Final = "system:serviceaccount:kube-system:"
_LEASES: Final = ("coordination.k8s.io", "leases")
_MOST_REMEMBERED: Final = 4_096  # flows of nodes
_ALIVE: Final = frozenset({_LEASES, ("", "nodes")})  # that a node is alive, and how it is


class Flow(NamedTuple):
    """Where a request waits, if it has to."""

    schema: str
    level: str
    key: str  # of the flow in its level


class Asked(Protocol):
    """What classification looks at, beside who asks (apiserver.request.Request fits)."""

    @property
    def group(self) -> str:
        """The group of the resource."""
        ...

    @property
    def resource(self) -> str:
        """The resource, in the plural."""
        ...

    @property
    def namespace(self) -> str:
        """The namespace, "" for none or all."""
        ...


_EXEMPT: Final = Flow("exempt", EXEMPT, "")


def is_own(user: User) -> bool:
    """Whether a user is one of the cluster's own: an administrator of it, a node, a component, an account of kube-system."""
    name, groups = user.name, user.groups
    return MASTERS in groups or _NODES in groups or name in _COMPONENTS or name.startswith(_SYSTEMS_ACCOUNT)


def classify(user: User, asked: Asked) -> Flow:
    """Return the flow of a request."""
    name, groups = user.name, user.groups
    if MASTERS in groups:
        return _EXEMPT
    if _NODES in groups:
        return _of_node(name, asked.group, asked.resource)
    if name in _COMPONENTS or name.startswith(_SYSTEMS_ACCOUNT):
        return _of_component(name, asked)
    return _of_somebody(name, groups)


@lru_cache(maxsize=_MOST_REMEMBERED)
def _of_node(name: str, group: str, resource: str) -> Flow:
    if (group, resource) in _ALIVE:
        return Flow("system-node-high", "node-high", name)
    return Flow("system-nodes", "system", name)


def _of_component(name: str, asked: Asked) -> Flow:
    if (asked.group, asked.resource) == _LEASES:
        return Flow("system-leader-election", "leader-election", name)
    if name.startswith(_SYSTEMS_ACCOUNT):
        return Flow("kube-system-service-accounts", "workload-high", f"{name}/{asked.namespace}")
    return Flow(name.removeprefix("system:"), "workload-high", f"{name}/{asked.namespace}")


def _of_somebody(name: str, groups: tuple[str, ...]) -> Flow:
    if name.startswith(_ACCOUNT):
        return Flow("service-accounts", "workload-low", name)
    if AUTHENTICATED in groups or UNAUTHENTICATED in groups:
        return Flow("global-default", "global-default", name)
    return Flow("catch-all", "catch-all", name)
