"""Who may refer to what in another namespace: what no grant allows is refused.

https://gateway-api.sigs.k8s.io/api-types/referencegrant/
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ingress.core.gateway.objects import GROUP, GrantFrom, GrantTo, ReferenceGrant


class Reference(NamedTuple):
    """An object of the Gateway API that refers to one of the core group."""

    from_kind: str
    from_namespace: str
    to_kind: str
    to_namespace: str
    to_name: str


def is_permitted(reference: Reference, grants: Iterable[ReferenceGrant]) -> bool:
    """Whether a reference stays in its namespace, or a grant of the other one allows it."""
    if reference.from_namespace == reference.to_namespace:
        return True
    return any(
        grant.metadata.namespace == reference.to_namespace
        and any(_is_from(each, reference) for each in grant.spec.sources)
        and any(_is_to(each, reference) for each in grant.spec.to)
        for grant in grants
    )


def _is_from(source: GrantFrom, reference: Reference) -> bool:
    return (source.group, source.kind, source.namespace) == (
        GROUP,
        reference.from_kind,
        reference.from_namespace,
    )


def _is_to(target: GrantTo, reference: Reference) -> bool:
    return (target.group, target.kind) == ("", reference.to_kind) and target.name in {"", reference.to_name}
