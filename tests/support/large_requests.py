"""Requests that are large and legal, or nearly: what costs somebody megabytes to send must not cost the others their turn.

A story is a few requests about one thing: it is created, changed, shown in every form, and deleted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from urllib.parse import quote

Json = dict[str, Any]
NAMESPACE: Final = "/api/v1/namespaces/default"
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA: Final = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
YAML: Final = "application/yaml"
_PATCHES: Final = ("merge", "strategic-merge")
_NOBODY: Final = "nobody"  # may do in the namespace what ClusterRole admin says


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of the REST door."""

    method: str
    path: str
    body: bytes = b""
    headers: Json = field(default_factory=dict)
    user: str = "admin"


def _post(path: str, obj: Json, user: str = "admin") -> Ask:
    return Ask("POST", path, json.dumps(obj).encode(), {"Content-Type": "application/json"}, user)


def _patch(path: str, patch: Any, kind: str) -> Ask:
    return Ask("PATCH", path, json.dumps(patch).encode(), {"Content-Type": f"application/{kind}-patch+json"})


def _shown(path: str) -> Iterator[Ask]:
    for accept in (TABLE, METADATA, YAML):
        yield Ask("GET", path, headers={"Accept": accept})
    yield Ask("GET", f"{path}?pretty=true")


def _keys(random: Random) -> Iterator[Ask]:
    count = random.randint(60_000, 80_000)
    path = f"{NAMESPACE}/configmaps/keys"
    data = {f"k{number}": "v" for number in range(count)}
    yield _post(f"{NAMESPACE}/configmaps", {"metadata": {"name": "keys"}, "data": data})
    yield from _shown(path)
    whole = {"metadata": {"name": "keys"}, "data": data}
    yield Ask("PUT", path, json.dumps(whole).encode(), {"Content-Type": "application/json"})
    for kind in _PATCHES:
        yield _patch(path, {"data": dict.fromkeys(data, kind[:2])}, kind)
    replaced = [{"op": "replace", "path": f"/data/k{number}", "value": "x"} for number in range(9_000)]
    yield _patch(path, replaced, "json")
    yield Ask("DELETE", path)


def _metadata(random: Random) -> Iterator[Ask]:
    many = range(random.randint(20_000, 60_000))
    labels = {"labels": {f"k{number}": "v" for number in many}}
    finalizers = {"finalizers": [f"a.b/c{number}" for number in many]}
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}
    owners = {"ownerReferences": [{**owner, "uid": f"{number}"} for number in many[:16_000]]}
    for name, meta in (("labels", labels), ("finalizers", finalizers), ("owners", owners)):
        path = f"{NAMESPACE}/configmaps/{name}"
        yield _post(f"{NAMESPACE}/configmaps", {"metadata": {"name": name, **meta}})
        yield _patch(path, {"metadata": {"annotations": {"a": "b"}}}, random.choice(_PATCHES))
        yield from _shown(path)
        yield _patch(path, {"metadata": {"finalizers": None}}, "merge")
        yield Ask("DELETE", path)


def _said_in_vain(random: Random) -> Iterator[Ask]:
    validation = random.choice(("Strict", "Ignore"))
    path = f"{NAMESPACE}/configmaps?fieldValidation={validation}"
    twice = b'{"metadata":{"name":"vain"},"data":{%b}}' % b",".join([b'"a":"1"'] * 300_000)
    unknown = {"metadata": {"name": "vain"}, **{f"k{number}": 1 for number in range(100_000)}}
    yield Ask("POST", path, twice, {"Content-Type": "application/json"})
    yield _post(path, unknown)
    yield _post(path, {"metadata": {"name": "vain"}, "data": [[]] * 700_000})


def _yaml(random: Random) -> Iterator[Ask]:
    bodies = (
        "metadata: {name: y}\ndata:\n" + "".join(f"  k{number}: v\n" for number in range(80_000)),
        "a: &a {b: c}\nd:\n" + "  <<: *a\n" * 200_000,
        "{" + "a," * 1_000_000,
        "[" * 2_000_000,
        "metadata: {name: z}\ndata:\n  a: " + json.dumps("x\n" * 300_000),
    )
    for body in random.sample(bodies, 3):
        yield Ask("POST", f"{NAMESPACE}/configmaps", body.encode(), {"Content-Type": YAML})


def _pod_fields(count: int) -> dict[str, Json]:
    many = range(count)
    term = {"topologyKey": "a", "labelSelector": {"matchLabels": {"a": "b"}}}
    spread = {**term, "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}
    volumes = [{"name": f"v{number}", "emptyDir": {}} for number in many]
    mounts = [{"name": f"v{number}", "mountPath": f"/{number}"} for number in many]
    return {
        "containers": {"containers": [{"name": f"c{number}", "image": "a"} for number in many]},
        "env": _box(env=[{"name": f"c{number}", "value": "a"} for number in many]),
        "ports": _box(ports=[{"containerPort": 1 + number, "hostPort": 1 + number} for number in many]),
        "volumes": {"volumes": volumes, **_box(volumeMounts=mounts)},
        "tolerations": {"tolerations": [{"key": f"c{number}", "operator": "Exists"} for number in many]},
        "affinity": {
            "affinity": {
                "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term] * count}
            }
        },
        "spread": {"topologySpreadConstraints": [{**spread, "topologyKey": f"a{n}"} for n in many[:5_000]]},
        "gates": {"schedulingGates": [{"name": f"g{number}"} for number in many]},
        "hosts": {"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["a"]}] * count},
        "selector": {"nodeSelector": {f"a{number}": "b" for number in many}},
        "limits": _box(resources={"limits": {f"a.b/c{number}": "1" for number in many}}),
        "args": _box(args=["a"] * count),
    }


def _box(**fields: Any) -> Json:
    return {"containers": [{"name": "main", "image": "a", **fields}]}


def _pods(random: Random) -> Iterator[Ask]:
    large, small = _pod_fields(20_000), _pod_fields(3_000)
    chosen = random.sample(list(large), 3)
    yield _post(f"{NAMESPACE}/pods", {"metadata": {"name": "boxes"}, "spec": large["containers"]})
    for name in chosen:
        yield _post(
            f"{NAMESPACE}/pods", {"metadata": {"name": f"l{name}"}, "spec": {**_box(), **large[name]}}
        )
        pod = {"metadata": {"name": name}, "spec": {**_box(), **small[name]}}
        path = f"{NAMESPACE}/pods/{name}"
        yield _post(f"{NAMESPACE}/pods", pod)
        yield _patch(path, {"metadata": {"labels": {"a": "b"}}}, random.choice(_PATCHES))
        conditions = [{"type": f"a{number}", "status": "True"} for number in range(4_000)]
        yield _patch(f"{path}/status", {"status": {"conditions": conditions}}, "strategic-merge")
        target = {"kind": "Node", "name": "n1"}
        yield _post(f"{path}/binding", {"metadata": {"name": name}, "target": target})
        yield from _shown(path)
        yield Ask("DELETE", f"{path}?gracePeriodSeconds=0")
        yield Ask("DELETE", f"{NAMESPACE}/pods/l{name}?gracePeriodSeconds=0")


def _services(random: Random) -> Iterator[Ask]:
    many = range(1, random.randint(5_000, 9_000))
    ports = [{"name": f"p{number}", "port": number} for number in many]
    path = f"{NAMESPACE}/services/ports"
    yield _post(f"{NAMESPACE}/services", {"metadata": {"name": "ports"}, "spec": {"ports": ports}})
    yield _patch(path, {"metadata": {"labels": {"a": "b"}}}, "merge")
    yield from _shown(path)
    yield Ask("DELETE", path)
    addresses = {"ports": [{"port": 1}], "clusterIPs": [f"10.96.{n // 250}.{n % 250}" for n in range(50_000)]}
    yield _post(f"{NAMESPACE}/services", {"metadata": {"name": "addresses"}, "spec": addresses})
    endpoints = [{"addresses": [f"1.2.{n // 250}.{n % 250}"]} for n in range(50_000)]
    eps = {"metadata": {"name": "e"}, "addressType": "IPv4", "endpoints": endpoints, "ports": []}
    yield _post("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", eps)


def _roles(random: Random) -> Iterator[Ask]:
    count = random.randint(10_000, 16_000)
    what = [{"apiGroups": [""], "resources": [f"a{number}"], "verbs": ["get"]} for number in range(count)]
    yield _post(f"{RBAC}/clusterroles", {"metadata": {"name": "many"}, "rules": what})
    for name, role in (("many", "many"), ("admin", "admin")):
        binding = {
            "metadata": {"name": f"nobody-{name}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": _NOBODY}],
        }
        yield _post(f"{RBAC}/clusterrolebindings", binding)
    yield Ask("GET", f"{NAMESPACE}/configmaps", user=_NOBODY)
    for name, rules in (("held", what), ("lacking", [{**each, "verbs": ["list"]} for each in what])):
        role = {"metadata": {"name": name}, "rules": rules}
        yield _post(f"{RBAC}/namespaces/default/roles", role, _NOBODY)
    yield Ask("GET", f"{NAMESPACE}/secrets/a{count - 1}", user=_NOBODY)
    review = {"spec": {"namespace": "default"}}
    yield _post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review, _NOBODY)


def _reviews(_random: Random) -> Iterator[Ask]:
    access = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    about = {"verb": "get", "resource": "pods"}
    yield _post(
        access,
        {"spec": {"user": "a", "groups": [f"g{n}" for n in range(200_000)], "resourceAttributes": about}},
    )
    terms = [{"key": f"a{number}", "operator": "In", "values": ["b"]} for number in range(30_000)]
    selected = {**about, "labelSelector": {"requirements": terms}}
    yield _post(access, {"spec": {"user": "a", "resourceAttributes": selected}})
    for token in ("e30." * 700_000, "a" * 2_800_000):
        yield _post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    audiences = {"spec": {"audiences": [f"a{number}" for number in range(100_000)]}}
    yield _post(f"{NAMESPACE}/serviceaccounts/default/token", audiences)


def _nodes(_random: Random) -> Iterator[Ask]:
    path = "/api/v1/nodes/many"
    taints = [{"key": f"a{number}", "effect": "NoSchedule"} for number in range(20_000)]
    yield _post("/api/v1/nodes", {"metadata": {"name": "many"}, "spec": {"taints": taints}})
    conditions = [{"type": f"a{number}", "status": "True"} for number in range(4_000)]
    yield _patch(f"{path}/status", {"status": {"conditions": conditions}}, "strategic-merge")
    yield _patch(path, {"spec": {"taints": taints[::-1]}}, "strategic-merge")
    yield Ask("GET", "/api/v1/nodes", headers={"Accept": TABLE})
    yield Ask("DELETE", path)


def _lists(random: Random) -> Iterator[Ask]:
    path = f"{NAMESPACE}/configmaps"
    for number in range(16):
        large = {"metadata": {"name": f"large-{number}"}, "data": {"k": "x" * 900_000}}
        yield _post(path, large)
    for number in range(200):
        labels = {"a": f"b{number % 7}", "n": f"{number}"}
        yield _post(
            path, {"metadata": {"name": f"small-{number}", "labels": labels}, "data": {"k": "x" * 4_000}}
        )
    for accept in ("application/json", TABLE, METADATA_LIST, YAML):
        for query in ("", "?pretty=true", "?limit=500", "?includeObject=Object"):
            yield Ask("GET", path + query, headers={"Accept": accept})
        if accept != YAML:
            yield Ask("GET", f"{path}?watch=1&timeoutSeconds=1", headers={"Accept": accept})
    for term in random.sample(("a{}!=b", "!a{}", "a{} in (b,c)", "n notin (b{})"), 2):
        selector = quote(",".join(term.format(number) for number in range(2_500)))
        yield Ask("GET", f"{path}?labelSelector={selector}")
        yield Ask("GET", f"{path}?watch=1&timeoutSeconds=1&labelSelector={selector}")
    yield Ask("DELETE", path, b"[" * 2_900_000, {"Content-Type": "application/json"})
    yield Ask("DELETE", path)


STORIES: Final[tuple[Callable[[Random], Iterator[Ask]], ...]] = (
    _keys,
    _metadata,
    _said_in_vain,
    _yaml,
    _pods,
    _services,
    _roles,
    _reviews,
    _nodes,
    _lists,
)
