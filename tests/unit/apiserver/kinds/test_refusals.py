"""What objects are refused for, in Kubernetes' reasons, words and paths: the tables in `refusals/`, a file an API group."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apiserver.core.rules import no_change_wrong, nothing_wrong
from tests.support.refusals import TABLES, Refusal, difference, read_table, refused, sent, stored
from tests.support.served_kinds import KINDS

LEAST = 1000  # objects that are refused


@pytest.fixture(scope="module")
def refusals() -> list[Refusal]:
    """Return the cases of all tables."""
    return [refusal for table in TABLES for refusal in read_table(table.read_text())]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.stem)
def test_objects_are_refused_in_kubernetes_words(table: Path) -> None:
    """Every cause is there, with its reason, and no other one."""
    found = [difference(refusal) for refusal in read_table(table.read_text())]
    assert "\n".join(filter(None, found)) == ""


def test_so_many_objects_are_refused(refusals: list[Refusal]) -> None:
    """Each is one of its own: no other has the same fields, or the same way to where it is."""
    encode = msgspec.json.Encoder(order="deterministic").encode
    different = {(refusal.kind, refusal.action, encode(_whole(refusal))) for refusal in refusals}
    assert len(different) == len(refusals) > LEAST


def _whole(refusal: Refusal) -> list[Any]:
    return [sent(refusal), [] if refusal.action == "created" else stored(refusal)]


def test_every_kind_has_refusals_of_every_sort(refusals: list[Refusal]) -> None:
    """New objects, changes and statuses, wherever the kind has rules for them."""
    count = Counter((refusal.kind, refusal.action) for refusal in refusals)
    wanted = {
        (name, action)
        for name, kind in KINDS.items()
        for action, rule, none in (
            ("created", kind.rules.validate.create, nothing_wrong),
            ("changed", kind.rules.validate.update, no_change_wrong),
            ("status", kind.rules.validate.status, no_change_wrong),
        )
        if rule is not none
    }
    wanted |= {(name, part) for name, kind in KINDS.items() for part in kind.rules.parts}
    wanted.remove(("Namespace", "changed"))  # its label is set again before it is looked at
    assert sorted(wanted - set(count)) == []


@pytest.mark.parametrize(
    ("kind", "action", "field", "value"),
    [
        ("APIService", "created", "spec.service", None),  # it is this server's own then
        ("ServiceCIDR", "changed", "spec.cidrs", ["10.200.0.0/16", "fd00::/64"]),
    ],
)
def test_what_is_near_a_refusal_is_taken(kind: str, action: str, field: str, value: object) -> None:
    """Not everything that looks odd is wrong."""
    assert refused(Refusal(kind, action, (), ((field, value),), ())) == []


def test_a_table_that_lies_is_found_out() -> None:
    """Another word, a fault that is not named, and one that nobody found."""
    [true] = read_table(
        "# Job, created\nspec.parallelism: -1\n    spec.parallelism: Invalid value: -1: <not negative>"
    )
    assert difference(true) == ""
    other = "spec.completions: Invalid value: -1: must be greater than or equal to 0"
    for lie in ((), (other,), (*true.causes, other)):
        assert "spec.parallelism" in difference(true._replace(causes=lie))
    assert difference(true._replace(changes=(("spec.parallelism", 1),)))
