"""The variables of admission: those that policies and match conditions are written over.

https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/ names them. Objects are dyn, since one
policy is for many kinds; the request and the namespace have their types, so that a field which is none of theirs is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from machinery.cel.environment import KUBERNETES, Environment
from machinery.cel.library.authorizers import AUTHORIZER, RESOURCE_CHECK
from machinery.cel.schema import type_from_schema
from machinery.cel.types import DYN, STRING, Field, Kind, Type

_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_TEXT_MAP: Final = {"type": "object", "additionalProperties": _TEXT}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_KIND: Final = _object(group=_TEXT, version=_TEXT, kind=_TEXT)
_RESOURCE: Final = _object(group=_TEXT, version=_TEXT, resource=_TEXT)
_USER: Final = _object(
    username=_TEXT,
    uid=_TEXT,
    groups=_TEXTS,
    extra={"type": "object", "additionalProperties": _TEXTS},
)
_REQUEST: Final = _object(
    kind=_KIND,
    resource=_RESOURCE,
    subResource=_TEXT,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=_TEXT,
    name=_TEXT,
    namespace=_TEXT,
    operation=_TEXT,
    userInfo=_USER,
    dryRun={"type": "boolean"},
)
_TIME: Final = {"type": "string", "format": "date-time"}
_NAMESPACE: Final = _object(
    metadata=_object(
        name=_TEXT,
        generateName=_TEXT,
        namespace=_TEXT,
        labels=_TEXT_MAP,
        annotations=_TEXT_MAP,
        UID=_TEXT,
        creationTimestamp=_TIME,
        deletionTimestamp=_TIME,
        deletionGracePeriodSeconds={"type": "integer"},
        generation={"type": "integer"},
        resourceVersion=_TEXT,
        finalizers=_TEXTS,
    ),
    spec=_object(finalizers=_TEXTS),
    status=_object(phase=_TEXT),
)


def _named(schema: Mapping[str, Any], name: str) -> Type:
    found = type_from_schema(schema, name=name)
    if found is None:
        raise AssertionError(name)  # the schemas above are objects
    return found


_REQUEST_TYPE: Final = _named(_REQUEST, "kubernetes.AdmissionRequest")
ADMISSION_REQUEST: Final = replace(
    _REQUEST_TYPE, fields={**_REQUEST_TYPE.fields, "options": Field("options", DYN)}
)
NAMESPACE: Final = _named(_NAMESPACE, "kubernetes.Namespace")

# What a mutating policy makes: `Object{spec: Object.spec{replicas: 3}}` and `JSONPatch{op: "add", path: "/a", value: 1}`.
MUTATION_MESSAGES: Final[Mapping[str, Type]] = {
    "Object": Type(Kind.OBJECT, "Object"),
    "Object.": DYN,
    "JSONPatch": Type(
        Kind.OBJECT,
        "JSONPatch",
        fields={
            **{name: Field(name, STRING) for name in ("op", "path", "from")},
            "value": Field("value", DYN),
        },
        closed=True,
    ),
}


def admission_environment(
    version: tuple[int, int] = KUBERNETES, *, has_params: bool = False, mutates: bool = False
) -> Environment:
    """Return the environment of a policy's expressions, or of a webhook's match conditions (without params).

    Of a policy's own variables the caller adds `variables`, an object of those that come before.
    """
    variables = {
        "object": DYN,
        "oldObject": DYN,
        "request": ADMISSION_REQUEST,
        "namespaceObject": NAMESPACE,
        "authorizer": AUTHORIZER,
        "authorizer.requestResource": RESOURCE_CHECK,
        **({"params": DYN} if has_params else {}),
    }
    return Environment(variables, version, MUTATION_MESSAGES if mutates else {})


def with_variables(environment: Environment, types: Mapping[str, Type]) -> Environment:
    """Return an environment with `variables`, whose fields are a policy's variables with the types of their programs."""
    fields = {name: Field(name, one) for name, one in types.items()}
    return environment.extend(variables=Type(Kind.OBJECT, "kubernetes.variables", fields=fields, closed=True))
