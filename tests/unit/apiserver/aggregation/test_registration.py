"""Which APIServices are written, replaced and removed for what an apiserver serves itself."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.aggregation.priorities import BUILT_IN
from apiserver.core.aggregation.registration import (
    ALWAYS,
    AUTOMANAGED,
    ON_START,
    Create,
    Remove,
    Replace,
    decide,
    local,
)
from apiserver.core.kinds import ALL
from apiserver.core.values import Json
from machinery.model.k8s import served

SPEC: Json = local("example.com", "v1")["spec"]


def there(manner: str | None, **spec: Any) -> Json:
    """Return an APIService as it is stored."""
    labels = {} if manner is None else {AUTOMANAGED: manner}
    return {"metadata": {"name": "v1.example.com", "uid": "u1", "labels": labels}, "spec": {**SPEC, **spec}}


CASES: list[tuple[str, str | None, Json | None, bool, bool, type | None]] = [
    # what it is, the manner that is wanted, what is there, was it there at the start, is it done, what happens
    ("nobody wants it, nobody has it", None, None, False, False, None),
    ("a built-in one at the first start", ON_START, None, False, False, Create),
    ("a built-in one that somebody deleted since", ON_START, None, True, True, None),
    ("a custom one that somebody deleted", ALWAYS, None, True, True, Create),
    ("somebody's own, of a custom version", ALWAYS, there(None, versionPriority=7), True, False, None),
    ("somebody's own, of a built-in version", ON_START, there(None, versionPriority=7), True, False, None),
    ("a built-in one, changed while nothing ran", ON_START, there(ON_START, versionPriority=7), True, False, Replace),
    ("a built-in one, changed since", ON_START, there(ON_START, versionPriority=7), True, True, None),
    ("a built-in one of another apiserver's", ON_START, there(ON_START, versionPriority=7), False, False, None),
    ("a built-in one that is not served any more", None, there(ON_START), True, False, Remove),
    ("a newer apiserver's built-in one", None, there(ON_START), False, False, None),
    ("a custom one, changed", ALWAYS, there(ALWAYS, groupPriorityMinimum=5), False, True, Replace),
    ("a custom one as it should be", ALWAYS, there(ALWAYS), False, True, None),
    ("a custom one whose definition has gone", None, there(ALWAYS), False, True, Remove),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "existing", "was_there", "is_done", "done"), [case[1:] for case in CASES])
def test_an_apiservice_is_kept_in_the_manner_of_its_label(
    wanted: str | None, existing: Json | None, was_there: bool, is_done: bool, done: type | None
) -> None:
    """Built-in ones once, custom ones always, others never."""
    obj = local("example.com", "v1", manner=wanted) if wanted else None
    action = decide(obj, existing, was_there=was_there, is_done=is_done)
    assert (type(action) if action is not None else None) is done
    if isinstance(action, Replace):
        assert action.obj["spec"] == SPEC
        assert action.obj["metadata"]["uid"] == "u1"
    if isinstance(action, Remove):
        assert (action.name, action.uid) == ("v1.example.com", "u1")


def test_groups_come_in_the_order_that_kubernetes_publishes() -> None:
    """That of its `/apis`, by priority; two of one priority by their name."""
    groups = sorted({group for group, _ in BUILT_IN if group}, key=lambda group: (-_priority(group), group))
    assert groups == [
        "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch",
        "certificates.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io", "storage.k8s.io",
        "admissionregistration.k8s.io", "apiextensions.k8s.io", "scheduling.k8s.io", "coordination.k8s.io",
        "node.k8s.io", "discovery.k8s.io", "resource.k8s.io", "flowcontrol.apiserver.k8s.io",
    ]  # fmt: skip


def _priority(group: str) -> int:
    return max(priority.group for (name, _), priority in BUILT_IN.items() if name == group)


def test_every_built_in_version_has_a_priority() -> None:
    """Except for that of APIServices themselves, which is the first."""
    versions = {(kind.group, kind.version) for kind in ALL} | {
        (each.group, each.version) for each in served.REVIEWS
    }
    assert versions - BUILT_IN.keys() == {("apiregistration.k8s.io", "v1")}
