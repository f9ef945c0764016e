"""What is asked of CSI drivers, and what CSINodes say of them."""

from __future__ import annotations

from typing import Any

import pytest

from kubelet.core import csi, csi_nodes
from kubelet.core.csi import Capability, Source
from machinery.model.k8s.storage_v1 import CSIDriver, CSIDriverSpec
from tests.support.builders import changed, node

APART = (Capability.SINGLE_NODE_MULTI_WRITER,)


def source(**fields: Any) -> Source:
    """Return a volume of a driver."""
    return Source(driver="d.example.com", handle="h", name="pv", **fields)


def kind(**spec: Any) -> CSIDriver:
    """Return what describes the driver."""
    return CSIDriver(spec=CSIDriverSpec(**spec))


@pytest.mark.parametrize(
    ("modes", "capabilities", "mode"),
    [
        (["ReadWriteOnce"], (), 1),
        (["ReadWriteOnce"], APART, 7),
        (["ReadWriteOncePod"], (), 1),
        (["ReadWriteOncePod"], APART, 6),
        (["ReadOnlyMany", "ReadWriteMany"], APART, 3),
        (["ReadWriteMany"], (), 5),
    ],
)
def test_the_first_access_mode_says_how_a_volume_is_used(
    modes: list[str], capabilities: tuple[int, ...], mode: int
):
    """Writers on one node are told apart where the driver does so."""
    assert csi.access_mode(modes, capabilities) == mode


@pytest.mark.parametrize(
    ("volume", "described", "is_given"),
    [
        (source(fs_type="ext4"), None, True),
        (source(), None, False),
        (source(fs_type="ext4", access_modes=["ReadWriteMany"]), None, False),
        (source(access_modes=["ReadWriteMany"]), kind(fsGroupPolicy="File"), True),
        (source(fs_type="ext4"), kind(fsGroupPolicy="None"), False),
        (source(fs_type="ext4", read_only=True), kind(fsGroupPolicy="File"), False),
        (source(is_block=True), kind(fsGroupPolicy="File"), False),
        (source(is_inline=True, fs_type="xfs"), kind(fsGroupPolicy="ReadWriteOnceWithFSType"), True),
    ],
)
def test_the_policy_says_whose_volumes_the_group_gets(
    volume: Source, described: CSIDriver | None, is_given: bool
):
    """Without one, those with a file system that one node writes."""
    assert csi.takes_group(volume, described) is is_given


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        (["1.0.0"], ""),
        (["0.3.0", "v1.2"], ""),
        ([], 'CSI driver "d" failed. Plugin returned an empty list for supported versions'),
        (["0.3.0", "2.0"], 'CSI driver "d" failed. None of the versions specified ["0.3.0" "2.0"] are supported'),
    ],
)  # fmt: skip
def test_drivers_speak_version_one(versions: list[str], problem: str):
    """Of those that they speak one is enough."""
    assert csi.version_problem("d", versions) == problem


def test_volumes_are_attached_unless_somebody_says_that_they_are_not():
    """A volume of a pod's own never is."""
    assert csi.is_attachable(source(), None)
    assert csi.is_attachable(source(), kind())
    assert not csi.is_attachable(source(), kind(attachRequired=False))
    assert not csi.is_attachable(source(is_inline=True), kind(attachRequired=True))


def test_the_nodes_notes_of_drivers_are_kept_apart():
    """One driver's entries come and go without touching another's; what is right already is not written."""
    one = changed(
        node("node-1", labels={"rack": "r1"}), metadata__annotations={csi_nodes.NODE_IDS: '{"a":"1"}'}
    )
    assert csi_nodes.node_patch(one, "a", "1", {"rack": "r1"}) == {}
    assert csi_nodes.node_patch(one, "b", "2", {"row": "x"}) == {
        "annotations": {csi_nodes.NODE_IDS: '{"a":"1","b":"2"}'},
        "labels": {"row": "x"},
    }
    assert csi_nodes.node_patch(one, "a", "", {}) == {"annotations": {csi_nodes.NODE_IDS: None}}
    with pytest.raises(ValueError, match='driver reported "rack":"r2" but existing label is "rack":"r1"'):
        csi_nodes.node_patch(one, "a", "1", {"rack": "r2"})
    fresh = csi_nodes.new_csi_node(one)
    with_two = csi_nodes.with_driver(
        csi_nodes.with_driver(fresh, csi_nodes.driver_entry("a", "1", 0, {})),
        csi_nodes.driver_entry("b", "2", 2**40, {"row": "x"}),
    )
    assert [(each.name, each.allocatable and each.allocatable.count) for each in with_two.spec.drivers] == [
        ("a", None),
        ("b", 2**31 - 1),
    ]
    assert csi_nodes.without_driver(csi_nodes.without_driver(with_two, "a"), "b") == fresh
