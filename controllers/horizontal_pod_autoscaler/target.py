"""What an autoscaler scales: which resource that is, and the Scale of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from controllers.core.actions import Discovery, Facts, Part, Patch, Refusal
from controllers.core.metadata_only import MetadataOnly
from machinery.model.json_objects import Json
from machinery.model.k8s import served
from machinery.model.k8s.autoscaling_v2 import CrossVersionObjectReference, HorizontalPodAutoscaler
from machinery.model.resources import Resource, resource_of

AUTOSCALERS: Final = resource_of(served.HORIZONTAL_POD_AUTOSCALERS, HorizontalPodAutoscaler)


@dataclass(frozen=True, slots=True)
class Scale:
    """A Scale as far as it is read."""

    resource: Resource[MetadataOnly]
    name: str
    uid: str
    resource_version: str
    wanted: int  # pods
    running: int
    selector: str

    def patch(self, namespace: str, replicas: int) -> Patch:
        """Return the write of another number, of just this object as it was read."""
        metadata = {"uid": self.uid, "resourceVersion": self.resource_version}
        body = {"metadata": metadata, "spec": {"replicas": replicas}}
        return Patch(self.resource, namespace, self.name, body, subresource="scale")


def find_resource(
    reference: CrossVersionObjectReference, kinds: Mapping[tuple[str, str], Resource[Any]], facts: Facts
) -> Resource[Any] | Refusal | Discovery:
    """Return the resource of a reference, why there is none, or what has to be asked first.

    Kinds of Kubernetes' own are found in any version, as by their group and kind.
    """
    group, _, version = reference.apiVersion.rpartition("/")
    if reference.apiVersion.count("/") > 1:
        return Refusal("", f"unexpected GroupVersion string: {reference.apiVersion}")
    if (known := kinds.get((group, reference.kind))) is not None:
        return known
    question = Discovery(group, version)
    found = facts.answers.get(question)
    if found is None:
        return question
    entries = () if isinstance(found, Refusal) else found
    for entry in entries:
        if entry.kind == reference.kind and "/" not in entry.name:
            return Resource(group, version, entry.name, entry.kind, entry.namespaced, MetadataOnly)
    return Refusal("", f'no matches for kind "{reference.kind}" in group "{group}"')


def scale_question(resource: Resource[Any], namespace: str, name: str) -> Part:
    """Return what asks for the Scale of an object."""
    return Part(resource.group, resource.version, resource.plural, namespace, name, "scale")


def read_scale(resource: Resource[Any], found: Json) -> Scale:
    """Read a Scale; numbers that are not there are 0, as in Kubernetes."""
    meta, status = found.get("metadata") or {}, found.get("status") or {}
    return Scale(
        Resource(
            resource.group,
            resource.version,
            resource.plural,
            resource.kind,
            resource.namespaced,
            MetadataOnly,
        ),
        meta.get("name", ""),
        meta.get("uid", ""),
        meta.get("resourceVersion", ""),
        int((found.get("spec") or {}).get("replicas") or 0),
        int(status.get("replicas") or 0),
        status.get("selector") or "",
    )
