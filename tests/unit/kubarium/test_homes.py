from pathlib import Path

import pytest

from kubarium.errors import KubariumError
from kubarium.homes import free_slot
from kubarium.host.mounts import mounted_below, origin_of


def test_the_lowest_slot_is_taken_whose_ports_are_free():
    """Clusters that are not in our folder are known by the ports they listen on."""
    assert free_slot({0, 1}, lambda slot: slot != 2) == 3


def test_no_slot_left_is_said():
    """The message tells what to do."""
    with pytest.raises(KubariumError, match="kubarium down"):
        free_slot(set(range(250)))


def test_mount_points_below_a_folder_are_found_innermost_first():
    """Others, also one whose name only begins alike, are left alone; escaped spaces are read."""
    table = "\n".join(
        f"{number} 1 0:5 / {point} rw - tmpfs tmpfs rw"
        for number, point in enumerate(
            ["/", "/home/a", "/home/ab/x", "/home/a/n/one", "/home/a/n/one/in\\040ner"]
        )
    )
    assert mounted_below(Path("/home/a"), table) == ["/home/a/n/one/in ner", "/home/a/n/one"]


OURS = """\
700 600 0:99 / / rw - overlay overlay rw
701 700 8:2 /docker/volumes/one\\040two_state/_data /var/lib/kubarium rw - ext4 /dev/sda2 rw
702 700 8:1 /etc/hosts /etc/hosts rw - ext4 /dev/sda1 rw
"""
ROOT = "20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw"


@pytest.mark.parametrize(
    ("machines", "path"),
    [
        (
            f"{ROOT}\n21 20 8:2 / /var/lib rw - ext4 /dev/sda2 rw",
            "/var/lib/docker/volumes/one two_state/_data",
        ),
        ("20 1 8:2 / / rw - ext4 /dev/sda2 rw", "/docker/volumes/one two_state/_data"),
        (f"{ROOT}\n21 20 8:2 /docker /srv/docker rw - ext4 x rw", "/srv/docker/volumes/one two_state/_data"),
        (f"{ROOT}\n21 20 8:2 /dock /srv/dock rw - ext4 x rw", ""),
        (ROOT, ""),
        ("", ""),
    ],
)
def test_a_volume_is_found_on_the_machine(machines: str, path: str):
    """By the file system and the folder in it, wherever the machine has mounted that."""
    assert origin_of(Path("/var/lib/kubarium"), OURS, machines) == path


def test_a_folder_that_is_no_mount_is_not_found():
    """It is the container's own."""
    assert origin_of(Path("/var/lib"), OURS, ROOT) == ""
