"""New objects by the rules of the write path: read strictly, defaulted, prepared and validated, as for a create."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from apiserver import schemas
from apiserver.core import writes
from apiserver.core.kind import Kind
from apiserver.core.rules import WriteContext
from apiserver.core.schema import Schemas
from machinery.model.checking import Answer, Checked, Question
from machinery.model.errors import ApiError, Invalid, NotImplementedHere

_MOMENT: Final = "2026-01-01T00:00:00Z"  # it is taken out again
_CONTEXT: Final = WriteContext(_MOMENT, uid="00000000-0000-0000-0000-000000000000", suffix="00000")


def answer(question: Question, kinds: Iterable[Kind]) -> Answer:
    """Check each object by itself, of these kinds."""
    found = {(kind.api_version, kind.kind): kind for kind in kinds}
    known = schemas.load().extensible()
    for kind in found.values():
        known.add(kind.definitions)
    return Answer([_checked(each, found.get, known) for each in question.objects])


def _checked(raw: Any, kind_of: Callable[[tuple[str, str]], Kind | None], known: Schemas) -> Checked:
    kind = kind_of((raw.get("apiVersion", ""), raw.get("kind", "")))
    if kind is None:
        return Checked()
    try:
        return Checked(_created(kind, raw, known))
    except NotImplementedHere as error:
        return Checked(raw, remark=str(error))
    except Invalid as error:
        return Checked(problems=[f"{each.field}: {each.message}" for each in error.causes] or [str(error)])
    except ApiError as error:
        return Checked(problems=[str(error)])


def _created(kind: Kind, raw: dict[str, Any], known: Schemas) -> dict[str, Any]:
    namespace = (raw.get("metadata") or {}).get("namespace", "") if kind.namespaced else ""
    read = writes.read(known, kind, raw, namespace=namespace, validation=writes.FieldValidation.STRICT)
    made = writes.prepare_create(kind, read.obj, _CONTEXT)
    writes.check_create(kind, made)
    meta = {key: value for key, value in made["metadata"].items() if key not in {"uid", "creationTimestamp"}}
    return {**made, "metadata": meta}
