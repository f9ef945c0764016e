"""Plan for one pod: a claim for each of its ephemeral volumes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from controllers.core.actions import (
    NO_FACTS,
    NOTHING_TO_DO,
    WARNING,
    Action,
    Create,
    Facts,
    Plan,
    RecordEvent,
    event,
)
from controllers.core.moment import Moment
from machinery.model.k8s.core_v1 import (
    PersistentVolumeClaim,
    PersistentVolumeClaimTemplate,
    Pod,
    Volume,
)
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.owners import is_controlled_by, owner_reference
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS
from machinery.model.storage import ephemeral_claim


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    pod: Pod
    claims: Mapping[str, ObjectMeta]  # of the names that its ephemeral volumes have


def plan(seen: Seen, _moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan for a pod, up to the first volume whose claim is another's."""
    if seen.pod.metadata.deletionTimestamp:
        return NOTHING_TO_DO
    return Plan(tuple(_actions(seen)))


def _actions(seen: Seen) -> Iterator[Action]:
    pod = seen.pod
    for volume in pod.spec.volumes:
        template = volume.ephemeral.volumeClaimTemplate if volume.ephemeral else None
        if template is None:
            continue
        name = ephemeral_claim(pod.metadata.name, volume.name)
        there = seen.claims.get(name)
        if there is None:
            failed = _failed(pod, volume, f"create PVC {name}: {{error}}")
            yield Create(PERSISTENT_VOLUME_CLAIMS, _claim(pod, name, template), on_failure=failed)
        elif not is_controlled_by(there, pod):
            where, whom = pod.metadata.namespace, pod.metadata.name
            yield _failed(
                pod, volume, f"PVC {where}/{name} was not created for pod {where}/{whom} (pod is not owner)"
            )
            return


def _claim(pod: Pod, name: str, template: PersistentVolumeClaimTemplate) -> PersistentVolumeClaim:
    meta = ObjectMeta(
        name=name,
        namespace=pod.metadata.namespace,
        labels=template.metadata.labels,
        annotations=template.metadata.annotations,
        ownerReferences=[owner_reference(pod)],
    )
    return PersistentVolumeClaim(metadata=meta, spec=template.spec)


def _failed(pod: Pod, volume: Volume, why: str) -> RecordEvent:
    return event(pod, WARNING, "FailedBinding", f"ephemeral volume {volume.name}: {why}")
