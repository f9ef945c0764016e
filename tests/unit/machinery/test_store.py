"""The local copy of a collection, by itself."""

import pytest

from machinery.model.store import Store
from tests.support import builders


def by_node(pod):
    """Index pods by their node."""
    return (pod.spec.nodeName,) if pod.spec.nodeName else ()


def test_an_index_that_is_added_before_the_first_object_is_kept_up_to_date():
    """An object is found under its entry of now, and under no earlier one."""
    store = Store()
    store.add_index("node", by_node)
    store.put(builders.pod("web", node="node-1"))
    assert [pod.metadata.name for pod in store.by_index("node", "node-1")] == ["web"]
    store.put(builders.pod("web", node="node-2"))
    assert store.by_index("node", "node-1") == []
    assert store.index_keys("node") == ["node-2"]


def test_one_index_may_be_asked_for_twice():
    """Two readers share it."""
    store = Store()
    store.add_index("node", by_node)
    store.add_index("node", by_node)
    store.put(builders.pod("web", node="node-1"))
    assert len(store.by_index("node", "node-1")) == 1


def test_two_indexes_of_one_name_are_refused():
    """Each reader would find the other's entries."""
    store = Store()
    store.add_index("node", by_node)
    with pytest.raises(ValueError, match="two indexes are called 'node'"):
        store.add_index("node", lambda pod: (pod.metadata.name,))


def test_an_index_that_comes_after_the_objects_is_refused():
    """It would not know those that are there."""
    store = Store()
    store.put(builders.pod("web"))
    with pytest.raises(ValueError, match="too late"):
        store.add_index("node", by_node)
