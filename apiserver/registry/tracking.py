"""Who owns which field of what the registry writes: `apiserver.core.apply`, fed with the request and the time.

Ownership is noted before mutating admission: what that changes is nobody's. What a client says of managedFields comes
here in the object's metadata, and what is to be stored leaves in the same place.
"""

from __future__ import annotations

import operator
from typing import Final, NamedTuple

from apiserver import objects
from apiserver.core import scaling
from apiserver.core.apply import Applied, apply_configuration, managers, scale, track_update
from apiserver.core.apply.managers import Managed
from apiserver.core.apply.trackers import Trackers
from apiserver.core.apply.update import known, with_managed
from apiserver.core.apply.validation import managed_fields_causes
from apiserver.core.kind import Kind
from apiserver.core.metadata import drop_repeated_owners
from apiserver.core.values import Json, metadata
from apiserver.core.writes import repeated_owners_warning
from apiserver.registry.parts import Parts
from apiserver.request import Request
from machinery.model.errors import BadRequest

_INVALID: Final = (
    ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated "
    "mutating admission controller; please fix your requests: "
)
_TELLS: Final = frozenset({"managedFields", "resourceVersion"})
"""What metadata tells of writes, where all others tell of the object."""


class AppliedScale(NamedTuple):
    """What an apply to a scale comes to."""

    scale: Json
    entries: list[Json]  # the managedFields of the object that is scaled


class Tracking:
    """Follows the owners of fields."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._trackers = Trackers(parts.catalogue, parts.schemas)

    def tracked(self, kind: Kind, request: Request, new: Json, old: Json | None) -> Json:
        """Return an object that was read, in its stored version, with the managedFields that it is stored with.

        Raises:
            BadRequest: it is nested too deeply.
        """
        sent = self._sent(kind, request)
        found = track_update(
            self._trackers.of(sent, request.subresource),
            None if old is None else objects.in_version(sent, old),
            objects.in_version(sent, new),
            manager=_manager(request),
            now=self._parts.now(),
            given=metadata(new).get("managedFields"),
        )
        return with_managed(new, found)

    def applied(self, kind: Kind, request: Request, config: Json, old: Json | None) -> Applied:
        """Apply a configuration to an object, in the version of the request.

        Raises:
            BadRequest: the configuration does not fit.
            Conflict: others own what it would change.
        """
        sent = self._sent(kind, request)
        _check_kind(config, sent)
        return apply_configuration(
            self._trackers.of(sent, request.subresource),
            None if old is None else objects.in_version(sent, old),
            config,
            manager=request.writing.field_manager,
            force=bool(request.writing.force),
            now=self._parts.now(),
        )

    def scaled(self, kind: Kind, request: Request, wanted: Json, old: Json) -> list[Json]:
        """Return the managedFields of an object after a write of a Scale."""
        found = track_update(
            self._trackers.of_scales,
            self._scale_of(kind, old),
            wanted,
            manager=_manager(request),
            now=self._parts.now(),
        )
        return self._of_parent(kind, request, old, found)

    def applied_scale(self, kind: Kind, request: Request, config: Json, old: Json) -> AppliedScale:
        """Apply a configuration to the scale of an object.

        Raises:
            BadRequest: the configuration does not fit.
            Conflict: others own the number of replicas.
        """
        applied = apply_configuration(
            self._trackers.of_scales,
            self._scale_of(kind, old),
            config,
            manager=request.writing.field_manager,
            force=bool(request.writing.force),
            now=self._parts.now(),
        )
        return AppliedScale(applied.obj, self._of_parent(kind, request, old, applied.managed_fields))

    def _scale_of(self, kind: Kind, old: Json) -> Json:
        """Return the Scale of an object, with the owners of its replicas."""
        assert kind.rules.scale  # noqa: S101 - its table of subresources says so
        owners = scale.to_scale(_managed(old), self._trackers.replicas(kind))
        return with_managed(scaling.scale_of(kind.rules.scale, old), managers.write(owners))

    def _of_parent(self, kind: Kind, request: Request, old: Json, entries: list[Json]) -> list[Json]:
        version, replicas = self._sent(kind, request).api_version, self._trackers.replicas(kind)
        owners = scale.to_parent(_managed(old), managers.stored(entries), version, replicas)
        return managers.write(owners)

    def _sent(self, kind: Kind, request: Request) -> Kind:
        """Return the version of a kind in which a request speaks of it."""
        return self._parts.catalogue.kind(request.group, request.version, request.resource) or kind


def _check_kind(config: Json, kind: Kind) -> None:
    """Refuse a configuration that does not say of what kind it is; one of another kind is told when it is read."""
    if config.get("apiVersion") == kind.api_version and not config.get("kind"):
        text = f"no corresponding type for {kind.group}/{kind.version}, Kind="
        raise BadRequest(f"failed to create typed patch object: {text}")


def after_admission(before: Json, admitted: Json) -> tuple[Json, tuple[str, ...]]:
    """Return an admitted object whose metadata makes sense, and warnings where admission's does not.

    Its managedFields are its own, or those from before; an owner that admission has named twice is there once.
    """
    meta = metadata(admitted)
    given, entries = metadata(before).get("managedFields"), meta.get("managedFields")
    warnings: tuple[str, ...] = ()
    if meta.get("ownerReferences") is not metadata(before).get("ownerReferences"):
        meta = dict(meta)
        if repeated := drop_repeated_owners(meta):
            warnings = (repeated_owners_warning(repeated, is_admitted=True),)
            admitted = {**admitted, "metadata": meta}
    if entries is given or entries == given:
        return admitted, warnings
    causes = managed_fields_causes(entries or ())
    if not causes:
        return admitted, warnings
    text = ", ".join(f"{cause.field}: {cause.message}" for cause in causes)
    return with_managed(admitted, given or []), (_INVALID + text, *warnings)


def says_the_same(new: Json, old: Json) -> bool:
    """Whether two states of an object differ in nothing, except for revisions and the times of its managers' entries.

    A manager that has changed what was changed back on the way to the store has not changed anything.
    """
    if new.keys() != old.keys() or any(part != old[name] for name, part in new.items() if name != "metadata"):
        return False
    meta, before = metadata(new), metadata(old)
    entries, others = meta.get("managedFields") or [], before.get("managedFields") or []
    return (
        len(entries) == len(others)
        and _without_what_tells(meta) == _without_what_tells(before)
        and (entries == others or all(map(operator.eq, map(_timeless, entries), map(_timeless, others))))
    )


def _without_what_tells(meta: Json) -> Json:
    return {name: item for name, item in meta.items() if name not in _TELLS}


def _timeless(entry: Json) -> Json:
    return {name: item for name, item in entry.items() if name != "time"}


def _managed(obj: Json) -> Managed:
    return known(metadata(obj).get("managedFields") or [])


def _manager(request: Request) -> str:
    return managers.manager_name(request.writing.field_manager, request.writing.user_agent)
