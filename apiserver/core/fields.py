"""Field selectors: which labels a kind takes, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from apiserver.core.kind import Kind
from apiserver.core.rules import Rules
from machinery.model.errors import BadRequest
from machinery.model.selectors import FieldMatcher

_OF_EVERY_KIND: Final = frozenset({"metadata.name", "metadata.namespace"})
_USUAL: Final = '"{label}" is not a known field selector: only "metadata.name", "metadata.namespace"'
_UNUSUAL: Final = "field label not supported: {label}"


def selectable(kind: Kind, selector: FieldMatcher) -> FieldMatcher:
    """Return a field selector in the fields that objects of a kind have.

    Raises:
        BadRequest: it names one by which this kind cannot be selected; in Kubernetes' words.
    """
    rules = kind.rules
    if selector.keys <= rules.field_labels:
        return selector
    for label, _, _ in selector.requirements:
        if label not in rules.field_labels and label not in rules.field_aliases:
            raise BadRequest(_refusal(rules).format(label=label))
    return _translated(selector, rules.field_aliases)


def _refusal(rules: Rules) -> str:
    return rules.unknown_field or (_USUAL if rules.field_labels == _OF_EVERY_KIND else _UNUSUAL)


def _translated(selector: FieldMatcher, aliases: Mapping[str, str]) -> FieldMatcher:
    return FieldMatcher(
        tuple((aliases.get(label, label), wanted, value) for label, wanted, value in selector.requirements)
    )
