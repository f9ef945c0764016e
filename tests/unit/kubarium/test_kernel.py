"""What the network of nodes takes of the kernel."""

from __future__ import annotations

import re

from kubarium.core.kernel import NEEDS, OPTIONAL, VXLAN, described, lacks, needs, script


def test_only_machines_that_join_take_vxlan() -> None:
    """A cluster of one machine comes up without."""
    assert needs(machines=True) == (*needs(machines=False), VXLAN)


def test_each_is_tried_by_itself() -> None:
    """In a line that prints its name where that fails; no two make one thing."""
    lines = script(needs(machines=True)).splitlines()
    names = [line.rpartition("|| echo ")[2] for line in lines]
    assert names == [each.name for each in (*NEEDS, *OPTIONAL, VXLAN)]
    made = [name for line in lines for name in re.findall(r"(?:add|name|table ip) (p\w+)", line)]
    assert len(made) == len(set(made)) == 13


def test_what_is_not_there_is_told_apart() -> None:
    """What no node comes up without, and what only some pods or Services take."""
    wanted = needs(machines=True)
    fatal, others = lacks(wanted, "ifb\nvxlan\n")
    assert ([each.name for each in fatal], [each.name for each in others]) == (["vxlan"], ["ifb"])
    assert lacks(wanted, "") == ([], [])
    assert described(VXLAN).startswith(
        "this machine's kernel has no vxlan: the networks of machines that join"
    )
