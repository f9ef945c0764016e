"""Server-side apply: what it merges, whom it asks, and what it removes."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from machinery.model.errors import BadRequest, Conflict
from tests.support.applied import CONFIGMAPS, DEPLOYMENTS, SERVICES, Stored, thing, things


def _config_map(**data: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "n", "namespace": "d"},
        "data": data,
    }


def _deployment(replicas: int | None = None, *containers: Json) -> Json:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": list(containers)}}
    spec: Json = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def test_an_applier_owns_what_it_says_and_no_struct_on_the_way() -> None:
    """Leaves, keys of maps and elements of lists are owned; apiVersion, kind and the name are nobody's."""
    stored = Stored(DEPLOYMENTS).apply(
        "me", _deployment(3, {"name": "c", "image": "i", "ports": [{"containerPort": 80}]})
    )
    container = {
        ".": {},
        "f:image": {},
        "f:name": {},
        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
    }
    assert stored.entries == [
        {
            "manager": "me",
            "operation": "Apply",
            "apiVersion": "apps/v1",
            "time": "2026-01-01T00:00:01Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:spec": {
                    "f:replicas": {},
                    "f:selector": {},
                    "f:template": {
                        "f:metadata": {"f:labels": {"f:app": {}}},
                        "f:spec": {"f:containers": {'k:{"name":"c"}': container}},
                    },
                }
            },
        }
    ]


def test_another_value_of_a_field_that_somebody_else_owns_is_a_conflict() -> None:
    """The answer is a 409 with upstream's words, and names the field."""
    stored = Stored(DEPLOYMENTS).apply("one", _deployment(3))
    with pytest.raises(Conflict) as refused:
        stored.apply("two", _deployment(4))
    assert refused.value.message == 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
    assert [cause.to_dict() for cause in refused.value.causes] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".spec.replicas"}
    ]


def test_several_conflicts_are_listed_by_manager() -> None:
    """An updater is named with its version and its subresource."""
    stored = Stored(CONFIGMAPS).apply("one", _config_map(a="1", b="1"))
    stored.update("edit", {**stored.obj, "data": {**stored.obj["data"], "c": "1"}})  # type: ignore[dict-item,index]
    with pytest.raises(Conflict) as refused:
        stored.apply("two", _config_map(a="2", b="2", c="2"))
    assert refused.value.message == (
        'Apply failed with 3 conflicts: conflicts with "edit" using v1:\n- .data.c\n'
        'conflicts with "one":\n- .data.a\n- .data.b'
    )


def test_force_takes_the_field_over() -> None:
    """Who owned it owns it no more, and loses its entry where that was all."""
    stored = Stored(DEPLOYMENTS).apply("one", {**_deployment(3), "spec": {"replicas": 3}})
    stored.apply("two", _deployment(4), force=True)
    assert stored.spec["replicas"] == 4
    assert stored.owned("one") is None
    assert stored.owned("two")["f:spec"]["f:replicas"] == {}


def test_the_same_value_is_owned_together() -> None:
    """There is no conflict, and the field stays until the last of them has let it go."""
    stored = Stored(CONFIGMAPS).apply("one", _config_map(a="1")).apply("two", _config_map(a="1", b="2"))
    assert stored.owned("one") == {"f:data": {"f:a": {}}}
    assert stored.owned("two") == {"f:data": {"f:a": {}, "f:b": {}}}
    stored.apply("two", _config_map(b="2"))
    assert stored.obj["data"] == {"a": "1", "b": "2"}  # type: ignore[index]
    stored.apply("one", _config_map())
    assert stored.obj["data"] == {"b": "2"}  # type: ignore[index]


def test_what_is_applied_no_more_is_removed() -> None:
    """A field, an entry of a map and an element of a list go, when nobody else owns them."""
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    stored = Stored(DEPLOYMENTS).apply(
        "me", _deployment(3, {"name": "c", "image": "i", "env": env}, {"name": "d", "image": "i"})
    )
    stored.apply("me", _deployment(None, {"name": "c", "image": "i", "env": env[:1]}))
    assert stored.spec == _deployment(None, {"name": "c", "image": "i", "env": env[:1]})["spec"]


def test_what_an_updater_owns_stays_when_its_applier_lets_it_go() -> None:
    """The element of a list goes only with what its applier said of it, where somebody else owns the element."""
    stored = Stored(DEPLOYMENTS).update("ctl", _deployment(1, {"name": "c", "image": "i"}))
    stored.apply("me", _deployment(1, {"name": "c", "image": "i"})).apply("me", _deployment(None))
    assert stored.spec["replicas"] == 1
    assert stored.spec["template"]["spec"]["containers"] == [{"name": "c", "image": "i"}]


def test_an_element_goes_with_what_others_put_into_it() -> None:
    """Somebody who only set a field of an element does not own the element."""
    stored = Stored(DEPLOYMENTS).apply(
        "me", _deployment(1, {"name": "c", "image": "i"}, {"name": "d", "image": "i"})
    )
    containers = [{"name": "c", "image": "i"}, {"name": "d", "image": "i", "tty": True}]
    stored.update("ctl", _deployment(1, *containers)).apply("me", _deployment(1, containers[0]))
    assert stored.spec["template"]["spec"]["containers"] == containers[:1]


def test_a_field_that_nobody_owns_stays() -> None:
    """Apply removes nothing but what it applied."""
    stored = Stored(CONFIGMAPS).apply("me", _config_map(a="1"))
    assert stored.obj is not None
    stored.obj["data"]["b"] = "2"
    stored.apply("me", _config_map())
    assert stored.obj["data"] == {"b": "2"}


def test_an_apply_that_changes_nothing_leaves_the_entry_as_old_as_it_was() -> None:
    """A time is new where a value, or what the manager says, is."""
    stored = Stored(CONFIGMAPS).apply("me", _config_map(a="1"))
    stored.apply("me", _config_map(a="1"))
    assert (stored.changed, stored.time("me")) == (False, "2026-01-01T00:00:01Z")
    stored.apply("me", _config_map(a="2"))
    assert (stored.changed, stored.time("me")) == (True, "2026-01-01T00:00:03Z")
    stored.apply("two", _config_map(a="2"))
    assert (stored.changed, stored.time("two")) == (False, "2026-01-01T00:00:04Z")
    assert stored.time("me") == "2026-01-01T00:00:03Z"


def test_an_atomic_list_and_an_atomic_map_have_one_owner() -> None:
    """They are replaced, not merged."""
    atomic = things(
        {
            "l": {"type": "array", "items": {"type": "string"}},
            "m": {
                "type": "object",
                "x-kubernetes-map-type": "atomic",
                "additionalProperties": {"type": "string"},
            },
        }
    )
    stored = Stored(atomic).apply("one", thing({"l": ["a"], "m": {"a": "1"}}))
    with pytest.raises(Conflict, match=r"\.spec\.l\n- \.spec\.m"):
        stored.apply("two", thing({"l": ["b"], "m": {"b": "1"}}))
    stored.apply("two", thing({"l": ["b"], "m": {"b": "1"}}), force=True)
    assert stored.spec == {"l": ["b"], "m": {"b": "1"}}
    assert stored.owned("two") == {"f:spec": {"f:l": {}, "f:m": {}}}


@pytest.mark.parametrize(
    ("live", "config", "merged"),
    [
        ("abc", "cb", "acb"),
        ("abc", "x", "abcx"),
        ("abc", "xa", "xabc"),
        ("abc", "axb", "axbc"),
        ("abcd", "db", "acdb"),
        ("", "ab", "ab"),
        ("ab", "", "ab"),
        ("abc", "cxa", "bcxa"),
    ],
)
def test_items_of_a_list_stand_in_the_order_of_the_configuration(live: str, config: str, merged: str) -> None:
    """What only the stored object has stays where it stood before the next one that both have."""
    sets = things({"s": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}})
    stored = Stored(sets).update("ctl", thing({"s": list(live)})).apply("me", thing({"s": list(config)}))
    assert "".join(stored.spec["s"]) == merged


def test_a_key_that_has_a_default_may_be_left_out() -> None:
    """A port of TCP is the same whether its protocol is said or not."""

    def service(*ports: Json) -> Json:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s"},
            "spec": {"ports": list(ports)},
        }

    stored = Stored(SERVICES).apply("me", service({"port": 80}, {"port": 80, "protocol": "UDP"}))
    stored.update(
        "ctl", service({"port": 80, "protocol": "TCP", "targetPort": 8080}, {"port": 80, "protocol": "UDP"})
    )
    stored.apply("me", service({"port": 80}, {"port": 80, "protocol": "UDP"}))
    assert [port["protocol"] for port in stored.spec["ports"]] == ["TCP", "UDP"]
    assert stored.spec["ports"][0]["targetPort"] == 8080


def test_what_the_schema_leaves_open_is_granular_in_objects_and_atomic_in_lists() -> None:
    """Fields of an object of any form have owners of their own; True is not 1."""
    open_map = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    stored = Stored(things({"o": open_map})).apply("one", thing({"o": {"a": {"b": 1}, "l": [1]}}))
    stored.apply("two", thing({"o": {"a": {"c": 1}}}))
    assert stored.spec == {"o": {"a": {"b": 1, "c": 1}, "l": [1]}}
    assert stored.owned("one") == {"f:spec": {"f:o": {"f:a": {".": {}, "f:b": {}}, "f:l": {}}}}
    with pytest.raises(Conflict, match=r"\.spec\.o\.a\.b"):
        stored.apply("two", thing({"o": {"a": {"b": True}}}))


def test_null_unsets_a_leaf_and_is_owned() -> None:
    """It is a value as others are: there is a conflict where somebody else has one."""
    stored = Stored(DEPLOYMENTS).apply("one", _deployment(3))
    config = _deployment(None)
    config["spec"]["replicas"] = None
    with pytest.raises(Conflict):
        stored.apply("two", config)
    stored.apply("two", config, force=True)
    assert "replicas" not in stored.spec
    assert stored.owned("two")["f:spec"]["f:replicas"] == {}


def test_the_first_apply_to_an_object_without_managers_finds_what_was_there_before() -> None:
    """All of it belongs to before-first-apply, so that other values are conflicts."""
    stored = Stored(CONFIGMAPS)
    stored.obj = _config_map(a="1")
    with pytest.raises(Conflict, match=r'1 conflict: conflict with "before-first-apply" using v1: \.data\.a'):
        stored.apply("me", _config_map(a="2"))
    stored.apply("me", _config_map(a="1", b="2"))
    assert stored.owned("before-first-apply", "Update") == {"f:data": {".": {}, "f:a": {}}}


def test_managed_fields_that_are_null_are_none() -> None:
    """Clients write them so to clear them; they are no part of what is applied."""
    config = {**_config_map(a="1"), "metadata": {"name": "n", "namespace": "d", "managedFields": None}}
    stored = Stored(CONFIGMAPS).apply("me", config)
    assert stored.owned("me") == {"f:data": {"f:a": {}}}
    assert not stored.apply("me", config).changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": {"name": "web", "managedFields": []}}, "metadata.managedFields must be nil"),
        (
            {"apiVersion": "apps/v2"},
            "Incorrect version specified in apply patch. Specified patch version: apps/v2, expected: apps/v1",
        ),
        (
            {"spec": {"replica": 3}},
            "failed to create typed patch object (/web; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema",
        ),
        ({"spec": {"replicas": "x"}}, '.spec.replicas: expected numeric (int or float), got "x"'),
        ({"spec": {"paused": 1}}, ".spec.paused: expected boolean, got 1"),
        ({"spec": {"replicas": True}}, ".spec.replicas: expected numeric (int or float), got true"),
        ({"spec": []}, ".spec: expected map, got []"),
        ({"metadata": {"name": "web", "finalizers": "x"}}, '.metadata.finalizers: expected list, got "x"'),
        (
            {"metadata": {"name": "web", "finalizers": ["a", "a"]}},
            '.metadata.finalizers: duplicate entries for key [="a"]',
        ),
        (
            {"metadata": {"name": "web", "finalizers": [None]}},
            ".metadata.finalizers: element 0: associative list without keys has an element that's an explicit null",
        ),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(change: Json, message: str) -> None:
    """Nobody could own what is not declared; the message names the field."""
    with pytest.raises(BadRequest) as refused:
        Stored(DEPLOYMENTS).apply("me", {**_deployment(3), **change})
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("containers", "message"),
    [
        (
            [{"image": "i"}],
            'element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn\'t have default values for any key fields)',
        ),
        ([None], "element 0: associative list with keys may not have a null element"),
        (["c"], "element 0: associative list with keys may not have non-map elements"),
        ([{"name": "c"}, {"name": "c"}], 'duplicate entries for key [name="c"]'),
    ],
)
def test_items_without_their_key_are_refused(containers: Any, message: str) -> None:
    """An element has to be told from the others."""
    with pytest.raises(BadRequest) as refused:
        Stored(DEPLOYMENTS).apply("me", _deployment(3, *containers))
    assert refused.value.message.endswith(f".spec.template.spec.containers: {message}")


def test_many_problems_are_told_up_to_a_bound() -> None:
    """A configuration with ten thousand of them gets no answer of a megabyte."""
    config = {**_deployment(3), "spec": {f"x{number}": 1 for number in range(10_000)}}
    with pytest.raises(BadRequest) as refused:
        Stored(DEPLOYMENTS).apply("me", config)
    assert "errors:\n  .spec.x0: field not declared in schema\n  .spec.x1: " in refused.value.message
    assert len(refused.value.message) < 4000
