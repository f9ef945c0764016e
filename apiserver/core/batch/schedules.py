"""When a CronJob runs: its schedule, and the time zone of it.

https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones
"""

from __future__ import annotations

import re
from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model import cron, time_zones
from machinery.model.errors import Cause

_ZONE_PART: Final = re.compile(r"[A-Za-z.\-_0-9+]{1,14}", re.ASCII)


def schedule_causes(own: Json, before: Json | None) -> list[Cause]:
    """Check the schedule; `before` is the spec that stands, if there is one: its time zone may stay in the schedule."""
    schedule, path = own.get("schedule", ""), "spec.schedule"
    if not schedule:
        return [field_errors.required(path)]
    found: list[Cause] = []
    try:
        cron.parse(schedule)
    except ValueError as error:
        found.append(field_errors.invalid(path, schedule, str(error)))
    if "TZ" not in schedule:
        return found
    if before is None or "TZ" not in before.get("schedule", ""):
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        found.append(field_errors.invalid(path, schedule, text))
    elif "timeZone" in own:
        text = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        found.append(field_errors.invalid(path, schedule, text))
    return found


def time_zone_causes(zone: str) -> list[Cause]:
    """Check the name of a time zone."""
    path = "spec.timeZone"
    if not zone:
        return [field_errors.invalid(path, zone, "timeZone must be nil or non-empty string")]
    if not all(map(_is_zone_part, zone.split("/"))):
        return [field_errors.invalid(path, zone, f"unknown time zone {zone}")]
    if zone.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        found = [field_errors.invalid(path, zone, text)]
        return found if zone == "Local" else [*found, *_unknown_causes(path, zone)]
    return _unknown_causes(path, zone)


def _unknown_causes(path: str, zone: str) -> list[Cause]:
    if zone in time_zones.NAMES:
        return []
    return [field_errors.invalid(path, zone, f"unknown time zone {zone}")]


def _is_zone_part(part: str) -> bool:
    return part not in {".", ".."} and not part.startswith("-") and _ZONE_PART.fullmatch(part) is not None
