"""Jobs.

https://kubernetes.io/docs/concepts/workloads/controllers/job/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import deletion, field_errors, workloads
from apiserver.core.batch import selectors
from apiserver.core.batch.failure_policy import default_failure_policy
from apiserver.core.batch.job_spec import INDEXED, job_spec_causes, job_spec_warnings
from apiserver.core.batch.job_status import job_status_causes
from apiserver.core.batch.job_update import job_update_causes
from apiserver.core.podspec.defaults import default_template
from apiserver.core.rules import Prepare, Rules, Validate, WriteContext, metadata_fields, with_old_status
from apiserver.core.table import batch as table
from apiserver.core.values import Json, metadata, spec
from machinery.model import names
from machinery.model.errors import Cause

_UNLIMITED: Final = 2**31 - 1


def _default(obj: Json) -> Json:
    own = obj.setdefault("spec", {})
    obj.setdefault("status", {})
    default_template(own.setdefault("template", {}))
    default_failure_policy(own)
    if "completions" not in own and "parallelism" not in own:
        own["completions"] = 1
    own.setdefault("parallelism", 1)
    own.setdefault("backoffLimit", _UNLIMITED if "backoffLimitPerIndex" in own else 6)
    own.setdefault("completionMode", "NonIndexed")
    own.setdefault("suspend", False)
    own.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in own else "TerminatingOrFailed")
    own.setdefault("manualSelector", False)
    return obj


def _with_labels(job: Json) -> Json:
    """Return a Job that has the labels of its pods, if it has none of its own."""
    meta, labels = metadata(job), metadata(spec(job)["template"]).get("labels")
    if meta.get("labels") or not labels:
        return job
    return {**job, "metadata": {**meta, "labels": labels}}


def _prepare_create(obj: Json, _context: WriteContext) -> Json:
    return _with_labels(selectors.with_selector({**obj, "status": {}}))


def _prepare_update(new: Json, old: Json, context: WriteContext) -> Json:
    return _with_labels(with_old_status(new, old, context))


def _validate(obj: Json, *, prefixed: bool = True) -> list[Cause]:
    own = spec(obj)
    return [
        *selectors.generated_causes(obj, prefixed=prefixed),
        *job_spec_causes(own, "spec"),
        *selectors.selector_causes(own),
        *_host_name_causes(obj),
    ]


def _host_name_causes(obj: Json) -> list[Cause]:
    """Check that the pods of the last index can have their name as their host's, too."""
    own, name = spec(obj), metadata(obj).get("name", "")
    if own.get("completionMode") != INDEXED or own.get("completions", 0) <= 0:
        return []
    host = f"{name}-{own['completions'] - 1}"
    if not names.dns_label_errors(host):
        return []
    text = f"will not able to create pod with invalid DNS label: {host}"
    return [field_errors.invalid("metadata.name", name, text)]


def _validate_update(new: Json, old: Json) -> list[Cause]:
    labels = metadata(spec(old).get("template") or {}).get("labels") or {}
    prefixed = selectors.NAME_LABEL in labels and selectors.UID_LABEL in labels
    return [*_validate(new, prefixed=prefixed), *job_update_causes(new, old)]


def _fields(obj: Json) -> dict[str, str]:
    return {**metadata_fields(obj), "status.successful": str((obj.get("status") or {}).get("succeeded", 0))}


def _warnings(new: Json, old: Json | None) -> tuple[str, ...]:
    found = job_spec_warnings(spec(new), "spec")
    if old is not None and metadata(new).get("generation") == metadata(old).get("generation"):
        found = ()
    return (*found, *workloads.warnings_of_named(new, old))


RULES: Final = Rules(
    default=_default,
    unbuilt=workloads.unbuilt,
    unenforced=workloads.unenforced,
    prepare=Prepare(create=_prepare_create, update=_prepare_update),
    validate=Validate(create=_validate, update=_validate_update, status=job_status_causes),
    counts_generation=True,
    plan_deletion=deletion.by_finalizers_orphaning,
    fields=_fields,
    unknown_field='field label "{label}" not supported for batchv1.Job',
    warnings=_warnings,
    table=table.JOBS,
)
