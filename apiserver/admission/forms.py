"""The versions of kinds in which webhooks and policies see a request and its objects, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from apiserver import objects
from apiserver.aside import aside
from apiserver.core import answers, scaling, writes
from apiserver.core.admission.attributes import Attributes
from apiserver.core.catalogue import Catalogue, PerGeneration
from apiserver.core.hooks.occasion import Form, Occasion
from apiserver.core.kind import Kind
from apiserver.core.schema import Schemas
from apiserver.core.values import Json, metadata
from apiserver.core.writes import FieldValidation
from apiserver.watch_cache_feed import Feed
from machinery.model.kinds import KindNames

_NAMESPACES: Final = ("", "namespaces")
_SCALE: Final = "scale"


class Forms:
    """Describes requests, and brings objects from one version into another."""

    def __init__(self, catalogue: Catalogue, feed: Feed, schemas: Schemas) -> None:
        self._catalogue = catalogue
        self._feed = feed
        self._schemas = schemas
        self._versions = PerGeneration(catalogue, self._by_stored)

    def occasion(self, attributes: Attributes, obj: Json | None, operation: str) -> Occasion:
        """Describe a request; `obj` is its new object, or the one that goes.

        Raises:
            NotFound: the kind is not served any more.
        """
        kind = self._kind(attributes)
        is_namespace = attributes.resource == _NAMESPACES
        name = attributes.name or str(metadata(obj or {}).get("name", ""))
        namespace = name if is_namespace else attributes.namespace
        return Occasion(
            attributes,
            operation,
            _form(kind, attributes.subresource),
            tuple(_form(each, attributes.subresource) for each in self._others(kind)),
            namespace,
            self._namespace(namespace) if namespace else None,
            is_namespace,
            attributes.options(),
        )

    async def show(
        self, form: Form, attributes: Attributes, obj: Json | None, old: Json | None
    ) -> tuple[Json | None, Json | None]:
        """Return the objects of a request in the version of a form, converted by whoever converts them.

        Raises:
            InternalError: who converts does not answer.
        """
        return await aside(0, lambda: (self.shown(form, attributes, obj), self.shown(form, attributes, old)))

    def shown(self, form: Form, attributes: Attributes, obj: Json | None) -> Json | None:
        """Return an object in the version of a form; what is posted to a subresource has one version only.

        Raises:
            ConversionNeeded: somebody else has to convert it (`apiserver.aside`).
        """
        kind = self._catalogue.kind(form.group, form.version, form.resource)
        if obj is None or kind is None:
            return obj
        if _is_whole(form, attributes):
            return objects.in_version(kind, obj)
        mapping = kind.stored.rules.scale if attributes.subresource == _SCALE else None
        return scaling.scale_of(mapping, obj) if mapping else obj

    def read(self, form: Form, attributes: Attributes, changed: Json, before: Json) -> Json:
        """Read what became of an object in a form's version: checked, defaulted, and in the version that is stored.

        `before` is the object as it was until then, of which a Scale is a part.

        Raises:
            BadRequest: it does not fit the schema.
            NotImplementedHere: it asks for what Kubarium has not built.
        """
        kind = self._catalogue.kind(form.group, form.version, form.resource)
        if kind is None:
            return changed
        if not _is_whole(form, attributes):
            posted = kind.subresources[attributes.subresource]
            if not posted.definition:
                return changed  # options of a connection: who connects reads them
            obj, _ = writes.read_as(
                self._schemas,
                posted.definition,
                posted.api_version,
                posted.kind,
                changed,
                validation=FieldValidation.IGNORE,
            )
            is_scale = attributes.subresource == _SCALE and kind.stored.rules.scale
            return scaling.scaled(kind.stored, before, obj) if is_scale else obj
        read = writes.read(
            self._schemas,
            kind,
            changed,
            namespace=attributes.namespace,
            name=attributes.name,
            validation=FieldValidation.IGNORE,
        )
        return objects.in_version(kind.stored, read.obj)

    def places(self, group: str, plural: str) -> frozenset[tuple[str, str]]:
        """Return the groups and plurals under which the objects of a resource are served."""
        stored = self._catalogue.stored(group, plural)
        if stored is None:
            return frozenset({(group, plural)})
        return frozenset((each.group, each.plural) for each in self._versions()[stored.stored.gvr])

    def _kind(self, attributes: Attributes) -> KindNames:
        group, plural = attributes.resource
        version = attributes.version or attributes.kind.version
        asked_group = group if attributes.group is None else attributes.group
        catalogue = self._catalogue
        found = (
            catalogue.kind(asked_group, version, plural)
            or catalogue.stored(group, plural)
            or catalogue.names(group, version, plural)
        )
        if found is None:
            raise answers.no_such_resource(group, plural)
        return found

    def _others(self, kind: KindNames) -> Sequence[Kind]:
        if not isinstance(kind, Kind):
            return ()  # a review has one version
        return [each for each in self._versions()[kind.stored.gvr] if each is not kind]

    def _by_stored(self) -> Mapping[tuple[str, str, str], list[Kind]]:
        found: dict[tuple[str, str, str], list[Kind]] = {}
        for kind in self._catalogue.kinds():
            found.setdefault(kind.stored.gvr, []).append(kind)
        return found

    def _namespace(self, name: str) -> Json | None:
        kind = self._catalogue.stored(*_NAMESPACES)
        cached = self._feed.cache(kind).get(name) if kind else None
        return objects.decode(cached.json) if cached else None


def _is_whole(form: Form, attributes: Attributes) -> bool:
    """Whether a request is about objects of the kind itself, not of what is posted to a subresource."""
    return not attributes.subresource or form.kind[2] == attributes.kind.kind


def _form(kind: KindNames, subresource: str) -> Form:
    part = kind.subresources.get(subresource) if subresource else None
    if part is not None and part.kind != kind.kind:
        return Form(kind.group, kind.version, kind.plural, (part.group, part.version, part.kind))
    return Form(kind.group, kind.version, kind.plural, (kind.group, kind.version, kind.kind))
