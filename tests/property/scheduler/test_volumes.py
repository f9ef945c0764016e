"""Whatever claims, volumes and nodes there are: what decisions give to claims suits them, and is given once."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from machinery.model.k8s.core_v1 import PersistentVolumeClaimVolumeSource, Volume
from machinery.model.storage import NO_PROVISIONER
from machinery.model.volume_matching import has_access_modes, size_of_claim, size_of_volume
from scheduler.core.plugins.volume_binding import is_bound
from scheduler.core.schedule import Bind
from tests.support.builders import node, pod
from tests.support.claims import bound, claim, only_on, storage_class, volume
from tests.support.examples import examples
from tests.support.scheduler import Decider, volumes_of

HOST = "kubernetes.io/hostname"
NODES = ("node-1", "node-2", "node-3")
MODES = (("ReadWriteOnce",), ("ReadWriteOnce", "ReadWriteMany"))

claims = st.builds(
    lambda size, modes, name, number: claim(f"c{number}", size, modes=modes, storage_class=name),
    size=st.sampled_from(["1Gi", "2Gi", "3Gi"]),
    modes=st.sampled_from(MODES),
    name=st.sampled_from(["by-hand", "made"]),
    number=st.integers(0, 5),
)
volumes = st.builds(
    lambda size, modes, name, number, where: volume(
        f"v{number}",
        size,
        modes=modes,
        storage_class=name,
        nodeAffinity=only_on(where) if where else None,
    ),
    size=st.sampled_from(["1Gi", "2Gi", "3Gi"]),
    modes=st.sampled_from(MODES),
    name=st.sampled_from(["by-hand", "made"]),
    number=st.integers(0, 5),
    where=st.sampled_from(["", *NODES]),
)
pods = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True), min_size=1, max_size=4)


@examples(25)
@given(own=st.lists(claims, max_size=6), there=st.lists(volumes, max_size=6), asked=pods)
def test_what_claims_get_suits_them_and_is_given_once(
    own: list[Any], there: list[Any], asked: list[list[int]]
):
    """Reachable from the node, large enough, usable in every way that is asked for; a class by hand makes nothing."""
    world = Decider(*(node(name, labels={HOST: name}) for name in NODES))
    storage = world.snapshot.storage
    for each in (storage_class("by-hand", provisioner=NO_PROVISIONER), storage_class("made")):
        storage.set_class(each)
    for each in own:
        storage.set_claim(each)
    for each in there:
        storage.set_volume(each)
    owners: dict[str, str] = {}
    for number, names in enumerate(asked):
        sources = [PersistentVolumeClaimVolumeSource(claimName=f"c{each}") for each in names]
        user = pod(
            f"p{number}",
            volumes=[Volume(name=f"v{i}", persistentVolumeClaim=each) for i, each in enumerate(sources)],
        )
        decision = world.decide(user)
        if not isinstance(decision, Bind):
            continue
        given_now = volumes_of(decision)
        for each in given_now.bindings:
            name = each.volume.metadata.name
            assert owners.setdefault(name, each.claim.metadata.name) == each.claim.metadata.name
            affinity = each.volume.spec.nodeAffinity
            assert affinity in (None, only_on(decision.node))
            assert size_of_volume(each.volume) >= size_of_claim(each.claim)
            assert has_access_modes(each.claim, each.volume)
            assert each.volume.spec.storageClassName == each.claim.spec.storageClassName
        assert all(each.spec.storageClassName == "made" for each in given_now.provisions)
        every = [storage.claim(("default", f"c{each}")) for each in names]
        waiting = [each for each in every if each is not None and not is_bound(each)]
        assert len(given_now.bindings) + len(given_now.provisions) == len(waiting)
        storage.reserve(given_now, decision.node)
        for each in given_now.bindings:  # the controller of volumes binds at once
            storage.set_volume(storage.volume(each.volume.metadata.name))  # type: ignore[arg-type]
            storage.set_claim(bound(each.claim, each.volume.metadata.name))
