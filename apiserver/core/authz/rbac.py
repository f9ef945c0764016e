"""RBAC: roles and bindings, arranged by who they are for.

The index follows each role and binding that changes; what a user may do is gathered when they first ask, and every
answer is kept until the next change. A binding is there whether its role is or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, TypeAlias

from apiserver.core.authz.attributes import Attributes, Decision, User
from apiserver.core.authz.rule_set import RuleSet
from apiserver.core.authz.rules import Rule, rules_of

Json: TypeAlias = Mapping[str, Any]
RBAC_GROUP: Final = "rbac.authorization.k8s.io"
_FEW_RULES: Final = 64  # that are all looked at for each request
_LIMIT: Final = 4_000  # answers that are kept
_LONGEST: Final = 512  # characters of what is asked; a longer answer is not kept, whoever asks
SERVICE_ACCOUNT_PREFIX: Final = "system:serviceaccount:"


Place: TypeAlias = tuple[str, str]  # namespace ("" for a ClusterRole or ClusterRoleBinding), name


class _Role:
    """The rules of a role, and where they are many, their arrangement; that is made when it is first needed."""

    __slots__ = ("_arranged", "rules")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self._arranged: RuleSet | None = None

    def about(self, attributes: Attributes) -> Iterable[Rule]:
        """Return the rules that may allow a request."""
        if len(self.rules) <= _FEW_RULES:
            return self.rules
        if self._arranged is None:
            self._arranged = RuleSet(self.rules)
        verb, path = attributes.verb, attributes.path
        if path:
            return self._arranged.about_url(verb, path)
        return self._arranged.about(verb, attributes.group, attributes.combined, attributes.name)


_NO_ROLE: Final = _Role(())


@dataclass(frozen=True, slots=True)
class _Bound:
    namespace: str  # "" for everywhere
    role: _Role
    source: str  # the binding, its role and its subject, as the reason of a yes names them
    missing: str = ""  # the role that the binding names and that is not there


@dataclass(frozen=True, slots=True)
class _Binding:
    role_ref: Json
    subjects: Mapping[str, str]  # by the key of `_bound`, in order: as reasons name it


_NO_BINDING: Final = _Binding({}, {})


class RbacIndex:
    """All roles and bindings."""

    def __init__(
        self,
        *,
        roles: Iterable[Json] = (),
        cluster_roles: Iterable[Json] = (),
        role_bindings: Iterable[Json] = (),
        cluster_role_bindings: Iterable[Json] = (),
    ) -> None:
        self._roles: dict[Place, _Role] = {}
        self._names: dict[str, int] = {}  # that rules name, and how often
        self._bindings: dict[Place, _Binding] = {}
        self._bound: dict[str, set[Place]] = {}  # bindings by whom they are for
        self._gathered: dict[tuple[str, tuple[str, ...]], list[_Bound]] = {}
        self._answers: dict[tuple[str, tuple[str, ...], tuple[str | None, ...]], Decision] = {}
        for role in (*roles, *cluster_roles):
            self.set_role(_place(role), role)
        for binding in (*role_bindings, *cluster_role_bindings):
            self.set_binding(_place(binding), binding)

    def set_role(self, place: Place, role: Json | None) -> None:
        """Note a role as it is now, None for one that is gone."""
        self.set_rules(place, None if role is None else rules_of(role))

    def set_rules(self, place: Place, rules: tuple[Rule, ...] | None) -> None:
        """Note the rules of a role as they are now, None for one that is gone."""
        self._forget_answers()
        for name in _names(self._roles.pop(place, _NO_ROLE).rules):
            self._names[name] -= 1
            if not self._names[name]:
                del self._names[name]
        if rules is not None:
            self._roles[place] = _Role(rules)
            for name in _names(rules):
                self._names[name] = self._names.get(name, 0) + 1

    def set_binding(self, place: Place, binding: Json | None) -> None:
        """Note a binding as it is now, None for one that is gone."""
        self._forget_answers()
        old = self._bindings.pop(place, _NO_BINDING)
        for subject in old.subjects:
            self._bound[subject].discard(place)
            if not self._bound[subject]:
                del self._bound[subject]
        if binding is not None:
            new = self._bindings[place] = _Binding(binding.get("roleRef") or {}, _subjects(binding, place[0]))
            for subject in new.subjects:
                self._bound.setdefault(subject, set()).add(place)

    def _forget_answers(self) -> None:
        self._gathered.clear()
        self._answers.clear()

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
        return [rule for bound in self._in(user, namespace) for rule in bound.role.rules]

    def role_rules(self, role_ref: Json, namespace: str) -> tuple[Rule, ...] | None:
        """Return the rules of the role that a binding in a namespace refers to; None where it is not there."""
        role = self._role(role_ref, namespace)
        return role.rules if role is not None else None

    def _role(self, role_ref: Json, namespace: str) -> _Role | None:
        kind, name = role_ref.get("kind"), role_ref.get("name", "")
        if kind not in {"Role", "ClusterRole"}:
            return None
        return self._roles.get((namespace if kind == "Role" else "", name))

    def _decide(self, user: User, attributes: Attributes) -> Decision:
        missing = []
        for bound in self._in(user, attributes.namespace):
            if any(rule.matches(attributes) for rule in bound.role.about(attributes)):
                return Decision(allowed=True, reason=f"RBAC: allowed by {bound.source}")
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
            names = {f"user:{user.name}", *(f"group:{group}" for group in user.groups)}
            places = {place for name in names for place in self._bound.get(name, ())}
            found = [self._read(place, names) for place in sorted(places)]  # those that hold everywhere first
            if _is_short(user):
                if len(self._gathered) >= _LIMIT:
                    self._gathered.clear()
                self._gathered[key] = found
        return found

    def _read(self, place: Place, names: AbstractSet[str]) -> _Bound:
        namespace, name = place
        binding = self._bindings[place]
        subject = next(text for key, text in binding.subjects.items() if key in names)
        role_ref = binding.role_ref
        role = self._role(role_ref, namespace)
        said = f'{role_ref.get("kind", "")} "{role_ref.get("name", "")}" to {subject}'
        kind, shown = ("RoleBinding", f"{name}/{namespace}") if namespace else ("ClusterRoleBinding", name)
        missing = "" if role is not None else _name_role(role_ref)
        return _Bound(namespace, role or _NO_ROLE, f'{kind} "{shown}" of {said}', missing)


def _names(rules: Iterable[Rule]) -> Iterator[str]:
    return chain.from_iterable(rule.names for rule in rules)


def _subjects(binding: Json, namespace: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for subject in binding.get("subjects") or ():
        found.setdefault(_subject_key(subject, namespace), _subject_text(subject, namespace))
    return found


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


def _subject_text(subject: Json, namespace: str) -> str:
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind == "ServiceAccount":
        name = f"{name}/{subject.get('namespace') or namespace}"
    return f'{kind} "{name}"'


def _name_role(role_ref: Json) -> str:
    kind = str(role_ref.get("kind", "")).lower()
    return f'{kind}.rbac.authorization.k8s.io "{role_ref.get("name", "")}" not found'


def _not_there(missing: list[str]) -> str:
    if not missing:
        return ""
    return f"RBAC: {missing[0]}" if len(missing) == 1 else f"RBAC: [{', '.join(missing)}]"
