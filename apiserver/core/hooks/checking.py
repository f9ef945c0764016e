"""Whether expressions of webhooks and policies compile, before they are stored."""

from __future__ import annotations

from typing import Final

from apiserver.core.match_rules import Expression

_RESULTS: Final = {
    "bool": (("bool",), "must evaluate to bool"),
    "string": (("string",), "must evaluate to string"),
    "annotation": (("string", "null_type"), "must evaluate to one of [string null_type]"),
    "applyConfiguration": (("Object",), "must evaluate to Object"),
    "jsonPatch": (("list(JSONPatch)", "list(dyn)"), "must evaluate to list(JSONPatch)"),
}


def check_expression(expression: Expression) -> str:
    """Return what keeps an expression from being compiled, or from being what is asked for; "" where nothing does."""
    from apiserver.core.hooks import policies

    mutates = expression.returns in {"applyConfiguration", "jsonPatch"}
    environment, _ = policies.environments(
        expression.variables, has_params=expression.has_params, mutates=mutates
    )
    if not expression.has_authorizer:
        environment = policies.without_authorizer(environment)
    found = policies.compiled(expression.text, environment)
    if found.program is None:
        return f"compilation failed: {found.problem}"
    types, problem = _RESULTS.get(expression.returns, ((), ""))
    return "" if str(found.program.type) in types else problem
