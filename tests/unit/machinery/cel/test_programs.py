"""Programs: variables that are computed when they are needed, values that are not what was declared, messages."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from machinery.cel import (
    DYN,
    NONE,
    Environment,
    EvaluationError,
    Field,
    Kind,
    Optional,
    Type,
    compile_expression,
    optional_of,
    type_from_schema,
)
from machinery.cel.library.authorizers import RESOURCE_CHECK, AuthorizerValue, Decision, ResourceCheck
from machinery.cel.schema import escape, unescape
from machinery.cel.types import STRING
from machinery.cel.values import MessageValue


class Lazy(Mapping):
    """Variables that remember what was asked for."""

    def __init__(self, **values):
        self.values_by_name = values
        self.asked = []

    def __getitem__(self, name):
        self.asked.append(name)
        return self.values_by_name[name]

    def __iter__(self):
        return iter(self.values_by_name)

    def __len__(self):
        return len(self.values_by_name)


def test_a_variable_is_looked_up_when_it_is_needed():
    """So what is dear to make can be made then."""
    variables = Lazy(a=True, b=False)
    environment = Environment(dict.fromkeys("ab", DYN))
    assert compile_expression("a || b", environment)(variables) is True
    assert variables.asked == ["a"]


def test_fields_of_a_lazy_object_are_looked_up_when_they_are_needed():
    """`variables.x` of an admission policy is such a field."""
    fields = Lazy(x=1, y=2)
    program = compile_expression("variables.x > 0 || variables.y > 0", Environment({"variables": DYN}))
    assert program({"variables": fields}) is True
    assert set(fields.asked) == {"x"}


def test_a_variable_that_is_not_given_is_an_error_where_it_is_needed():
    """It is one only then."""
    program = compile_expression("a || b", Environment(dict.fromkeys("ab", DYN)))
    assert program({"a": True}) is True
    with pytest.raises(EvaluationError, match=r"no such attribute\(s\): b"):
        program({"a": False})


@pytest.mark.parametrize("value", [None, 1, "a", [], {"replicas": "x"}, {"replicas": None}, {"replicas": []}])
def test_a_value_that_is_not_of_its_declared_type_is_an_error(value):
    """The process stays up."""
    declared = type_from_schema({"type": "object", "properties": {"replicas": {"type": "integer"}}})
    program = compile_expression("self.replicas + 1 > 0", Environment({"self": declared}))
    with pytest.raises(EvaluationError):
        program({"self": value})


def test_a_name_with_a_dot_can_be_a_variable():
    """`authorizer.requestResource` is one."""
    seen = []

    def decide(check: ResourceCheck, verb: str) -> Decision:
        seen.append((check.resource, verb))
        return Decision(allowed=True)

    environment = Environment({"authorizer": DYN, "authorizer.requestResource": RESOURCE_CHECK})
    program = compile_expression("authorizer.requestResource.check('get').allowed()", environment)
    check = ResourceCheck(AuthorizerValue(decide), "", "pods")
    assert program({"authorizer.requestResource": check}) is True
    assert seen == [("pods", "get")]


def test_two_checks_of_an_authorizer_are_all_that_an_expression_may_make():
    """Each costs 350,000."""
    check = "authorizer.group('').resource('pods').check('get').allowed()"
    from machinery.cel.library.authorizers import AUTHORIZER

    environment = Environment({"authorizer": AUTHORIZER})
    asker = AuthorizerValue(lambda *_: Decision(allowed=True))
    assert compile_expression(f"{check} && {check}", environment)({"authorizer": asker}) is True
    with pytest.raises(EvaluationError, match="cost limit exceeded"):
        compile_expression(f"{check} && {check} && {check}", environment)({"authorizer": asker})


def test_a_message_is_made_of_its_fields():
    """Those of a policy that changes objects: of any field, and of those that are declared."""
    patch = Type(Kind.OBJECT, "JSONPatch", fields={"op": Field("op", STRING)}, closed=True)
    environment = Environment(
        messages={"Object": Type(Kind.OBJECT, "Object"), "Object.": DYN, "JSONPatch": patch}
    )
    made = compile_expression("Object{spec: Object.spec{replicas: 3}}", environment)({})
    assert made == {"spec": {"replicas": 3}}
    assert isinstance(made, MessageValue)
    assert made.type_name == "Object"
    with pytest.raises(Exception, match="undefined field 'nope'"):
        compile_expression("JSONPatch{nope: 1}", environment)
    with pytest.raises(Exception, match="expected type 'string' but found 'int'"):
        compile_expression("JSONPatch{op: 1}", environment)


def test_a_program_keeps_nothing_of_an_evaluation():
    """A constant list is another one each time."""
    program = compile_expression("[1, 2]", Environment())
    program({}).append(3)
    assert program({}) == [1, 2]


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("plain", "plain"),
        ("namespace", "__namespace__"),
        ("x-prop", "x__dash__prop"),
        ("a.b/c", "a__dot__b__slash__c"),
        ("redact__d", "redact__underscores__d"),
        ("1x", None),
        ("a b", None),
        ("", None),
    ],
)
def test_a_property_goes_by_an_identifier(name, escaped):
    """One that cannot be an identifier cannot be reached."""
    assert escape(name) == escaped
    if escaped is not None:
        assert unescape(escaped) == name


def test_a_rule_can_ask_whether_there_was_an_object_before():
    """`optionalOldSelf` makes the old value one that may be missing; it is of the schema's type."""
    declared = type_from_schema(
        {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}}
    )
    environment = Environment({"self": declared, "oldSelf": optional_of(declared)})
    program = compile_expression("!oldSelf.hasValue() || self.at >= oldSelf.value().at", environment)
    newer, older = {"at": "2024-01-02T00:00:00Z"}, {"at": "2024-01-01T23:00:00-00:30"}
    assert program({"self": newer, "oldSelf": NONE}) is True
    assert program({"self": newer, "oldSelf": Optional(present=True, value=older)}) is True
    assert program({"self": older, "oldSelf": Optional(present=True, value=newer)}) is False


def test_lists_of_a_schema_join_as_their_kind_says():
    """Sets have each element once; maps have each key once, in its place."""
    schema = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}},
    }
    declared = type_from_schema(schema)
    program = compile_expression("a + b", Environment({"a": declared, "b": declared}))
    one, other = [{"k": "x", "v": 1}, {"k": "y", "v": 2}], [{"k": "z", "v": 3}, {"k": "x", "v": 9}]
    assert [(item["k"], item["v"]) for item in program({"a": one, "b": other})] == [
        ("x", 9),
        ("y", 2),
        ("z", 3),
    ]
