"""Admission, fed: the objects that it asks about come from the watch cache, or from the store where it has none."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Final, NamedTuple, TypeVar, cast

from apiserver import objects
from apiserver.admission import quota
from apiserver.admission.metrics import ADMIT, VALIDATE
from apiserver.aside import SMALL, aside
from apiserver.core import field_errors
from apiserver.core.admission import EVERY_NAME, Attributes, Demand, LookedUp, LookupKey
from apiserver.core.admission.attributes import forbidden
from apiserver.core.authz import attributes as authz
from apiserver.core.authz import messages
from apiserver.core.kind import Kind
from apiserver.core.values import Json, metadata
from apiserver.objects import CachedObject
from apiserver.registry.held import Held
from apiserver.registry.parts import Parts
from apiserver.request import UserInfo
from apiserver.watch_cache_selection import Selected
from machinery.model.errors import Cause, Forbidden

_R = TypeVar("_R")
NO_ITEMS: Final[Json] = {"items": []}
_EVERYTHING: Final = Selected()
_SMALL: Final = 4 * 1024  # bytes of an object that is kept decoded
_DECODED_OBJECTS: Final = 128
_DECODED: Final = "decoded"  # a form in which a list of the cache is kept


class Admitted(NamedTuple):
    """An object as plugins have made it, and what they looked up for that."""

    obj: Json
    looked_up: LookedUp
    weight: int  # bytes of JSON: of the object, of the old one, and of all that was looked up in a namespace
    warnings: tuple[str, ...] = ()


class Validated(NamedTuple):
    """What came of the validating stage: what to warn the client of, and what was taken of quotas."""

    warnings: tuple[str, ...]
    charge: Held | None = None


class Admitting:
    """Runs the chain of `apiserver.core.admission`, and what waits after it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._decoded: dict[str, tuple[CachedObject, Json]] = {}  # by uid
        self._has_quotas = parts.chain.counts_quotas
        limits = parts.settings.limited
        self._quotas = quota.Quotas(parts.catalogue, parts.storage, parts.feed, parts.moment, limits)

    async def admit(self, attributes: Attributes, obj: Json, old: Json | None, weight: int) -> Admitted:
        """Return the object as the cluster wants it; `weight` says how large it, and the old one, are.

        Raises:
            Forbidden: the cluster does not want it.
            NotFound: its namespace is not there.
        """
        return await self._measured(ADMIT, attributes, self._admit(attributes, obj, old, weight))

    async def _admit(self, attributes: Attributes, obj: Json, old: Json | None, weight: int) -> Admitted:
        admitted = await self._run_plugins(attributes, obj, old, weight)
        dynamic = self._parts.dynamic
        if dynamic is None or dynamic.is_idle or not dynamic.mutates(attributes):
            return admitted

        async def again(changed: Json) -> Json:
            nonlocal admitted
            admitted = await self._run_plugins(attributes, changed, old, weight)
            return admitted.obj

        mutated, warnings = await dynamic.mutate(attributes, admitted.obj, old, again)
        assert mutated is not None  # noqa: S101 - there was an object, and there is one
        return admitted._replace(obj=mutated, warnings=warnings)

    async def _run_plugins(
        self, attributes: Attributes, obj: Json, old: Json | None, weight: int
    ) -> Admitted:
        looked_up: dict[LookupKey, Json | None] = {}
        for key in self._parts.chain.needs(attributes, obj, old):
            looked_up[key], listed = await self._look_up(key)
            weight += listed
        missing = self._parts.missing_namespaces
        if missing is not None and (made := await missing.provide(attributes, obj, old, looked_up)):
            looked_up[made], _ = await self._look_up(made)
        settings = self._parts.settings
        result = await aside(weight, self._parts.chain.admit, attributes, obj, old, looked_up, settings)
        return Admitted(result, looked_up, weight)

    async def validate(
        self, attributes: Attributes, admitted: Admitted, obj: Json, old: Json | None
    ) -> Validated:
        """Check what became of an admitted object, ready to store; quotas come last.

        Raises:
            Forbidden: the cluster does not want it.
            Invalid: it breaks a rule of a plugin's own.
        """
        return await self._measured(VALIDATE, attributes, self._validate(attributes, admitted, obj, old))

    async def _validate(
        self, attributes: Attributes, admitted: Admitted, obj: Json, old: Json | None
    ) -> Validated:
        looked_up, settings = admitted.looked_up, self._parts.settings
        chain = self._parts.chain
        warnings = await aside(admitted.weight, chain.validate, attributes, obj, old, looked_up, settings)
        await self._insist(attributes, obj, chain.demands(attributes, obj, old))
        if self._parts.image_policy is not None:
            asking = self._parts.image_policy.validate(attributes, obj)
            await self._measured(VALIDATE, attributes, asking, plugin="ImagePolicyWebhook")
        warnings = (*admitted.warnings, *warnings) if admitted.warnings else warnings
        dynamic = self._parts.dynamic
        if dynamic is not None and not dynamic.is_idle and dynamic.validates(attributes):
            warnings = (*warnings, *await dynamic.validate(attributes, obj, old))
        if not self._has_quotas or not self._quotas.concern(attributes):
            return Validated(warnings)
        charge = self._quotas.charge(attributes, obj, old)
        return Validated(warnings, await self._measured(VALIDATE, attributes, charge, plugin=quota.NAME))

    async def admit_delete(self, attributes: Attributes, old: Json) -> tuple[str, ...]:
        """Check that an object may be deleted; returns what to warn the client of.

        Raises:
            Forbidden: it has to stay.
        """
        return await self._measured(ADMIT, attributes, self._admit_delete(attributes, old))

    async def _admit_delete(self, attributes: Attributes, old: Json) -> tuple[str, ...]:
        asked = self._parts.chain.needs(attributes, None, old)
        looked_up = {key: (await self._look_up(key))[0] for key in asked}
        self._parts.chain.admit_delete(attributes, old, looked_up)
        warnings: tuple[str, ...] = ()
        dynamic = self._parts.dynamic
        if dynamic is not None and dynamic.mutates(attributes):
            _, warnings = await dynamic.mutate(attributes, None, old, _unchanged)
        if dynamic is not None and dynamic.validates(attributes):
            warnings = (*warnings, *await dynamic.validate(attributes, None, old))
        return warnings

    async def _measured(
        self, stage: str, attributes: Attributes, work: Awaitable[_R], plugin: str = ""
    ) -> _R:
        """Do the work of a stage, or of one plugin that waits, and measure it."""
        metrics = self._parts.admission_metrics
        if metrics is None:
            return await work
        begun_s, is_rejected = metrics.now(), True
        try:
            result = await work
            is_rejected = False
            return result
        finally:
            if plugin:
                metrics.note(plugin, stage, attributes, begun_s, is_rejected=is_rejected)
            else:
                metrics.step(stage, attributes, begun_s, is_rejected=is_rejected)

    @property
    def is_idle(self) -> bool:
        """Whether there is neither a webhook nor a policy."""
        return self._parts.dynamic is None or self._parts.dynamic.is_idle

    async def admit_connection(self, attributes: Attributes, options: Json) -> tuple[Json, tuple[str, ...]]:
        """Return the options of a connection as webhooks and policies want them, and warnings; plugins have no say on those.

        Raises:
            ApiError: somebody does not want the connection.
        """
        return await self._measured(ADMIT, attributes, self._admit_connection(attributes, options))

    async def _admit_connection(self, attributes: Attributes, options: Json) -> tuple[Json, tuple[str, ...]]:
        dynamic, wanted, warnings = self._parts.dynamic, options, tuple[str, ...]()
        if dynamic is not None and dynamic.mutates(attributes):
            mutated, warnings = await dynamic.mutate(attributes, options, None, _unchanged)
            wanted = mutated or options
        if dynamic is not None and dynamic.validates(attributes):
            warnings = (*warnings, *await dynamic.validate(attributes, wanted, None))
        return wanted, warnings

    async def _insist(self, attributes: Attributes, obj: Json, demands: Sequence[Demand]) -> None:
        """Check that the user of a request has the permissions that are demanded."""
        refused: list[Cause] = []
        for demand in demands:
            refusal = await self._refusal(attributes, obj, demand)
            if refusal is not None and not demand.path:
                raise forbidden(attributes, obj, demand.refusal)
            if refusal is not None:
                refused.append(field_errors.forbidden(demand.path, f"{demand.refusal}: {refusal.message}"))
        if refused:
            kind = attributes.kind
            name = metadata(obj).get("name", "")
            raise field_errors.invalid_object(f"{kind.kind}.{kind.group}", name, refused)

    async def _refusal(self, attributes: Attributes, obj: Json, demand: Demand) -> Forbidden | None:
        """Return why the user of a request has none of several permissions: the first of them; None where they have one."""
        first: Forbidden | None = None
        for permission in demand.any_of:
            group, resource = permission.group, permission.resource
            if permission.of_type is not None:
                kind = self._parts.catalogue.of_type(*permission.of_type)
                if kind is None:
                    raise forbidden(attributes, obj, _unknown_owner(*permission.of_type))
                group, resource = kind.group, kind.plural
            asked = authz.Attributes(
                verb=permission.verb,
                group=group,
                resource=resource,
                subresource=permission.subresource,
                namespace=permission.namespace,
                name=permission.name,
            )
            decision = await self._parts.guard.authorize(cast(UserInfo, attributes.user), asked)
            if decision.allowed:
                return None
            first = first or messages.forbidden(attributes.user, asked, decision)
        return first

    async def _look_up(self, key: LookupKey) -> tuple[Json | None, int]:
        """Return what is asked about, and how large it is where that is the whole of a namespace."""
        group, plural, namespace, name = key
        kind = self._parts.catalogue.stored(group, plural)
        if kind is None:
            return None, 0
        if name == EVERY_NAME:
            return await self._all_of(kind, namespace)
        found = self._parts.feed.cache(kind).get(kind.place(namespace, name))
        if found:
            return self._read(found), 0
        stored = await self._parts.storage.get(kind.key(namespace, name))
        return (objects.decode_at(kind, stored.value, stored.revision) if stored else None), 0

    def _read(self, cached: CachedObject) -> Json:
        """Return an object of the cache; those that are asked about with each write are decoded once. Nobody changes it."""
        known = self._decoded.get(cached.uid)
        if known is not None and known[0] is cached:
            return known[1]
        obj = objects.decode(cached.json)
        if len(cached.json) <= _SMALL:
            if len(self._decoded) >= _DECODED_OBJECTS:
                self._decoded.clear()
            self._decoded[cached.uid] = (cached, obj)
        return obj

    async def _all_of(self, kind: Kind, namespace: str) -> tuple[Json, int]:
        """Return the objects of a namespace, as the watch cache has them; few are decoded once, until they change."""
        cache = self._parts.feed.cache(kind)
        if cache.is_empty or (namespace and not cache.has_any(namespace)):
            return NO_ITEMS, 0
        listed = cache.list(Selected(namespace) if namespace else _EVERYTHING)
        if kept := listed.kept(_DECODED):
            return kept, 0
        found = [each.json for each in listed]
        weight = sum(map(len, found))
        decoded = {"items": await aside(weight, _decode_all, found)}
        if weight <= SMALL:
            listed.keep(_DECODED, decoded, weight)
        return decoded, weight


async def _unchanged(obj: Json) -> Json:
    """Return what nobody has changed: a deletion has no object."""
    return obj


def _unknown_owner(api_version: str, kind: str) -> str:
    text = f'no matches for kind "{kind}" in version "{api_version}"'
    what = "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion"
    return f"{what} {api_version} Kind {kind}: {text}"


def _decode_all(found: Sequence[bytes]) -> list[Json]:
    return [objects.decode(each) for each in found]
