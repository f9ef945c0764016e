"""RBAC: roles and bindings, arranged by who they are for.

The index is built once after a change of any role or binding; what a user may do is gathered when they first ask,
and every answer is kept until the next change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeAlias

from apiserver.core.authz.attributes import Attributes, Decision, User
from apiserver.core.authz.rules import Rule, rules_of

Json: TypeAlias = Mapping[str, Any]
RBAC_GROUP: Final = "rbac.authorization.k8s.io"
_LIMIT: Final = 4_000  # answers that are kept
_LONGEST: Final = 512  # characters of what is asked; a longer answer is not kept, whoever asks
SERVICE_ACCOUNT_PREFIX: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class _Bound:
    namespace: str  # "" for everywhere
    rules: tuple[Rule, ...]
    missing: str = ""  # the role that the binding names and that is not there


class RbacIndex:
    """All roles and bindings of one moment."""

    def __init__(
        self,
        *,
        roles: Iterable[Json] = (),
        cluster_roles: Iterable[Json] = (),
        role_bindings: Iterable[Json] = (),
        cluster_role_bindings: Iterable[Json] = (),
    ) -> None:
        self._roles = {("Role", *_place(role)): rules_of(role) for role in roles}
        self._roles |= {("ClusterRole", "", _place(role)[1]): rules_of(role) for role in cluster_roles}
        rules = chain.from_iterable(self._roles.values())
        self._names = frozenset(chain.from_iterable(rule.names for rule in rules))
        self._bound: dict[str, list[_Bound]] = defaultdict(list)
        self._gathered: dict[tuple[str, tuple[str, ...]], list[_Bound]] = {}
        self._answers: dict[tuple[str, tuple[str, ...], tuple[str | None, ...]], Decision] = {}
        for binding in cluster_role_bindings:
            self._bind(binding, "")
        for binding in role_bindings:
            self._bind(binding, _place(binding)[0])

    def authorize(self, user: User, attributes: Attributes) -> Decision:
        """Whether some role allows a request."""
        asked = (
            attributes.verb,
            attributes.group,
            attributes.combined,
            attributes.namespace,
            attributes.name
            if attributes.name in self._names
            else None,  # to rules, all other names are alike
            attributes.path,
        )
        key = (user.name, user.groups, asked)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._decide(user, attributes)
            if _is_short(user) and sum(len(part) for part in asked if part) <= _LONGEST:
                if len(self._answers) >= _LIMIT:
                    self._answers.clear()
                self._answers[key] = answer
        return answer

    def rules_for(self, user: User, namespace: str) -> list[Rule]:
        """Return the rules that hold for a user in a namespace ("": only those that hold everywhere)."""
        return [rule for bound in self._in(user, namespace) for rule in bound.rules]

    def role_rules(self, role_ref: Json, namespace: str) -> tuple[Rule, ...] | None:
        """Return the rules of the role that a binding in a namespace refers to; None where it is not there."""
        kind = role_ref.get("kind", "")
        place = namespace if kind == "Role" else ""
        return self._roles.get((kind, place, role_ref.get("name", "")))

    def _decide(self, user: User, attributes: Attributes) -> Decision:
        missing = []
        for bound in self._in(user, attributes.namespace):
            if any(rule.matches(attributes) for rule in bound.rules):
                return Decision(allowed=True)
            if bound.missing:
                missing.append(bound.missing)
        return Decision(allowed=False, reason=_not_there(missing))

    def _in(self, user: User, namespace: str) -> Iterator[_Bound]:
        for bound in self._of(user):
            if not bound.namespace or bound.namespace == namespace:
                yield bound

    def _of(self, user: User) -> list[_Bound]:
        key = (user.name, user.groups)
        found = self._gathered.get(key)
        if found is None:
            names = dict.fromkeys((f"user:{user.name}", *(f"group:{group}" for group in user.groups)))
            found = [bound for name in names for bound in self._bound.get(name, ())]
            if _is_short(user):
                if len(self._gathered) >= _LIMIT:
                    self._gathered.clear()
                self._gathered[key] = found
        return found

    def _bind(self, binding: Json, namespace: str) -> None:
        role_ref = binding.get("roleRef") or {}
        rules = self.role_rules(role_ref, namespace)
        missing = "" if rules is not None else _name_role(role_ref)
        bound = _Bound(namespace, rules or (), missing)
        for subject in binding.get("subjects") or ():
            self._bound[_subject_key(subject, namespace)].append(bound)


def _is_short(user: User) -> bool:
    """Whether a user may be remembered; one who is impersonated has whatever name and groups a header says."""
    return len(user.name) + sum(map(len, user.groups)) <= _LONGEST


def service_account_name(namespace: str, name: str) -> str:
    """Return the user name of a ServiceAccount."""
    return f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"


def _place(obj: Json) -> tuple[str, str]:
    meta = obj.get("metadata") or {}
    return meta.get("namespace", ""), meta.get("name", "")


def _subject_key(subject: Json, namespace: str) -> str:
    name = subject.get("name", "")
    match subject.get("kind"):
        case "User":
            return f"user:{name}"
        case "Group":
            return f"group:{name}"
        case _:
            return f"user:{service_account_name(subject.get('namespace') or namespace, name)}"


def _name_role(role_ref: Json) -> str:
    kind = str(role_ref.get("kind", "")).lower()
    return f'{kind}.rbac.authorization.k8s.io "{role_ref.get("name", "")}" not found'


def _not_there(missing: list[str]) -> str:
    if not missing:
        return ""
    return f"RBAC: {missing[0]}" if len(missing) == 1 else f"RBAC: [{', '.join(missing)}]"
