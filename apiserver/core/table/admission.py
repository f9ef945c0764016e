"""Webhooks and policies of admission."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import AGE, NAME, Cells, Column, Moment, Table, age, name, selector_text
from apiserver.core.values import Json, spec

_UNSET: Final = "<unset>"


def _webhooks(obj: Json, moment: Moment) -> Cells:
    return [name(obj), len(obj.get("webhooks") or ()), age(obj, moment)]


def _validating(obj: Json, moment: Moment) -> Cells:
    return [name(obj), len(spec(obj).get("validations") or ()), _param_kind(obj), age(obj, moment)]


def _mutating(obj: Json, moment: Moment) -> Cells:
    return [name(obj), len(spec(obj).get("mutations") or ()), _param_kind(obj), age(obj, moment)]


def _param_kind(obj: Json) -> str:
    kind = spec(obj).get("paramKind")
    return _UNSET if kind is None else f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}"


def _binding(obj: Json, moment: Moment) -> Cells:
    own = spec(obj)
    return [name(obj), own.get("policyName", ""), _param(own.get("paramRef")), age(obj, moment)]


def _param(reference: Json | None) -> str:
    if reference and reference.get("name"):
        return f"{reference.get('namespace') or '*'}/{reference['name']}"
    if reference and reference.get("selector") is not None:
        return selector_text(reference["selector"])
    return _UNSET


_WEBHOOK_COLUMNS: Final = (
    NAME,
    Column("Webhooks", "integer", description="How many webhooks there are."),
    AGE,
)
_PARAM_KIND: Final = Column("ParamKind", description="The kind of its parameters.")

VALIDATING_WEBHOOK_CONFIGURATIONS: Final = Table(_WEBHOOK_COLUMNS, _webhooks)
MUTATING_WEBHOOK_CONFIGURATIONS: Final = Table(_WEBHOOK_COLUMNS, _webhooks)
VALIDATING_ADMISSION_POLICIES: Final = Table(
    (NAME, Column("Validations", "integer", description="How many rules it has."), _PARAM_KIND, AGE),
    _validating,
)
MUTATING_ADMISSION_POLICIES: Final = Table(
    (NAME, Column("Mutations", "integer", description="How many changes it makes."), _PARAM_KIND, AGE),
    _mutating,
)
POLICY_BINDINGS: Final = Table(
    (
        NAME,
        Column("PolicyName", description="The policy that it binds."),
        Column("ParamRef", description="The parameters of the policy."),
        AGE,
    ),
    _binding,
)
