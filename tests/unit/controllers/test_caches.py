"""What several controllers ask of one collection."""

import pytest

from controllers.core.caches import Caches
from controllers.core.metadata_only import MetadataOnly
from controllers.core.workloads import DEPLOYMENTS
from machinery.model import resources
from machinery.model.k8s.core_v1 import Container, ContainerPort
from machinery.model.k8s.meta_v1 import OwnerReference
from machinery.model.requests import Selection
from machinery.model.resources import CONFIG_MAPS, PODS
from tests.support import builders
from tests.support.builders import changed

OWNER = OwnerReference(apiVersion="apps/v1", kind="ReplicaSet", name="web", uid="uid-1")
POD = changed(
    builders.pod("web", node="node-1", ready=True, labels={"app": "web"}),
    metadata__annotations={"example.com/cost": "7", "example.com/note": "long"},
    spec__containers=[Container(name="main", image="app:1", ports=[ContainerPort(containerPort=80)])],
    spec__serviceAccountName="default",
)


def test_what_two_readers_ask_of_a_collection_is_added_up():
    """One store, all fields, both indexes."""
    caches = Caches()
    one = caches.ask(PODS, fields=("spec.nodeName",), indexes={"a": lambda pod: (pod.spec.nodeName,)})
    other = caches.ask(PODS, fields=("status.phase",), indexes={"b": lambda pod: (pod.status.phase,)})
    assert one.store is other.store
    [request] = caches.requests.values()
    reduced = request.keep()(POD)
    assert (reduced.spec.nodeName, reduced.status.phase) == ("node-1", POD.status.phase)
    one.store.put(reduced)
    assert one.store.by_index("a", "node-1") == one.store.by_index("b", POD.status.phase) == [reduced]


def test_who_owns_an_object_and_how_it_goes_is_always_kept():
    """Claims and garbage collection look at nothing else."""
    caches = Caches()
    caches.ask_for_metadata(PODS)
    [request] = caches.requests.values()
    owned = changed(POD, metadata__finalizers=["orphan"], metadata__ownerReferences=[OWNER])
    meta = request.keep()(owned).metadata
    assert (meta.finalizers, meta.ownerReferences) == (["orphan"], [OWNER])
    assert meta.labels == {}


def test_two_selections_of_a_resource_are_two_collections():
    """Each is a copy of its own."""
    caches = Caches()
    everything = caches.ask(CONFIG_MAPS, fields=())
    some = caches.ask(CONFIG_MAPS, Selection(field_selector="metadata.name=one"))
    assert everything.store is not some.store


@pytest.mark.parametrize("metadata_first", [True, False])
def test_whoever_wants_metadata_only_is_served_by_any_type(metadata_first):
    """In whichever order they ask."""
    caches = Caches()
    if metadata_first:
        caches.ask_for_metadata(PODS)
    caches.ask(PODS, fields=("spec.nodeName",))
    source = caches.ask_for_metadata(PODS)
    [request] = caches.requests.values()
    assert request.resource == PODS
    assert source.resource.type is MetadataOnly
    assert request.keep()(POD).spec.nodeName == "node-1"


def test_two_types_of_one_resource_are_refused():
    """One cache cannot hold both."""
    caches = Caches()
    caches.ask(DEPLOYMENTS)
    with pytest.raises(ValueError, match=r"deployments\.apps is asked for as .*workloads.*apps_v1"):
        caches.ask(resources.DEPLOYMENTS)


def test_two_indexes_of_one_name_are_refused():
    """Each reader would find the other's entries."""
    caches = Caches()
    caches.ask(PODS, indexes={"a": lambda pod: (pod.spec.nodeName,)})
    with pytest.raises(ValueError, match="two indexes are called 'a'"):
        caches.ask(PODS, indexes={"a": lambda pod: (pod.status.phase,)})
