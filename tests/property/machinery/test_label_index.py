"""Candidates from an index: nobody that matches is left out, and whoever matches by one label alone is all there is."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from machinery.model.k8s.meta_v1 import LabelSelector, LabelSelectorRequirement
from machinery.model.label_index import label_entries, objects_for, selector_entries, selectors_for
from machinery.model.selectors import from_selector
from machinery.model.store import Store
from tests.support import builders
from tests.support.builders import changed
from tests.support.examples import examples

texts = st.sampled_from("ab")
labelings = st.dictionaries(texts, texts, max_size=2)
expressions = st.builds(
    LabelSelectorRequirement,
    key=texts,
    operator=st.sampled_from(["In", "NotIn", "Exists"]),
    values=st.lists(texts, min_size=1, max_size=3),
).map(lambda each: changed(each, values=[]) if each.operator == "Exists" else each)
selectors = st.builds(
    LabelSelector, matchLabels=labelings, matchExpressions=st.lists(expressions, max_size=2)
)
namespaces = st.sampled_from(["x", "y"])


def _by_label(pod: Any) -> list[str]:
    return label_entries(pod.metadata.namespace, pod.metadata.labels)


def _by_selector(replica_set: Any) -> list[str]:
    matcher = from_selector(replica_set.spec.selector)
    return list(selector_entries(replica_set.metadata.namespace, matcher))


def _names(objects: Any) -> list[str]:
    return sorted(each.metadata.name for each in objects)


@examples(100)
@given(pods=st.lists(st.tuples(namespaces, labelings), max_size=6), selector=selectors, namespace=namespaces)
def test_a_selector_finds_every_object_that_it_matches(
    pods: list[tuple[str, dict[str, str]]], selector: LabelSelector, namespace: str
):
    """In its namespace, each once."""
    store: Store[Any] = Store({"label": _by_label})
    for index, (where, labels) in enumerate(pods):
        store.put(builders.pod(f"p-{index}", where, labels=labels))
    matcher = from_selector(selector)
    found = objects_for(store, "label", namespace, matcher)
    assert len(_names(found)) == len({*_names(found)})
    assert {each.metadata.namespace for each in found} <= {namespace}
    matching = [each for each in store.list(namespace) if matcher.matches(each.metadata.labels)]
    assert _names(each for each in found if matcher.matches(each.metadata.labels)) == _names(matching)
    if len(selector.matchLabels) == 1 and not selector.matchExpressions:
        assert _names(found) == _names(matching)


@examples(100)
@given(owners=st.lists(st.tuples(namespaces, selectors), max_size=6), labels=labelings, namespace=namespaces)
def test_an_object_finds_every_selector_that_matches_it(
    owners: list[tuple[str, LabelSelector]], labels: dict[str, str], namespace: str
):
    """Of its namespace, each once."""
    store: Store[Any] = Store({"selector": _by_selector})
    for index, (where, selector) in enumerate(owners):
        owner = changed(builders.replica_set(f"rs-{index}"), spec__selector=selector)
        store.put(changed(owner, metadata__namespace=where))
    found = selectors_for(store, "selector", namespace, labels)
    assert len(_names(found)) == len({*_names(found)})
    matching = [each for each in store.list(namespace) if from_selector(each.spec.selector).matches(labels)]
    assert {*_names(matching)} <= {*_names(found)}
    assert {each.metadata.namespace for each in found} <= {namespace}
