"""What the specs of CDI devices bring to a container, and what they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from dockershim.core.cdi import SpecFile, edits_for
from machinery.model.errors import BadRequest, NotImplementedHere


def spec(path: str = "a.json", rank: int = 0, *, common: Any = None, **devices: Any) -> SpecFile:
    """Return a spec of devices of the kind example.com/card, by their names."""
    listed = [{"name": name, "containerEdits": edits} for name, edits in devices.items()]
    document = {
        "cdiVersion": "0.6.0",
        "kind": "example.com/card",
        "devices": listed,
        "containerEdits": common,
    }
    return SpecFile(path, rank, document)


NODE = {"path": "/dev/card", "hostPath": "/dev/null", "type": "c", "major": 1, "minor": 3}
MOUNT = {"hostPath": "/opt/card", "containerPath": "/card", "options": ["ro", "nosuid", "nodev", "bind"]}
FILES = [
    spec(common={"env": ["COMMON=1"]}, a={"env": ["A=1"], "deviceNodes": [NODE]}, b={"mounts": [MOUNT], "additionalGids": [7, 0]}),
    spec("b.yaml", 1, c={"env": ["C=late"]}),
    spec("c.json", 0, c={"env": ["C=early"]}, twice={}),
    spec("d.json", 0, twice={}),
    SpecFile("e.json", 0, None, problem="it is no JSON"),
    SpecFile("f.json", 0, [1]),
]  # fmt: skip


def test_devices_bring_variables_files_and_mounts():
    """What a whole spec brings comes once."""
    found = edits_for(["example.com/card=a", "example.com/card=b", "example.com/card=a"], FILES)
    assert found.env == ["COMMON=1", "A=1"]
    assert found.devices == [
        {"PathOnHost": "/dev/null", "PathInContainer": "/dev/card", "CgroupPermissions": "rwm"}
    ]
    assert found.mounts == [{"Type": "bind", "Source": "/opt/card", "Target": "/card", "ReadOnly": True}]
    assert found.groups == ["7"]


def test_of_two_folders_the_later_one_counts():
    """As /var/run/cdi before /etc/cdi."""
    assert edits_for(["example.com/card=c"], FILES).env == ["C=late"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("none", "unresolvable CDI devices example.com/card=none (not read: e.json: it is no JSON)"),
        ("twice", "unresolvable CDI devices example.com/card=twice: it is in c.json and d.json"),
    ],
)
def test_a_device_that_is_not_there_is_named(name, text):
    """Nor is one that two specs have."""
    with pytest.raises(BadRequest, match="CDI device injection failed") as caught:
        edits_for([f"example.com/card={name}"], FILES)
    assert caught.value.message.endswith(text)


@pytest.mark.parametrize(
    ("edits", "text"),
    [
        ({"hooks": [{"hookName": "createContainer", "path": "/x"}]}, "hooks is not built: the engine runs no hooks"),
        ({"netDevices": [{"hostInterfaceName": "a"}]}, "netDevices is not built: the engine moves no network devices"),
        ({"intelRdt": {"closID": "a"}}, "intelRdt is not built: the engine has no Intel RDT"),
        ({"deviceNodes": [{"path": "/dev/x", "uid": 7}]}, "deviceNodes[/dev/x].uid is not built: device files have the owner and mode that they have on the node"),
        ({"mounts": [MOUNT | {"options": ["noexec"]}]}, "mounts[/card].options noexec is not built"),
        ({"mounts": [MOUNT | {"type": "tmpfs"}]}, "mounts[/card].type tmpfs is not built"),
    ],
)  # fmt: skip
def test_what_the_engine_cannot_do_is_refused(edits, text):
    """With the name of the device, and the file that it is in."""
    with pytest.raises(NotImplementedHere) as caught:
        edits_for(["example.com/card=a"], [spec(a=edits)])
    assert caught.value.message == f"CDI device example.com/card=a (a.json): {text}"


@pytest.mark.parametrize("edits", [{"deviceNodes": [{}]}, {"mounts": [{"hostPath": "/a"}]}])
def test_what_has_no_meaning_is_refused(edits):
    """It is the spec's author's to mend."""
    with pytest.raises(BadRequest, match=r"needed$"):
        edits_for(["example.com/card=a"], [spec(a=edits)])
