"""Every kind that the cluster has, with the types that the controllers use for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from controllers.core.workloads import DEPLOYMENTS, REPLICA_SETS
from machinery.model import resources
from machinery.model.resources import Resource

_OWN: Final = (DEPLOYMENTS, REPLICA_SETS)
_NOBODYS: Final = frozenset({"events", "events.events.k8s.io"})  # many, short-lived, and never owned

KINDS: Final[tuple[Resource[Any], ...]] = (
    *(kind for kind in resources.ALL if str(kind) not in {str(own) for own in _OWN}),
    *_OWN,
)


def watched_kinds(kinds: Iterable[Resource[Any]]) -> list[Resource[Any]]:
    """Return the kinds whose objects may own others or be owned: those that are worth being watched for it."""
    return [kind for kind in kinds if str(kind) not in _NOBODYS]
