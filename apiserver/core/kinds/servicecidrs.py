"""ServiceCIDRs: the ranges that Services have their addresses from.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/service-cidr-v1/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, ports
from apiserver.core.rules import OWN_METADATA, Prepare, Rules, Validate, with_empty_status, with_old_status
from apiserver.core.table import network as table
from apiserver.core.values import Json, spec
from machinery.model.errors import Cause

_PATH: Final = "spec.cidrs"


def _validate(obj: Json) -> list[Cause]:
    ranges = spec(obj).get("cidrs") or []
    if not ranges:
        return [field_errors.required(_PATH, "at least one CIDR required")]
    if len(ranges) > 2:
        return [field_errors.invalid(_PATH, spec(obj), "may only hold up to 2 values")]
    found = [
        cause
        for index, each in enumerate(ranges)
        for cause in field_errors.each_invalid(f"{_PATH}[{index}]", each, ports.exact_range_errors(each))
    ]
    families = [ports.is_range(each, "IPv4") for each in ranges if ports.is_range(each)]
    if len(families) == 2 and families[0] == families[1]:
        text = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        found.append(field_errors.invalid(_PATH, ranges, text))
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    """Check a change: a range of the other family may be added, and that is all."""
    ranges, before = spec(new).get("cidrs") or [], spec(old).get("cidrs") or []
    if len(ranges) != len(before) and (len(before), len(ranges)) != (1, 2):
        return field_errors.unchanged(_PATH, ranges, before)
    found = [
        cause
        for index, was in enumerate(before)
        for cause in field_errors.unchanged(f"{_PATH}[{index}]", ranges[index], was)
    ]
    return found if len(ranges) == len(before) else found + _validate(new)


RULES: Final = Rules(
    prepare=Prepare(create=with_empty_status, update=with_old_status),
    validate=Validate(create=_validate, update=_validate_update),
    status_keeps=OWN_METADATA,
    table=table.SERVICE_CIDRS,
)
