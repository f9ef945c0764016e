"""APIServices as far as they concern the controllers: which versions of groups other servers serve, and how those do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from controllers.core.metadata_only import MetadataOnly
from machinery.model.k8s import served
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import Resource, resource_of

_NEEDED: Final = frozenset({"delete", "list", "watch"})  # verbs of kinds that are collected and emptied out
_KEYS: Final = 5_000  # kinds of one server


class Condition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is true of an APIService."""

    type: str = ""
    status: str = ""


class ApiServiceSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What an APIService is about; `service` is None where this cluster's apiserver serves it."""

    group: str = ""
    version: str = ""
    service: dict[str, Any] | None = None


class ApiServiceStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How its server does."""

    conditions: list[Condition] = []


class ApiService(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """An APIService without what its server is reached by. Never written."""

    apiVersion: str = "apiregistration.k8s.io/v1"
    kind: str = "APIService"
    metadata: ObjectMeta = ObjectMeta()
    spec: ApiServiceSpec = ApiServiceSpec()
    status: ApiServiceStatus = ApiServiceStatus()

    @property
    def is_remote(self) -> bool:
        """Whether another server serves it."""
        return self.spec.service is not None

    @property
    def is_available(self) -> bool:
        """Whether that server can be asked."""
        return any(each.type == "Available" and each.status == "True" for each in self.status.conditions)


API_SERVICES: Final[Resource[ApiService]] = resource_of(served.API_SERVICES, ApiService)


def unavailable(services: Iterable[ApiService]) -> tuple[str, ...]:
    """Return the versions, as apiVersion has them, whose servers do not say what they serve."""
    away = (each.spec for each in services if each.is_remote and not each.is_available)
    return tuple(sorted(f"{spec.group}/{spec.version}" for spec in away))


def kinds_of(resources: Sequence[Any], group: str, version: str) -> tuple[Resource[MetadataOnly], ...]:
    """Return the kinds that are watched, from the entries of an APIResourceList (`machinery.client.api`)."""
    return tuple(
        Resource(group, version, each.name, each.kind, each.namespaced, MetadataOnly)
        for each in resources[:_KEYS]
        if "/" not in each.name and each.kind and _NEEDED.issubset(each.verbs)
    )
