"""Which objects of a collection a list or a watch is about."""

from __future__ import annotations

from dataclasses import dataclass

from apiserver.core.fields import selectable
from apiserver.core.kind import Kind
from apiserver.objects import CachedObject, PackedObject
from machinery.model import selectors
from machinery.model.errors import BadRequest
from machinery.model.selector_text import parse_fields, parse_labels
from machinery.model.selectors import FieldMatcher, LabelMatcher

NAME_FIELD = "metadata.name"
NAMESPACE_FIELD = "metadata.namespace"

_NO_FIELDS = FieldMatcher()


@dataclass(frozen=True, slots=True)
class Selected:
    """A namespace ("" for all), a name ("" for all), and two matchers. Equal ones select the same objects."""

    namespace: str = ""
    labels: LabelMatcher = selectors.EVERYTHING
    fields: FieldMatcher = _NO_FIELDS

    @property
    def by_selectors(self) -> bool:
        """Whether more than the place of an object decides."""
        return bool(self.labels.requirements or self.fields.requirements)

    @property
    def terms(self) -> int:
        """How many comparisons it may take to see whether an object is selected."""
        return len(self.fields.requirements) + sum(
            max(1, len(each.values)) for each in self.labels.requirements
        )

    @property
    def name(self) -> str:
        """The name that every selected object has; "" where it may have any."""
        wanted = (value for key, equal, value in self.fields.requirements if equal and key == NAME_FIELD)
        return next(wanted, "")

    @property
    def trigger(self) -> tuple[str, str] | None:
        """A field and the value that it has in every selected object; None where there is no such field."""
        wanted = ((key, value) for key, equal, value in self.fields.requirements if equal)
        return next(wanted, (NAMESPACE_FIELD, self.namespace) if self.namespace else None)

    def matches(self, obj: CachedObject | PackedObject) -> bool:
        """Whether an object is selected."""
        if self.namespace and not obj.place.startswith(self.namespace + "/"):
            return False
        return self.labels.matches(obj.labels) and self.fields.matches(obj.fields)


def select(kind: Kind, namespace: str, label_selector: str, field_selector: str) -> Selected:
    """Read the selectors of a request.

    Raises:
        BadRequest: a selector cannot be read, or names a field that the kind has not.
    """
    try:
        labels, fields = parse_labels(label_selector), parse_fields(field_selector)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return Selected(namespace, labels, selectable(kind, fields))
