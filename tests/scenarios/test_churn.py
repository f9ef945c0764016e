"""What a cluster keeps of pods that have come and gone: nothing that grows."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from apiserver.watch_cache import WatchCache
from apiserver.write_record import WriteRecord
from kubarium.identity.pki import Pki
from machinery.model.log import SILENT
from tests.support.scenario_objects import web, web_service
from tests.support.scenario_world import Cluster, is_pod_ready, running_cluster

PODS = 4
LEAK_BYTES = 1_500  # of a pod: less than one object takes
BY_KIND = {
    "apiserver.storage.measured._Series"
}  # one for each kind and operation, once the first of them comes
_AT_ONCE = 1_000
_TEXTS = frozenset({str, bytes})
_TABLES = frozenset({tuple, dict})
OURS = ("apiserver.", "controllers.", "hollow.", "kubelet.", "machinery.", "scheduler.")


@pytest.mark.deep
async def test_pods_that_have_gone_leave_nothing_behind(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
):
    """Of each type of every component there are as many objects after five rounds as after three.

    What is bounded by number or time has a low bound here, so that it is reached by then; events have outlived
    their hour.
    """
    monkeypatch.setitem(WatchCache.__init__.__kwdefaults__, "window", 8)
    monkeypatch.setattr(WriteRecord.__init__, "__defaults__", (SILENT, 100))
    monkeypatch.setattr("machinery.client.events._REMEMBERED_S", 60.0)
    monkeypatch.setattr("kubelet.sandboxes._CONFIGS", 2)
    gc.unfreeze()  # what was there before may keep something as well
    async with running_cluster(tmp_path, pki, nodes=1) as cluster:
        await cluster.api.admin.create("services", web_service())
        for _ in range(3):
            await churn(cluster)
        before, before_bytes = alive(), kept_text()
        for _ in range(2):
            await churn(cluster)
        after, after_bytes = alive(), kept_text()
        assert not cluster.journal
    grown = {name: (before[name], count) for name, count in after.items() if count > before[name]}
    assert not grown.keys() - BY_KIND
    assert after_bytes - before_bytes < 2 * PODS * LEAK_BYTES


@pytest.mark.deep
async def test_what_is_kept_of_a_pod_is_seen():
    """Text or bytes of the size of one object, under its uid, in a table of anything."""
    leaking = SimpleNamespace(table={})
    before = kept_text()
    for number in range(2 * PODS):
        leaking.table[f"uid-{number}"] = b"%d" % number * LEAK_BYTES
    assert kept_text() - before > 2 * PODS * LEAK_BYTES


async def churn(cluster: Cluster) -> None:
    """Create and delete a Deployment's pods, and wait until what is remembered of them for a time is old."""
    admin = cluster.api.admin
    await admin.create("deployments", web(PODS))
    await cluster.until(lambda: sum(map(is_pod_ready, cluster.objects("pods"))) == PODS, limit_s=120)
    await admin.delete("deployments", "web")
    await cluster.until(lambda: not cluster.objects("pods") + cluster.objects("replicasets"), limit_s=120)
    cluster.api.storage.expire("/registry/events/")
    await cluster.rest(120)
    cluster.observer.seen.clear()
    cluster.api.storage._log.events.clear()  # etcd's history is no component's memory


def alive() -> Counter[str]:
    """Count the objects of our own types."""
    gc.collect()
    found: Counter[str] = Counter()
    for kind, count in Counter(map(type, gc.get_objects())).items():
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name.startswith(OURS):
            found[name] += count
    return found


def kept_text() -> int:
    """Return the bytes of all texts, also of those in what the collector does not follow (a table of texts)."""
    gc.collect()
    waiting = gc.get_objects()
    texts = {id(each): each for each in waiting if isinstance(each, str | bytes)}
    seen: dict[int, object] = {}  # tables that the collector does not follow
    while waiting:
        held = gc.get_referents(*waiting[-_AT_ONCE:])
        del waiting[-_AT_ONCE:]
        texts |= {id(each): each for each in held if type(each) in _TEXTS}
        tables = {id(each): each for each in held if type(each) in _TABLES and not gc.is_tracked(each)}
        waiting += [each for key, each in tables.items() if key not in seen]
        seen |= tables
    return sum(map(sys.getsizeof, texts.values()))
