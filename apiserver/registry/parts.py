"""What all parts of the registry work with."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from apiserver.admission.dynamic import DynamicAdmission
from apiserver.admission.metrics import AdmissionMetrics
from apiserver.allocation import NOTHING_CLAIMED, Allocator, Claims
from apiserver.core.admission import DEFAULT_CHAIN, Chain, Settings
from apiserver.core.authz import attributes as authz
from apiserver.core.catalogue import Catalogue
from apiserver.core.kind import Kind
from apiserver.core.rules import WriteContext
from apiserver.core.schema import Schemas
from apiserver.core.values import Json
from apiserver.request import Request, UserInfo
from apiserver.storage.interface import Storage
from apiserver.watch_cache_feed import Feed
from apiserver.write_record import WriteRecord
from machinery.model import names
from machinery.model.clock import Clock
from machinery.model.quota.usage import Moment

if TYPE_CHECKING:
    from apiserver.admission.image_policy import ImagePolicy
    from apiserver.admission.namespaces import MissingNamespaces


class Guard(Protocol):
    """What the registry asks about a write that turns out to be more than its verb says (`apiserver.gate.Gate`)."""

    async def admit(self, request: Request) -> None:
        """Raise Forbidden if the user may not make the create that a PUT turns out to be."""
        ...

    async def admit_grant(self, user: UserInfo, kind: Kind, new: Json, old: Json | None) -> None:
        """Raise Forbidden if the write gives permissions away that the user does not have."""
        ...

    async def authorize(self, user: UserInfo, attributes: authz.Attributes) -> authz.Decision:
        """Decide whether a user may do something."""
        ...


class NoGuard:
    """Lets everybody do everything: for a registry without a gate."""

    async def admit(self, request: Request) -> None:
        """Allow it."""

    async def admit_grant(self, user: UserInfo, kind: Kind, new: Json, old: Json | None) -> None:
        """Allow it."""

    async def authorize(self, _user: UserInfo, _attributes: authz.Attributes) -> authz.Decision:
        """Allow it."""
        return authz.YES


@dataclass(frozen=True, slots=True)
class Parts:
    """The store, its caches, and everything else that comes from outside."""

    catalogue: Catalogue
    storage: Storage
    feed: Feed
    schemas: Schemas
    clock: Clock
    write_record: WriteRecord
    claimers: Mapping[str, Allocator]  # who claims what writes of a resource need, by group_resource
    settings: Settings = field(default_factory=Settings)
    guard: Guard = field(default_factory=NoGuard)
    uids: random.Random = field(default_factory=random.Random)
    letters: random.Random = field(default_factory=random.Random)  # of generated names
    chain: Chain = DEFAULT_CHAIN
    dynamic: DynamicAdmission | None = None
    admission_metrics: AdmissionMetrics | None = None
    image_policy: ImagePolicy | None = None
    missing_namespaces: MissingNamespaces | None = None

    def now(self) -> str:
        """Return the time as objects carry it."""
        return self.clock.timescale.format(self.clock.now())

    def moment(self) -> Moment:
        """Return the time as quotas compare it."""
        return Moment(self.clock.now(), self.clock.timescale)

    def context(self, user: UserInfo, *, named: bool) -> WriteContext:
        """Return the facts of a create; an object that has its name needs no letters for one."""
        uid = str(uuid.UUID(int=self.uids.getrandbits(128), version=4))
        return WriteContext(self.now(), uid, "" if named else self.suffix(), user)

    def update_context(self) -> WriteContext:
        """Return the facts of an update: nobody needs a name or an identity."""
        return WriteContext(self.now())

    def released(self, kind: Kind, obj: Json) -> Claims:
        """Return what an object that goes no longer needs."""
        claimer = self.claimers.get(kind.group_resource)
        return claimer.released(obj) if claimer else NOTHING_CLAIMED

    def suffix(self) -> str:
        """Return five random letters."""
        return names.suffix(self.letters.randrange)
