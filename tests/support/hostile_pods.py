"""Pods of which a small spec asks for much, or for what nobody foresaw: each kind with sizes at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import msgspec

from machinery.model.k8s.core_v1 import ConfigMap, Pod
from machinery.model.k8s.meta_v1 import ObjectMeta

Json = dict[str, Any]
BIG: Final = "big"  # a ConfigMap of nearly a megabyte
_ANNOTATIONS: Final = {"notes": "n" * 200_000}
_LONG_MAX: Final = 2**63 - 1


def big_config_map() -> ConfigMap:
    """Return the ConfigMap that the pods name."""
    data = {"small": "s", "large": "x" * 900_000}
    return ConfigMap(metadata=ObjectMeta(name=BIG, namespace="default"), data=data)


def hostile_pods(random: Random) -> Iterator[Pod]:
    """Return a pod of each kind."""
    for kind in KINDS:
        spec = {"containers": [_container()], **kind(random)}
        body = {
            "metadata": {
                "name": kind.__name__.strip("_").replace("_", "-"),
                "namespace": "default",
                "annotations": _ANNOTATIONS if random.random() < 0.5 else {},
            },
            "spec": spec,
        }
        yield msgspec.convert(body, Pod)


def _container(name: str = "main", **fields: Any) -> Json:
    return {"name": name, "image": "app:1", **fields}


def _doubling(random: Random) -> list[Json]:
    times = random.randint(2, 12)
    first: list[Json] = [{"name": "E0", "value": "x" * random.randint(0, 100)}]
    return first + [
        {"name": f"E{n}", "value": f"$(E{n - 1})" * times} for n in range(1, random.randint(8, 11))
    ]


def _variables_of_variables(random: Random) -> Json:
    return {"containers": [_container(env=_doubling(random)), _container("other")]}


def _arguments_of_variables(random: Random) -> Json:
    value = [{"name": "V", "value": "v" * random.randint(1, 2**17)}]
    texts = ["$(V)" * random.randint(1, 2_000) for _ in range(random.randint(1, 40))]
    return {"containers": [_container(env=value, command=["run"], args=texts)]}


def _variables_never_closed(random: Random) -> Json:
    return {"containers": [_container(env=[{"name": "V", "value": "$(" * random.randint(1, 60_000)}])]}


def _many_variables(random: Random) -> Json:
    fields = ("metadata.annotations['notes']", "metadata.name", "status.podIP", "metadata.labels['a']")
    env = [{"name": f"V{n}", "value": f"$(V{n - 1})x"} for n in range(random.randint(1, 2_000))]
    env += [
        {"name": f"F{n}", "valueFrom": {"fieldRef": {"fieldPath": random.choice(fields)}}}
        for n in range(random.randint(1, 300))
    ]
    return {"containers": [_container(env=env)]}


def _sources_of_variables(random: Random) -> Json:
    key = random.choice(["small", "large", "none"])
    reference = {"name": BIG, "key": key, "optional": random.random() < 0.5}
    env = [
        {"name": f"V{n}", "valueFrom": {"configMapKeyRef": reference}} for n in range(random.randint(1, 30))
    ]
    boxes = [_container(f"c{n}", envFrom=[{"configMapRef": {"name": BIG}}]) for n in range(5)]
    return {"containers": [_container(env=env), *boxes]}


def _sub_paths(random: Random) -> Json:
    env = [{"name": "LONG", "value": "a/" * random.randint(1, 2_000)}]
    texts = ["$(LONG)", "$(LONG)$(LONG)$(LONG)", "$(NONE)", "x/$(LONG)", "$(" * 1_000, "a" * 300]
    mounts = [
        {"name": "v", "mountPath": f"/m{n}", "subPathExpr": random.choice(texts)}
        for n in range(random.randint(1, 60))
    ]
    return {
        "containers": [_container(env=env, volumeMounts=mounts)],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }


def _many_mounts(random: Random) -> Json:
    count = random.randint(1, 300)
    volumes = [{"name": f"v{n}", "emptyDir": {}} for n in range(count)]
    mounts = [{"name": f"v{n}", "mountPath": f"/m{n}"} for n in range(count)]
    return {"containers": [_container(volumeMounts=mounts)], "volumes": volumes}


def _items_of_a_config_map(random: Random) -> Json:
    path = random.choice(["f{}", "d{}/f", "d/" * 1_000 + "{}", "x" * 250 + "{}"])
    items = [
        {"key": random.choice(["large", "small"]), "path": path.format(n)}
        for n in range(random.randint(1, 300))
    ]
    return {"volumes": [{"name": "v", "configMap": {"name": BIG, "items": items}}]}


def _many_config_maps(random: Random) -> Json:
    source = {"name": BIG, "optional": True}
    return {"volumes": [{"name": f"v{n}", "configMap": source} for n in range(random.randint(60, 90))]}


def _fields_in_files(random: Random) -> Json:
    items = [
        {"path": f"f{n}", "fieldRef": {"fieldPath": "metadata.annotations"}}
        for n in range(random.randint(1, 1_000))
    ]
    return {"volumes": [{"name": "v", "downwardAPI": {"items": items}}]}


def _projected_sources(random: Random) -> Json:
    sources: list[Json] = [
        {"configMap": {"name": BIG, "items": [{"key": "large", "path": f"f{n}"}]}}
        for n in range(random.randint(70, 90))
    ]
    return {"volumes": [{"name": "v", "projected": {"sources": sources}}]}


def _names_of_hosts(random: Random) -> Json:
    aliases = [
        {"ip": "10.0.0.1", "hostnames": [f"h{n}" for n in range(random.randint(1, 300))]}
        for _ in range(random.randint(1, 60))
    ]
    options = [{"name": f"o{n}", "value": "v" * 100} for n in range(random.randint(1, 1_000))]
    searches = ["s" * 60 for _ in range(random.randint(1, 32))]
    return {"hostAliases": aliases, "dnsConfig": {"options": options, "searches": searches}}


def _many_containers(random: Random) -> Json:
    count = random.choice([10, 30, 501, 2_000])
    inits = [_container(f"i{n}", restartPolicy="Always") for n in range(random.randint(0, 10))]
    return {"containers": [_container(f"c{n}") for n in range(count)], "initContainers": inits}


def _many_ports(random: Random) -> Json:
    first = random.randint(1, 1_000)
    ports = [
        {"containerPort": n, "hostPort": n, "protocol": "TCP"}
        for n in range(first, first + random.randint(1, 1_500))
    ]
    return {"containers": [_container(ports=ports)]}


def _gates_and_tolerations(random: Random) -> Json:
    return {
        "readinessGates": [{"conditionType": f"example.com/g{n}"} for n in range(random.randint(1, 2_000))],
        "tolerations": [{"key": f"k{n}", "operator": "Exists"} for n in range(random.randint(1, 2_000))],
        "imagePullSecrets": [{"name": f"s{n}"} for n in range(random.randint(1, 50))],
    }


def _numbers_beyond_any_machine(random: Random) -> Json:
    amount = random.choice(["9e15", "9223372036854775807", "1n", "8Ei"])
    limits = {"cpu": amount, "memory": amount}
    requests = {"cpu": "0", "memory": "0"}
    sleep = {"sleep": {"seconds": random.choice([1, 2**31])}}
    return {
        "containers": [
            _container(resources={"limits": limits, "requests": requests}, lifecycle={"preStop": sleep})
        ],
        "terminationGracePeriodSeconds": random.choice([_LONG_MAX, 2**32]),
        "activeDeadlineSeconds": random.choice([2**31 - 1, 1]),
    }


def _odd_words(random: Random) -> Json:
    odd = random.choice(["a\u0000b", "\u2100", "é" * 1_000, " ", "...", "%n", "{}"])
    return {
        "containers": [
            _container(
                workingDir=odd,
                command=[odd, odd * 100],
                env=[{"name": "V", "value": odd}],
                terminationMessagePath=f"/{odd}",
                volumeMounts=[{"name": "v", "mountPath": f"/x{odd}".replace(":", ""), "subPath": odd}],
            )
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }


KINDS: Final[tuple[Callable[[Random], Json], ...]] = (
    _variables_of_variables,
    _arguments_of_variables,
    _variables_never_closed,
    _many_variables,
    _sources_of_variables,
    _sub_paths,
    _many_mounts,
    _items_of_a_config_map,
    _many_config_maps,
    _fields_in_files,
    _projected_sources,
    _names_of_hosts,
    _many_containers,
    _many_ports,
    _gates_and_tolerations,
    _numbers_beyond_any_machine,
    _odd_words,
)
