"""Why the claim of a pod gives it no volume, in the words of Kubernetes' kubelet."""

from __future__ import annotations

from typing import Any

import pytest

from kubelet.core import claims
from machinery.model.k8s.core_v1 import (
    EphemeralVolumeSource,
    PersistentVolumeClaimVolumeSource,
    Volume,
    VolumeDevice,
    VolumeMount,
)
from machinery.model.k8s.meta_v1 import OwnerReference
from tests.support.builders import container, pod
from tests.support.claims import bound, claim, volume

NAMED = Volume(name="data", persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName="data"))
MADE = Volume(name="scratch", ephemeral=EphemeralVolumeSource())
OWNER = OwnerReference(apiVersion="v1", kind="Pod", name="web", uid="uid-default-web", controller=True)
OTHERS = "PVC default/data was not created for pod default/web (pod is not owner)"


@pytest.mark.parametrize(
    ("source", "found", "problem"),
    [
        (NAMED, bound(claim(), "pv"), ""),
        (NAMED, claim(), "PVC is not bound"),
        (NAMED, claim(phase="Lost"), "PVC is not bound"),
        (NAMED, claim(phase="Bound"), "PVC has empty pvc.Spec.VolumeName"),
        (NAMED, bound(claim(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), "pv"), "PVC is being deleted"),
        (MADE, bound(claim(), "pv"), OTHERS),
        (MADE, bound(claim(metadata={"ownerReferences": [OWNER]}), "pv"), ""),
    ],
)  # fmt: skip
def test_a_claim_gives_a_volume_or_says_why_not(source: Volume, found: Any, problem: str):
    """Only a bound one that is not being deleted, and, if it is made for a pod, is this pod's."""
    assert claims.claim_problem(pod(), source, found) == problem


def test_a_volume_is_the_claims_that_it_refers_to():
    """A volume that refers to nobody, or to an earlier claim of the name, is not the claim's."""
    own = claim()
    assert claims.binding_problem(own, volume(of=own)) == ""
    assert "nil pv.Spec.ClaimRef" in claims.binding_problem(own, volume())
    problem = claims.binding_problem(own, volume(of=own, uid="earlier"))
    assert f"UID earlier does not point to claim.UID {own.metadata.uid}" in problem


@pytest.mark.parametrize(
    ("mode", "uses", "problem"),
    [
        ("Filesystem", {"volumeMounts": [VolumeMount(name="data", mountPath="/d")]}, ""),
        ("Block", {"volumeDevices": [VolumeDevice(name="data", devicePath="/dev/d")]}, ""),
        ("Block", {"volumeMounts": [VolumeMount(name="data", mountPath="/d")]}, "Block, but is specified in volumeMounts"),
        ("Filesystem", {"volumeDevices": [VolumeDevice(name="data", devicePath="/dev/d")]}, "Filesystem, but is specified in volumeDevices"),
    ],
)  # fmt: skip
def test_a_device_is_not_mounted_and_a_folder_is_no_device(mode: str, uses: Any, problem: str):
    """The volume says which of both it is."""
    one = pod(containers=[container(**uses)])
    told = claims.mode_problem(one, NAMED, volume(volumeMode=mode))
    assert told == (f"volume data has volumeMode {problem}" if problem else "")


def test_a_claim_that_is_made_for_a_pod_has_its_name():
    """And a volume that is none has none."""
    assert claims.claim_name(pod(), MADE) == "web-scratch"
    assert claims.claim_name(pod(), NAMED) == "data"
    assert claims.claim_name(pod(), Volume(name="x")) == ""
