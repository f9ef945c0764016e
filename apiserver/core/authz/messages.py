"""The sentences of a 403."""

from __future__ import annotations

from apiserver.core.authz.attributes import Attributes, Decision, User
from machinery.model.errors import Forbidden


def forbidden(user: User, attributes: Attributes, decision: Decision) -> Forbidden:
    """Return the error of what a user may not do, in the words that users of kubectl know."""
    reason = f": {decision.reason}" if decision.reason else ""
    if attributes.path:
        text = f'forbidden: User "{user.name}" cannot {attributes.verb} path "{attributes.path}"{reason}'
        return Forbidden(text)
    qualified = f"{attributes.resource}.{attributes.group}" if attributes.group else attributes.resource
    subject = f'{qualified} "{attributes.name}"' if attributes.name else qualified
    return Forbidden(
        f"{subject} is forbidden: {cannot(user, attributes)}{reason}",
        kind=attributes.resource,
        group=attributes.group,
        name=attributes.name,
    )


def cannot(user: User, attributes: Attributes) -> str:
    """Return what somebody cannot do, as a sentence."""
    where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    return (
        f'User "{user.name}" cannot {attributes.verb} resource "{attributes.combined}" '
        f'in API group "{attributes.group}" {where}'
    )
