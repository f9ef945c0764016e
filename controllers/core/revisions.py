"""ControllerRevisions: the templates that StatefulSets and DaemonSets have had, numbered, for histories and rollbacks.

    owner's template ─▶ current(…) ─▶ the revision with this template, and what has to be written for it to be the last
    owned revisions  ─▶ surplus(…) ─▶ those that the history limit lets go

A revision holds a patch that sets the template of its owner (`data_of`); `kubectl rollout undo` sends it as it is.
Revisions are told apart by their templates, never by names or hashes. https://kubernetes.io/docs/tasks/manage-daemon/rollback-daemon-set/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from controllers.core.actions import Create, Write
from controllers.core.merge_patch import patch_at_revision
from controllers.core.workloads import Template, template_labels, without_nulls
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.names import revision_hash
from machinery.model.owners import owner_reference
from machinery.model.resources import KubeObject, Resource

REVISION_LABEL: Final = "controller-revision-hash"  # of pods; of the revisions of DaemonSets, too
HASH_LABEL: Final = "controller.kubernetes.io/hash"  # of the revisions of StatefulSets
_LONGEST_PREFIX: Final = 223
_REPLACE: Final = "replace"  # a directive of strategic merge patches: not merged, but set

_canonical = msgspec.json.Encoder(order="sorted")


class ControllerRevision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """apps/v1 ControllerRevision with its data as a document."""

    apiVersion: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "ControllerRevision")
    metadata: ObjectMeta = ObjectMeta()
    data: Any = None
    revision: int = 0


CONTROLLER_REVISIONS: Final = Resource(
    "apps", "v1", "controllerrevisions", "ControllerRevision", namespaced=True, type=ControllerRevision
)


@dataclass(frozen=True, slots=True)
class Current:
    """The revision of the template of now.

    With `writes`, it is the last one only after they are carried out: nothing may be made from it before. With
    `collided`, another template has the name that its hash gives: the owner counts one more collision, and plans again.
    """

    revision: ControllerRevision
    writes: tuple[Write, ...] = ()
    collided: bool = False


def data_of(template: Template) -> dict[str, Any]:
    """Return the patch that sets a template: in full, whatever it replaces."""
    return {"spec": {"template": without_nulls(template) | {"$patch": _REPLACE}}}


def template_of(revision: ControllerRevision, otherwise: Template) -> Template:
    """Return the template that a revision sets; `otherwise` where it sets none (its data may be anybody's)."""
    spec = revision.data.get("spec") if isinstance(revision.data, dict) else None
    template = spec.get("template") if isinstance(spec, dict) else None
    if not isinstance(template, dict):
        return otherwise
    return {key: value for key, value in template.items() if key != "$patch"}


def hash_of(template: Template, collisions: int) -> str:
    """Return the hash that names the revision of a template, other after each collision."""
    return revision_hash(_canonical.encode(data_of(template)) + str(collisions).encode())


def name_of(owner: str, digest: str) -> str:
    """Return the name of an owner's revision."""
    return f"{owner[:_LONGEST_PREFIX]}-{digest}"


def in_order(revisions: Iterable[ControllerRevision]) -> list[ControllerRevision]:
    """Return revisions by number, the oldest first; equal numbers by creation, then by name."""
    return sorted(
        revisions,
        key=lambda each: (each.revision, each.metadata.creationTimestamp or "", each.metadata.name),
    )


def next_number(revisions: Iterable[ControllerRevision]) -> int:
    """Return the number that a revision gets to be the last."""
    return max((each.revision for each in revisions), default=0) + 1


def current(
    owner: KubeObject,
    template: Template,
    owned: Sequence[ControllerRevision],
    named: Mapping[str, ControllerRevision],
    collisions: int,
    *,
    hash_label: str,
    annotations: Mapping[str, str],
) -> Current:
    """Find the revision of a template, or make it.

    An older one that is equal becomes the last one again: a rollback makes no new revision. `named` are revisions of
    anybody in the owner's namespace by name, at least the one whose name the hash gives.
    """
    ordered, data = in_order(owned), data_of(template)
    equal = [each for each in ordered if without_nulls(each.data) == data]
    if equal and equal[-1] is ordered[-1]:
        return Current(equal[-1])
    number = next_number(ordered)
    if equal:
        return _renumbered(equal[-1], number)
    new = _new(owner, template, number, collisions, hash_label, annotations)
    there = named.get(new.metadata.name)
    if there is None:
        return Current(new, (Create(CONTROLLER_REVISIONS, new),))
    return Current(there, collided=without_nulls(there.data) != data)


def surplus(
    owned: Iterable[ControllerRevision], live: Collection[str], limit: int | None
) -> list[ControllerRevision]:
    """Return the oldest revisions beyond the limit of a history. Those that are `live` (names) neither count nor go."""
    past = [each for each in in_order(owned) if each.metadata.name not in live]
    if limit is None or limit < 0:
        return []
    return past[: max(0, len(past) - limit)]


def _renumbered(revision: ControllerRevision, number: int) -> Current:
    patch = patch_at_revision(CONTROLLER_REVISIONS, revision, {"revision": number})
    return Current(msgspec.structs.replace(revision, revision=number), (patch,))


def _new(
    owner: KubeObject,
    template: Template,
    number: int,
    collisions: int,
    hash_label: str,
    annotations: Mapping[str, str],
) -> ControllerRevision:
    digest = hash_of(template, collisions)
    return ControllerRevision(
        metadata=ObjectMeta(
            name=name_of(owner.metadata.name, digest),
            namespace=owner.metadata.namespace,
            labels=template_labels(template) | {hash_label: digest},
            annotations=dict(annotations),
            ownerReferences=[owner_reference(owner)],
        ),
        data=_in_order_of_keys(data_of(template)),
        revision=number,
    )


def _in_order_of_keys(data: dict[str, Any]) -> dict[str, Any]:
    """Return a document as Go writes it: kubectl knows by its bytes that a rollback would change nothing."""
    ordered: dict[str, Any] = msgspec.json.decode(_canonical.encode(data))
    return ordered
