"""Unknown and repeated fields are told in the order in which they stand in the document."""

from __future__ import annotations

import json

import pytest

from apiserver import schemas
from apiserver.core import writes
from apiserver.core.decode import read_json
from apiserver.core.kinds import KINDS
from apiserver.core.strictness import strict_errors
from apiserver.core.writes import FieldValidation
from machinery.model.errors import BadRequest
from tests.support.stalls import using

DEPLOYMENT = schemas.load().struct("io.k8s.api.apps.v1.Deployment")


def found(text: str) -> tuple[str, ...]:
    """Return what is said in vain in the text of a Deployment."""
    return strict_errors(read_json(text.encode(), "Pod")[0], DEPLOYMENT)


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ('{"spec":{"odd":1,"replicas":2,"replicas":3}}', ['unknown "spec.odd"', 'duplicate "spec.replicas"']),
        ('{"spec":{"replicas":2,"replicas":3,"odd":1}}', ['duplicate "spec.replicas"', 'unknown "spec.odd"']),
        ('{"spec":{"replicas":2,"odd":1,"replicas":3}}', ['unknown "spec.odd"', 'duplicate "spec.replicas"']),
        ('{"odd":1,"odd":2}', ['unknown "odd"']),
        ('{"odd":{"a":1,"a":2}}', ['unknown "odd"']),
        ('{"odd":null}', ['unknown "odd"']),
        ('{"spec":{"x":1},"spec":{"y":1}}', ['unknown "spec.x"', 'duplicate "spec"', 'unknown "spec.y"']),
        ('{"spec":{"x":1},"spec":{"x":2},"spec":{}}', ['unknown "spec.x"', 'duplicate "spec"']),
        ('{"metadata":{"labels":{"a":"1","b":"1","a":"2"}},"z":0}', ['duplicate "metadata.labels.a"', 'unknown "z"']),
        ('{"spec":{"template":{"spec":{"containers":[{"name":"a","x":1},{"name":"b","name":"c"}]}}}}', ['unknown "spec.template.spec.containers[0].x"', 'duplicate "spec.template.spec.containers[1].name"']),
        ('{"metadata":{"managedFields":[{"fieldsV1":{"f:a":{},"f:a":{}}}]}}', ['duplicate "metadata.managedFields[0].fieldsV1.f:a"']),
        ('{"metadata":{"name":"a"},"spec":{"replicas":1}}', []),
    ],
)  # fmt: skip
def test_they_come_as_they_stand_there(text: str, errors: list[str]) -> None:
    """Each once; what is below an unknown field is not looked at."""
    assert list(found(text)) == [error.replace(' "', ' field "', 1) for error in errors]


@pytest.mark.parametrize("validation", list(FieldValidation))
def test_the_object_is_refused_warned_of_or_read(validation: FieldValidation) -> None:
    """As the request wants it; the issue's own input."""
    body = b'{"metadata":{"name":"a"},"spec":{"unknownField":1,"replicas":2,"replicas":3}}'
    raw, repeats = read_json(body, "Pod", find_repeated=validation is not FieldValidation.IGNORE)
    errors = ('unknown field "spec.unknownField"', 'duplicate field "spec.replicas"')

    def read() -> writes.Read:
        kind = KINDS["apps", "deployments"]
        return writes.read(
            schemas.load(), kind, raw, validation=validation, document=writes.Document(repeats)
        )

    if validation is FieldValidation.STRICT:
        with pytest.raises(BadRequest) as caught:
            read()
        assert caught.value.message.endswith(f"strict decoding error: {', '.join(errors)}")
    else:
        assert read().warnings == (errors if validation is FieldValidation.WARN else ())
        assert read().obj["spec"]["replicas"] == 3


def test_of_many_a_hundred_are_told() -> None:
    """Of both together, in time that follows the body; their paths are cut, since keys may be as long as the body."""
    keys = [f'"k{number}":1' for number in range(30_000)]
    with using(less_than_s=3):
        errors = found(f'{{"metadata":{{"labels":{{{",".join(keys + keys)}}}}},{",".join(keys)}}}')
    assert errors == tuple(f'duplicate field "metadata.labels.k{number}"' for number in range(100))
    with using(less_than_s=3):
        assert found(f"{{{','.join(keys)}}}") == tuple(f'unknown field "k{number}"' for number in range(100))


def test_a_path_of_a_long_key_costs_nothing_where_nothing_is_told() -> None:
    """Each value below it has it in its path."""
    long = "k" * 1_000_000
    below = ",".join(["1"] * 20_000)
    text = f'{{"metadata":{{"labels":{{{json.dumps(long)}:[{below},{{"y":1,"y":2}}]}}}}}}'
    with using(less_than_s=3):
        errors = found(text)
    assert [len(error) for error in errors] == [len('duplicate field ""') + 1000]


def test_a_document_may_be_deep() -> None:
    """As deep as the reader takes it."""
    depth = 400
    deep = '{"a":' * depth + '{"b":1,"b":2}' + "}" * depth
    [error] = found(f'{{"metadata":{{"managedFields":[{{"fieldsV1":{deep}}}]}}}}')
    assert error.endswith('.a.b"')
