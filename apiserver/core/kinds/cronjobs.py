"""CronJobs.

https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, workloads
from apiserver.core.batch.failure_policy import default_failure_policy
from apiserver.core.batch.job_spec import job_spec_causes, job_spec_warnings
from apiserver.core.batch.schedules import schedule_causes, time_zone_causes
from apiserver.core.podspec.defaults import default_template
from apiserver.core.podspec.warnings import name_warnings, template_warnings
from apiserver.core.rules import Prepare, Rules, Validate, with_old_status
from apiserver.core.table import batch as table
from apiserver.core.values import Json, metadata, spec
from machinery.model import names
from machinery.model.errors import Cause

_LONGEST_NAME: Final = 52  # its Jobs are called like it, with eleven characters more
_POLICIES: Final = ["Allow", "Forbid", "Replace"]
_JOB: Final = "spec.jobTemplate.spec"


def job_of(obj: Json) -> Json:
    """Return the spec of the Jobs that a CronJob makes."""
    return spec(spec(obj).get("jobTemplate") or {})


def _default(obj: Json) -> Json:
    own = obj.setdefault("spec", {})
    obj.setdefault("status", {})
    job = own.setdefault("jobTemplate", {}).setdefault("spec", {})
    default_template(job.setdefault("template", {}))
    default_failure_policy(job)
    own.setdefault("concurrencyPolicy", "Allow")
    own.setdefault("suspend", False)
    own.setdefault("successfulJobsHistoryLimit", 3)
    own.setdefault("failedJobsHistoryLimit", 1)
    return obj


def _unbuilt(obj: Json) -> str:
    return workloads.unbuilt_in_template(job_of(obj).get("template") or {}, f"{_JOB}.template")


def _unenforced(obj: Json) -> tuple[str, ...]:
    return workloads.unenforced_in_template(job_of(obj).get("template") or {}, f"{_JOB}.template")


def _validate(obj: Json) -> list[Cause]:
    found = _spec_causes(spec(obj), None)
    if len(name := metadata(obj).get("name", "")) > _LONGEST_NAME:
        text = f"must be no more than {_LONGEST_NAME} characters"
        found.append(field_errors.invalid("metadata.name", name, text))
    return found


def _spec_causes(own: Json, before: Json | None) -> list[Cause]:
    found = schedule_causes(own, before)
    found += field_errors.not_negative("spec.startingDeadlineSeconds", own.get("startingDeadlineSeconds"))
    zone = own.get("timeZone")
    if zone is not None and (before is None or zone != before.get("timeZone")):
        found += time_zone_causes(zone)
    found += field_errors.one_of("spec.concurrencyPolicy", own["concurrencyPolicy"], _POLICIES)
    found += _job_causes(spec(own["jobTemplate"]))
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        found += field_errors.not_negative(f"spec.{name}", own.get(name))
    return found


def _job_causes(job: Json) -> list[Cause]:
    found = job_spec_causes(job, _JOB)
    if "selector" in job:
        text = "`selector` will be auto-generated"
        found.append(field_errors.invalid(f"{_JOB}.selector", job["selector"], text))
    if job.get("manualSelector"):
        found.append(
            field_errors.not_supported(f"{_JOB}.manualSelector", value=True, supported=["nil", "false"])
        )
    return found


def _warnings(new: Json, old: Json | None) -> tuple[str, ...]:
    found: tuple[str, ...] = ()
    if old is None:
        found = name_warnings(names.dns_label_errors(metadata(new)["name"]), workloads.POD_NAMES)
    if old is None or metadata(new).get("generation") != metadata(old).get("generation"):
        found += job_spec_warnings(job_of(new), _JOB)
        found += template_warnings(job_of(new).get("template") or {}, f"{_JOB}.template")
    if "TZ" in spec(new).get("schedule", ""):
        found += ("cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead",)
    return found


RULES: Final = Rules(
    default=_default,
    unbuilt=_unbuilt,
    unenforced=_unenforced,
    prepare=Prepare(create=workloads.as_created, update=with_old_status),
    validate=Validate(create=_validate, update=lambda new, old: _spec_causes(spec(new), spec(old))),
    counts_generation=True,
    warnings=_warnings,
    table=table.CRON_JOBS,
)
