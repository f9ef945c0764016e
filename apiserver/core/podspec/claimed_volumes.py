"""The rules of volumes that a claim stands for: one that the pod names, or one that is made for it (generic ephemeral).

https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#generic-ephemeral-volumes
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core import metadata as object_metadata
from apiserver.core.values import Json, metadata, spec
from apiserver.core.volume_claims import claim_spec_causes, default_claim_spec
from machinery.model import names
from machinery.model.errors import Cause
from machinery.model.storage import ephemeral_claim

_OF_TEMPLATES: Final = frozenset(
    {"annotations", "labels"}
)  # the rest of the claim's metadata is not the pod's to say
_GO_METADATA: Final = {  # fields of metadata as messages name them
    "creationTimestamp": "CreationTimestamp",
    "deletionGracePeriodSeconds": "DeletionGracePeriodSeconds",
    "deletionTimestamp": "DeletionTimestamp",
    "finalizers": "Finalizers",
    "generateName": "GenerateName",
    "generation": "Generation",
    "managedFields": "ManagedFields",
    "name": "Name",
    "namespace": "Namespace",
    "ownerReferences": "OwnerReferences",
    "resourceVersion": "ResourceVersion",
    "selfLink": "SelfLink",
    "uid": "UID",
}


def default_ephemeral(source: Json) -> None:
    """Fill the claim of a generic ephemeral volume."""
    if template := source.get("volumeClaimTemplate"):
        default_claim_spec(template.setdefault("spec", {}))


def claim_reference_causes(source: Json, path: str) -> list[Cause]:
    """Check that a claim is named."""
    return [] if source.get("claimName") else [field_errors.required(f"{path}.claimName")]


def ephemeral_causes(source: Json, path: str) -> list[Cause]:
    """Check the claim that is to be made for a pod."""
    path = f"{path}.volumeClaimTemplate"
    template = source.get("volumeClaimTemplate")
    if template is None:
        return [field_errors.required(path)]
    meta = template.get("metadata") or {}
    found = object_metadata.validate_annotations(
        meta.get("annotations") or {}, f"{path}.metadata.annotations"
    )
    found += object_metadata.validate_labels(meta.get("labels") or {}, f"{path}.metadata.labels")
    text = "cannot be set for an ephemeral volume"
    for name in sorted(_GO_METADATA.keys() & meta.keys() - _OF_TEMPLATES):
        if meta[name] not in (None, "", [], 0):
            found.append(field_errors.forbidden(f"{path}.metadata.{_GO_METADATA[name]}", text))
    return found + claim_spec_causes(template.get("spec") or {}, f"{path}.spec")


def ephemeral_name_causes(pod: Json, path: str) -> list[Cause]:
    """Check that the claims that are made for a pod can have the names that they get."""
    name, found = metadata(pod).get("name", ""), list[Cause]()
    for index, volume in enumerate(spec(pod).get("volumes") or []):
        if "ephemeral" in volume and name and (own := volume.get("name", "")):
            claim = ephemeral_claim(name, own)
            errors = [f'PVC name "{claim}": {error}' for error in names.dns_subdomain_errors(claim)]
            found += field_errors.each_invalid(f"{path}.volumes[{index}].name", own, errors)
    return found
