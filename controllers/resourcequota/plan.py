"""Plan for one ResourceQuota: count what its limits are about, and write the status where it says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from controllers.core.actions import NO_FACTS, Census, Documents, Facts, Need, Plan
from controllers.core.documents import Document, to_json
from controllers.core.merge_patch import diff_documents, patch_at_revision
from controllers.core.moment import Moment
from machinery.model import amounts
from machinery.model.quota import usage
from machinery.model.quota.decision import observed_use
from machinery.model.quota.evaluators import evaluator, is_counted_by_number
from machinery.model.resources import Resource

QUOTAS: Final = Resource("", "v1", "resourcequotas", "ResourceQuota", namespaced=True, type=Document)
RESYNC_S: Final = 300.0  # after which everything is counted again, whatever was watched


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    quota: Document
    kinds: Sequence[Resource[Any]]  # every namespaced one that there is


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a quota. It is counted live: a cache would miss what was charged a moment ago."""
    quota, hard = seen.quota, _hard(seen.quota)
    questions = dict(_questions(seen))
    if missing := tuple(need for need in questions.values() if _answer(facts, need) is None):
        return Plan(needs=missing)
    objects = {resource: _answer(facts, need) or () for resource, need in questions.items()}
    counted = observed_use(to_json(quota), objects, usage.Moment(moment.now_s, moment.timescale))
    before = quota.status.get("used") or {}
    kept = {name: "0" for name in hard if name in before}  # of kinds that are gone, with all their objects
    status = {"hard": hard, "used": {**kept, **amounts.to_json(counted)}}
    changed = _diff(quota.status, status)
    patches = (
        (patch_at_revision(QUOTAS, quota, {"status": changed}, subresource="status"),) if changed else ()
    )
    return Plan(patches, requeue_after_s=RESYNC_S)


def _diff(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Compare amounts as amounts: how one is written is no difference."""
    changed = {}
    for field in ("hard", "used"):
        before, after = old.get(field), new[field]
        if before is None or amounts.read(before) != amounts.read(after):
            changed[field] = diff_documents(before or {}, after)
    return changed


def _hard(quota: Document) -> dict[str, str]:
    return quota.spec.get("hard") or {}


def _questions(seen: Seen) -> Iterator[tuple[tuple[str, str], Need]]:
    names, namespace = frozenset(_hard(seen.quota)), seen.quota.metadata.namespace
    for kind in seen.kinds:
        if evaluator(kind.group, kind.plural).tracked(names):
            ask = Census if is_counted_by_number(kind.group, kind.plural) else Documents
            yield (kind.group, kind.plural), ask(kind, namespace)


def _answer(facts: Facts, need: Need) -> Sequence[dict[str, Any]] | None:
    if isinstance(need, Documents):
        return facts.documents.get(need)
    found = facts.collections.get(need) if isinstance(need, Census) else None
    return None if found is None else [{} for _ in found]  # all that counts is how many there are
