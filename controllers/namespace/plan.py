"""Plan for one namespace that is being deleted.

A namespace is Terminating until nothing is left in it, by a live look at every kind; then its finalizer goes, and
with it the namespace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from controllers.core.actions import (
    NO_FACTS,
    NOTHING_TO_DO,
    AllAtOnce,
    Census,
    DeleteCollection,
    Facts,
    Finalize,
    Plan,
)
from controllers.core.merge_patch import patch_at_revision, patch_status
from controllers.core.moment import Moment
from machinery.model.conditions import set_condition
from machinery.model.k8s.core_v1 import Namespace, NamespaceCondition
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import NAMESPACES, PODS, Resource

FINALIZER: Final = "kubernetes"
_LOOK_AGAIN_S: Final = 5.0  # where something is left whose end no watch shows
_AT_ONCE_S: Final = 0.0

Contents: TypeAlias = dict[Resource[Any], tuple[ObjectMeta, ...]]


@dataclass(frozen=True, slots=True)
class _Verdict:
    type: str
    true: tuple[str, str]  # reason and message where something is wrong or left
    false: tuple[str, str]


_DISCOVERY: Final = _Verdict(
    "NamespaceDeletionDiscoveryFailure",
    ("DiscoveryFailed", "Discovery failed for some groups"),
    ("ResourcesDiscovered", "All resources successfully discovered"),
)
_PARSING: Final = _Verdict(
    "NamespaceDeletionGroupVersionParsingFailure",
    ("GroupVersionParsingFailed", "Parsing failed"),
    ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
)
_CONTENT: Final = _Verdict(
    "NamespaceDeletionContentFailure",
    ("ContentDeletionFailed", "Failed to delete all resource types"),
    ("ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
)
_REMAINING: Final = _Verdict(
    "NamespaceContentRemaining",
    ("SomeResourcesRemain", "Some resources are remaining"),
    ("ContentRemoved", "All content successfully removed"),
)
_FINALIZERS: Final = _Verdict(
    "NamespaceFinalizersRemaining",
    ("SomeFinalizersRemain", "Some content in the namespace has finalizers remaining"),
    ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    namespace: Namespace
    kinds: Sequence[Resource[Any]]  # every namespaced one that can be looked at
    away: Sequence[str] = ()  # versions whose servers do not say what they serve


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a namespace."""
    namespace, kinds = seen.namespace, seen.kinds
    if namespace.metadata.deletionTimestamp is None or FINALIZER not in namespace.spec.finalizers:
        return NOTHING_TO_DO
    if namespace.status.phase != "Terminating":
        return Plan(
            (
                patch_at_revision(
                    NAMESPACES, namespace, {"status": {"phase": "Terminating"}}, subresource="status"
                ),
            )
        )
    questions = {kind: Census(kind, namespace.metadata.name) for kind in kinds}
    if missing := tuple(question for question in questions.values() if question not in facts.collections):
        return Plan(needs=missing)
    answers = {kind: facts.collections[question] for kind, question in questions.items()}
    contents = {kind: found for kind, found in answers.items() if found}
    if contents or seen.away:
        return _empty_out(seen, contents, moment, facts)
    return _report_empty(namespace, moment) or _finalize(namespace)


def _report_empty(namespace: Namespace, moment: Moment) -> Plan | None:
    """Report that nothing is left, before our finalizer goes, where others keep the namespace; None where that is done."""
    if len(namespace.spec.finalizers) == 1 and not namespace.metadata.finalizers:
        return None
    conditions = _conditions(namespace, {}, (), moment, NO_FACTS)
    patches = patch_status(
        NAMESPACES, namespace, msgspec.structs.replace(namespace.status, conditions=conditions)
    )
    return Plan(patches) if patches else None


def _finalize(namespace: Namespace) -> Plan:
    left = [name for name in namespace.spec.finalizers if name != FINALIZER]
    spec = msgspec.structs.replace(namespace.spec, finalizers=left)
    return Plan((Finalize(NAMESPACES, msgspec.structs.replace(namespace, spec=spec)),))


def _empty_out(seen: Seen, contents: Contents, moment: Moment, facts: Facts) -> Plan:
    """Ask for the deletion of what has not been asked for; the status tells what is left, and what cannot be seen."""
    namespace = seen.namespace
    pods = {kind: found for kind, found in contents.items() if str(kind) == str(PODS)}
    first = pods or contents
    unasked = [kind for kind, found in first.items() if any(meta.deletionTimestamp is None for meta in found)]
    deletions = tuple(DeleteCollection(kind, namespace.metadata.name) for kind in unasked)
    new_status = msgspec.structs.replace(
        namespace.status, conditions=_conditions(namespace, contents, seen.away, moment, facts)
    )
    actions = (
        *patch_status(NAMESPACES, namespace, new_status),
        *((AllAtOnce(deletions),) if deletions else ()),
    )
    return Plan(actions, requeue_after_s=_AT_ONCE_S if deletions else _LOOK_AGAIN_S)


def _conditions(
    namespace: Namespace, contents: Contents, away: Sequence[str], moment: Moment, facts: Facts
) -> list[NamespaceCondition]:
    failed = f": {facts.failure.message}" if facts.failure else ""
    details = (
        (_DISCOVERY, _undiscovered(away)),
        (_PARSING, ""),
        (_CONTENT, failed),
        (_REMAINING, _amounts(contents)),
        (_FINALIZERS, _finalizers(contents.values())),
    )
    conditions = namespace.status.conditions
    for verdict, detail in details:
        conditions = set_condition(conditions, _condition(verdict, detail, moment), now_text=moment.text)
    return conditions


def _condition(verdict: _Verdict, detail: str, moment: Moment) -> NamespaceCondition:
    reason, message = verdict.true if detail else verdict.false
    return NamespaceCondition(
        type=verdict.type,
        status="True" if detail else "False",
        reason=reason,
        message=f"{message}{detail}" if detail else message,
        lastTransitionTime=moment.text,
    )


def _amounts(contents: Contents) -> str:
    counts = sorted((f"{kind.plural}.{kind.group}", len(found)) for kind, found in contents.items())
    return _listed(f"{name} has {count} resource instances" for name, count in counts)


def _finalizers(found: Iterable[tuple[ObjectMeta, ...]]) -> str:
    counts = Counter(name for metas in found for meta in metas for name in meta.finalizers)
    return _listed(f"{name} in {count} resource instances" for name, count in sorted(counts.items()))


def _undiscovered(away: Sequence[str]) -> str:
    if not away:
        return ""
    each = ", ".join(f"{version}: stale GroupVersion discovery: {version}" for version in away)
    return f", {len(away)} failing: unable to retrieve the complete list of server APIs: {each}"


def _listed(texts: Iterable[str]) -> str:
    joined = ", ".join(texts)
    return f": {joined}" if joined else ""
