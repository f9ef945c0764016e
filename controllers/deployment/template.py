"""Which ReplicaSet belongs to the template of now, and what a new one is called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from controllers.core.workloads import Deployment, ReplicaSet, Template, with_label, without_nulls
from machinery.model.names import template_hash

HASH_LABEL: Final = "pod-template-hash"

_canonical = msgspec.json.Encoder(order="deterministic")


def is_same(one: Template, other: Template) -> bool:
    """Whether two templates make the same pods: equal documents, except for the hash label and nulls."""
    return _bare(one) == _bare(other)


def hash_of(template: Template, collisions: int) -> str:
    """Return the pod-template-hash. It names a ReplicaSet; equality is decided by `is_same`, never by the hash."""
    salt = str(collisions).encode() if collisions else b""
    return template_hash(_canonical.encode(_bare(template)) + salt)


def find_new(deployment: Deployment, owned: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """Return the oldest ReplicaSet with the deployment's template: there should be one, and the choice is stable."""
    same = (rs for rs in owned if is_same(rs.spec.template, deployment.spec.template))
    return min(same, key=age_key, default=None)


def find_old(owned: Sequence[ReplicaSet], new: ReplicaSet | None) -> list[ReplicaSet]:
    """Return the others, oldest first."""
    return sorted((rs for rs in owned if new is None or rs.metadata.uid != new.metadata.uid), key=age_key)


def age_key(rs: ReplicaSet) -> tuple[str, str]:
    """Order by creation (RFC 3339 in UTC sorts as text), then by name."""
    return rs.metadata.creationTimestamp or "", rs.metadata.name


def _bare(template: Template) -> Template:
    cleaned: Template = without_nulls(with_label(template, HASH_LABEL, None))
    return cleaned
