"""ImageReviews: what ImagePolicyWebhook asks about a pod's images, and what an answer means.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#imagepolicywebhook
https://kubernetes.io/docs/reference/config-api/imagepolicy.v1alpha1/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from apiserver.core.admission.attributes import Attributes
from apiserver.core.values import Json, metadata, spec

_API_VERSION: Final = "imagepolicy.k8s.io/v1alpha1"
_OWN: Final = ".image-policy.k8s.io/"
_CONTAINERS: Final = {"": ("containers", "initContainers"), "ephemeralcontainers": ("ephemeralContainers",)}
"""The containers that are asked about, by the subresource that is written; others are not asked about."""


@dataclass(frozen=True, slots=True)
class ImageVerdict:
    """What a server says of images."""

    is_allowed: bool
    reason: str = ""
    notes: tuple[tuple[str, str], ...] = ()  # for the audit log

    @property
    def refusal(self) -> str:
        """Why the pod is refused."""
        if self.reason:
            return f"image policy webhook backend denied one or more images: {self.reason}"
        return "one or more images rejected by webhook backend"


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    allowed: bool = False
    reason: str = ""
    audit_annotations: dict[str, str] = msgspec.field(default_factory=dict)


def review_spec(attributes: Attributes, pod: Json) -> Json | None:
    """Return what is asked about a write; None where nothing is."""
    fields = _CONTAINERS.get(attributes.subresource)
    if attributes.resource != ("", "pods") or fields is None:
        return None
    images = [{"image": each.get("image", "")} for field in fields for each in spec(pod).get(field) or ()]
    annotations = metadata(pod).get("annotations") or {}
    own = {key: value for key, value in annotations.items() if _OWN in key}
    asked: Json = {"containers": images, "namespace": attributes.namespace}
    return {**asked, "annotations": own} if own else asked


def review(asked: Json) -> Json:
    """Return the document that is posted."""
    return {"apiVersion": _API_VERSION, "kind": "ImageReview", "spec": asked, "status": {"allowed": False}}


def read_verdict(answer: Any) -> ImageVerdict:
    """Read an answer.

    Raises:
        ValueError: it is no ImageReview.
    """
    if not isinstance(answer, dict) or answer.get("kind") != "ImageReview":
        raise ValueError("the answer is no ImageReview")
    if answer.get("apiVersion") != _API_VERSION:
        raise ValueError(f"the answer is no ImageReview of {_API_VERSION}")
    try:
        status = msgspec.convert(answer.get("status") or {}, _Status)
    except msgspec.ValidationError as error:
        raise ValueError(f"status: {error}") from error
    return ImageVerdict(status.allowed, status.reason, tuple(status.audit_annotations.items()))
