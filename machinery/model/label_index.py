"""Index entries for labels and selectors: who may match whom is found without a look at all the others.

An entry is a namespace with one label. An object stands under the entry of each of its labels; a selector looks under
those that it pins to values (`objects_for`), or stands there itself and is looked for from an object (`selectors_for`).
What comes back are candidates: who asks still compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from machinery.model.resources import KubeObject
from machinery.model.selectors import IN, LabelMatcher
from machinery.model.store import Objects, Store

T = TypeVar("T", bound=KubeObject)


def label_entries(namespace: str, labels: Mapping[str, str]) -> list[str]:
    """Return the entries that an object stands under: one for each label, and one for its namespace."""
    return [f"{namespace}/", *(_entry(namespace, key, value) for key, value in labels.items())]


def selector_entries(namespace: str, matcher: LabelMatcher) -> Iterable[str]:
    """Return the entries that a selector stands under, none for one that matches nothing.

    They are the values of one label: of the one with the longest text, which fewest others are likely to share; the
    namespace's for a selector that pins no label to values.
    """
    if matcher.nothing:
        return ()
    choices = _pinned(namespace, matcher)
    return max(choices, key=lambda entries: (-len(entries), *map(len, entries)), default=[f"{namespace}/"])


def objects_for(store: Store[T], index: str, namespace: str, matcher: LabelMatcher) -> Objects[T]:
    """Return the objects that a selector may match, from an index of `label_entries`."""
    if matcher.nothing:
        return []
    choices = _pinned(namespace, matcher) or [[f"{namespace}/"]]
    fewest = min(choices, key=lambda entries: sum(store.count(index, entry) for entry in entries))
    return [obj for entry in fewest for obj in store.by_index(index, entry)]


def selectors_for(store: Store[T], index: str, namespace: str, labels: Mapping[str, str]) -> Objects[T]:
    """Return the objects whose selector may match labels, from an index of `selector_entries`."""
    return [obj for entry in label_entries(namespace, labels) for obj in store.by_index(index, entry)]


def _pinned(namespace: str, matcher: LabelMatcher) -> list[list[str]]:
    """Return the entries of each label that has to have one of some values."""
    return [
        [_entry(namespace, each.key, value) for value in dict.fromkeys(each.values)]
        for each in matcher.requirements
        if each.operator == IN
    ]


def _entry(namespace: str, key: str, value: str) -> str:
    return f"{namespace}/{key}={value}"
