"""Field selectors: which labels a kind takes."""

from __future__ import annotations

from collections.abc import Iterable

from apiserver.core.kind import Kind
from machinery.model.errors import BadRequest


def check_field_labels(kind: Kind, labels: Iterable[str]) -> None:
    """Refuse a field selector that names a field by which this kind cannot be selected.

    Raises:
        BadRequest: it does; in Kubernetes' words.
    """
    for label in labels:
        if label in kind.rules.field_labels:
            continue
        if len(kind.rules.field_labels) > 2:
            raise BadRequest(f"field label not supported: {label}")
        raise BadRequest(
            f'"{label}" is not a known field selector: only "metadata.name", "metadata.namespace"',
        )
