"""Garbage collection on any graph: nothing with a live owner is lost, and it comes to an end."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from controllers.core.actions import Delete, Facts, Patch
from controllers.core.kinds import KINDS
from controllers.core.workloads import REPLICA_SETS
from controllers.garbage_collector.graph import FOREGROUND, ORPHAN, Graph, Item, is_going
from controllers.garbage_collector.plan import plan
from machinery.model.k8s.meta_v1 import OwnerReference
from tests.support.builders import meta
from tests.support.controllers import CREATED, moment, of_type
from tests.support.examples import examples

COUNT = 7
edges = st.sets(st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1), st.booleans()), max_size=14)
deletions = st.lists(
    st.tuples(st.integers(0, COUNT - 1), st.sampled_from(["", FOREGROUND, ORPHAN])), min_size=1, max_size=3
)


class Cluster:
    """Objects that own each other, a server that deletes as it should, and a collector that reads it."""

    def __init__(self, references) -> None:
        self.metas = {}
        for number in range(COUNT):
            owners = {owner: block for owner, owned, block in references if owned == number}
            refs = [reference(owner, block) for owner, block in sorted(owners.items())]
            self.metas[f"uid-{number}"] = meta(
                f"n{number}", "default", uid=f"uid-{number}", ownerReferences=refs
            )

    def delete(self, uid, finalizer) -> None:
        """Delete as a user would, in some manner."""
        if uid not in self.metas:
            return
        found = self.metas[uid]
        finalizers = [*dict.fromkeys([*found.finalizers, *([finalizer] if finalizer else [])])]
        if finalizers:
            self.metas[uid] = replace(found, finalizers=finalizers, deletionTimestamp=CREATED)
        else:
            del self.metas[uid]

    def graph(self) -> Graph:
        """Return what a cache without delay would show."""
        graph = Graph(KINDS)
        for found in self.metas.values():
            graph.put(Item(REPLICA_SETS, found))
        return graph

    def collect(self, uid):
        """Plan for one object and do it; gives the plan's deletions."""
        item, graph = Item(REPLICA_SETS, self.metas[uid]), self.graph()
        made = plan(graph.see(item), moment())
        if made.needs:
            by_name = {found.name: found for found in self.metas.values()}
            facts = Facts(objects={need: by_name.get(need.name) for need in made.needs})
            made = plan(graph.see(item), moment(), facts)
        for patch in of_type(made, Patch):
            self._patch(patch)
        gone = of_type(made, Delete)
        for one in gone:
            policy = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(one.propagation_policy, "")
            self.delete(one.uid, policy)
        return gone

    def _patch(self, patch) -> None:
        changes = patch.patch["metadata"]
        found = self.metas[changes["uid"]]
        if "finalizers" in changes:
            found = replace(found, finalizers=changes["finalizers"])
        if "ownerReferences" in changes:
            refs = [OwnerReference(**ref) for ref in changes["ownerReferences"]]
            found = replace(found, ownerReferences=refs)
        self.metas[changes["uid"]] = found
        if found.deletionTimestamp and not found.finalizers:
            del self.metas[changes["uid"]]


def reference(number, block) -> OwnerReference:
    return OwnerReference(
        apiVersion="apps/v1",
        kind="ReplicaSet",
        name=f"n{number}",
        uid=f"uid-{number}",
        blockOwnerDeletion=block,
    )


def has_live_owner(cluster, uid) -> bool:
    owners = (cluster.metas.get(owner.uid) for owner in cluster.metas[uid].ownerReferences)
    return any(found is not None and not is_going(found, FOREGROUND) for found in owners)


@examples(300)
@given(references=edges, users=deletions, seed=st.randoms(use_true_random=False))
def test_nothing_with_a_live_owner_goes_and_everything_comes_to_rest(references, users, seed):
    """Circles, several owners, and all three manners of deletion at once."""
    cluster = Cluster(references)
    for number, finalizer in users:
        cluster.delete(f"uid-{number}", finalizer)
    for _ in range(6 * COUNT):
        before = dict(cluster.metas)
        uids = sorted(cluster.metas)
        seed.shuffle(uids)
        for uid in uids:
            if uid in cluster.metas:
                owned = has_live_owner(cluster, uid)
                assert not (cluster.collect(uid) and owned)
        if cluster.metas == before:
            break
    else:
        raise AssertionError("the collector does not come to rest")
    for uid, found in cluster.metas.items():
        assert not found.deletionTimestamp, f"{uid} waits for ever"
        assert not found.ownerReferences or has_live_owner(cluster, uid)


@examples(100)
@given(references=edges)
def test_without_a_deletion_nothing_happens(references):
    """Whoever owns whom."""
    cluster = Cluster(references)
    assert not [gone for uid in list(cluster.metas) for gone in cluster.collect(uid)]
