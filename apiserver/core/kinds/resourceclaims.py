"""ResourceClaims: that devices are asked for, and which ones were given.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
"""

from __future__ import annotations

import sys
from typing import Final

from apiserver.core import field_errors, ports
from apiserver.core.conditions import condition_causes
from apiserver.core.csi import driver_name_causes
from apiserver.core.devices import (
    MOST_CONFIGS,
    Requests,
    binding_causes,
    claim_causes,
    config_causes,
    default_claim,
    label_causes,
    list_causes,
    pool_name_causes,
    raw_causes,
    reference_causes,
    reference_list_causes,
    requests_of,
    set_causes,
    toleration_list_causes,
    uid_causes,
)
from apiserver.core.podspec.affinity import node_selector_causes
from apiserver.core.rules import (
    OWN_METADATA,
    Prepare,
    Rules,
    Validate,
    WriteContext,
    status_only,
    with_empty_status,
    with_old_status,
)
from apiserver.core.table import devices as table
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import Cause

_MOST_USERS: Final = 256
_MOST_RESULTS: Final = 32
_LONGEST_DATA: Final = 10 * 1024
_MOST_CONDITIONS: Final = 8
_MOST_ADDRESSES: Final = 16
_LONGEST_NAMES: Final = {"interfaceName": 256, "hardwareAddress": 128}
_SOURCES: Final = ["FromClass", "FromClaim"]


def _default(obj: Json) -> Json:
    default_claim(obj.setdefault("spec", {}))
    return obj


def _validate(obj: Json) -> list[Cause]:
    return claim_causes(spec(obj), "spec")


def _validate_update(new: Json, old: Json) -> list[Cause]:
    return field_errors.unchanged("spec", spec(new), spec(old))


def _prepare_status(new: Json, old: Json, context: WriteContext) -> Json:
    """Drop what drivers said of devices that the claim has no longer."""
    prepared = status_only(new, old, context)
    status = prepared.get("status") or {}
    gone = _results(old) - _results(prepared)
    kept = [each for each in status.get("devices") or [] if _device_of(each) not in gone]
    if not gone or len(kept) == len(status.get("devices") or []):
        return prepared
    left = {name: value for name, value in status.items() if name != "devices"}
    return {**prepared, "status": {**left, "devices": kept} if kept else left}


def _results(claim: Json) -> set[str]:
    """Return the devices that a claim has."""
    allocation = (claim.get("status") or {}).get("allocation") or {}
    return {_device_of(each) for each in (allocation.get("devices") or {}).get("results") or []}


def _validate_status(new: Json, old: Json) -> list[Cause]:
    status, before = new.get("status") or {}, old.get("status") or {}
    users, allocation = status.get("reservedFor") or [], status.get("allocation")
    found = set_causes(
        users, "status.reservedFor", _MOST_USERS, _user_causes, lambda each: each.get("uid", "")
    )
    results = ((allocation or {}).get("devices") or {}).get("results") or []
    given = {_device_of(each) for each in results}
    found += set_causes(
        status.get("devices") or [],
        "status.devices",
        sys.maxsize,
        lambda each, where: _device_causes(each, where, given),
        _device_of,
    )
    if users and allocation is None:
        text = "may not be specified when `allocated` is not set"
        found.append(field_errors.forbidden("status.reservedFor", text))
    elif metadata(new).get("deletionTimestamp") and [
        each for each in users if each not in (before.get("reservedFor") or [])
    ]:
        text = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
        found.append(field_errors.forbidden("status.reservedFor", text))
    if allocation is None:
        return found
    if before.get("allocation") is not None:
        return found + field_errors.unchanged("status.allocation", allocation, before["allocation"])
    return found + _allocation_causes(allocation, "status.allocation", requests_of(spec(old)))


def _user_causes(user: Json, path: str) -> list[Cause]:
    return [
        field_errors.required(f"{path}.{name}") for name in ("resource", "name", "uid") if not user.get(name)
    ]


def _device_of(result: Json) -> str:
    parts = [result.get(name, "") for name in ("driver", "pool", "device", "shareID")]
    return "/".join(part for part in parts if part)


def _device_causes(device: Json, path: str, given: set[str]) -> list[Cause]:
    found = driver_name_causes(device.get("driver", ""), f"{path}.driver")
    found += pool_name_causes(device.get("pool", ""), f"{path}.pool")
    found += label_causes(device.get("device", ""), f"{path}.device")
    found += _share_causes(device, path)
    if _device_of(device) not in given:
        text = "must be an allocated device in the claim"
        found.append(field_errors.invalid(path, _device_of(device), text))
    conditions = device.get("conditions") or []
    if len(conditions) > _MOST_CONDITIONS:
        found.append(field_errors.too_many(f"{path}.conditions", len(conditions), _MOST_CONDITIONS))
    found += condition_causes(conditions, f"{path}.conditions")
    if device.get("data") is not None:
        found += raw_causes(device["data"], f"{path}.data", _LONGEST_DATA)
    return found + _network_causes(device.get("networkData") or {}, f"{path}.networkData")


def _share_causes(device: Json, path: str) -> list[Cause]:
    """Check which share of a device is meant, where it is shared."""
    return uid_causes(device["shareID"], f"{path}.shareID") if "shareID" in device else []


def _network_causes(network: Json, path: str) -> list[Cause]:
    """Check the interface of a network device, and the addresses that it has."""
    found = [
        field_errors.too_long(f"{path}.{name}", longest)
        for name, longest in _LONGEST_NAMES.items()
        if len(network.get(name, "").encode()) > longest
    ]
    addresses, where = network.get("ips") or [], f"{path}.ips"
    if len(addresses) > _MOST_ADDRESSES:
        return [*found, field_errors.too_many(where, len(addresses), _MOST_ADDRESSES)]
    for index, each in enumerate(addresses):
        found += ports.interface_causes(f"{where}[{index}]", each)
    return found + [
        field_errors.duplicate(f"{where}[{index}]", addresses[index])
        for index in field_errors.repeated(addresses)
    ]


def _allocation_causes(allocation: Json, path: str, known: Requests) -> list[Cause]:
    devices = allocation.get("devices") or {}
    found = list_causes(
        devices.get("results") or [],
        f"{path}.devices.results",
        _MOST_RESULTS,
        lambda each, where: _result_causes(each, where, known),
    )
    found += list_causes(
        devices.get("config") or [],
        f"{path}.devices.config",
        2 * MOST_CONFIGS,
        lambda each, where: [
            *field_errors.required_one_of(f"{where}.source", each.get("source", ""), _SOURCES),
            *reference_list_causes(each.get("requests") or [], f"{where}.requests", known),
            *config_causes(each, where),
        ],
    )
    if "nodeSelector" in allocation:
        found += node_selector_causes(allocation["nodeSelector"], f"{path}.nodeSelector.nodeSelectorTerms")
    return found


def _result_causes(result: Json, path: str, known: Requests) -> list[Cause]:
    return [
        *reference_causes(result.get("request", ""), f"{path}.request", known),
        *driver_name_causes(result.get("driver", ""), f"{path}.driver"),
        *pool_name_causes(result.get("pool", ""), f"{path}.pool"),
        *label_causes(result.get("device", ""), f"{path}.device"),
        *binding_causes(result, path),
        *toleration_list_causes(result.get("tolerations") or [], f"{path}.tolerations"),
        *_share_causes(result, path),
    ]


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(create=with_empty_status, update=with_old_status, status=_prepare_status),
    validate=Validate(create=_validate, update=_validate_update, status=_validate_status),
    status_keeps=OWN_METADATA,
    table=table.RESOURCE_CLAIMS,
)
