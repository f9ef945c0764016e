"""The page that a simulation is drawn on, as text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from kubarium.core.simulating.picture import picture
from kubarium.core.simulating.report import simulation_of
from kubarium.core.simulating.style import COLOURS, STYLE
from machinery.model.simulation import Answer, NodeUse, Placement, PodOn

EVIL = '<script>alert("1")</script>&\'"'
ROOM = {"cpu": 4000, "memory": 2**30, "pods": 9, "example.com/gpu": 2}


class Tags(HTMLParser):
    """Notes what starts and what it refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def drawn(title: str = "Simulation", name: str = "web") -> Tags:
    asked = {"cpu": 1000, "memory": 2**28, "pods": 1, "example.com/gpu": 1}
    answer = Answer(
        before=[NodeUse(name, ROOM, {"cpu": 500})],
        after=[NodeUse(name, ROOM, {"cpu": 1500, "memory": 2**28, "pods": 2, "example.com/gpu": 1})],
        running=[PodOn(0, "default", f"old-{name}", name, 0, {"cpu": 500})],
        placements=[
            Placement(1, "default", name, 0, asked, node=name, order=1, score=7, ties=1),
            Placement(
                2, "default", f"left-{name}", 0, asked, reason="Unschedulable", message=f"{name}. rest"
            ),
        ],
    )
    tags = Tags()
    tags.feed(picture(simulation_of(answer, 0), title))
    return tags


def test_it_says_who_went_where_and_who_did_not():
    """In words, too: pictures are not for everyone."""
    found = drawn()
    assert "1 of 2 pods placed, 1 left without a node" in found.text
    assert {"before: 500m of 4", "after: 1500m of 4", "after: 1 of 2"} <= set(found.attributes["aria-label"])
    assert "web: 1" in found.attributes["title"]
    assert "default/left-web" in found.text


def test_names_and_messages_are_text():
    """Whatever they are: nothing of them is markup."""
    found = drawn(EVIL, EVIL)
    assert "script" not in found.names
    assert found.text.count(EVIL) >= 5
    assert any(EVIL in each for each in found.attributes["title"])


def test_it_needs_nothing_but_itself():
    """No script, no other file; a policy forbids both."""
    found = drawn()
    assert not {"script", "link", "img", "iframe"} & set(found.names)
    assert not {"src", "href", "onclick"} & found.attributes.keys()
    assert not re.search(r"url\(|@import|https?:", STYLE)
    assert "default-src 'none'; style-src 'unsafe-inline'" in found.attributes["content"]


def _brightness(colour: str) -> float:
    """Return the relative luminance of WCAG 2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_brightness(one), _brightness(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("letters", "paper"),
    [*((front, back) for back, front in COLOURS), ("#14171a", "#f3f5f7"), ("#4a5560", "#f3f5f7"), ("#f2f4f6", "#1c2126"), ("#b6c0ca", "#1c2126"), ("#a8200d", "#ffffff"), ("#ff9b8a", "#101316")],
)  # fmt: skip
def test_letters_stand_out(letters: str, paper: str):
    """By WCAG's 4.5 to 1 at least, on parts and on boxes, light and dark."""
    assert letters in STYLE
    assert _contrast(letters, paper) >= 4.5
