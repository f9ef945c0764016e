"""FlowSchemas and PriorityLevelConfigurations, read: which level and flow a request belongs to, and what each level has.

A schema whose level is not there matches nothing, and says so in its condition Dangling.
https://kubernetes.io/docs/concepts/cluster-administration/flow-control/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from apiserver.core.authz.attributes import User
from apiserver.core.authz.rbac import SERVICE_ACCOUNT_PREFIX
from apiserver.core.flow.levels import EXEMPT, Level
from apiserver.core.flow.schemas import Asked, AskedPage, Flow
from apiserver.core.flow.suggested import MANDATORY
from apiserver.core.values import Json, metadata, spec

_ALL: Final = "*"
_MOST_REMEMBERED: Final = 4_096  # answers
_LONGEST: Final = 512  # characters of who asks and for what; a longer answer is not remembered
_SCHEMA_UID: Final = "X-Kubernetes-Pf-Flowschema-Uid"
_LEVEL_UID: Final = "X-Kubernetes-Pf-Prioritylevel-Uid"


@dataclass(frozen=True, slots=True)
class _Resources:
    """Requests of resources that a rule matches."""

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    namespaces: frozenset[str]
    cluster_scope: bool

    def matches(self, asked: Asked) -> bool:
        resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        if not (
            _in(self.verbs, asked.verb) and _in(self.groups, asked.group) and _in(self.resources, resource)
        ):
            return False
        return _in(self.namespaces, asked.namespace) if asked.namespace else self.cluster_scope


@dataclass(frozen=True, slots=True)
class _Pages:
    """Requests of paths that a rule matches."""

    verbs: frozenset[str]
    paths: frozenset[str]  # whole ones, and all below one: "/healthz", "/healthz/*", "*"

    def matches(self, asked: AskedPage) -> bool:
        return _in(self.verbs, asked.verb) and any(
            each in (_ALL, asked.path) or (each.endswith("/*") and asked.path.startswith(each[:-1]))
            for each in self.paths
        )


@dataclass(frozen=True, slots=True)
class _Rule:
    users: frozenset[str]
    groups: frozenset[str]
    account_namespaces: frozenset[str]  # of which every ServiceAccount is meant
    resources: tuple[_Resources, ...]
    pages: tuple[_Pages, ...]

    def matches(self, user: User, asked: Asked) -> bool:
        if not self._is_about(user):
            return False
        if isinstance(asked, AskedPage):
            return any(each.matches(asked) for each in self.pages)
        return any(each.matches(asked) for each in self.resources)

    def _is_about(self, user: User) -> bool:
        if _in(self.users, user.name) or _ALL in self.groups or not self.groups.isdisjoint(user.groups):
            return True
        if not self.account_namespaces or not user.name.startswith(SERVICE_ACCOUNT_PREFIX):
            return False
        return user.name.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")[0] in self.account_namespaces


@dataclass(frozen=True, slots=True)
class _Schema:
    name: str
    level: str
    method: str  # ByUser, ByNamespace, "" for one flow
    rules: tuple[_Rule, ...]
    headers: tuple[tuple[str, str], ...]  # of answers: by the uids of schema and level

    def flow(self, user: User, asked: Asked) -> Flow:
        by = {"ByUser": user.name, "ByNamespace": asked.namespace}.get(self.method, "")
        return Flow(self.name, self.level, f"{self.name}/{by}", self.headers)


class FlowConfiguration:
    """All of both kinds, at one moment."""

    def __init__(self, objects: Iterable[Json]) -> None:
        given = {(obj["kind"], metadata(obj)["name"]): obj for obj in (*MANDATORY, *objects)}
        levels = {name: obj for (kind, name), obj in given.items() if kind == "PriorityLevelConfiguration"}
        schemas = [obj for (kind, _), obj in given.items() if kind == "FlowSchema"]
        self.levels = tuple(_level(obj) for name, obj in sorted(levels.items(), key=_order) if name != EXEMPT)
        self.dangling = frozenset(metadata(obj)["name"] for obj in schemas if _level_name(obj) not in levels)
        self._schemas = [
            _schema(obj, levels[_level_name(obj)])
            for obj in sorted(
                schemas, key=lambda each: (spec(each)["matchingPrecedence"], metadata(each)["name"])
            )
            if _level_name(obj) in levels
        ]
        self._catch_all = next(each for each in self._schemas if each.name == "catch-all")
        self._known: dict[tuple[object, ...], Flow] = {}

    def queues(self, level: str) -> bool:
        """Whether requests may wait at a level."""
        return any(each.name == level and each.queue_length for each in self.levels)

    def classify(self, user: User, asked: Asked) -> Flow:
        """Return the flow of a request: that of the first schema which matches it."""
        key: tuple[Any, ...] = (
            user.name,
            user.groups,
            asked.verb,
            asked.group,
            asked.resource,
            asked.subresource,
            asked.namespace,
            asked.path if isinstance(asked, AskedPage) else "",
        )
        flow = self._known.get(key)
        if flow is None:
            flow = self._flow(user, asked)
            texts = (user.name, *user.groups, *key[3:])
            if sum(map(len, texts)) <= _LONGEST:
                if len(self._known) >= _MOST_REMEMBERED:
                    self._known.clear()
                self._known[key] = flow
        return flow

    def _flow(self, user: User, asked: Asked) -> Flow:
        for schema in self._schemas:
            if any(rule.matches(user, asked) for rule in schema.rules):
                return schema.flow(user, asked)
        return self._catch_all.flow(user, asked)


def with_dangling(schema: Json, *, dangles: bool, now: str) -> Json | None:
    """Return a schema with its condition as it should be; None where it is so."""
    conditions = (schema.get("status") or {}).get("conditions") or []
    wanted = "True" if dangles else "False"
    if any(each.get("type") == "Dangling" and each.get("status") == wanted for each in conditions):
        return None
    name = _level_name(schema)
    text = "but there is no such object" if dangles else "and it exists"
    condition = {
        "type": "Dangling",
        "status": wanted,
        "lastTransitionTime": now,
        "reason": "NotFound" if dangles else "Found",
        "message": f'This FlowSchema references the PriorityLevelConfiguration object named "{name}" {text}',
    }
    others = [each for each in conditions if each.get("type") != "Dangling"]
    return {**schema, "status": {**(schema.get("status") or {}), "conditions": [*others, condition]}}


def _order(named: tuple[str, Json]) -> tuple[int, str]:
    """Order levels by who comes first where a seat is free: those that lend least, among them those with most shares."""
    limited = spec(named[1]).get("limited") or {}
    return int(limited.get("lendablePercent") or 0), named[0]


def _level(obj: Json) -> Level:
    limited = spec(obj).get("limited") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    queues, limit = queuing.get("queues", 0), queuing.get("queueLengthLimit", 0)
    return Level(
        metadata(obj)["name"],
        limited.get("nominalConcurrencyShares", 30),
        limited.get("lendablePercent") or 0,
        queue_length=min(queuing.get("handSize", 0), queues) * limit,
        queued=queues * limit,
        borrowing_percent=limited.get("borrowingLimitPercent"),
    )


def _level_name(schema: Json) -> str:
    return str(spec(schema)["priorityLevelConfiguration"]["name"])


def _schema(obj: Json, level: Json) -> _Schema:
    own = spec(obj)
    uids = ((_SCHEMA_UID, metadata(obj).get("uid", "")), (_LEVEL_UID, metadata(level).get("uid", "")))
    return _Schema(
        metadata(obj)["name"],
        _level_name(obj),
        (own.get("distinguisherMethod") or {}).get("type", ""),
        tuple(_rule(rule) for rule in own.get("rules") or ()),
        tuple((name, uid) for name, uid in uids if uid),
    )


def _rule(rule: Json) -> _Rule:
    users: set[str] = set()
    groups: set[str] = set()
    accounts: set[str] = set()
    for subject in rule.get("subjects") or ():
        match subject.get("kind"):
            case "User":
                users.add(subject["user"]["name"])
            case "Group":
                groups.add(subject["group"]["name"])
            case _:
                account = subject["serviceAccount"]
                if account["name"] == _ALL:
                    accounts.add(account["namespace"])
                else:
                    users.add(f"{SERVICE_ACCOUNT_PREFIX}{account['namespace']}:{account['name']}")
    resources = tuple(_resources(each) for each in rule.get("resourceRules") or ())
    pages = tuple(
        _Pages(frozenset(each.get("verbs") or ()), frozenset(each.get("nonResourceURLs") or ()))
        for each in rule.get("nonResourceRules") or ()
    )
    return _Rule(frozenset(users), frozenset(groups), frozenset(accounts), resources, pages)


def _resources(rule: Json) -> _Resources:
    def texts(name: str) -> frozenset[str]:
        return frozenset(rule.get(name) or ())

    is_cluster_scoped = bool(rule.get("clusterScope"))
    return _Resources(
        texts("verbs"), texts("apiGroups"), texts("resources"), texts("namespaces"), is_cluster_scoped
    )


def _in(names: Collection[str], name: str) -> bool:
    return name in names or _ALL in names
