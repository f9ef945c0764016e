"""The language of rules, imported when the first rule comes by: a cluster without rules does not load it."""

from __future__ import annotations

from apiserver.core.custom.expressions import RuleProgram
from apiserver.core.custom.structural import Structural
from apiserver.core.custom.structure import subschemas
from apiserver.core.values import Json
from machinery.model.errors import Cause


def check_rules(schema: Json, path: str, *, known: bool = False) -> list[Cause]:
    """Find what is wrong with the expressions of a structural schema (`rules_check`)."""
    if not any(each.get("x-kubernetes-validations") for each in subschemas(schema)):
        return []
    from apiserver.core.custom import rules_check  # seldom needed

    return rules_check.check_rules(schema, path, known=known)


def compile_rule(text: str, schema: Structural, optional: bool) -> RuleProgram:  # noqa: FBT001 - a `CompileRule`
    """Compile an expression of a schema (`rule_programs`).

    Raises:
        ValueError: it is none.
    """
    from apiserver.core.custom import rule_programs  # seldom needed

    return rule_programs.compile_rule(text, schema, optional)
