from pathlib import Path

import pytest

from kubarium.errors import KubariumError
from kubarium.homes import free_slot
from kubarium.mounts import mounted_below


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
