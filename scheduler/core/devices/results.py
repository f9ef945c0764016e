"""What is written into a claim that has got its devices: the devices, their configuration, the nodes that have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from machinery.model.k8s.core_v1 import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from machinery.model.k8s.resource_v1 import (
    AllocationResult,
    DeviceAllocationConfiguration,
    DeviceAllocationResult,
    DeviceClass,
    DeviceRequestAllocationResult,
    ResourceClaimSpec,
)
from scheduler.core.devices.allocator import Given

_FROM_CLASS = "FromClass"
_FROM_CLAIM = "FromClaim"


def allocation_of(
    spec: ResourceClaimSpec, given: Sequence[Given], classes: Mapping[str, DeviceClass]
) -> AllocationResult:
    """Return what a claim has got."""
    results = [_result(each) for each in given]
    config = [*_from_classes(given, classes), *_from_claim(spec, given)]
    requests = spec.devices.requests if spec.devices else []
    config = [_for_all(each) if len(each.requests) == len(requests) else each for each in config]
    devices = DeviceAllocationResult(results=results, config=config)
    return AllocationResult(devices=devices, nodeSelector=_node_selector(given))


def _result(given: Given) -> DeviceRequestAllocationResult:
    id_ = given.device.id
    return DeviceRequestAllocationResult(
        request=given.asked.name,
        driver=id_.driver,
        pool=id_.pool,
        device=id_.device,
        adminAccess=True if given.asked.is_admin else None,
        tolerations=list(given.asked.tolerations),
    )


def _from_classes(
    given: Sequence[Given], classes: Mapping[str, DeviceClass]
) -> Iterator[DeviceAllocationConfiguration]:
    """Yield the configuration of each class once, for all requests that are of the class."""
    requests: dict[str, dict[str, None]] = {}
    for each in given:
        requests.setdefault(each.asked.class_name, {})[each.asked.name] = None
    for class_name, names in requests.items():
        for config in classes[class_name].spec.config:
            yield DeviceAllocationConfiguration(
                source=_FROM_CLASS, requests=list(names), opaque=config.opaque
            )


def _from_claim(spec: ResourceClaimSpec, given: Sequence[Given]) -> Iterator[DeviceAllocationConfiguration]:
    """Yield the claim's configuration, except for what is meant for alternatives that were not chosen."""
    chosen = {each.asked.name for each in given} | {each.asked.name.partition("/")[0] for each in given}
    for config in spec.devices.config if spec.devices else ():
        if not config.requests or not chosen.isdisjoint(config.requests):
            yield DeviceAllocationConfiguration(
                source=_FROM_CLAIM, requests=config.requests, opaque=config.opaque
            )


def _for_all(config: DeviceAllocationConfiguration) -> DeviceAllocationConfiguration:
    """Say of a configuration that it is for all requests: it names none."""
    return DeviceAllocationConfiguration(source=config.source, opaque=config.opaque)


def _node_selector(given: Sequence[Given]) -> NodeSelector | None:
    """Return the nodes that have all devices; None: every node has them."""
    fields: list[NodeSelectorRequirement] = []
    labels: list[NodeSelectorRequirement] = []
    for each in given:
        place = each.device.place
        if place.node:
            name = NodeSelectorRequirement(key="metadata.name", operator="In", values=[place.node])
            return NodeSelector(nodeSelectorTerms=[NodeSelectorTerm(matchFields=[name])])
        for term in (place.selector.nodeSelectorTerms if place.selector else [])[:1]:
            fields += [one for one in term.matchFields if one not in fields]
            labels += [one for one in term.matchExpressions if one not in labels]
    if not fields and not labels:
        return None
    return NodeSelector(nodeSelectorTerms=[NodeSelectorTerm(matchFields=fields, matchExpressions=labels)])
