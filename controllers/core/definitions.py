"""CustomResourceDefinitions as far as they concern the controllers: which kind there is because of one.

Nothing of its schemas is read. The kind comes when the definition is established, and goes with it.
"""

from __future__ import annotations

from typing import Final

import msgspec

from controllers.core.metadata_only import MetadataOnly
from machinery.model.k8s import served
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import Resource, resource_of


class Names(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a kind is called."""

    plural: str = ""
    kind: str = ""


class Version(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One version of a kind."""

    name: str = ""
    served: bool = False
    storage: bool = False


class Condition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is true of a definition."""

    type: str = ""
    status: str = ""


class DefinitionSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a definition asks for."""

    group: str = ""
    scope: str = ""
    names: Names = Names()
    versions: list[Version] = []


class DefinitionStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What it has."""

    acceptedNames: Names = Names()
    conditions: list[Condition] = []


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A definition without its schemas. Never written."""

    apiVersion: str = "apiextensions.k8s.io/v1"
    kind: str = "CustomResourceDefinition"
    metadata: ObjectMeta = ObjectMeta()
    spec: DefinitionSpec = DefinitionSpec()
    status: DefinitionStatus = DefinitionStatus()


DEFINITIONS: Final[Resource[Definition]] = resource_of(served.CUSTOM_RESOURCE_DEFINITIONS, Definition)


def kind_of(definition: Definition) -> Resource[MetadataOnly] | None:
    """Return the kind that a definition brings, in the version that is stored, or else the first that is served."""
    spec, status = definition.spec, definition.status
    is_established = any(each.type == "Established" and each.status == "True" for each in status.conditions)
    versions = sorted((each for each in spec.versions if each.served), key=lambda each: not each.storage)
    if not is_established or not versions:
        return None
    names = status.acceptedNames
    namespaced = spec.scope == "Namespaced"
    return Resource(spec.group, versions[0].name, names.plural, names.kind, namespaced, MetadataOnly)
