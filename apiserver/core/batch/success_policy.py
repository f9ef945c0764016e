"""When a Job is done before all of its indexes are.

https://kubernetes.io/docs/concepts/workloads/controllers/job/#success-policy
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.batch import indexes
from apiserver.core.values import Json
from machinery.model.errors import Cause

_MOST_RULES: Final = 20
_LONGEST_BYTES: Final = 64 * 1024


def success_policy_causes(own: Json, path: str) -> list[Cause]:
    """Check the success policy of a Job's spec."""
    if "successPolicy" not in own:
        return []
    policy, path = own["successPolicy"], f"{path}.successPolicy"
    if own.get("completionMode") != "Indexed":
        return [field_errors.invalid(path, policy, "requires indexed completion mode")]
    rules = policy.get("rules") or []
    found: list[Cause] = []
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        found.append(field_errors.required(f"{path}.rules", text))
    if len(rules) > _MOST_RULES:
        found.append(field_errors.too_many(f"{path}.rules", len(rules), _MOST_RULES))
    completions = own.get("completions", 0)  # where it is not there, that is a fault of its own
    for index, rule in enumerate(rules):
        found += _rule_causes(rule, completions, f"{path}.rules[{index}]")
    return found


def _rule_causes(rule: Json, completions: int, path: str) -> list[Cause]:
    listed, wanted = rule.get("succeededIndexes"), rule.get("succeededCount")
    found: list[Cause] = []
    if listed is None and wanted is None:
        text = "at least one of succeededCount or succeededIndexes must be specified"
        return [field_errors.required(path, text)]
    total = 0
    if listed is not None:
        where = f"{path}.succeededIndexes"
        if len(listed.encode()) > _LONGEST_BYTES:
            found.append(field_errors.too_long(where, _LONGEST_BYTES))
        try:
            total = indexes.count(listed, completions)
        except ValueError as error:
            found.append(field_errors.invalid(where, listed, f"error parsing succeededIndexes: {error}"))
    if wanted is None:
        return found
    where = f"{path}.succeededCount"
    found += field_errors.not_negative(where, wanted)
    if wanted > completions:
        text = f"must be less than or equal to {completions} (the number of specified completions)"
        found.append(field_errors.invalid(where, wanted, text))
    if listed is not None and wanted > total:
        text = f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        found.append(field_errors.invalid(where, wanted, text))
    return found
