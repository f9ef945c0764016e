"""Plan for one policy: its expressions are checked once for each of its generations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, Documents, Facts, Finding, Plan
from controllers.core.definitions import DEFINITIONS
from controllers.core.documents import Document
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from controllers.validatingadmissionpolicy_status.kinds import Kinds, KnownKind, kinds_of, of_type
from machinery.model.json_objects import Json
from machinery.model.resources import Resource

if TYPE_CHECKING:
    from machinery.cel import Type
    from machinery.cel.published import PublishedTypes

POLICIES: Final = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    namespaced=False,
    type=Document,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    policy: Document
    kinds: Kinds
    published: Callable[[], bytes]  # Kubernetes' definitions: read where there is something to check


def plan(seen: Seen, _moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan to write what was found, where the policy has changed since."""
    policy = seen.policy
    if policy.status.get("observedGeneration", 0) >= policy.metadata.generation:
        return NOTHING_TO_DO
    kinds, params = kinds_of(policy.spec, seen.kinds), _kind_of_params(seen)
    names = dict.fromkeys(each.custom for each in (*kinds, params) if each is not None and each.custom)
    questions = [Documents(DEFINITIONS, "", name) for name in names]
    if missing := tuple(each for each in questions if each not in facts.documents):
        return Plan(needs=missing)
    definitions = {each.name: found[0] for each in questions if (found := facts.documents[each])}
    checking = Finding("warnings", partial(_warnings, seen, kinds, params, definitions))
    if checking not in facts.findings:  # a policy may have hundreds of expressions
        return Plan(needs=(checking,))
    listed = facts.findings[checking] or None  # None: there are none, or none any more
    checked = {"expressionWarnings": listed}
    status = {"observedGeneration": policy.metadata.generation, "typeChecking": checked}
    return Plan((patch_at_revision(POLICIES, policy, {"status": status}, subresource="status"),))


def _kind_of_params(seen: Seen) -> KnownKind | None:
    named = seen.policy.spec.get("paramKind") or {}
    return of_type(seen.kinds, named.get("apiVersion", ""), named.get("kind", "")) if named else None


def _warnings(
    seen: Seen, kinds: list[KnownKind], params: KnownKind | None, definitions: dict[str, Json]
) -> list[Json]:
    if not kinds:
        return []
    from controllers.validatingadmissionpolicy_status.checking import TypedKind, warnings
    from machinery.cel.published import PublishedTypes  # seldom needed, as is all of it

    published = PublishedTypes(seen.published())
    typed = [
        TypedKind(str(each), type_)
        for each in kinds
        if (type_ := _type(published, each, definitions)) is not None
    ]
    of_params = None if params is None else _type(published, params, definitions)
    return warnings(seen.policy.spec, typed, of_params)


def _type(published: PublishedTypes, kind: KnownKind, definitions: dict[str, Json]) -> Type | None:
    if not kind.custom:
        return published.of_definition(kind.definition, kind.kind)
    for version in (definitions.get(kind.custom, {}).get("spec") or {}).get("versions") or ():
        if version.get("name") == kind.version:
            schema = (version.get("schema") or {}).get("openAPIV3Schema")
            return None if schema is None else published.of_custom(schema, kind.kind)
    return None
