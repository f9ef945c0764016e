"""IPAddresses: that an address of the cluster's Services is taken, and by what.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/ip-address-v1/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, ports
from apiserver.core.references import segment_causes
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import network as table
from apiserver.core.values import Json, spec
from machinery.model import names
from machinery.model.errors import Cause


def _validate(obj: Json) -> list[Cause]:
    own, path = spec(obj), "spec.parentRef"
    if "parentRef" not in own:
        return [field_errors.required(path)]
    reference = own["parentRef"]
    group, namespace = reference.get("group", ""), reference.get("namespace", "")
    found: list[Cause] = []
    if group:
        found += field_errors.each_invalid(f"{path}.group", group, names.dns_subdomain_errors(group))
    for field in ("resource", "name"):
        found += segment_causes(reference, path, field=field)
    errors = names.path_segment_errors(namespace)
    return found + field_errors.each_invalid(f"{path}.namespace", namespace, errors)


def _validate_update(new: Json, old: Json) -> list[Cause]:
    references = spec(new).get("parentRef"), spec(old).get("parentRef")
    return field_errors.unchanged("spec.parentRef", *references)


RULES: Final = Rules(
    name_errors=ports.exact_address_errors,
    validate=Validate(create=_validate, update=_validate_update),
    table=table.IP_ADDRESSES,
)
