"""Who a pod of a StatefulSet is: its ordinal, its names, and what it is made of.

https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Any, Final

from controllers.core.revisions import REVISION_LABEL
from controllers.core.workloads import NewPod, StatefulSet, Template, template_labels
from machinery.model.k8s.core_v1 import Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.owners import owner_reference

POD_NAME_LABEL: Final = "statefulset.kubernetes.io/pod-name"
POD_INDEX_LABEL: Final = "apps.kubernetes.io/pod-index"
BURST: Final = 500  # places without a pod that are looked at together


def pod_name(owner: StatefulSet, ordinal: int) -> str:
    """Return the name of the pod with an ordinal."""
    return f"{owner.metadata.name}-{ordinal}"


def set_name(pod: str) -> str:
    """Return the name of the StatefulSet that a pod's name belongs to, "" for a name that has no ordinal."""
    parent, _, ordinal = pod.rpartition("-")
    return parent if _is_ordinal(ordinal) else ""


def ordinal_of(owner: StatefulSet, name: str) -> int | None:
    """Return the ordinal of a pod, None for a name that the StatefulSet does not give."""
    start = len(owner.metadata.name)
    ordinal = name[start + 1 :]
    if not ordinal.isdigit() or name[start] != "-" or not name.startswith(owner.metadata.name):
        return None
    return int(ordinal) if _is_ordinal(ordinal) else None


def ordinals(owner: StatefulSet) -> range:
    """Return the ordinals of the pods that there are to be."""
    start = owner.spec.ordinals.start or 0
    return range(start, start + owner.spec.replicas)


def ordinals_to_fill(owner: StatefulSet, held: Collection[int]) -> list[int]:
    """Return the ordinals that a plan is about: those that have pods, and the lowest that have none, so many at a time.

    Somebody may ask for two billion pods.
    """
    wanted = ordinals(owner)
    empty = islice((ordinal for ordinal in wanted if ordinal not in held), BURST)
    return sorted({*empty, *(ordinal for ordinal in held if ordinal in wanted)})


def claim_name(owner: StatefulSet, template: Template, ordinal: int) -> str:
    """Return the name of a pod's claim of a template."""
    return f"{template_name(template)}-{pod_name(owner, ordinal)}"


def template_name(template: Template) -> str:
    """Return the name of a claim template: that of the volume in the pod."""
    return str((template.get("metadata") or {}).get("name", ""))


def identity_labels(name: str) -> dict[str, str]:
    """Return the labels that say which pod of its StatefulSet one is."""
    return {POD_NAME_LABEL: name, POD_INDEX_LABEL: name.rpartition("-")[2]}


def has_identity(pod: Pod) -> bool:
    """Whether a pod has the labels that say which one it is."""
    labels, name = pod.metadata.labels, pod.metadata.name
    return labels.get(POD_NAME_LABEL) == name and labels.get(POD_INDEX_LABEL) == name[name.rfind("-") + 1 :]


def revision_of(pod: Pod) -> str:
    """Return the name of the revision that a pod was made of, "" where it does not say."""
    return pod.metadata.labels.get(REVISION_LABEL, "")


def pod_of(owner: StatefulSet, template: Template, revision: str, ordinal: int) -> NewPod:
    """Write the pod of an ordinal: as the template says, with its identity and its claims."""
    name, metadata = pod_name(owner, ordinal), template.get("metadata") or {}
    return NewPod(
        metadata=ObjectMeta(
            name=name,
            generateName=f"{owner.metadata.name}-",
            namespace=owner.metadata.namespace,
            labels=template_labels(template) | identity_labels(name) | {REVISION_LABEL: revision},
            annotations=dict(metadata.get("annotations") or {}),
            finalizers=list(metadata.get("finalizers") or []),
            ownerReferences=[owner_reference(owner)],
        ),
        spec=_pod_spec(owner, template.get("spec") or {}, ordinal),
    )


def _pod_spec(owner: StatefulSet, spec: Template, ordinal: int) -> dict[str, Any]:
    claims = {
        template_name(template): claim_name(owner, template, ordinal)
        for template in owner.spec.volumeClaimTemplates
    }
    claimed = [
        {"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in claims.items()
    ]
    others = [volume for volume in spec.get("volumes") or [] if volume.get("name") not in claims]
    named = {"hostname": pod_name(owner, ordinal)}
    if owner.spec.serviceName:
        named["subdomain"] = owner.spec.serviceName
    without = {key: value for key, value in spec.items() if key not in {"volumes", "subdomain"}}
    return without | named | ({"volumes": [*claimed, *others]} if claimed or others else {})


def _is_ordinal(text: str) -> bool:
    """Whether a text is a number as it is written: "7", not "07"."""
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")
