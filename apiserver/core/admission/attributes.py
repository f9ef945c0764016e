"""What an admission plugin gets to know of a request, and how it says no."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, Protocol, TypeAlias

import msgspec

from apiserver.core.pod_security.policy import PodSecuritySettings
from apiserver.core.values import Json, metadata
from machinery.model.errors import Cause, Forbidden
from machinery.model.kinds import KindNames
from machinery.model.quota.limited import Limited

LookupKey: TypeAlias = tuple[str, str, str, str]
"""(group, plural, namespace, name); namespace is "" for cluster-scoped objects, name is EVERY_NAME for all in one."""

EVERY_NAME: Final = ""
"""Asks for the objects of a namespace as one, with `items`."""

LookedUp: TypeAlias = Mapping[LookupKey, Json | None]
"""The objects that `needs` asked for; None where there is none, or where there is no such kind."""


class Operation(Enum):
    """What a request does to an object, in the words of messages."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


class User(Protocol):
    """Who asks (apiserver.request.UserInfo fits)."""

    @property
    def name(self) -> str:
        """The user's name."""
        ...

    @property
    def uid(self) -> str:
        """The user's own identity, beside the name."""
        ...

    @property
    def groups(self) -> tuple[str, ...]:
        """The user's groups."""
        ...

    @property
    def extra(self) -> Mapping[str, tuple[str, ...]]:
        """What else whoever authenticated the user knows."""
        ...


class Attributes(msgspec.Struct, frozen=True, gc=False):
    """One request. `kind` is the stored kind, also where `subresource` takes an object of another one."""

    user: User
    verb: str  # create, update, patch, delete, deletecollection, connect
    kind: KindNames  # what is stored; or, of what is only answered, the review
    subresource: str = ""
    namespace: str = ""  # "" for cluster-scoped objects
    name: str = ""  # may be "" where a create leaves it to the server
    dry_run: bool = False
    suffix: str = ""  # five fresh letters of machinery.model.names.suffix, for the name of a volume
    version: str = ""  # of the kind, in which it was asked for; "": as it is stored
    group: str | None = None  # the same: a kind may be served in two groups
    options: Callable[[], Json] = dict  # the options of the request, as a meta.k8s.io/v1 object
    notes: MutableMapping[str, str] | None = None  # annotations of the audit log; None where there is none

    @property
    def operation(self) -> Operation:
        """What the verb does; a patch or a PUT that creates is told by its object having no old one."""
        return operation_of(self.verb)

    @property
    def resource(self) -> tuple[str, str]:
        """Group and plural of what the request is about."""
        return self.kind.group, self.kind.plural

    def creates(self, old: Json | None) -> bool:
        """Whether an object comes into being."""
        return self.operation is Operation.CREATE or (self.operation is Operation.UPDATE and old is None)


def operation_of(verb: str) -> Operation:
    """Return what a verb does to an object."""
    return _OPERATIONS.get(verb, Operation.UPDATE)


_OPERATIONS = {
    "create": Operation.CREATE,
    "delete": Operation.DELETE,
    "deletecollection": Operation.DELETE,
    "connect": Operation.CONNECT,
}


class Permission(NamedTuple):
    """Something that a user may do, or not."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    of_type: tuple[str, str] | None = None  # apiVersion and kind, where group and resource follow from them


class Demand(NamedTuple):
    """What a plugin wants the user of a request to be allowed: one of several permissions, or `refusal` is the answer."""

    any_of: tuple[Permission, ...]
    refusal: str
    path: str = (
        ""  # of the field that may not be changed without: the object is invalid then; "": it is forbidden
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """How the cluster is configured, as far as admission is concerned."""

    default_toleration_s: int = 300  # cluster seconds; `default_toleration_s` of machinery.model.profile
    pod_security: PodSecuritySettings = field(default_factory=PodSecuritySettings)
    limited: tuple[Limited, ...] = ()  # what nobody may take who has no quota for it
    node_selectors: Mapping[str, str] = field(default_factory=dict)  # PodNodeSelector, by namespace
    default_tolerations: tuple[Json, ...] = ()  # PodTolerationRestriction, where a namespace says nothing
    allowed_tolerations: tuple[Json, ...] = ()


def about(*kinds: KindNames) -> frozenset[tuple[str, str]]:
    """Return the resources of kinds, for `Plugin.about`."""
    return frozenset((kind.group, kind.plural) for kind in kinds)


def no_needs(_attributes: Attributes, _obj: Json | None, _old: Json | None) -> tuple[LookupKey, ...]:
    """Look nothing up."""
    return ()


def as_it_is(_a: Attributes, obj: Json, _old: Json | None, _looked_up: LookedUp, _settings: Settings) -> Json:
    """Admit an object as it is."""
    return obj


def no_demands(_attributes: Attributes, _obj: Json, _old: Json | None) -> tuple[Demand, ...]:
    """Ask for no permission."""
    return ()


def let_go(_attributes: Attributes, _old: Json, _looked_up: LookedUp) -> None:
    """Allow the deletion."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One admission controller. `admit` never changes what it is given: it returns a changed copy, or raises.

    `validate` sees the object as it would be stored, after every `admit` and the kind's own rules; it raises, or returns
    what to warn the client of. `demands` sees the same, where permissions beyond that for the request are needed.
    """

    name: str
    about: frozenset[tuple[str, str]] | None = None  # resources, by group and plural; None: every one
    needs: Callable[[Attributes, Json | None, Json | None], tuple[LookupKey, ...]] = no_needs
    admit: Callable[[Attributes, Json, Json | None, LookedUp, Settings], Json] = as_it_is
    validate: Callable[[Attributes, Json, Json | None, LookedUp, Settings], tuple[str, ...]] | None = None
    demands: Callable[[Attributes, Json, Json | None], Iterable[Demand]] = no_demands
    admit_delete: Callable[[Attributes, Json, LookedUp], None] = let_go


def forbidden(
    attributes: Attributes, obj: Json | None, text: str, causes: tuple[Cause, ...] = ()
) -> Forbidden:
    """Return the 403 of a plugin: `pods "web" is forbidden: …`."""
    name = attributes.name or metadata(obj or {}).get("name") or metadata(obj or {}).get("generateName", "")
    kind = attributes.kind
    message = f'{kind.group_resource} "{name}" is forbidden: {text}'
    return Forbidden(message, kind=kind.plural, group=kind.group, name=name, causes=causes)
