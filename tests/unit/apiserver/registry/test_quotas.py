"""ResourceQuotas and LimitRanges through the registry: what a write takes is in the quota before the object is stored.

https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from apiserver.admission.quota import Quotas
from apiserver.core.kind import Kind
from apiserver.core.values import Json
from apiserver.storage.memory import MemoryStorage
from machinery.model.errors import AlreadyExists, ApiError, Forbidden
from machinery.model.requests import PatchType
from tests.support.apiserver import RegistryBench, config_map, pod, running_registry, service


def quota(name: str = "all", **hard: str) -> Json:
    """Return a quota whose use was counted: nothing."""
    limits = {key.replace("_", "."): value for key, value in hard.items()}
    return {"metadata": {"name": name}, "spec": {"hard": limits}}


async def _given(bench: RegistryBench, obj: Json, **more: Any) -> None:
    """Create a quota, and count for it as its controller does."""
    created = await bench.create("resourcequotas", {**obj, "spec": {**obj["spec"], **more}})
    hard = created["spec"]["hard"]
    status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    await bench.patch("resourcequotas/status", obj["metadata"]["name"], {"status": status})
    await bench.feed.fresh()


async def _used(bench: RegistryBench, name: str = "all") -> Json:
    found: Json = (await bench.get("resourcequotas", name))["status"]["used"]
    return found


def _pod(name: str, cpu: str = "100m", **fields: Any) -> Json:
    made = pod(name)
    made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}}
    made["spec"].update(fields)
    return made


async def test_what_fits_is_charged_and_what_does_not_is_refused_in_kubernetes_words(bench: RegistryBench):
    """So is what does not say what a quota limits."""
    await _given(bench, quota(requests_cpu="250m", pods="5"))
    await bench.create("pods", _pod("a"))
    await bench.create("pods", _pod("b", "150m"))
    with pytest.raises(Forbidden) as caught:
        await bench.create("pods", _pod("c"))
    assert caught.value.message == (
        'pods "c" is forbidden: exceeded quota: all, requested: requests.cpu=100m, used: requests.cpu=250m, '
        "limited: requests.cpu=250m"
    )
    with pytest.raises(Forbidden, match=r"failed quota: all: must specify requests\.cpu for: main"):
        await bench.create("pods", pod("d"))
    assert await _used(bench) == {"requests.cpu": "250m", "pods": "2"}


async def test_claims_and_pods_are_charged_for_the_devices_of_a_class(bench: RegistryBench):
    """A claim for the most that it may get; both count where the limit has the name that pods ask by."""
    by_class, asked = "gpu.deviceclass.resource.k8s.io/devices", "deviceclass.resource.kubernetes.io/gpu"
    await _given(
        bench, quota(**{by_class: "4", f"requests.{asked}": "4", "count/resourceclaims.resource.k8s.io": "9"})
    )

    async def claim(name: str, count: int) -> None:
        requests = [{"name": "a", "exactly": {"deviceClassName": "gpu", "count": count}}]
        obj = {"metadata": {"name": name}, "spec": {"devices": {"requests": requests}}}
        request = bench.request("create", "resourceclaims", body=msgspec.json.encode(obj))
        await bench.registry.create(msgspec.structs.replace(request, group="resource.k8s.io"))

    await claim("a", 3)
    with pytest.raises(Forbidden, match=rf"exceeded quota: all, requested: {by_class}=2,"):
        await claim("b", 2)
    made = _pod("a")
    made["spec"]["containers"][0]["resources"] = {"requests": {asked: "1"}, "limits": {asked: "1"}}
    await bench.create("pods", made)
    assert await _used(bench) == {
        by_class: "3", f"requests.{asked}": "4", "count/resourceclaims.resource.k8s.io": "1"
    }  # fmt: skip
    with pytest.raises(Forbidden, match=rf"requested: requests\.{asked}=1, used: requests\.{asked}=4"):
        await claim("c", 1)


async def test_a_quota_that_nobody_has_counted_admits_nothing(bench: RegistryBench):
    """Its status is what counts."""
    await bench.create("resourcequotas", quota(pods="5"))
    await bench.feed.fresh()
    assert (await bench.create("pods", pod("a")))[
        "kind"
    ] == "Pod"  # a limit that no status shows holds nobody
    status = {"status": {"hard": {"pods": "5"}}}
    await bench.patch("resourcequotas/status", "all", status)
    await bench.feed.fresh()
    with pytest.raises(Forbidden, match="status unknown for quota: all, resources: pods"):
        await bench.create("pods", pod("b"))


async def test_a_quota_that_was_counted_a_moment_ago_counts(
    bench: RegistryBench, monkeypatch: pytest.MonkeyPatch
):
    """An apiserver whose cache has it without a status looks it up, whatever its cache says."""
    look = Quotas._known
    behind: dict[str, dict[str, Any]] = {}

    def known(self: Quotas, kind: Kind, namespace: str) -> dict[str, Any]:
        return dict(behind.setdefault(namespace, look(self, kind, namespace)))

    monkeypatch.setattr(Quotas, "_known", known)
    await bench.create("resourcequotas", quota(pods="1"))
    await bench.feed.fresh()
    await bench.create("pods", pod("a"))
    status = {"status": {"hard": {"pods": "1"}, "used": {"pods": "1"}}}
    await bench.patch("resourcequotas/status", "all", status)
    with pytest.raises(
        Forbidden, match="exceeded quota: all, requested: pods=1, used: pods=1, limited: pods=1"
    ):
        await bench.create("pods", pod("b"))


async def test_many_creates_through_two_apiservers_never_exceed_a_quota():
    """They share nothing but the store, and both write the same quota."""
    async with running_registry() as one, running_registry(one.storage, seed=8) as other:
        await _given(one, quota(**{"count/configmaps": "10"}))
        await other.feed.fresh()
        made = await asyncio.gather(
            *(
                bench.create("configmaps", config_map(f"m-{number}"))
                for number in range(25)
                for bench in (one,)
            ),
            *(other.create("configmaps", config_map(f"n-{number}")) for number in range(25)),
            return_exceptions=True,
        )
        created = [each for each in made if isinstance(each, dict)]
        refused = [each for each in made if not isinstance(each, dict)]
        assert len(created) == 10
        assert all(isinstance(each, Forbidden) and "exceeded quota: all" in each.message for each in refused)
        assert await _used(one) == {"count/configmaps": "10"}


class _Distant(MemoryStorage):
    """A store that answers after others had their turn, as etcd does."""

    async def update(self, *given: Any, **more: Any) -> Any:
        """Update an object, later."""
        await asyncio.sleep(0)
        return await super().update(*given, **more)


async def test_creates_that_wait_together_are_charged_by_one_write():
    """A hundred of them do not write the quota a hundred times."""
    async with running_registry(_Distant()) as bench:
        await _given(bench, quota(**{"count/configmaps": "200"}))
        before = int((await bench.get("resourcequotas", "all"))["metadata"]["resourceVersion"])
        await asyncio.gather(
            *(bench.create("configmaps", config_map(f"m-{number}")) for number in range(100))
        )
        after = int((await bench.get("resourcequotas", "all"))["metadata"]["resourceVersion"])
        assert await _used(bench) == {"count/configmaps": "100"}
        assert after - before <= 110  # a hundred objects, and a few writes of the quota


async def test_what_is_not_stored_is_not_charged(bench: RegistryBench):
    """The name is taken; it was a dry run; it fits into one quota and not into another."""
    await _given(bench, quota("first", configmaps="5"))
    await _given(bench, quota("second", **{"count/configmaps": "1"}))
    await bench.create("configmaps", config_map("a"), dry_run=True)
    await bench.create("configmaps", config_map("a"))
    await bench.feed.fresh()
    for name in ("a", "b"):
        with pytest.raises(ApiError):
            await bench.create("configmaps", config_map(name))
    assert await _used(bench, "first") == {"configmaps": "1"}
    await bench.patch("resourcequotas/status", "second", {"status": {"hard": {"count/configmaps": "9"}}})
    await bench.feed.fresh()
    with pytest.raises(AlreadyExists):
        await bench.create("configmaps", config_map("a"))
    assert await _used(bench, "first") == {"configmaps": "1"}
    assert await _used(bench, "second") == {"count/configmaps": "1"}


@pytest.mark.parametrize(
    ("scope", "fits", "counted"),
    [
        ({"scopes": ["BestEffort"]}, pod("a"), True),
        ({"scopes": ["NotBestEffort"]}, pod("a"), False),
        ({"scopes": ["Terminating"]}, _pod("a", activeDeadlineSeconds=5), True),
        ({"scopes": ["NotTerminating"]}, _pod("a", activeDeadlineSeconds=5), False),
        (
            {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}]}},
            _pod("a", priorityClassName="system-node-critical"),
            True,
        ),
    ],
)  # fmt: skip
async def test_a_quota_is_about_what_is_in_its_scope(bench: RegistryBench, scope, fits, counted):
    """All else is as if it were not there."""
    await _given(bench, quota(pods="1"), **scope)
    await bench.create("pods", fits)
    assert await _used(bench) == {"pods": str(int(counted))}
    other = {**fits, "metadata": {"name": "b"}}
    if counted:
        with pytest.raises(Forbidden, match="exceeded quota"):
            await bench.create("pods", other)
    else:
        await bench.create("pods", other)


async def test_an_update_takes_what_it_adds(bench: RegistryBench):
    """A Service that becomes another type; what takes less gives nothing back here: its controller does."""
    await _given(bench, quota(services="2", services_nodeports="1"))
    await bench.create("services", service("web"))
    await bench.patch("services", "web", {"spec": {"type": "NodePort"}})
    assert await _used(bench) == {"services": "1", "services.nodeports": "1"}
    await bench.create("services", service("other"))
    with pytest.raises(Forbidden, match=r"exceeded quota: all, requested: services\.nodeports=1"):
        await bench.patch("services", "other", {"spec": {"type": "NodePort"}})


async def test_a_limit_range_gives_and_limits(bench: RegistryBench):
    """What it gives is what quotas count."""
    item = {
        "type": "Container",
        "default": {"cpu": "200m"},
        "defaultRequest": {"cpu": "100m"},
        "max": {"cpu": "1"},
    }
    await bench.create("limitranges", {"metadata": {"name": "limits"}, "spec": {"limits": [item]}})
    await _given(bench, quota(requests_cpu="1", limits_cpu="1"))
    made = await bench.create("pods", pod("a"))
    wanted = {"limits": {"cpu": "200m"}, "requests": {"cpu": "100m"}}
    assert made["spec"]["containers"][0]["resources"] == wanted
    assert await _used(bench) == {"limits.cpu": "200m", "requests.cpu": "100m"}
    with pytest.raises(Forbidden, match="maximum cpu usage per Container is 1, but limit is 2"):
        await bench.create("pods", _pod("b", "2"))


async def test_a_patch_that_lost_races_is_charged_once(bench: RegistryBench):
    """However often it was decided again."""
    await _given(bench, quota(services_nodeports="5", services="5"))
    await bench.create("services", service("web"))
    patches = [{"metadata": {"labels": {f"l{number}": "x"}}} for number in range(8)]
    await asyncio.gather(
        *(bench.patch("services", "web", patch, PatchType.MERGE) for patch in patches),
        bench.patch("services", "web", {"spec": {"type": "NodePort"}}),
    )
    assert await _used(bench) == {"services": "1", "services.nodeports": "1"}
