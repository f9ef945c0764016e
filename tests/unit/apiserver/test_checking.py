"""New objects that are checked and not stored: what is added to them, and what is said of those that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.checking.answering import answer
from apiserver.core.kinds import ALL
from machinery.model.checking import Checked, Question

CONTAINER = {"name": "main", "image": "app:1"}


def checked(spec: dict[str, Any], kind: str = "Pod", **more: Any) -> Checked:
    """Return what is said of an object."""
    meta = {"name": "web", "namespace": "default"}
    obj = {"apiVersion": "v1", "kind": kind, "metadata": meta, "spec": spec, **more}
    [found] = answer(Question([obj]), ALL).checked
    return found


def test_an_object_gets_its_defaults():
    """And no identity: it is not stored."""
    found = checked({"containers": [{**CONTAINER, "resources": {"limits": {"cpu": 1}}}]})
    assert found.obj is not None
    assert found.obj["spec"]["schedulerName"] == "default-scheduler"
    assert found.obj["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "1"}
    assert found.obj["metadata"] == {"name": "web", "namespace": "default", "generation": 1}
    assert found.problems == []


@pytest.mark.parametrize(
    ("spec", "problems"),
    [
        ({"containers": []}, ["spec.containers: Required value"]),
        ({"containers": [{"name": "a"}, {"name": "a"}]}, ["spec.containers[0].image: Required value", "spec.containers[1].image: Required value", 'spec.containers[1].name: Duplicate value: "a"']),
        ({"containers": [CONTAINER], "nodeSelektor": {}}, ['Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "spec.nodeSelektor"']),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_by_its_fields(spec: dict[str, Any], problems: list[str]):
    """All that is wrong."""
    assert sorted(checked(spec).problems) == sorted(problems)


def test_kinds_that_are_not_served_are_left_to_others():
    """Nothing is said of them."""
    assert checked({}, "Pot") == Checked()
