"""What a flow is, and who is the cluster's own; which flow a request belongs to, `configuration` says.

A flow is what gets its fair share inside a level: a user, or one namespace of a controller's work.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from apiserver.core.authz.attributes import MASTERS, User

_NODES: Final = "system:nodes"
_COMPONENTS: Final = frozenset(
    {"system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"}
)
_SYSTEMS_ACCOUNT: Final = "system:serviceaccount:kube-system:"


class Flow(NamedTuple):
    """Where a request waits, if it has to."""

    schema: str
    level: str
    key: str  # of the flow in its level
    headers: tuple[tuple[str, str], ...] = ()  # that an answer has for it


class AskedPage(NamedTuple):
    """A request of a path that is no resource."""

    verb: str  # the method, in small letters
    path: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""


class Asked(Protocol):
    """What classification looks at, beside who asks (apiserver.request.Request fits)."""

    @property
    def verb(self) -> str:
        """What is asked for."""
        ...

    @property
    def subresource(self) -> str:
        """The subresource, "" for none."""
        ...

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


def is_own(user: User) -> bool:
    """Whether a user is one of the cluster's own: an administrator of it, a node, a component, an account of kube-system."""
    name, groups = user.name, user.groups
    return MASTERS in groups or _NODES in groups or name in _COMPONENTS or name.startswith(_SYSTEMS_ACCOUNT)
