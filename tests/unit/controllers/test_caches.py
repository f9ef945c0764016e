"""What several controllers ask of one collection."""

import pytest
from msgspec.structs import replace

from controllers.core.caches import Caches
from controllers.core.fields import trimmer
from controllers.core.metadata_only import MetadataOnly
from controllers.core.workloads import DEPLOYMENTS
from machinery.model import resources
from machinery.model.k8s.core_v1 import Container, ContainerPort, Pod
from machinery.model.requests import Selection
from machinery.model.resources import CONFIG_MAPS, PODS
from tests.support import builders
from tests.support.builders import changed

POD = changed(
    builders.pod("web", node="node-1", ready=True, labels={"app": "web"}),
    metadata__annotations={"example.com/cost": "7", "example.com/note": "long"},
    spec__containers=[Container(name="main", image="app:1", ports=[ContainerPort(containerPort=80)])],
    spec__serviceAccountName="default",
)


def kept(*paths: str) -> Pod:
    reduce = trimmer(Pod, paths)
    return reduce(POD) if reduce else POD


def test_who_an_object_is_is_always_kept():
    """Name, uid, revision, owners and how it goes; nothing else that nobody reads."""
    pod = kept()
    for field in ("name", "namespace", "uid", "resourceVersion", "ownerReferences", "finalizers"):
        assert getattr(pod.metadata, field) == getattr(POD.metadata, field)
    assert pod.metadata.labels == {}
    assert (pod.spec.nodeName, pod.status.conditions) == ("", [])


def test_a_field_is_kept_and_its_neighbours_are_not():
    """By its path."""
    pod = kept("spec.nodeName")
    assert (pod.spec.nodeName, pod.spec.serviceAccountName, pod.spec.containers) == ("node-1", "", [])


def test_a_path_leads_through_the_items_of_a_list():
    """What an item has to have is there, and empty."""
    [container] = kept("spec.containers.ports").spec.containers
    assert (container.ports, container.image, container.name) == ([ContainerPort(containerPort=80)], "", "")


def test_one_entry_of_a_map_is_kept():
    """The others go."""
    pod = kept("metadata.annotations[example.com/cost]")
    assert pod.metadata.annotations == {"example.com/cost": "7"}


def test_a_whole_part_takes_in_the_paths_below_it():
    """Whichever is named first."""
    assert kept("status", "status.phase").status == POD.status
    assert kept("status.phase", "status").status == POD.status


def test_a_whole_object_is_not_touched():
    """Nothing is copied."""
    assert trimmer(Pod, ("", "status.phase")) is None


def test_a_part_that_is_absent_stays_so():
    """An optional Struct that is None."""
    assert kept("spec.affinity.nodeAffinity").spec.affinity is None


def test_a_path_that_leads_nowhere_is_refused():
    """A controller that misspells a field does not start."""
    with pytest.raises(ValueError, match="PodSpec has no field nodename"):
        trimmer(Pod, ("spec.nodename",))


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


def test_what_is_trimmed_again_stays_as_it_is():
    """The last state of a deleted object is trimmed as the first was."""
    reduce = trimmer(Pod, ("spec.nodeName", "status.conditions"))
    assert reduce(reduce(POD)) == reduce(POD)
    assert reduce(replace(POD, spec=replace(POD.spec, nodeName=""))).spec.nodeName == ""
