"""The gate between the doors and the registry: may this caller do this?

The group system:masters may do everything. Then authorizers are asked in turn until one says yes or no: as a rule the
Node authorizer and RBAC, whose knowledge comes from the watch caches of roles, bindings and pods; others, and another order,
by `apiserver.authorizers`.

    gate.admit(request)             before every method of the registry
    gate.admit_grant(user, …)       the registry calls it with the object that a write of a role or binding would
                                    store, before it stores it: nobody gives away what they do not have
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from apiserver.aside import aside
from apiserver.authorizers import Authorizer, NodeAuthorizer, RbacAuthorizer
from apiserver.core.authn_impersonation import BadImpersonation, Way, impersonation_of, ways
from apiserver.core.authz import escalation
from apiserver.core.authz.attributes import MASTERS, YES, Attributes, Decision, required_fields
from apiserver.core.authz.escalation import EVERYTHING, RoleGranted, RulesGranted
from apiserver.core.authz.messages import forbidden
from apiserver.core.authz.rbac import RBAC_GROUP
from apiserver.core.authz.rules import Rule
from apiserver.core.catalogue import Catalogue
from apiserver.core.kind import Kind
from apiserver.node_references import NodeReferences
from apiserver.rbac_cache import RbacCache
from apiserver.request import Request, UserInfo
from machinery.model.errors import BadRequest, Forbidden, NotFound

_RULE_BYTES: Final = 64  # of JSON that take as long to read as a rule to arrange
_MOST_NAMED: Final = 50  # lines of permissions that a refusal names
_NO_AGGREGATION: Final = "must have cluster-admin privileges to use the aggregationRule"


class Gate:
    """Authorizes requests."""

    def __init__(self, catalogue: Catalogue, rbac: RbacCache, references: NodeReferences) -> None:
        self._catalogue = catalogue
        self._rbac = rbac
        self.authorizers: Sequence[Authorizer] = (NodeAuthorizer(references), RbacAuthorizer(rbac))

    async def admit(self, request: Request) -> None:
        """Check that the user may make a request.

        Raises:
            Forbidden: the user may not do this.
        """
        if MASTERS not in request.user.groups:
            await self.check(request.user, self.attributes(request))

    async def admit_path(self, user: UserInfo, verb: str, path: str) -> None:
        """Check that the user may make a request of a URL that is no resource; `verb` is the HTTP method in lower case.

        Raises:
            Forbidden: the user may not do this.
        """
        await self.check(user, Attributes(verb=verb, path=path))

    async def check(self, user: UserInfo, attributes: Attributes) -> None:
        """Check that the user may do something.

        Raises:
            Forbidden: the user may not do this.
        """
        decision = await self.authorize(user, attributes)
        if not decision.allowed:
            raise forbidden(user, attributes, decision)

    async def authorize(self, user: UserInfo, attributes: Attributes) -> Decision:
        """Ask every authorizer in turn, until one has an opinion."""
        if MASTERS in user.groups:
            return YES
        reasons = []
        for authorizer in self.authorizers:
            decision = await authorizer.authorize(user, attributes)
            if decision.allowed or decision.denied:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(allowed=False, reason=", ".join(reasons))

    def attributes(self, request: Request) -> Attributes:
        """Return what authorizers have to know of a request."""
        return attributes_of(request, self._catalogue.kind(request.group, request.version, request.resource))

    async def impersonated(
        self, user: UserInfo, headers: Iterable[tuple[str, str]], asked: Callable[[], Attributes]
    ) -> UserInfo:
        """Return the user that a request wants to be taken for; the same one where it says nothing.

        `asked` returns what is asked for under the other name.

        Raises:
            BadRequest: the headers make no sense.
            Forbidden: the user may not be somebody else.
        """
        try:
            wanted = impersonation_of(headers)
        except BadImpersonation as error:
            raise BadRequest(str(error)) from error
        if wanted is None:
            return user
        refusals: list[Forbidden] = []
        meant: list[Forbidden] = []  # of ways of which a part is allowed
        for way in ways(wanted, user, asked()):
            passed, refused = await self._passed(user, way)
            if refused is None:
                found = UserInfo(wanted.user, wanted.uid, way.groups, dict(wanted.extra))
                self.acting(found, way.constraint)
                return found
            (meant if passed and way.constraint else refusals).append(refused)
        raise meant[0] if meant else refusals[-1]

    def acting(self, user: UserInfo, constraint: str) -> None:
        """Note as whom a request is made, and by which constrained way ("" for none)."""

    async def _passed(self, user: UserInfo, way: Way) -> tuple[int, Forbidden | None]:
        """Return how many checks of a way were passed, and the refusal of the next one, if there was any."""
        for passed, attributes in enumerate(way.checks):
            decision = await self.authorize(user, attributes)
            if not decision.allowed:
                return passed, forbidden(user, attributes, decision)
        if way.refusal:
            refused = Decision(allowed=False, reason=way.refusal)
            return len(way.checks), forbidden(user, way.checks[-1], refused)
        return len(way.checks), None

    def unresolved(self, user: UserInfo) -> str:
        """Return which authorizers may allow a user more than rules say; "" where there are none."""
        return ", ".join(text for each in self.authorizers if (text := each.unresolved(user)))

    def rules_for(self, user: UserInfo, namespace: str) -> list[Rule]:
        """Return the rules that hold for a user in a namespace (those of the Node authorizer are no rules)."""
        everything = EVERYTHING if MASTERS in user.groups else ()
        return [*everything, *self._rbac.index().rules_for(user, namespace)]

    async def admit_grant(
        self, user: UserInfo, kind: Kind, new: dict[str, Any], old: dict[str, Any] | None
    ) -> None:
        """Check that a write gives no permissions away that the user does not have; most give none.

        Raises:
            Forbidden: the user would give away more than they have.
        """
        if MASTERS in user.groups:
            return
        weight = _RULE_BYTES * len(new.get("rules") or ())
        match await aside(weight, kind.rules.grants, new, old):
            case RulesGranted() as grant:
                await self._check_role(user, kind, new, grant)
            case RoleGranted(role_ref):
                await self._check_binding(user, kind, new, role_ref)

    async def _check_role(
        self, user: UserInfo, kind: Kind, role: dict[str, Any], grant: RulesGranted
    ) -> None:
        meta = role["metadata"]
        escalate = _on_role("escalate", kind.plural, meta.get("namespace", ""), meta.get("name", ""))
        if (await self.authorize(user, escalate)).allowed:
            return
        await self._check_held(user, kind, role, grant.rules)
        if grant.aggregates and escalation.uncovered(self._rbac.index().rules_for(user, ""), EVERYTHING):
            raise _not_granted(kind, meta, _NO_AGGREGATION)

    async def _check_binding(
        self, user: UserInfo, kind: Kind, binding: dict[str, Any], role_ref: Mapping[str, str]
    ) -> None:
        namespace = binding["metadata"].get("namespace", "")
        plural = f"{role_ref['kind'].lower()}s"
        bind = _on_role("bind", plural, namespace, role_ref["name"])
        if (await self.authorize(user, bind)).allowed:
            return
        rules = self._rbac.index().role_rules(role_ref, namespace)
        if rules is None:
            text = f'{plural}.{RBAC_GROUP} "{role_ref["name"]}" not found'
            raise NotFound(text, kind=plural, group=RBAC_GROUP, name=role_ref["name"])
        await self._check_held(user, kind, binding, rules)

    async def _check_held(
        self, user: UserInfo, kind: Kind, obj: dict[str, Any], rules: tuple[Rule, ...]
    ) -> None:
        meta = obj["metadata"]
        held = self._rbac.index().rules_for(user, meta.get("namespace", ""))
        try:
            weight = _RULE_BYTES * len(held) + sum(map(escalation.size, rules))
            lacking = await aside(weight, escalation.uncovered, held, rules)
        except escalation.TooManyParts as error:
            raise _not_granted(kind, meta, str(error)) from error
        if lacking:
            raise _not_granted(kind, meta, _lacks(user, lacking))


def attributes_of(request: Request, kind: Kind | None) -> Attributes:
    """Return what authorizers have to know of a request; `kind` is None where nothing is stored of it.

    A list or watch of one object by its name (field selector metadata.name) counts as a request of that object. A
    Namespace lies in itself: who may read all of a namespace by a Role there may read the object, too.
    """
    fields = required_fields(request.selection.field_selector)
    reads_many = request.verb in {"list", "watch", "deletecollection"}
    return Attributes(
        verb=request.verb,
        group=request.group,
        resource=request.resource,
        subresource=request.subresource,
        namespace=request.name if kind and kind.rules.contains_objects else request.namespace,
        name=request.name or (fields.get("metadata.name", "") if reads_many else ""),
        fields=fields,
        version=request.version,
        field_selector=request.selection.field_selector,
        label_selector=request.selection.label_selector,
    )


def _lacks(user: UserInfo, lacking: list[Rule]) -> str:
    groups = " ".join(f'"{group}"' for group in user.groups)
    described = sorted(rule.describe() for rule in escalation.compacted(lacking))
    listed = "\n".join(described[:_MOST_NAMED])
    if len(described) > _MOST_NAMED:
        listed += f"\n… and {len(described) - _MOST_NAMED} more"
    return (
        f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions '
        f"not currently held:\n{listed}"
    )


def _on_role(verb: str, plural: str, namespace: str, name: str) -> Attributes:
    return Attributes(verb=verb, group=RBAC_GROUP, resource=plural, namespace=namespace, name=name)


def _not_granted(kind: Kind, meta: dict[str, Any], text: str) -> Forbidden:
    name = meta.get("name", "")
    message = f'{kind.group_resource} "{name}" is forbidden: {text}'
    return Forbidden(message, kind=kind.plural, group=kind.group, name=name)
