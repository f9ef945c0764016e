"""Schemas and definitions that are refused, with Kubernetes' paths and words."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.custom.definition_rules import check_definition, check_definition_change
from apiserver.core.custom.naming import non_structural
from apiserver.core.custom.structure import violations
from machinery.model.errors import Cause

AT = "spec.validation.openAPIV3Schema"
INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def told(causes: list[Cause]) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in causes]


def definition(schema: Any = None, **changes: Any) -> dict[str, Any]:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"} if schema is None else schema},
    }
    spec = {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [version],
        **changes,
    }
    return {"metadata": {"name": "widgets.example.com"}, "spec": spec}


def with_version(**changes: Any) -> dict[str, Any]:
    made = definition()
    made["spec"]["versions"][0].update(changes)
    return made


def spec_of(field: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": field}}


IN_SPEC = f"{AT}.properties[spec]"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, f"{AT}.type: Required value: must not be empty at the root"),
        ({"type": "array", "items": {"type": "string"}}, f'{AT}.type: Invalid value: "array": must be object at the root'),
        (spec_of({}), f"{IN_SPEC}.type: Required value: must not be empty for specified object fields"),
        (spec_of({"type": "array"}), f"{IN_SPEC}.items: Required value: must be specified"),
        (spec_of({"type": "array", "items": {}}), f"{IN_SPEC}.items.type: Required value: must not be empty for specified array items"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, f"{AT}.additionalProperties: Forbidden: must not be used at the root"),
        (spec_of({"type": "object", "anyOf": [{"type": "string"}]}), f"{IN_SPEC}.anyOf[0].type: Forbidden: must be empty to be structural"),
        (spec_of({"type": "object", "not": {"description": "x"}}), f"{IN_SPEC}.not.description: Forbidden: must be empty to be structural"),
        (spec_of({"type": "object", "oneOf": [{"nullable": True}]}), f"{IN_SPEC}.oneOf[0].nullable: Forbidden: must be false to be structural"),
        (spec_of({"type": "object", "allOf": [{"default": {}}]}), f"{IN_SPEC}.allOf[0].default: Forbidden: must be undefined to be structural"),
        ({"type": "object", "anyOf": [{"properties": {"a": {}}}]}, f"{AT}.properties[a]: Required value: because it is defined in {AT}.anyOf[0].properties[a]"),
        ({"type": "object", "not": {"items": {"minLength": 1}}}, f"{AT}.items: Required value: because it is defined in {AT}.not.items"),
        ({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}}, f"{AT}.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified"),
        ({"type": "object", "properties": {"kind": {"type": "integer"}}}, f'{AT}.properties[kind].type: Invalid value: "integer": must be string'),
        (spec_of({"x-kubernetes-int-or-string": True, "x-kubernetes-preserve-unknown-fields": True}), f"{IN_SPEC}.x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true"),
        (spec_of({"x-kubernetes-embedded-resource": True}), f"{IN_SPEC}.type: Required value: must be object if x-kubernetes-embedded-resource is true"),
        (spec_of({"type": "object", "x-kubernetes-embedded-resource": True}), f"{IN_SPEC}.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"),
        (spec_of({"type": "string", "pattern": "a("}), f'{IN_SPEC}.pattern: Invalid value: "a(": must be a valid regular expression, but isn\'t: error parsing regexp: missing ): a('),
    ],
)  # fmt: skip
def test_a_schema_that_is_not_structural_is_refused(schema: dict[str, Any], expected: str) -> None:
    """The violation stands among the causes of the 422, and in the condition that stored definitions get."""
    assert expected in told(check_definition(definition(schema)))
    found = non_structural(definition(schema))
    assert found is not None
    assert found[:2] == ("True", "Violations")
    assert expected.replace(AT, "spec.versions[0].schema.openAPIV3Schema") in found[2]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        spec_of({"x-kubernetes-int-or-string": True, "anyOf": INT_OR_STRING}),
        spec_of({"x-kubernetes-int-or-string": True, "allOf": [{"anyOf": INT_OR_STRING}, {"maxLength": 4}]}),
        spec_of({"x-kubernetes-preserve-unknown-fields": True}),
        spec_of({"type": "object", "anyOf": [{"properties": {"a": {"minLength": 1}}}]}),  # only the root has to be complete
        spec_of({"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}),
        spec_of({"type": "object", "properties": {"a": {"type": "string"}}, "oneOf": [{"required": ["a"]}, {"properties": {"a": {"minLength": 3}}}]}),
        {"type": "object", "properties": {"metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}}}}},
    ],
)  # fmt: skip
def test_a_structural_schema_is_taken(schema: dict[str, Any]) -> None:
    """It has no violation, and its definition nothing wrong."""
    assert violations(schema, AT) == []
    assert told(check_definition(definition(schema))) == []
    assert non_structural(definition(schema)) is None


def listed(**changes: Any) -> dict[str, Any]:
    items = {"type": "object", "properties": {"k": {"type": "string"}}, "required": ["k"]}
    return spec_of({"type": "array", "items": items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], **changes})  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (spec_of({"type": "null"}), f"{IN_SPEC}.type: Forbidden: type cannot be set to null, use nullable as an alternative"),
        (spec_of({"type": "text"}), f'{IN_SPEC}.type: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"'),
        (spec_of({"type": "object", "$ref": "#/x"}), f"{IN_SPEC}.$ref: Forbidden: $ref is not supported"),
        (spec_of({"type": "object", "patternProperties": {"a": {"type": "string"}}}), f"{IN_SPEC}.patternProperties: Forbidden: patternProperties is not supported"),
        (spec_of({"type": "array", "items": [{"type": "string"}]}), f"{IN_SPEC}.items: Forbidden: items must be a schema object and not an array"),
        (spec_of({"type": "array", "items": {"type": "string"}, "uniqueItems": True}), f"{IN_SPEC}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"),
        (spec_of({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}), f"{IN_SPEC}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"),
        (spec_of({"type": "object", "x-kubernetes-preserve-unknown-fields": False}), f"{IN_SPEC}.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"),
        ({"type": "object", "nullable": True}, f"{AT}.nullable: Forbidden: nullable cannot be true at the root"),
        (spec_of({"type": "string", "x-kubernetes-list-type": "set"}), f'{IN_SPEC}.type: Invalid value: "string": must be array if x-kubernetes-list-type is specified'),
        (spec_of({"type": "string", "x-kubernetes-map-type": "atomic"}), f'{IN_SPEC}.type: Invalid value: "string": must be object if x-kubernetes-map-type is specified'),
        (spec_of({"type": "object", "x-kubernetes-map-type": "odd"}), f'{IN_SPEC}.x-kubernetes-map-type: Unsupported value: "odd": supported values: "atomic", "granular"'),
        (listed(**{"x-kubernetes-list-type": "odd"}), f'{IN_SPEC}.x-kubernetes-list-type: Unsupported value: "odd": supported values: "atomic", "set", "map"'),
        (listed(**{"x-kubernetes-list-type": None}), f"{IN_SPEC}.x-kubernetes-list-type: Required value: must be map if x-kubernetes-list-map-keys is non-empty"),
        (listed(**{"x-kubernetes-list-map-keys": []}), f"{IN_SPEC}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"),
        (listed(**{"x-kubernetes-list-map-keys": ["k", "k"]}), f'{IN_SPEC}.x-kubernetes-list-map-keys: Invalid value: ["k","k"]: must not contain duplicate entries'),
        (listed(**{"x-kubernetes-list-map-keys": ["z"]}), f'{IN_SPEC}.x-kubernetes-list-map-keys: Invalid value: ["z"]: entries must all be names of item properties'),
        (listed(items={"type": "object", "properties": {"k": {"type": "string"}}}), f"{IN_SPEC}.items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"),
        (listed(items={"type": "object", "nullable": True, "required": ["k"], "properties": {"k": {"type": "string"}}}), f"{IN_SPEC}.items.nullable: Forbidden: cannot be nullable when x-kubernetes-list-type is map"),
        (spec_of({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object"}}), f"{IN_SPEC}.items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set"),
        (spec_of({"type": "string", "default": 1}), f'{IN_SPEC}.default: Invalid value: "integer": {IN_SPEC}.default in body must be of type string: "integer"'),
        (spec_of({"type": "object", "properties": {"a": {"type": "string"}}, "default": {"b": 1}}), f'{IN_SPEC}.default: Invalid value: {{"b":1}}: must not have unknown fields'),
        ({"type": "object", "properties": {"metadata": {"type": "object", "default": {"name": "x"}}}}, f"{AT}.properties[metadata].default: Forbidden: must not be set in top-level metadata"),
        (spec_of({"type": "string", "x-kubernetes-validations": [{"rule": " "}]}), f"{IN_SPEC}.x-kubernetes-validations[0].rule: Required value: rule is not specified"),
        (spec_of({"type": "string", "x-kubernetes-validations": [{"rule": "a\nb"}]}), f"{IN_SPEC}.x-kubernetes-validations[0].message: Required value: message must be specified if rule contains line breaks"),
        (spec_of({"type": "string", "x-kubernetes-validations": [{"rule": "a", "reason": "Bad"}]}), f'{IN_SPEC}.x-kubernetes-validations[0].reason: Unsupported value: "Bad": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"'),
        (spec_of({"type": "object", "x-kubernetes-validations": [{"rule": "a", "fieldPath": ".b"}]}), f'{IN_SPEC}.x-kubernetes-validations[0].fieldPath: Invalid value: ".b": fieldPath must be a valid path'),
        (spec_of({"type": "object", "x-kubernetes-validations": [{"rule": "a", "fieldPath": " "}]}), f'{IN_SPEC}.x-kubernetes-validations[0].fieldPath: Invalid value: " ": fieldPath must be non-empty if specified'),
        (spec_of({"type": "object", "x-kubernetes-validations": [{"rule": "a", "fieldPath": ".b\n"}]}), f'{IN_SPEC}.x-kubernetes-validations[0].fieldPath: Invalid value: ".b\\n": fieldPath must not contain line breaks'),
        (spec_of({"type": "object", "x-kubernetes-validations": [{"rule": "a", "message": " "}]}), f'{IN_SPEC}.x-kubernetes-validations[0].message: Invalid value: " ": message must be non-empty if specified'),
        (spec_of({"type": "object", "x-kubernetes-validations": [{"rule": "a", "message": "a\nb"}]}), f'{IN_SPEC}.x-kubernetes-validations[0].message: Invalid value: "a\\nb": message must not contain line breaks'),
        (spec_of({"type": "object", "x-kubernetes-validations": [{"rule": "a", "messageExpression": " "}]}), f"{IN_SPEC}.x-kubernetes-validations[0].messageExpression: Required value: messageExpression must be non-empty if specified"),
        (spec_of({"type": "object", "x-kubernetes-validations": [{"rule": "a", "reason": "Odd"}]}), f'{IN_SPEC}.x-kubernetes-validations[0].reason: Unsupported value: "Odd": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"'),
    ],
)  # fmt: skip
def test_what_a_schema_may_not_say(schema: dict[str, Any], expected: str) -> None:
    """Each is named by its path."""
    assert expected in told(check_definition(definition(schema)))


SELECTABLE = spec_of(
    {"type": "object", "properties": {"size": {"type": "integer"}, "tags": {"type": "object"}}}
)
WEBHOOK = {"clientConfig": {"service": {"name": "a", "namespace": "b"}}, "conversionReviewVersions": ["v1"]}


def converted(**webhook: Any) -> dict[str, Any]:
    return definition(conversion={"strategy": "Webhook", "webhook": {**WEBHOOK, **webhook}})


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (definition(group="example"), 'spec.group: Invalid value: "example": should be a domain with at least one dot'),
        (definition(group=""), "spec.group: Required value"),
        (definition(scope="World"), 'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"'),
        (definition(scope=""), "spec.scope: Required value"),
        ({**definition(), "metadata": {"name": "other.example.com"}}, 'metadata.name: Invalid value: "other.example.com": must be spec.names.plural+"."+spec.group'),
        (definition(names={"plural": "widgets", "kind": "Widget", "listKind": "Widget"}), 'spec.names.listKind: Invalid value: "Widget": kind and listKind may not be the same'),
        (definition(names={"plural": "widgets"}), "spec.names.singular: Required value"),
        (definition(versions=[{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object"}}}]), 'spec.versions: Invalid value: [{"name":"v1","schema":{"openAPIV3Schema":{"type":"object"}}}]: must have exactly one version marked as storage version'),
        (definition(versions=[{"name": "v1", "storage": True}]), "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"),
        (with_version(name="v1.0", schema={"openAPIV3Schema": {"type": "object"}}), "spec.versions[0].name: Invalid value: \"v1.0\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"),
        (with_version(deprecationWarning="x"), 'spec.versions[0].deprecationWarning: Invalid value: "x": can only be set for deprecated versions'),
        (with_version(deprecated=True, deprecationWarning="a\x00"), 'spec.versions[0].deprecationWarning: Invalid value: "a\\u0000": must only contain printable UTF-8 characters; non-printable character found at index 1'),
        (with_version(additionalPrinterColumns=[{"name": "A", "type": "text", "jsonPath": ".a"}]), 'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string'),
        (with_version(additionalPrinterColumns=[{"name": "A", "type": "date", "jsonPath": "a"}]), 'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "a": must be a simple json path starting with .'),
        (with_version(subresources={"scale": {"specReplicasPath": ".status.r", "statusReplicasPath": ".status.r"}}), 'spec.subresources.scale.specReplicasPath: Invalid value: ".status.r": should be a json path under .spec'),
        (with_version(subresources={"scale": {"specReplicasPath": ".spec.r"}}), "spec.subresources.scale.statusReplicasPath: Required value"),
        (with_version(selectableFields=[{"jsonPath": ".spec.size"}]), 'spec.selectableFields[0].jsonPath: Invalid value: ".spec.size": is an invalid path: does not refer to a valid field'),
        (with_version(schema={"openAPIV3Schema": SELECTABLE}, selectableFields=[{"jsonPath": ".spec.tags"}]), 'spec.selectableFields[0].jsonPath: Invalid value: ".spec.tags": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.'),
        (with_version(schema={"openAPIV3Schema": SELECTABLE}, selectableFields=[{"jsonPath": ".spec['size']"}]), "spec.selectableFields[0].jsonPath: Invalid value: \".spec['size']\": is an invalid path: array notation is not allowed"),
        (with_version(schema={"openAPIV3Schema": SELECTABLE}, selectableFields=[{"jsonPath": ".spec.size"}] * 2), 'spec.selectableFields[1].jsonPath: Duplicate value: ".spec.size"'),
        (definition(conversion={"strategy": "Odd"}), 'spec.conversion.strategy: Unsupported value: "Odd": supported values: "None", "Webhook"'),
        (definition(conversion={"strategy": "Webhook"}), "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook"),
        (converted(clientConfig={}), "spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required"),
        (converted(clientConfig={"url": "http://a"}), "spec.conversion.webhookClientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]"),
        (converted(conversionReviewVersions=["v9"]), 'spec.conversion.conversionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1'),
        (definition(conversion={"strategy": "None", "webhook": WEBHOOK}), "spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook"),
        (definition(preserveUnknownFields=True), "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"),
        (definition(group="foo.k8s.io"), 'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111'),
    ],
)  # fmt: skip
def test_what_a_definition_may_not_say(made: dict[str, Any], expected: str) -> None:
    """Each is named by its path."""
    assert expected in told(check_definition(made))


def test_versions_that_differ_are_told_of_apart() -> None:
    """Only what all versions say alike stands under spec.validation."""
    made = definition()
    made["spec"]["versions"].append(
        {"name": "v2", "served": True, "schema": {"openAPIV3Schema": {"type": "string"}}}
    )
    assert told(check_definition(made)) == [
        'spec.versions[1].schema.openAPIV3Schema.type: Invalid value: "string": must be object at the root'
    ]


def test_a_change_keeps_group_plural_and_stored_versions() -> None:
    """What objects are stored by cannot change."""
    old = {**definition(), "status": {"storedVersions": ["v0", "v1"], "conditions": [{"type": "Established", "status": "True"}]}}  # fmt: skip
    new = {**definition(group="other.com", scope="Cluster"), "status": old["status"]}
    assert told(check_definition_change(new, old)) == [
        'spec.scope: Invalid value: "Cluster": field is immutable',
        'spec.group: Invalid value: "other.com": field is immutable',
        'status.storedVersions[0]: Invalid value: "v0": missing from spec.versions; v0 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v0 and removes v0 from status.storedVersions',
    ]


def test_a_schema_nested_without_end_is_refused_before_anything_walks_it() -> None:
    """One cause, and no recursion."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(400):
        schema = {"type": "object", "properties": {"a": schema}}
    assert told(check_definition(definition(schema))) == [
        f'{AT}: Invalid value: "": must not be nested more than 80 schemas deep'
    ]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (spec_of({"type": 5}), "json: cannot unmarshal number into Go struct field JSONSchemaProps.type of type string"),
        (spec_of({"items": 5}), "json: cannot unmarshal number into Go struct field JSONSchemaProps.items of type v1.JSONSchemaPropsOrArray"),
        (spec_of({"properties": {"a": None}}), "json: cannot unmarshal null into Go value of type v1.JSONSchemaProps"),
        (spec_of({"x-kubernetes-validations": [{"rule": 1}]}), "json: cannot unmarshal array into Go struct field JSONSchemaProps.x-kubernetes-validations of type []v1.ValidationRule"),
    ],
)  # fmt: skip
def test_a_schema_that_is_none(schema: dict[str, Any], expected: str) -> None:
    """It is one cause, wherever it lies."""
    assert told(check_definition(definition(schema))) == [f'{AT}: Invalid value: "": {expected}']
