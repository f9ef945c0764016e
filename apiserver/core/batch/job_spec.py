"""The spec of a Job, of its own or in the template of a CronJob.

https://kubernetes.io/docs/concepts/workloads/controllers/job/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.batch.failure_policy import failure_policy_causes, replacement_causes
from apiserver.core.batch.success_policy import success_policy_causes
from apiserver.core.podspec.template import validate_template
from apiserver.core.references import domain_path_causes
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause

INDEXED: Final = "Indexed"
_MODES: Final = ["NonIndexed", INDEXED]
_MOST_PARALLEL: Final = 100_000
_MOST_FAILED: Final = 100_000
_MANY: Final = 100_000  # completions, above which failures and parallelism are bounded more tightly
_MOST_PARALLEL_OF_MANY: Final = 10_000
_MOST_FAILED_OF_MANY: Final = 10_000
_LONGEST_MANAGER: Final = 63
_NUMBERS: Final = (
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
)
_MANY_INDEXES: Final = 100_000
_MANY_AT_ONCE: Final = 10_000


def job_spec_causes(own: Json, path: str) -> list[Cause]:
    """Find what is wrong with a Job's spec, except for its selector."""
    return [
        *(cause for name in _NUMBERS for cause in field_errors.not_negative(f"{path}.{name}", own.get(name))),
        *_failure_limit_causes(own, path),
        *_manager_causes(own, f"{path}.managedBy"),
        *_mode_causes(own, path),
        *failure_policy_causes(own, path),
        *success_policy_causes(own, path),
        *replacement_causes(own, path),
        *validate_template(own["template"], f"{path}.template"),
        *_restart_causes(own, f"{path}.template.spec.restartPolicy"),
    ]


def _failure_limit_causes(own: Json, path: str) -> list[Cause]:
    if "maxFailedIndexes" in own and "backoffLimitPerIndex" not in own:
        text = "when maxFailedIndexes is specified"
        return [field_errors.required(f"{path}.backoffLimitPerIndex", text)]
    return []


def _manager_causes(own: Json, path: str) -> list[Cause]:
    if "managedBy" not in own:
        return []
    manager = own["managedBy"]
    found = domain_path_causes(manager, path)
    if len(manager.encode()) > _LONGEST_MANAGER:
        found.append(field_errors.too_long(path, _LONGEST_MANAGER))
    return found


def _mode_causes(own: Json, path: str) -> list[Cause]:
    mode = own.get("completionMode", "NonIndexed")
    if mode == INDEXED:
        return [*_indexed_causes(own, path), *_many_causes(own, path)]
    if mode != "NonIndexed":
        return [field_errors.not_supported(f"{path}.completionMode", mode, _MODES)]
    text = "requires indexed completion mode"
    return [
        field_errors.invalid(f"{path}.{name}", own[name], text)
        for name in ("backoffLimitPerIndex", "maxFailedIndexes")
        if name in own
    ]


def _indexed_causes(own: Json, path: str) -> list[Cause]:
    completions, failed = own.get("completions"), own.get("maxFailedIndexes", 0)
    found: list[Cause] = []
    if completions is None:
        found.append(field_errors.required(f"{path}.completions", "when completion mode is Indexed"))
    if (parallel := own.get("parallelism", 0)) > _MOST_PARALLEL:
        text = f"must be less than or equal to {_MOST_PARALLEL} when completion mode is Indexed"
        found.append(field_errors.invalid(f"{path}.parallelism", parallel, text))
    if completions is not None and failed > completions:
        text = "must be less than or equal to completions"
        found.append(field_errors.invalid(f"{path}.maxFailedIndexes", failed, text))
    if failed > _MOST_FAILED:
        text = f"must be less than or equal to {_MOST_FAILED}"
        found.append(field_errors.invalid(f"{path}.maxFailedIndexes", failed, text))
    return found


def _many_causes(own: Json, path: str) -> list[Cause]:
    """Check a Job of many indexes that counts the failures of each: its status has to list them."""
    if own.get("completions", 0) <= _MANY or "backoffLimitPerIndex" not in own:
        return []
    found: list[Cause] = []
    if "maxFailedIndexes" not in own:
        text = f"must be specified when completions is above {_MANY}"
        found.append(field_errors.required(f"{path}.maxFailedIndexes", text))
    for name, most in (("parallelism", _MOST_PARALLEL_OF_MANY), ("maxFailedIndexes", _MOST_FAILED_OF_MANY)):
        if (number := own.get(name, 0)) > most:
            text = (
                f"must be less than or equal to {most} when completions are above {_MANY} and used with backoff "
                "limit per index"
            )
            found.append(field_errors.invalid(f"{path}.{name}", number, text))
    return found


def _restart_causes(own: Json, path: str) -> list[Cause]:
    policy = spec(own["template"]).get("restartPolicy", "")
    if policy in {"", "Always"}:  # Always is the default of a pod: whoever says nothing has it
        return [field_errors.required(path, 'valid values: "OnFailure", "Never"')]
    if policy not in {"OnFailure", "Never"}:
        return [field_errors.not_supported(path, policy, ["OnFailure", "Never"])]
    if "podFailurePolicy" in own and policy != "Never":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        return [field_errors.invalid(path, policy, text)]
    return []


def job_spec_warnings(own: Json, path: str) -> tuple[str, ...]:
    """Return what to warn of in the spec of a Job: more indexes than can be kept track of."""
    completions, parallelism = own.get("completions", 0), own.get("parallelism", 0)
    if own.get("completionMode") != INDEXED or completions <= _MANY_INDEXES or parallelism <= _MANY_AT_ONCE:
        return ()
    text = (
        "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes "
        "might not be able to track completedIndexes when a big number of indexes fail"
    )
    return (f"{path}: {text}",)
