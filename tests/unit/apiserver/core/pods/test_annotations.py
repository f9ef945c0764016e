"""Annotations that mean something to Kubernetes are checked like fields, and say where they mean nothing here."""

from __future__ import annotations

import pytest

from apiserver.core.kinds import KINDS
from apiserver.core.values import Json
from tests.support.pod_specs import complaints, created, deployment, pod, update_complaints

MIRROR = "kubernetes.io/config.mirror"
COST = "controller.kubernetes.io/pod-deletion-cost"
APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"


def annotated(annotations: dict[str, str], **spec: object) -> Json:
    """Return a pod with annotations."""
    obj = pod(**spec)
    obj["metadata"]["annotations"] = annotations
    return obj


@pytest.mark.parametrize("cost", ["0", "-5", "2147483647", "-2147483648"])
def test_a_deletion_cost_is_a_number(cost: str) -> None:
    """Of 32 bits."""
    assert complaints(annotated({COST: cost})) == []


def test_how_a_pod_was_made_stays() -> None:
    """Neither is added, changed or taken away."""
    old = created(annotated({MIRROR: "a", f"{APP_ARMOR}main": "unconfined"}, nodeName="n"))
    new = annotated({MIRROR: "b"}, nodeName="n")
    assert update_complaints(new, old) == [
        f"metadata.annotations[{APP_ARMOR}main]: Forbidden: may not remove or update AppArmor annotations",
        f"metadata.annotations[{MIRROR}]: Forbidden: may not remove or update mirror pod annotation",
    ]
    plain = created(pod(nodeName="n"))
    assert update_complaints(annotated({MIRROR: "b"}, nodeName="n"), plain) == [
        f"metadata.annotations[{MIRROR}]: Forbidden: may not add mirror pod annotation"
    ]


def test_a_profile_in_an_annotation_is_warned_of() -> None:
    """The field has taken its place."""
    annotations = {f"{APP_ARMOR}main": "localhost/deny"}
    text = f"[{APP_ARMOR}main] has no effect: use the field securityContext.appArmorProfile"
    found = KINDS["", "pods"].rules.unenforced(created(annotated(annotations)))
    assert found == (f"metadata.annotations{text}",)
    template = deployment()
    template["spec"]["template"]["metadata"]["annotations"] = annotations
    stored = created(template, "deployments", "apps")
    assert KINDS["apps", "deployments"].rules.unenforced(stored) == (
        f"spec.template.metadata.annotations{text}",
    )


@pytest.mark.parametrize("amount", ["0", "3Mi", "1"])
def test_huge_pages_are_pages(amount: str) -> None:
    """An amount between two pages is none."""
    limits = {"cpu": "1", "hugepages-2Mi": amount}
    said = complaints(pod(container={"resources": {"limits": limits, "requests": limits}}))
    text = f'"{amount}": {amount} is not positive integer multiple of hugepages-2Mi'
    where = "spec.containers[0].resources"
    expected = [f"{where}.{each}[hugepages-2Mi]: Invalid value: {text}" for each in ("limits", "requests")]
    assert said == ([] if amount == "0" else expected)
