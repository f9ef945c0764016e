"""The picture of a simulation, in a real browser: how it is laid out."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubarium.core.simulating.picture import picture
from kubarium.core.simulating.report import simulation_of
from machinery.model.simulation import Answer, NodeUse, Placement, PodOn
from tests.support.chromium import measure, rendered
from tests.support.requirements import need

pytestmark = pytest.mark.timeout(120)

GI = 2**30
ROOM = {"cpu": 4000, "memory": 8 * GI, "pods": 110}
LONG = "a-deployment-with-a-name-as-long-as-names-are-when-people-put-everything-into-them"
MEASURES = """
const box = each => each.getBoundingClientRect().width;
const shares = [...document.querySelectorAll('.nodes .bar.after')].map(bar => [...bar.children].map(part => 100 * box(part) / bar.clientWidth));
const texts = [...document.querySelectorAll('h1, h2, h3, p, li, summary, .after .part')].filter(each => each.innerText.trim());
return {
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  smallest: Math.min(...texts.map(each => parseFloat(getComputedStyle(each).fontSize))),
  title: parseFloat(getComputedStyle(document.querySelector('h1')).fontSize),
  columns: getComputedStyle(document.querySelector('.nodes')).gridTemplateColumns.split(' ').filter(each => each !== '0px').length,
  reachable: [...document.querySelectorAll('[tabindex="0"], summary')].length,
  cut: [...document.querySelectorAll('.nodes .after .part')].filter(each => each.innerText && each.scrollWidth > each.clientWidth + 1).length,
  shares: shares.slice(0, 2),
}
"""


def page(nodes: int = 3) -> str:
    """Return a page with a node that is half full, one with a long name, and a pod that is left."""
    before = [
        NodeUse(f"node-{number}", ROOM, {"cpu": 1000, "memory": 2 * GI, "pods": 1}) for number in range(nodes)
    ]
    after = [NodeUse(each.name, ROOM, {"cpu": 3000, "memory": 4 * GI, "pods": 3}) for each in before]
    asked = {"cpu": 1000, "memory": GI, "pods": 1}
    running = [
        PodOn(number, "default", f"old-{number}", f"node-{number}", 0, {"cpu": 1000, "memory": 2 * GI})
        for number in range(nodes)
    ]
    new = [
        Placement(
            100 + 2 * number + which,
            "default",
            f"web-{number}-{which}",
            0,
            asked,
            node=f"node-{number}",
            order=1,
            score=5,
            ties=1,
        )
        for number in range(nodes)
        for which in range(2)
    ]
    left = Placement(
        99,
        "default",
        LONG,
        0,
        asked,
        reason="Unschedulable",
        message="0/3 nodes are available: 3 Insufficient cpu. And more.",
    )
    groups = {each.number: "web" for each in new} | {99: LONG}
    return picture(
        simulation_of(
            Answer(before=before, after=after, running=running, placements=[*new, left]), 0, (), groups
        )
    )


def test_boxes_are_filled_by_what_is_requested(tmp_path: Path):
    """To the percent: a quarter before, a half more; letters can be read from afar, and nothing is cut off."""
    need("chromium")
    found = measure(page(), MEASURES, tmp_path)
    [cpu, memory] = found["shares"]
    assert cpu == pytest.approx([25, 50], abs=0.5)
    assert memory == pytest.approx([25, 25], abs=0.5)
    assert found["title"] >= 40
    assert found["smallest"] >= 20
    assert (found["overflow"], found["cut"]) == (0, 0)
    assert found["columns"] == 3
    assert found["reachable"] == 4


@pytest.mark.parametrize(("nodes", "width"), [(3, 500), (100, 1920)])
def test_it_fits_narrow_windows_and_many_nodes(tmp_path: Path, nodes: int, width: int):
    """Nobody has to scroll sideways."""
    need("chromium")
    found = measure(page(nodes), MEASURES, tmp_path, width=width)
    assert (found["overflow"], found["cut"]) == (0, 0)
    assert found["columns"] == {3: 1, 100: 9}[nodes]


COMPUTED = """
const of = (selector, property) => getComputedStyle(document.querySelector(selector))[property];
return [of('body', 'backgroundColor'), of('body', 'color'), of('.nodes .after .new', 'backgroundColor')];
"""


def test_it_is_light_or_dark(tmp_path: Path):
    """By the reader's setting, with the same colours for pods."""
    need("chromium")
    web = "rgb(0, 114, 178)"
    assert measure(page(), COMPUTED, tmp_path) == ["rgb(255, 255, 255)", "rgb(20, 23, 26)", web]
    assert measure(page(), COMPUTED, tmp_path, dark=True) == ["rgb(16, 19, 22)", "rgb(242, 244, 246)", web]


def test_no_script_runs_in_it(tmp_path: Path):
    """Its own policy forbids that, should one ever come in with a name."""
    need("chromium")
    said = rendered(page(), COMPUTED, tmp_path)
    assert "<h1>" in said
    assert "MEASUREDrgb" not in said
