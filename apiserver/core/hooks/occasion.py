"""A request on which webhooks and policies have a say: whom it is by, what it is about, in which versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from apiserver.core.admission.attributes import Attributes
from apiserver.core.values import Json, metadata


class Form(NamedTuple):
    """A resource in one version, and the kind of what is read or written there."""

    group: str
    version: str
    resource: str
    kind: tuple[str, str, str]  # group, version, kind: of a subresource, what is posted there


@dataclass(frozen=True, slots=True)
class Occasion:
    """One request. `obj` and `old` are in the stored version; None where there is none."""

    attributes: Attributes
    operation: str  # CREATE, UPDATE, DELETE, CONNECT
    form: Form  # as it was asked for
    others: Sequence[Form]  # the same resource in its other versions
    namespace: str  # a Namespace lies in itself
    namespace_object: Json | None  # of the namespace in which the object lies; None for cluster-scoped ones
    is_namespace: bool = False  # whether the request is about a Namespace
    options: Json = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The object's name; "" where the server is still to make it up."""
        return self.attributes.name

    @property
    def subresource(self) -> str:
        """The subresource, "" for none."""
        return self.attributes.subresource

    def forms(self) -> Iterator[Form]:
        """Yield the resource as it was asked for, then as it could have been."""
        yield self.form
        yield from self.others

    def namespace_labels(self, obj: Json | None) -> Mapping[str, str] | None:
        """Return what a selector of namespaces is compared with; None where there is nothing that it could leave out."""
        if self.is_namespace:
            is_written = self.operation in {"CREATE", "UPDATE"} and not self.subresource
            return labels_of(obj if is_written and obj is not None else self.namespace_object)
        return labels_of(self.namespace_object) if self.namespace else None


def labels_of(obj: Json | None) -> Mapping[str, str]:
    """Return an object's labels."""
    found: Mapping[str, str] = metadata(obj or {}).get("labels") or {}
    return found


def user_info(user: Any) -> Json:
    """Return who asks, as an authentication.k8s.io/v1 UserInfo."""
    found: Json = {"username": user.name}
    if user.uid:
        found["uid"] = user.uid
    if user.groups:
        found["groups"] = list(user.groups)
    if user.extra:
        found["extra"] = {key: list(values) for key, values in user.extra.items()}
    return found


def described(occasion: Occasion, form: Form, uid: str = "") -> Json:
    """Return a request as an admission.k8s.io/v1 AdmissionRequest without its objects; `form` is the one that matched."""
    asked, attributes = occasion.form, occasion.attributes
    found: Json = {
        "uid": uid,
        "kind": _kind(form),
        "resource": _resource(form),
        "requestKind": _kind(asked),
        "requestResource": _resource(asked),
        "operation": occasion.operation,
        "userInfo": user_info(attributes.user),
        "dryRun": attributes.dry_run,
    }
    optional = {
        "subResource": occasion.subresource,
        "requestSubResource": occasion.subresource,
        "name": occasion.name,
        "namespace": occasion.namespace,
    }
    return {**found, **{name: value for name, value in optional.items() if value}}


def _kind(form: Form) -> Json:
    return dict(zip(("group", "version", "kind"), form.kind, strict=True))


def _resource(form: Form) -> Json:
    return {"group": form.group, "version": form.version, "resource": form.resource}
