"""The cost of a request or an event follows its own result: what is visited is counted, beside N objects and 10 N.

https://kubernetes.io/docs/reference/using-api/api-concepts/ leaves it open; a cluster with ten times the pods must not pay
ten times as much for each of them (law 7 of the design).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from apiserver import node_references, objects
from apiserver.core.authz import node as node_rules
from apiserver.core.authz.attributes import Attributes
from apiserver.core.authz.rules import rules_of_json
from apiserver.opening import Opening
from apiserver.rbac_cache import RbacCache
from apiserver.request import DeleteOptions, UserInfo
from apiserver.watch_cache_selection import Selected
from machinery.model.errors import Forbidden
from machinery.model.k8s import served
from machinery.model.requests import PatchType
from tests.support.apiserver import RegistryBench, pod
from tests.support.visits import counted

N = 12
EACH = 3  # pods of a node, of an app, of a small namespace
PODS = served.PODS
KUBELET = UserInfo("system:node:node-0", groups=("system:nodes", "system:authenticated"))


class Visited(dict[str, Any]):
    """The objects of a cache; counts how many are looked at."""

    count = 0

    def __getitem__(self, place: str) -> Any:
        self.count += 1
        return super().__getitem__(place)

    def get(self, place: str, default: Any = None) -> Any:
        self.count += 1
        return super().get(place, default)

    def values(self) -> Any:
        """Return an iterator that counts: who asks an index that is there does not look."""
        return self._counted()

    def _counted(self) -> Iterator[Any]:
        for each in super().values():
            self.count += 1
            yield each


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count the selections that are compared with an object, and the pods that are decoded for references."""
    counts = {"matches": 0, "decoded": 0}
    matches, references = Selected.matches, node_rules.references_of

    def counting_matches(selected: Selected, obj: Any) -> bool:
        counts["matches"] += 1
        return matches(selected, obj)

    def counting_references(obj: Any) -> Any:
        counts["decoded"] += 1
        return references(obj)

    monkeypatch.setattr(Selected, "matches", counting_matches)
    monkeypatch.setattr(node_references, "references_of", counting_references)
    return counts


async def _grow(bench: RegistryBench, first: int, count: int) -> Visited:
    """Make pods up to so many, three on a node and of an app; the first three are in a namespace of their own."""
    for index in range(first, count):
        of_three = index // EACH
        made = pod(f"p-{index:04}", node=f"node-{of_three}", labels={"app": f"a-{of_three}"})
        await bench.create("pods", made, namespace="few" if index < EACH else "many")
    cache = bench.feed.cache(PODS)
    cache._lists.clear()
    visited = cache._objects = Visited(cache._objects)
    return visited


def _listed(**selection: Any) -> Callable[[RegistryBench], Awaitable[int]]:
    """Return a list; asked before its cost is counted, so that indexes are there."""

    async def ask(bench: RegistryBench) -> int:
        namespace = selection.get("namespace", "")
        options = {key: value for key, value in selection.items() if key != "namespace"}
        return len((await bench.list("pods", namespace, **options)).items)

    return ask


async def _got(bench: RegistryBench) -> int:
    await bench.registry.get(bench.request("get", "pods", "p-0001", namespace="few"))
    return 1


async def _patched(bench: RegistryBench) -> int:
    request = bench.request(
        "patch",
        "pods",
        "p-0001",
        namespace="few",
        body=b'{"metadata":{"labels":{"x":"y"}}}',
        patch_type=PatchType.MERGE,
    )
    await bench.registry.patch(request)
    return 1


async def _created_and_deleted(bench: RegistryBench) -> int:
    await bench.create("pods", pod("new", node="node-0"), namespace="few")
    deleting = DeleteOptions(grace_period_s=0)
    await bench.registry.delete(bench.request("delete", "pods", "new", namespace="few", deleting=deleting))
    return 1


async def _watched_from_the_state(bench: RegistryBench) -> int:
    watch = await bench.watch("pods", field_selector="spec.nodeName=node-0")
    await watch.aclose()
    return EACH


REQUESTS = {
    "get": _got,
    "patch": _patched,
    "create, delete": _created_and_deleted,
    "list by node": _listed(field_selector="spec.nodeName=node-0"),
    "list by label": _listed(label_selector="app=a-0"),
    "list by labels": _listed(label_selector="app in (a-0, a-1),app"),
    "list by node in a namespace": _listed(namespace="many", field_selector="spec.nodeName=node-1"),
    "list by label that nobody has": _listed(label_selector="app=none"),
    "list by label that must be there": _listed(label_selector="nobody"),
    "list by name": _listed(namespace="many", field_selector="metadata.name=p-0007"),
    "list by name everywhere": _listed(field_selector="metadata.name=p-0007"),
    "list of a namespace": _listed(namespace="few"),
    "first page": _listed(limit=5),
    "watch of a node": _watched_from_the_state,
}


@pytest.fixture
async def few_and_many(bench: RegistryBench) -> RegistryBench:
    """A registry with two namespaces, where pods can be made."""
    for name in ("few", "many"):
        await bench.create("namespaces", {"metadata": {"name": name}})
        await bench.create("serviceaccounts", {"metadata": {"name": "default"}}, namespace=name)
    return bench


async def test_a_request_visits_no_more_beside_ten_times_as_many(
    few_and_many: RegistryBench, looked: dict[str, int]
) -> None:
    """Measured at the third time; the first two tell the cache what is worth an index."""
    bench, costs = few_and_many, []
    for first, count in ((0, N), (N, 10 * N)):
        visited = await _grow(bench, first, count)
        for ask in (*REQUESTS.values(), *REQUESTS.values()):
            await ask(bench)
            bench.feed.cache(PODS)._lists.clear()
        costs.append({name: await _cost(bench, ask, visited, looked) for name, ask in REQUESTS.items()})
    assert costs[0] == costs[1]


async def _cost(
    bench: RegistryBench,
    ask: Callable[[RegistryBench], Awaitable[int]],
    visited: Visited,
    looked: dict[str, int],
) -> int:
    """Return how many objects a request looks at: those that it finds, and hardly others."""
    visited.count = looked["matches"] = 0
    result = await ask(bench)
    cost = visited.count + looked["matches"]
    bench.feed.cache(PODS)._lists.clear()
    assert cost <= 4 * (result + 1), ask
    return cost


@pytest.mark.parametrize("count", [N, 10 * N])
async def test_an_event_concerns_those_who_watch_its_object(
    few_and_many: RegistryBench, looked: dict[str, int], count: int
) -> None:
    """However many nodes there are whose kubelets watch their own pods."""
    bench = few_and_many
    visited = await _grow(bench, 0, N)
    watches = [
        await bench.watch("pods", field_selector=f"spec.nodeName=node-{index}", resource_version="1")
        for index in range(count)
    ]
    visited.count = looked["matches"] = 0
    await _patched(bench)
    assert (visited.count, looked["matches"]) <= (4, 4)
    for watch in watches:
        await watch.aclose()


@pytest.mark.parametrize("count", [N, 10 * N])
async def test_the_node_authorizer_reads_what_changed_at_its_node(
    few_and_many: RegistryBench, looked: dict[str, int], count: int
) -> None:
    """A pod that starts there costs one pod, not all of the node and not a list of all pods."""
    bench = few_and_many
    visited = await _grow(bench, 0, count)
    await _admit(bench)
    assert looked["decoded"] == EACH
    await bench.create("pods", pod("new", node="node-0"), namespace="few")
    await bench.feed.fresh()
    visited.count = looked["matches"] = looked["decoded"] = 0
    await _admit(bench)
    assert (visited.count, looked) == (0, {"matches": 0, "decoded": 1})


async def _admit(bench: RegistryBench) -> None:
    """Admit a read by node-0 of the service account of its pods."""
    request = bench.request("get", "serviceaccounts", "default", namespace="few")
    await bench.feed.fresh()
    await bench.core.gate.admit(replace(request, user=KUBELET))


async def test_a_node_may_read_the_volumes_of_its_pods_claims(few_and_many: RegistryBench) -> None:
    """And the attachments to itself: both say whose they are, and the pods do not."""
    bench = few_and_many
    disk = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/d"}}
    for name, claim in (("pv-of-one", "data"), ("pv-of-other", "other")):
        reference = {"kind": "PersistentVolumeClaim", "namespace": "few", "name": claim}
        await bench.create(
            "persistentvolumes", {"metadata": {"name": name}, "spec": {**disk, "claimRef": reference}}
        )
    for node in ("node-0", "node-1"):
        spec = {"attacher": "d.example", "nodeName": node, "source": {"persistentVolumeName": "pv-of-one"}}
        await bench.create("volumeattachments", {"metadata": {"name": f"to-{node}"}, "spec": spec})
    source = {"name": "disk", "persistentVolumeClaim": {"claimName": "data"}}
    one = pod("one", node="node-0")
    one["spec"]["volumes"] = [source]
    await bench.create("pods", one, namespace="few")
    await bench.feed.fresh()
    for plural, name, allowed in (
        ("persistentvolumes", "pv-of-one", True),
        ("persistentvolumes", "pv-of-other", False),
        ("persistentvolumes", "none", False),
        ("volumeattachments", "to-node-0", True),
        ("volumeattachments", "to-node-1", False),
    ):
        request = replace(bench.request("get", plural, name), user=KUBELET)
        with nullcontext() if allowed else pytest.raises(Forbidden):
            await bench.core.gate.admit(request)


async def test_a_node_may_read_what_its_pods_need_for_as_long_as_they_are_there(
    few_and_many: RegistryBench,
) -> None:
    """Two pods share what they refer to; the last one that goes takes the permission with it."""
    bench = few_and_many
    with pytest.raises(Forbidden):
        await _admit(bench)
    for name in ("one", "two"):
        await bench.create("pods", pod(name, node="node-0"), namespace="few")
    await _admit(bench)
    for name in ("one", "two"):
        await _admit(bench)
        request = bench.request(
            "delete", "pods", name, namespace="few", deleting=DeleteOptions(grace_period_s=0)
        )
        await bench.registry.delete(request)
    with pytest.raises(Forbidden, match="no relationship found"):
        await _admit(bench)


@pytest.mark.parametrize("count", [N, 10 * N])
async def test_a_change_of_a_role_costs_that_role(
    few_and_many: RegistryBench, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """At the next question that role is read, and the binding that changed with it; not those that were there."""
    bench = few_and_many
    decoded: list[bytes] = []
    noting = SimpleNamespace(decode=lambda raw: decoded.append(raw) or objects.decode(raw))
    monkeypatch.setattr("apiserver.rbac_cache.objects", noting)
    monkeypatch.setattr(
        "apiserver.rbac_cache.rules_of_json", lambda raw: decoded.append(raw) or rules_of_json(raw)
    )
    cache = RbacCache(bench.feed, Opening(bench.feed, bench.clock, is_open=True))
    for index in range(count):
        await _bind_reader(bench, f"user-{index}")
    await bench.feed.fresh()
    asked = Attributes(verb="get", resource="pods", namespace="few", name="web")
    assert cache.index().authorize(UserInfo("user-1"), asked).allowed
    decoded.clear()
    assert not cache.index().authorize(UserInfo("new"), asked).allowed
    await _bind_reader(bench, "new")
    await bench.feed.fresh()
    with counted() as work:
        assert cache.index().authorize(UserInfo("new"), asked).allowed
    assert len(decoded) == 2
    assert work.total < 1_500
    await bench.registry.delete(bench.request("delete", "rolebindings", "new", namespace="few"))
    await bench.feed.fresh()
    assert not cache.index().authorize(UserInfo("new"), asked).allowed
    assert len(decoded) == 2


async def _bind_reader(bench: RegistryBench, user: str) -> None:
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]
    await bench.create("roles", {"metadata": {"name": user}, "rules": rules}, namespace="few")
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
    binding = {"metadata": {"name": user}, "roleRef": reference, "subjects": [subject]}
    await bench.create("rolebindings", binding, namespace="few")
