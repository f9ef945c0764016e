"""Labels as keys."""

from __future__ import annotations


class LabelSet:
    """Labels in a namespace, as a key that is cheap to look up: pods of one template share it."""

    __slots__ = ("_content", "_hash", "labels", "namespace")

    def __init__(self, namespace: str, labels: dict[str, str]) -> None:
        self.namespace = namespace
        self.labels = labels
        self._content = (namespace, frozenset(labels.items()))
        self._hash = hash(self._content)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, LabelSet) and self._content == other._content)
