"""The authorizers of the gate: those that are parts of the apiserver, and the list that a configuration names.

A webhook is `apiserver.webhook_authorizer`, which is imported where one is configured.
"""

from __future__ import annotations

from typing import Final, Protocol

from apiserver.core.authz import node
from apiserver.core.authz.attributes import Attributes, Decision
from apiserver.node_references import NodeReferences
from apiserver.rbac_cache import RbacCache
from apiserver.request import UserInfo

_NO_OPINION: Final = Decision(allowed=False)


class Authorizer(Protocol):
    """Decides about requests, or has no opinion."""

    async def authorize(self, user: UserInfo, attributes: Attributes) -> Decision:
        """Return the decision; it says why."""
        ...

    def unresolved(self, user: UserInfo) -> str:
        """Return that the authorizer may allow a user more than rules say; "" where it does not."""
        ...


class NodeAuthorizer:
    """Allows kubelets what their own pods need."""

    def __init__(self, references: NodeReferences) -> None:
        self._references = references

    async def authorize(self, user: UserInfo, attributes: Attributes) -> Decision:
        """Decide by the pods of the node that asks."""
        name = node.node_of(user)
        if not name:
            return _NO_OPINION
        if not node.needs_references(attributes):
            return node.decide(name, attributes)
        return node.decide(name, attributes, await self._references.of(name, attributes))

    def unresolved(self, user: UserInfo) -> str:
        """Return that a kubelet may do more than rules say."""
        return "node authorizer does not support user rule resolution" if node.node_of(user) else ""


class RbacAuthorizer:
    """Allows what roles say."""

    def __init__(self, rbac: RbacCache) -> None:
        self._rbac = rbac

    async def authorize(self, user: UserInfo, attributes: Attributes) -> Decision:
        """Decide by the roles that are bound to a user."""
        return self._rbac.index().authorize(user, attributes)

    def unresolved(self, _user: UserInfo) -> str:
        """Return nothing: all that it allows are rules."""
        return ""
