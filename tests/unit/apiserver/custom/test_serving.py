"""A definition served: what its kinds do with objects, from a client's JSON to the printed row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apiserver.core import scaling, writes
from apiserver.core.catalogue import Catalogue
from apiserver.core.custom.definitions import definition_kind_rules
from apiserver.core.custom.embedded import ReadMetadata
from apiserver.core.custom.expressions import OBJECT_BUDGET, Outcome
from apiserver.core.custom.jsonpath import compile_path, find
from apiserver.core.custom.naming import settle_names
from apiserver.core.custom.publishing import published_schema
from apiserver.core.custom.serving import CustomSchema, Seams, custom_kinds, is_terminating
from apiserver.core.custom.structural import Structural
from apiserver.core.custom.values import MISSING
from apiserver.core.field_errors import Ratcheted
from apiserver.core.rules import WriteContext
from apiserver.core.table.table import Moment
from machinery.model.errors import Cause, Invalid

CONTEXT = WriteContext(now="2024-01-01T00:00:00Z", uid="u")
NOW = "2024-01-01T00:01:30Z"


def read_metadata(raw: Any) -> Any:
    if not isinstance(raw, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - the seam's contract
    return raw


READ: ReadMetadata = read_metadata
SEAMS = Seams(READ)
STRING, INTEGER = {"type": "string"}, {"type": "integer"}
SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1},
        "color": {"type": "string", "default": "red"},
        "nested": {"type": "object", "default": {}, "properties": {"deep": {"type": "integer", "default": 7}}},
        "note": {"type": "string", "nullable": True, "default": "none"},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"known": {"type": "object"}}},
        "template": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
        "labels": {"type": "object", "additionalProperties": {"type": "object", "properties": {"on": {"type": "boolean", "default": True}}}},
        "items": {"type": "array", "items": {"type": "object", "properties": {"a": INTEGER}}},
    },
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "properties": {"spec": SPEC, "status": {"type": "object", "properties": {"size": INTEGER}}},
}


def definition(*versions: dict[str, Any], **spec: Any) -> dict[str, Any]:
    first = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
    names = {
        "plural": "widgets",
        "singular": "widget",
        "kind": "Widget",
        "listKind": "WidgetList",
        "shortNames": ["wd"],
    }
    return {
        "metadata": {"name": "widgets.example.com", "creationTimestamp": "1"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [*(versions or [first])], **spec},
    }  # fmt: skip


def version(name: str = "v1", **changes: Any) -> dict[str, Any]:
    return {"name": name, "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}, **changes}


def widget(spec: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    meta = {"name": "w", "namespace": "default"}
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta, "spec": {"size": 1} if spec is None else spec, **more}  # fmt: skip


def read(spec: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    obj, warnings = CustomSchema(SCHEMA, SEAMS).read(widget(spec))
    return obj["spec"], warnings


FILLED = {"color": "red", "nested": {"deep": 7}, "note": "none"}


@pytest.mark.parametrize(
    ("given", "stored", "unknown"),
    [
        ({"size": 1}, {"size": 1, **FILLED}, []),
        ({"size": 1, "odd": 1}, {"size": 1, **FILLED}, ["spec.odd"]),
        ({"items": [{"a": 1, "b": 2}, 5]}, {"items": [{"a": 1}, 5], **FILLED}, ["spec.items[0].b"]),
        ({"free": {"x": {"y": 1}, "known": {"z": 1}}}, {"free": {"x": {"y": 1}, "known": {}}, **FILLED}, ["spec.free.known.z"]),
        ({"template": {"metadata": {"a": 1, "name": "x"}, "x": 1}}, {"template": {"metadata": {"name": "x"}, "x": 1}, **FILLED}, ["spec.template.metadata.a"]),
        ({"labels": {"a": {"b": 1}}}, {"labels": {"a": {"on": True}}, **FILLED}, ["spec.labels.a.b"]),
        ({"color": None, "note": None}, {**FILLED, "note": None}, []),
        ({"items": None, "labels": {"a": None}}, {"labels": {}, **FILLED}, []),
        ({"nested": {}}, FILLED, []),
        ({"size": {"a": [[{"b": 1}]]}}, {"size": {}, **FILLED}, ["spec.size.a"]),
    ],
)  # fmt: skip
def test_unknown_fields_go_and_defaults_come(given: Any, stored: Any, unknown: list[str]) -> None:
    """A null where none is allowed goes, or becomes the default; what is preserved stays."""
    before = repr(given)
    obj, warnings = read(given)
    assert obj == stored
    assert list(warnings) == [f'unknown field "{each}"' for each in unknown]
    assert repr(given) == before


def test_defaults_are_copies() -> None:
    """Two objects do not share the default that both have."""
    first, second = read({})[0], read({})[0]
    first["nested"]["deep"] = 8
    assert second["nested"] == {"deep": 7}


def test_without_pruning_everything_stays() -> None:
    """A definition that preserves unknown fields drops none, and names none."""
    custom = CustomSchema(SCHEMA, SEAMS, preserves=True)
    obj, warnings = custom.read(widget({"odd": 1}, more=2))
    assert (obj["more"], obj["spec"]["odd"], obj["spec"]["color"], warnings) == (2, 1, "red", ())


def test_a_value_that_is_deeper_than_walks_go_is_refused() -> None:
    """Where the schema leaves it free, it may be as deep as its reader allowed."""
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}
    found = CustomSchema(SCHEMA, SEAMS).check(
        widget({"size": 0, "free": deep}), widget({"size": 1, "free": deep})
    )
    assert [cause.message for cause in found] == ['Invalid value: "": it is nested too deeply']


def test_a_definition_is_written() -> None:
    """Names follow from the kind; versions that objects may be stored in are remembered; the rest is the server's."""
    rules = definition_kind_rules()
    made = definition(names={"plural": "widgets", "kind": "Widget"})
    made = rules.prepare.create(rules.default(made), CONTEXT)
    assert made["spec"]["names"] == {
        "plural": "widgets",
        "kind": "Widget",
        "singular": "widget",
        "listKind": "WidgetList",
    }
    assert made["spec"]["conversion"] == {"strategy": "None"}
    assert made["status"] == {
        "conditions": [],
        "acceptedNames": {"kind": "", "plural": ""},
        "storedVersions": ["v1"],
    }
    assert rules.validate.create(made) == []
    both = [version(storage=False), version("v2")]
    after = rules.prepare.update(
        {**made, "status": {}, "spec": {**made["spec"], "versions": both}}, made, CONTEXT
    )
    assert after["status"] == {**made["status"], "storedVersions": ["v1", "v2"]}
    assert rules.validate.update(after, made) == []
    assert rules.is_next_generation(after, made)


def kind_of(**changes: Any) -> Any:
    return custom_kinds(definition(version(**changes)), SEAMS)[0]


def test_a_kind_in_the_catalogue() -> None:
    """It is found by its names, and its definition is published with metadata and its type."""
    catalogue = Catalogue(custom_kinds(definition(version(), version("v2", storage=False)), SEAMS))
    v1, v2 = catalogue.kind("example.com", "v1", "widgets"), catalogue.kind("example.com", "v2", "widgets")
    assert v1 is not None
    assert v2 is not None
    assert (v1.stored, v2.stored, v2.short_names) == (v1, v1, ("wd",))
    assert v2.key("a", "b") == "/registry/example.com/widgets/a/b"
    published = catalogue.definition("com.example.v2.Widget") or {}
    assert published["x-kubernetes-group-version-kind"] == [
        {"group": "example.com", "kind": "Widget", "version": "v2"}
    ]
    assert published["properties"]["metadata"]["$ref"].endswith("meta.v1.ObjectMeta")
    assert published["properties"]["spec"] == SPEC | {
        "properties": {
            **SPEC["properties"],
            "template": published["properties"]["spec"]["properties"]["template"],
        }
    }
    assert set(published["properties"]["spec"]["properties"]["template"]["properties"]) == {
        "apiVersion",
        "kind",
        "metadata",
    }
    assert catalogue.definition("com.example.v2.WidgetList") is not None
    assert v2.rules.convert(widget(), "example.com/v2")["apiVersion"] == "example.com/v2"


def test_a_stored_version_that_is_not_served_has_no_verbs() -> None:
    """It is there for the others alone; a definition that serves none has no kinds."""
    stored, served = custom_kinds(definition(version(served=False), version("v2", storage=False)), SEAMS)
    assert (stored.verbs, served.stored, bool(served.verbs)) == ((), stored, True)
    assert custom_kinds(definition(version(served=False)), SEAMS) == ()


def created(kind: Any, obj: dict[str, Any]) -> dict[str, Any]:
    return writes.create(kind, kind.rules.default(obj), CONTEXT)


def test_a_write_is_checked_and_counted() -> None:
    """Every change but one of metadata is a generation; a broken schema is told in one 422."""
    kind = kind_of()
    first = created(kind, widget({"size": 1}, status={"size": 3}))
    assert (first["metadata"]["generation"], first["status"]) == (1, {"size": 3})
    second = writes.update(kind, {**first, "status": {"size": 4}}, first, CONTEXT)
    assert second["metadata"]["generation"] == 2
    with pytest.raises(
        Invalid, match=r'Widget\.example\.com "w" is invalid: spec.size: Invalid value: 0'
    ) as caught:
        created(kind, widget({"size": 0}))
    assert [cause.field for cause in caught.value.causes] == ["spec.size"]


def test_a_status_subresource_parts_the_status() -> None:
    """A create drops it, an update keeps it, a write of it changes nothing else and counts no generation."""
    kind = kind_of(subresources={"status": {}})
    first = created(kind, widget({"size": 1}, status={"size": 3}))
    assert "status" not in first
    second = writes.update_status(kind, {**first, "spec": {"size": 9}, "status": {"size": 4}}, first, CONTEXT)
    assert (second["spec"]["size"], second["status"], second["metadata"]["generation"]) == (1, {"size": 4}, 1)
    third = writes.update(kind, {**second, "status": {}, "spec": {"size": 2}}, second, CONTEXT)
    assert (third["status"], third["metadata"]["generation"]) == ({"size": 4}, 2)


def test_what_has_not_changed_is_not_checked_again() -> None:
    """An object that a newer schema refuses can still be changed elsewhere."""
    kind = kind_of()
    old = {**created(kind, widget()), "spec": {"size": 0, "color": 1}}
    assert (
        writes.update(kind, {**old, "spec": {**old["spec"], "note": "x"}}, old, CONTEXT)["spec"]["note"]
        == "x"
    )
    with pytest.raises(Invalid) as caught:
        writes.update(kind, {**old, "spec": {"size": -1, "color": 1}}, old, CONTEXT)
    assert [cause.field for cause in caught.value.causes] == ["spec.size"]


def test_a_resource_inside_is_checked() -> None:
    """It needs a type, and metadata that are some."""
    custom = CustomSchema(SCHEMA, SEAMS)
    found = custom.check(widget({"size": 1, "template": {"kind": "a b", "metadata": {"name": "a/b"}}}))
    assert [cause.field for cause in found] == [
        "spec.template.apiVersion", "spec.template.kind", "spec.template.metadata.name"
    ]  # fmt: skip
    found = custom.check(widget({"size": 1, "template": {"apiVersion": "v1", "kind": "A", "metadata": 5}}))
    assert [cause.message for cause in found] == ["Invalid value: 5: it is no object"]


def test_a_scale_lies_where_the_definition_says() -> None:
    """It is read and written there."""
    scale = {
        "specReplicasPath": ".spec.a.size",
        "statusReplicasPath": ".status.size",
        "labelSelectorPath": ".status.sel",
    }
    kind = kind_of(subresources={"scale": scale})
    obj = widget({"a": {"size": 2, "b": 1}}, status={"size": 1, "sel": "x=y"})
    obj["metadata"] |= {"resourceVersion": "5", "uid": "u"}
    made = scaling.scale_of(kind.rules.scale, obj)
    assert (made["spec"], made["status"]) == ({"replicas": 2}, {"replicas": 1, "selector": "x=y"})
    assert scaling.scaled(kind, obj, {**made, "spec": {"replicas": 5}})["spec"] == {"a": {"size": 5, "b": 1}}


def test_selectable_fields_are_labels() -> None:
    """They are the texts of their values."""
    fields = [{"jsonPath": ".spec.size"}, {"jsonPath": ".spec.on"}, {"jsonPath": ".spec.none.x"}]
    rules = kind_of(selectableFields=fields).rules
    assert rules.fields(widget({"size": 3, "on": True})) == {
        "metadata.name": "w", "metadata.namespace": "default", "spec.size": "3", "spec.on": "true", "spec.none.x": ""
    }  # fmt: skip
    assert "spec.size" in rules.field_labels


def column(kind: str, path: str) -> dict[str, Any]:
    return {"name": "A", "type": kind, "jsonPath": path}


@pytest.mark.parametrize(
    ("kind", "path", "cell"),
    [
        ("string", ".spec.text", "t"), ("string", ".spec.list", '["a","b"]'), ("string", ".spec.list[*]", "a"),
        ("string", ".spec.list[-1]", "b"), ("string", ".spec.number", "1.5"), ("string", ".spec.no", None),
        ("string", ".metadata.labels.a\\.b/c", "l"), ("string", ".metadata.labels['a.b/c']", "l"),
        ("string", '.spec.conditions[?(@.type=="Ready")].status', "True"), ("string", ".spec.yes", "true"),
        ("string", ".spec.conditions[?(@.n>1)].type", "Other"), ("string", ".spec..text", None),
        ("integer", ".spec.number", 1), ("integer", ".spec.text", None), ("number", ".spec.number", 1.5),
        ("boolean", ".spec.yes", True), ("boolean", ".spec.number", None), ("integer", ".spec.yes", None),
        ("date", ".spec.at", "90s"), ("date", ".spec.text", "<invalid>"), ("date", ".spec.number", None),
        ("string", ".spec.list[0:1]", "a"),
    ],
)  # fmt: skip
def test_a_printer_column(kind: str, path: str, cell: Any) -> None:
    """It shows the first value of its path, as its type says; nothing where there is none."""
    table = kind_of(additionalPrinterColumns=[column(kind, path)]).rules.table
    obj = widget({"text": "t", "list": ["a", "b"], "number": 1.5, "yes": True, "at": "2024-01-01T00:00:00Z",
                  "conditions": [{"type": "Ready", "status": "True", "n": 1}, {"type": "Other", "n": 2}]})  # fmt: skip
    obj["metadata"]["labels"] = {"a.b/c": "l"}
    assert table.row(obj, Moment(1704067290.0)) == ["w", cell]


def test_columns_without_any_are_the_age() -> None:
    """Also what they are called, and which are for `-o wide`."""
    assert [each.name for each in kind_of().rules.table.columns] == ["Name", "Age"]
    shown = kind_of(
        additionalPrinterColumns=[{**column("integer", ".a"), "priority": 1, "format": "int32"}]
    ).rules.table
    assert shown.columns[1].to_dict() == {
        "name": "A", "type": "integer", "format": "int32", "priority": 1,
        "description": "Custom resource definition column (in JSONPath format): .a",
    }  # fmt: skip


def test_paths_that_are_none_are_refused() -> None:
    """Recursion, unions and functions are not used here."""
    for path in (".a..b", ".a[0,1]", ".a[", ".a[?(@.b]"):
        with pytest.raises(ValueError, match="unrecognized column definition"):
            compile_path(path)
    assert find(compile_path("."), {"a": 1}) == [{"a": 1}]


def test_version_two_of_openapi_says_less() -> None:
    """What it has no words for is left out, so that kubectl refuses nothing that is fine."""
    schema = {"type": "object", "properties": {
        "a": {"type": "string", "nullable": True, "anyOf": [{"minLength": 1}]},
        "b": {"x-kubernetes-int-or-string": True}, "c": {"type": "integer", "format": "int32"}}}  # fmt: skip
    made = published_schema(schema, "g.io", "v1", "K", v2=True)["properties"]
    assert (made["a"], made["b"], made["c"]) == (
        {}, {"x-kubernetes-int-or-string": True}, {"type": "integer", "format": "int32"}
    )  # fmt: skip
    kept = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    assert "properties" not in published_schema(kept, "g.io", "v1", "K", v2=True)
    assert published_schema(None, "g.io", "v1", "K")["type"] == "object"


def named(name: str, created_at: str, accepted: dict[str, Any] | None = None, **names: Any) -> dict[str, Any]:
    made = definition(
        names={"plural": name, "singular": name, "kind": name.title(), "listKind": f"{name}List", **names}
    )
    made["metadata"] = {"name": f"{name}.example.com", "creationTimestamp": created_at}
    return {**made, "status": {"acceptedNames": accepted}} if accepted else made


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in status["conditions"]}


def test_the_first_has_the_names() -> None:
    """Who comes later waits, is told which name is taken, and gets it once it is free."""
    first, second = named("a", "1", shortNames=["x"]), named("b", "2", shortNames=["x"], kind="A")
    changed = settle_names([second, first], NOW)
    assert conditions(changed["a.example.com"]) == {
        "NamesAccepted": ("True", "NoConflicts", "no conflicts found"),
        "Established": ("True", "InitialNamesAccepted", "the initial names have been accepted"),
    }
    assert conditions(changed["b.example.com"]) == {
        "NamesAccepted": ("False", "KindConflict", '"A" is already in use'),
        "Established": ("False", "NotAccepted", "not all names are accepted"),
    }
    assert changed["b.example.com"]["acceptedNames"] == {"plural": "b", "singular": "b", "listKind": "bList"}
    settled = [{**first, "status": changed["a.example.com"]}, {**second, "status": changed["b.example.com"]}]
    assert settle_names(settled, "later") == {}
    alone = settle_names(settled[1:], NOW)["b.example.com"]
    assert conditions(alone)["Established"][0] == "True"
    assert alone["acceptedNames"]["shortNames"] == ["x"]


def test_who_is_established_stays_so() -> None:
    """A name that is taken is not given, but the definition is served under the names that it has."""
    first = named("a", "1")
    status = settle_names([first], NOW)["a.example.com"]
    rival = named(
        "b",
        "0",
        accepted={"plural": "b", "singular": "b", "kind": "B", "listKind": "bList", "shortNames": ["z"]},
    )
    wants = {
        **first,
        "status": status,
        "spec": {**first["spec"], "names": {**first["spec"]["names"], "shortNames": ["z"]}},
    }
    after = settle_names([wants, rival], "later")["a.example.com"]
    assert conditions(after)["NamesAccepted"] == ("False", "ShortNamesConflict", '"z" is already in use')
    assert conditions(after)["Established"][0] == "True"
    assert (
        next(each["lastTransitionTime"] for each in after["conditions"] if each["type"] == "Established")
        == NOW
    )


class Program:
    """A rule that compares: `self > oldSelf` or `self > 0`."""

    def __init__(self, text: str) -> None:
        if text == "bad":
            raise ValueError("it is bad")
        self.text = text
        self.uses_old_self = "oldSelf" in text

    def run(self, self_value: Any, old_self: Any, budget: int) -> Outcome:
        if self.text == "error":
            return Outcome(error="division by zero", cost=1)
        if self.text == "costly":
            return Outcome(True, cost=OBJECT_BUDGET + 1)
        if self.text == "message":
            return Outcome(f"not {self_value}", cost=1)
        return Outcome(self_value > (old_self if self.uses_old_self else 0), cost=1)


def ruled(*rules: dict[str, Any], new: Any, old: Any = MISSING) -> list[str]:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer", "x-kubernetes-validations": [*rules]}},
    }
    custom = CustomSchema(schema, replace(SEAMS, compile_rule=lambda text, _schema, _optional: Program(text)))
    found: list[Cause] = custom.check({"n": new}, None if old is MISSING else {"n": old})
    return [
        f"{'warning of ' if isinstance(cause, Ratcheted) else ''}{cause.field}: {cause.message}"
        for cause in found
    ]


@pytest.mark.parametrize(
    ("rule", "new", "old", "expected"),
    [
        ({"rule": "self > 0"}, 1, MISSING, []),
        ({"rule": "self > 0"}, -1, MISSING, ['n: Invalid value: "integer": failed rule: self > 0']),
        ({"rule": "self > 0", "message": "too small"}, -1, MISSING, ['n: Invalid value: "integer": too small']),
        ({"rule": "self > 0", "messageExpression": "message"}, -1, MISSING, ['n: Invalid value: "integer": not -1']),
        ({"rule": "self > 0", "reason": "FieldValueForbidden", "message": "no"}, -1, MISSING, ["n: Forbidden: no"]),
        ({"rule": "self > 0", "fieldPath": ".x", "message": "m"}, -1, MISSING, ['n.x: Invalid value: "integer": m']),
        ({"rule": "self > 0"}, -1, -1, ['warning of n: Invalid value: "integer": failed rule: self > 0']),
        ({"rule": "self > 0"}, -2, -1, ['n: Invalid value: "integer": failed rule: self > 0']),
        ({"rule": "self > oldSelf"}, -2, MISSING, []),
        ({"rule": "self > oldSelf"}, 1, 1, ['n: Invalid value: "integer": failed rule: self > oldSelf']),
        ({"rule": "error"}, 1, MISSING, ['n: Invalid value: "integer": division by zero evaluating rule: error']),
        ({"rule": "bad"}, 1, MISSING, ['n: Invalid value: "integer": rule compile error: it is bad']),
        ({"rule": "costly"}, 1, MISSING, ['n: Invalid value: "integer": validation failed due to running out of cost budget, no further validation rules will be run']),
    ],
)  # fmt: skip
def test_rules_of_a_schema(rule: dict[str, Any], new: Any, old: Any, expected: list[str]) -> None:
    """They hold, or say why not; what has not changed is warned of, except by rules that compare."""
    assert ruled(rule, new=new, old=old) == expected


def test_rules_are_not_tried_on_an_object_of_another_form() -> None:
    """The client is told that there may be more."""
    assert ruled({"rule": "self > 0"}, new="x")[1] == (
        "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; "
        "correct the existing errors to complete validation"
    )


def test_a_schema_is_compiled_where_objects_use_it() -> None:
    """The fields that no object has are never looked at."""
    root = Structural({"properties": {f"f{index}": STRING for index in range(1000)}})
    assert root.properties.get("f1") is root.properties["f1"]
    assert len(root.properties._made) == 1  # type: ignore[attr-defined]
    assert not is_terminating(definition())
