"""Which mounts lie below a pod's folder, read from the kernel's table of all of them."""

from __future__ import annotations

import pytest

from kubelet.volumes import mounting
from kubelet.volumes.mounting import points_below


def _table(*points: str) -> str:
    return "".join(
        f"{number} 1 0:5 / {point} rw,nosuid shared:1 - tmpfs tmpfs rw\n"
        for number, point in enumerate(points)
    )


def test_what_lies_at_or_below_a_folder_is_found():
    """One whose name only begins or ends alike, or has the folder's name further down, is another's."""
    table = _table("/", "/k/pods/u1", "/k/pods/u1/v/a", "/k/pods/u12/v", "/k/pods/xu1", "/k/pods/u2/v/u1")
    assert points_below(table, "/k/pods/u1") == ["/k/pods/u1", "/k/pods/u1/v/a"]
    assert points_below(table, "/k/pods/none") == []


@pytest.mark.parametrize("name", ["a b", "tab\there", "new\nline", "back\\slash", "\\040", "ü"])
def test_names_that_the_kernel_writes_in_another_way_are_found(name: str):
    """It writes spaces, tabs, line breaks and backslashes in octal."""
    octal = "".join(f"\\{ord(sign):03o}" if sign in " \t\n\\" else sign for sign in name)
    table = _table("/", f"/k/{octal}/v", "/k/other")
    assert points_below(table, f"/k/{name}") == [f"/k/{name}/v"]


def test_the_mounts_of_others_are_not_looked_at(monkeypatch: pytest.MonkeyPatch):
    """A machine has one or more of them for each of its pods."""
    read: list[str] = []
    unescaped = mounting._unescaped
    monkeypatch.setattr(mounting, "_unescaped", lambda text: read.append(text) or unescaped(text))
    table = _table(*(f"/k/pods/u{number}x/v" for number in range(1_000)))
    assert points_below(table, "/k/pods/u500x") == ["/k/pods/u500x/v"]
    assert read == ["/k/pods/u500x/v"]
