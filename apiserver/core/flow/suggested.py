"""The FlowSchemas and PriorityLevelConfigurations that a cluster has from the beginning: Kubernetes' own, and kube-proxy's.

The mandatory ones are always as they are here. The others are the operator's once they say so with the annotation
`apf.kubernetes.io/autoupdate-spec: "false"`; where it is missing, once their spec was changed.
https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#defaults
"""

from __future__ import annotations

from typing import Any, Final

from apiserver.core.flow_rules import MANDATORY_LEVELS, MANDATORY_SCHEMAS
from apiserver.core.values import Json

AUTOUPDATE: Final = "apf.kubernetes.io/autoupdate-spec"
_API: Final = "flowcontrol.apiserver.k8s.io/v1"
_EVERYBODY: Final = ("system:unauthenticated", "system:authenticated")
_LEASING: Final = ("get", "create", "update")
_LEASES: Final = ("coordination.k8s.io", "leases")


def _object(kind: str, name: str, spec: Json) -> Json:
    meta = {"name": name, "annotations": {AUTOUPDATE: "true"}}
    return {"apiVersion": _API, "kind": kind, "metadata": meta, "spec": spec}


def _level(name: str, shares: int, lendable: int, queues: int, hand: int) -> Json:
    queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": 50}
    limited = {
        "nominalConcurrencyShares": shares,
        "lendablePercent": lendable,
        "limitResponse": {"type": "Queue", "queuing": queuing},
    }
    return _object("PriorityLevelConfiguration", name, {"type": "Limited", "limited": limited})


def _schema(name: str, level: str, precedence: int, method: str, *rules: Json) -> Json:
    spec: Json = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
        "distinguisherMethod": {"type": method},
        "rules": list(rules),
    }
    return _object("FlowSchema", name, spec)


def _users(*names: str) -> list[Json]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


def _groups(*names: str) -> list[Json]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _accounts(namespace: str, name: str = "*") -> list[Json]:
    return [{"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": name}}]


def _resources(verbs: tuple[str, ...], group: str, *resources: str, cluster: bool = False) -> Json:
    rule: dict[str, Any] = {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources)}
    return {**rule, "namespaces": ["*"], **({"clusterScope": True} if cluster else {})}


def _rule(subjects: list[Json], *resources: Json) -> Json:
    return {"subjects": subjects, "resourceRules": list(resources)}


def _everything(subjects: list[Json]) -> Json:
    urls = [{"verbs": ["*"], "nonResourceURLs": ["*"]}]
    return {**_rule(subjects, _resources(("*",), "*", "*", cluster=True)), "nonResourceRules": urls}


def _probes() -> Json:
    rule = {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]}
    spec = {
        "priorityLevelConfiguration": {"name": "exempt"},
        "matchingPrecedence": 2,
        "rules": [{"subjects": _groups(*_EVERYBODY), "nonResourceRules": [rule]}],
    }
    return _object("FlowSchema", "probes", spec)


MANDATORY: Final[tuple[Json, ...]] = (
    *(_object("PriorityLevelConfiguration", name, spec) for name, spec in MANDATORY_LEVELS.items()),
    *(_object("FlowSchema", name, spec) for name, spec in MANDATORY_SCHEMAS.items()),
)
SUGGESTED: Final[tuple[Json, ...]] = (
    _level("leader-election", 10, 0, 16, 4),
    _level("node-high", 40, 25, 64, 6),
    _level("system", 30, 33, 64, 6),
    _level("workload-high", 40, 50, 128, 6),
    _level("workload-low", 100, 90, 128, 6),
    _level("global-default", 20, 50, 128, 6),
    _probes(),
    _schema(
        "system-leader-election",
        "leader-election",
        100,
        "ByUser",
        _rule(
            _users("system:kube-controller-manager", "system:kube-scheduler"), _resources(_LEASING, *_LEASES)
        ),
    ),
    _schema(
        "endpoint-controller",
        "workload-high",
        150,
        "ByUser",
        _rule(
            [*_users("system:kube-controller-manager"), *_accounts("kube-system", "endpoint-controller")],
            _resources(_LEASING, "", "endpoints"),
        ),
    ),
    _schema(
        "workload-leader-election",
        "leader-election",
        200,
        "ByUser",
        _rule(
            _accounts("kube-system"),
            _resources(_LEASING, "", "endpoints", "configmaps"),
            _resources(_LEASING, *_LEASES),
        ),
    ),
    _schema(
        "system-node-high",
        "node-high",
        400,
        "ByUser",
        _rule(
            _groups("system:nodes"),
            _resources(("*",), "", "nodes", "nodes/status", cluster=True),
            _resources(("*",), *_LEASES),
        ),
    ),
    _schema("system-nodes", "system", 500, "ByUser", _everything(_groups("system:nodes"))),
    _schema(
        "kube-controller-manager",
        "workload-high",
        800,
        "ByNamespace",
        _everything(_users("system:kube-controller-manager")),
    ),
    _schema(
        "kube-scheduler", "workload-high", 800, "ByNamespace", _everything(_users("system:kube-scheduler"))
    ),
    _schema("kube-proxy", "workload-high", 850, "ByUser", _everything(_users("system:kube-proxy"))),
    _schema(
        "kube-system-service-accounts",
        "workload-high",
        900,
        "ByNamespace",
        _everything(_accounts("kube-system")),
    ),
    _schema(
        "service-accounts", "workload-low", 9000, "ByUser", _everything(_groups("system:serviceaccounts"))
    ),
    _schema("global-default", "global-default", 9900, "ByUser", _everything(_groups(*_EVERYBODY))),
)


def plan(existing: dict[tuple[str, str], Json]) -> tuple[list[Json], list[Json]]:
    """Return which objects have to be created, and which replaced; `existing` are those there are, by kind and name."""
    missing: list[Json] = []
    changed: list[Json] = []
    for wanted in (*MANDATORY, *SUGGESTED):
        there = existing.get((wanted["kind"], wanted["metadata"]["name"]))
        if there is None:
            missing.append(wanted)
        elif there.get("spec") != wanted["spec"] and _is_ours(there, wanted):
            changed.append({**there, "spec": wanted["spec"]})
    return missing, changed


def _is_ours(there: Json, wanted: Json) -> bool:
    """Whether the spec of an object is not the operator's; of `exempt` its shares are."""
    if wanted in MANDATORY and wanted["metadata"]["name"] != "exempt":
        return True
    said = (there["metadata"].get("annotations") or {}).get(AUTOUPDATE)
    return said == "true" or (said is None and there["metadata"].get("generation") == 1)
