"""What annotations say, and the addresses of simulated pods."""

from __future__ import annotations

import pytest

from hollow.core.addresses import allocate
from hollow.core.behaviour import INIT, Behaviour, parse_duration_s, read_behaviour

PREFIX = "hollow.kubarium.dev/"


def test_annotations_of_other_containers_do_not_matter():
    """Nor those of anybody else."""
    annotations = {f"{PREFIX}other.exit-after": "1s", "example.com/main.exit-after": "1s"}
    assert read_behaviour("main", annotations) == Behaviour()


def test_annotations_are_read():
    """Durations as Go writes them, quantities as Kubernetes does."""
    annotations = {
        f"{PREFIX}main.{key}": value for key, value in {"exit-after": "1m30s", "memory": "1Ki"}.items()
    }
    assert read_behaviour("main", annotations) == Behaviour(exit_after_s=90, memory_bytes=1024)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, Behaviour(exit_after_s=0)),
        ({"exit-code": "3"}, Behaviour(exit_after_s=0, exit_code=3)),
        ({"exit-after": "2s"}, Behaviour(exit_after_s=2)),
        ({"exit-after": "never"}, Behaviour()),
        ({"oom-after": "2s"}, Behaviour(oom_after_s=2)),
    ],
)
def test_an_init_container_has_done_its_work_at_once(annotations: dict[str, str], expected: Behaviour):
    """Unless it is to do something else; a sidecar and a main container go on."""
    keyed = {f"{PREFIX}main.{key}": value for key, value in annotations.items()}
    assert read_behaviour("main", keyed, role=INIT) == expected
    if not annotations:
        assert read_behaviour("main", keyed) == Behaviour()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("exit-code", "256"),
        ("exit-after", "soon"),
        ("ignore-term", "yes"),
        ("exit-after-all", "1s"),
        ("cpu", "many"),
    ],
)
def test_a_wrong_annotation_is_named(key: str, value: str):
    """Its whole key stands in the error."""
    with pytest.raises(ValueError, match=f"main.{key}"):
        read_behaviour("main", {f"{PREFIX}main.{key}": value})


@pytest.mark.parametrize(("text", "seconds"), [("3s", 3), ("250ms", 0.25), ("1h1m1s", 3661), ("1.5s", 1.5)])
def test_durations(text: str, seconds: float):
    """All of Go's units that are long enough."""
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "3", "s", "3s ", "3d"])
def test_what_is_no_duration(text: str):
    """It is refused."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration_s(text)


def test_addresses_leave_out_the_gateway_and_those_that_are_taken():
    """The first free one is given."""
    assert allocate("10.0.1.0/29", []) == "10.0.1.2"
    assert allocate("10.0.1.0/29", ["10.0.1.2", "10.0.1.4"]) == "10.0.1.3"


def test_a_full_range_gives_nothing():
    """Five pods fit into eight addresses."""
    assert allocate("10.0.1.0/29", [f"10.0.1.{n}" for n in range(2, 7)]) is None
