"""What a pod's status may say, and what of it a write keeps."""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, ports
from apiserver.core.podspec.defaults import containers
from apiserver.core.podspec.device_claims import claim_status_causes
from apiserver.core.podspec.restart_rules import all_may_restart, may_run_again
from apiserver.core.values import Json, spec
from machinery.model import names
from machinery.model.errors import Cause

_SYSTEM_CONDITIONS: Final = frozenset({"Initialized", "PodScheduled", "Ready"})


def with_both_addresses(status: Json) -> None:
    """Fill in podIP from podIPs, or the other way round; owns `status`."""
    address, addresses = status.get("podIP"), status.get("podIPs")
    if address and (not addresses or addresses[0].get("ip") != address):
        status["podIPs"] = [{"ip": address}]
    elif addresses and not address:
        status["podIP"] = addresses[0].get("ip", "")


def status_to_store(new: Json, old: Json) -> Json:
    """Return the status of a write with what it may not take back: the QoS class, and what was observed."""
    result, before = dict(new), old
    if not result.get("qosClass") and before.get("qosClass"):
        result["qosClass"] = before["qosClass"]
    if not result.get("observedGeneration") and before.get("observedGeneration"):
        result["observedGeneration"] = before["observedGeneration"]
    if conditions := result.get("conditions"):
        known = {each.get("type"): each for each in reversed(before.get("conditions") or [])}
        result["conditions"] = [_observed(each, known.get(each.get("type")) or {}) for each in conditions]
    return result


def _observed(condition: Json, before: Json) -> Json:
    if condition.get("observedGeneration") or not before.get("observedGeneration"):
        return condition
    return {**condition, "observedGeneration": before["observedGeneration"]}


def status_causes(new: Json, old: Json) -> list[Cause]:
    """Find what is wrong with a pod's new status."""
    after, before = new.get("status") or {}, old.get("status") or {}
    found = _condition_causes(after.get("conditions") or [])
    nominated = after.get("nominatedNodeName", "")
    if nominated and nominated != before.get("nominatedNodeName"):
        errors = names.dns_subdomain_errors(nominated)
        found += field_errors.each_invalid("status.nominatedNodeName", nominated, errors)
    found += field_errors.unchanged("status.qosClass", after.get("qosClass", ""), before.get("qosClass", ""))
    found += _transition_causes(after, before, spec(old))
    claims, path = spec(old).get("resourceClaims") or [], "status.resourceClaimStatuses"
    found += claim_status_causes(after.get("resourceClaimStatuses") or [], claims, path)
    return [*found, *_address_causes(after, "pod"), *_address_causes(after, "host")]


def _condition_causes(conditions: list[Json]) -> list[Cause]:
    found: list[Cause] = []
    for index, condition in enumerate(conditions):
        type_ = condition.get("type", "")
        if type_ not in _SYSTEM_CONDITIONS:
            errors = names.label_key_errors(type_)
            found += field_errors.each_invalid(f"status.conditions[{index}].type", type_, errors)
    return found


def _transition_causes(after: Json, before: Json, pod_spec: Json) -> list[Cause]:
    """Find containers that run again although they have ended for good."""
    policy = pod_spec.get("restartPolicy", "Always")
    declared = {each.get("name"): each for each in containers(pod_spec)}
    found: list[Cause] = []
    if all_may_restart(declared.values()):
        return found
    for field in ("containerStatuses", "initContainerStatuses"):
        alive = {each.get("name") for each in after.get(field) or [] if not _ended(each)}
        for index, each in enumerate(before.get(field) or []):
            ended, name = _ended(each), each.get("name")
            if not ended or name not in alive:
                continue
            if not may_run_again(declared.get(name) or {}, policy, ended.get("exitCode", 0)):
                text = "may not be transitioned to non-terminated state"
                found.append(field_errors.forbidden(f"status.{field}[{index}].state", text))
    return found


def _ended(status: Json) -> Json | None:
    return (status.get("state") or {}).get("terminated")


def _address_causes(status: Json, whose: str) -> list[Cause]:
    path = f"status.{whose}IPs"
    addresses = [each.get("ip", "") for each in status.get(f"{whose}IPs") or []]
    found: list[Cause] = []
    if whose == "host" and addresses and status.get("hostIP", "") != addresses[0]:
        found.append(field_errors.invalid(f"{path}[0].ip", addresses[0], "must be equal to `hostIP`"))
    for index, address in enumerate(addresses):
        found += ports.address_causes(f"{path}[{index}]", address)
    for index in field_errors.repeated(addresses):
        found.append(field_errors.duplicate(f"{path}[{index}]", {"ip": addresses[index]}))
    families = [":" in address for address in addresses]
    if len(set(families)) != len(families):
        text = "may specify no more than one IP for each IP family"
        found.append(field_errors.invalid(path, addresses, text))
    return found
