"""Devices as claims ask for them and classes describe them: requests, selectors, constraints, configuration.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/
Expressions that select devices are compiled before they are stored; whoever allocates evaluates them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from apiserver.core import field_errors
from apiserver.core.csi import driver_name_causes
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

MOST_REQUESTS: Final = 32
MOST_CONFIGS: Final = 32
_MOST_SELECTORS: Final = 32
_MOST_CHOICES: Final = 8
_LONGEST_EXPRESSION: Final = 10 * 1024
_LONGEST_PARAMETERS: Final = 10 * 1024
_LONGEST_ID: Final = 32
_MOST_CONDITIONS: Final = 4
_HEX: Final = "[0-9a-fA-F]"
_PLAIN: Final = f"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_ANY_UID: Final = re.compile(rf"(urn:uuid:)?{_PLAIN}|\{{{_PLAIN}\}}|{_HEX}{{32}}", re.ASCII)
_UID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_UID_LENGTHS: Final = frozenset({32, 36, 38, 45})
_UID_TEXT: Final = (
    "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal "
    "characters"
)
_ID: Final = "[A-Za-z_][A-Za-z0-9_]*"
_ID_TEXT: Final = (
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
    f"characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '{_ID}')"
)
_MODES: Final = ["All", "ExactCount"]
_OPERATORS: Final = ["Equal", "Exists"]
EFFECTS: Final = frozenset({"NoExecute", "NoSchedule", "None"})
_NO_REQUEST: Final = (
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
)

Requests: TypeAlias = Mapping[str, frozenset[str]]
"""The names of requests, with those of the requests among which one may choose."""


def default_claim(own: Json) -> Json:
    """Fill in what a claim asks for."""
    for request in (own.get("devices") or {}).get("requests") or ():
        for each in [request.get("exactly"), *(request.get("firstAvailable") or ())]:
            if each is not None:
                _default_request(each)
    return own


def _default_request(request: Json) -> None:
    request["allocationMode"] = request.get("allocationMode") or "ExactCount"
    if request["allocationMode"] == "ExactCount":
        request["count"] = request.get("count") or 1
    for toleration in request.get("tolerations") or ():
        toleration.setdefault("operator", "Equal")


def claim_causes(own: Json, path: str) -> list[Cause]:
    """Check what a claim asks for."""
    devices, path = own.get("devices") or {}, f"{path}.devices"
    requests = devices.get("requests") or []
    known = requests_of(own)
    found = set_causes(
        requests, f"{path}.requests", MOST_REQUESTS, _request_causes, lambda each: each.get("name", "")
    )
    found += list_causes(
        devices.get("constraints") or [],
        f"{path}.constraints",
        MOST_REQUESTS,
        lambda each, where: _constraint_causes(each, where, known),
    )
    return found + list_causes(
        devices.get("config") or [],
        f"{path}.config",
        MOST_CONFIGS,
        lambda each, where: [
            *reference_list_causes(each.get("requests") or [], f"{where}.requests", known),
            *config_causes(each, where),
        ],
    )


def requests_of(own: Json) -> Requests:
    """Return the names of a claim's requests."""
    return {
        each.get("name", ""): frozenset(sub.get("name", "") for sub in each.get("firstAvailable") or ())
        for each in (own.get("devices") or {}).get("requests") or ()
    }


def list_causes(
    items: list[Json], path: str, most: int, causes_of: Callable[[Json, str], list[Cause]]
) -> list[Cause]:
    """Check a list, and each of its items where they are not too many."""
    if len(items) > most:
        return [field_errors.too_many(path, len(items), most)]
    return [cause for index, item in enumerate(items) for cause in causes_of(item, f"{path}[{index}]")]


def set_causes(
    items: list[Json],
    path: str,
    most: int,
    causes_of: Callable[[Json, str], list[Cause]],
    key_of: Callable[[Json], str],
) -> list[Cause]:
    """Check a list whose items have keys that no other one has."""
    found = list_causes(items, path, most, causes_of)
    if len(items) > most:
        return found
    keys = [key_of(item) for item in items]
    return found + [
        field_errors.duplicate(f"{path}[{index}]", keys[index]) for index in field_errors.repeated(keys)
    ]


def _request_causes(request: Json, path: str) -> list[Cause]:
    found = label_causes(request.get("name", ""), f"{path}.name")
    exactly, choices = request.get("exactly"), request.get("firstAvailable") or []
    one = "exactly one of `exactly` or `firstAvailable` is required"
    if exactly is None and not choices:
        return [*found, field_errors.required(path, one)]
    if exactly is not None and choices:
        return [*found, field_errors.invalid(path, None, f"{one}, but multiple fields are set")]
    if exactly is not None:
        return found + _exact_causes(exactly, f"{path}.exactly")
    return found + set_causes(
        choices,
        f"{path}.firstAvailable",
        _MOST_CHOICES,
        lambda each, where: [
            *label_causes(each.get("name", ""), f"{where}.name"),
            *_exact_causes(each, where),
        ],
        lambda each: each.get("name", ""),
    )


def label_causes(name: str, path: str) -> list[Cause]:
    """Check a name that is a label of a domain name."""
    return field_errors.each_invalid(path, name, names.dns_label_errors(name))


def _exact_causes(request: Json, path: str) -> list[Cause]:
    class_ = request.get("deviceClassName", "")
    found = (
        field_errors.each_invalid(f"{path}.deviceClassName", class_, names.dns_subdomain_errors(class_))
        if class_
        else [field_errors.required(f"{path}.deviceClassName")]
    )
    found += selector_causes(request.get("selectors") or [], f"{path}.selectors")
    mode, count = request["allocationMode"], request.get("count", 0)
    if mode == "All" and count:
        text = "must not be specified when allocationMode is 'All'"
        found.append(field_errors.invalid(f"{path}.count", count, text))
    if mode == "ExactCount" and count <= 0:
        found.append(field_errors.invalid(f"{path}.count", count, "must be greater than zero"))
    found += field_errors.one_of(f"{path}.allocationMode", mode, _MODES)
    return found + toleration_list_causes(request.get("tolerations") or [], f"{path}.tolerations")


def selector_causes(selectors: list[Json], path: str) -> list[Cause]:
    """Check the expressions that a device has to fit."""
    return list_causes(selectors, path, _MOST_SELECTORS, _selector_causes)


def _selector_causes(selector: Json, path: str) -> list[Cause]:
    if "cel" not in selector:
        return [field_errors.required(f"{path}.cel")]
    text, where = selector["cel"].get("expression", ""), f"{path}.cel.expression"
    if not text.strip():
        return [field_errors.required(where)]
    if len(text.encode()) > _LONGEST_EXPRESSION:
        return [field_errors.too_long(where, _LONGEST_EXPRESSION)]
    from apiserver.core.device_selectors import expression_causes  # with the language: seldom needed

    return expression_causes(text, where)


def binding_causes(holder: Json, path: str) -> list[Cause]:
    """Check the conditions that a device waits for, and those by which that fails: there are both or none of them."""
    waits, fails = holder.get("bindingConditions") or [], holder.get("bindingFailureConditions") or []
    found: list[Cause] = []
    for name, conditions in (("bindingConditions", waits), ("bindingFailureConditions", fails)):
        where = f"{path}.{name}"
        if len(conditions) > _MOST_CONDITIONS:
            found.append(field_errors.too_many(where, len(conditions), _MOST_CONDITIONS))
            continue
        for index, each in enumerate(conditions):
            found += field_errors.each_invalid(f"{where}[{index}]", each, names.label_key_errors(each))
    found += [
        field_errors.duplicate(f"{path}.bindingConditions[{index}]", waits[index])
        for index in field_errors.repeated(waits)
    ]
    again = set(field_errors.repeated(fails))
    for index, each in enumerate(fails):
        where = f"{path}.bindingFailureConditions[{index}]"
        if index in again:
            found.append(field_errors.duplicate(where, each))
        if each in waits:
            text = "bindingFailureConditions must not overlap with bindingConditions"
            found.append(field_errors.invalid(where, each, text))
    if bool(waits) != bool(fails):
        missing, there = ("bindingConditions", "bindingFailureConditions")[:: -1 if waits else 1]
        text = f"{missing} are required to use {there}"
        found.append(field_errors.invalid(f"{path}.{missing}", [], text))
    return found


def uid_causes(text: str, path: str) -> list[Cause]:
    """Check a UUID, in its one form."""
    if not _ANY_UID.fullmatch(text):
        why = f"invalid UUID length: {len(text)}" if len(text) not in _UID_LENGTHS else "invalid UUID format"
        return [field_errors.invalid(path, text, f"error validating uid: {why}")]
    return [] if _UID.fullmatch(text) else [field_errors.invalid(path, text, _UID_TEXT)]


def toleration_list_causes(tolerations: list[Json], path: str) -> list[Cause]:
    """Check which taints of devices are tolerated."""
    return [
        cause
        for index, each in enumerate(tolerations)
        for cause in _toleration_causes(each, f"{path}[{index}]")
    ]


def _toleration_causes(toleration: Json, path: str) -> list[Cause]:
    key, value = toleration.get("key", ""), toleration.get("value", "")
    operator, effect = toleration.get("operator", ""), toleration.get("effect", "")
    found = field_errors.each_invalid(f"{path}.key", key, names.label_key_errors(key)) if key else []
    found += field_errors.required_one_of(f"{path}.operator", operator, _OPERATORS)
    if operator == "Exists" and value:
        text = "must be empty for operator `Exists`"
        found.append(field_errors.invalid(f"{path}.value", value, text))
    if operator == "Equal":
        found += field_errors.each_invalid(f"{path}.value", value, names.label_value_errors(value))
    return found + (field_errors.one_of(f"{path}.effect", effect, EFFECTS) if effect else [])


def _constraint_causes(constraint: Json, path: str, known: Requests) -> list[Cause]:
    found = reference_list_causes(constraint.get("requests") or [], f"{path}.requests", known)
    for field in ("matchAttribute", "distinctAttribute"):
        if field in constraint:
            return found + full_name_causes(constraint[field], f"{path}.{field}")
    text = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
    return [*found, field_errors.required(path, text)]


def reference_list_causes(given: list[str], path: str, known: Requests) -> list[Cause]:
    """Check names of requests, each of which is there."""
    if len(given) > MOST_REQUESTS:
        return [field_errors.too_many(path, len(given), MOST_REQUESTS)]
    found = [
        cause
        for index, name in enumerate(given)
        for cause in reference_causes(name, f"{path}[{index}]", known)
    ]
    again = field_errors.repeated(given)
    return found + [field_errors.duplicate(f"{path}[{index}]", given[index]) for index in again]


def reference_causes(name: str, path: str, known: Requests) -> list[Cause]:
    """Check the name of a request, or of one of those among which it may choose."""
    parts = name.split("/")
    if len(parts) > 2:
        return [field_errors.invalid(path, name, _NO_REQUEST)]
    found = [cause for part in parts for cause in label_causes(part, path)]
    is_known = parts[0] in known and (len(parts) == 1 or parts[1] in known[parts[0]])
    return found if is_known else [*found, field_errors.invalid(path, name, _NO_REQUEST)]


def config_causes(config: Json, path: str) -> list[Cause]:
    """Check configuration that only a driver understands."""
    if "opaque" not in config:
        return [field_errors.required(f"{path}.opaque")]
    opaque, path = config["opaque"], f"{path}.opaque"
    found = driver_name_causes(opaque.get("driver", ""), f"{path}.driver")
    return found + raw_causes(opaque.get("parameters"), f"{path}.parameters", _LONGEST_PARAMETERS)


def raw_causes(value: object, path: str, longest: int) -> list[Cause]:
    """Check a JSON object of any form."""
    if value is None:
        return [field_errors.required(path)]
    if not isinstance(value, dict):
        return [field_errors.invalid(path, "<value omitted>", "must be a valid JSON object")]
    if len(field_errors.whole(value).encode()) > longest:
        return [field_errors.too_long(path, longest)]
    return []


def qualified_name_causes(name: str, path: str) -> list[Cause]:
    """Check the name of an attribute or a capacity: an identifier, perhaps with a domain before it."""
    domain, slash, rest = name.partition("/")
    if not slash:
        return _identifier_causes(name, path)
    if "/" in rest:
        return [field_errors.invalid(path, name, "must not contain more than one slash")]
    found = (
        driver_name_causes(domain, path)
        if domain
        else [field_errors.invalid(path, "", "the domain must not be empty")]
    )
    if not rest:
        return [*found, field_errors.invalid(path, "", "the name must not be empty")]
    return found + _identifier_causes(rest, path)


def full_name_causes(name: str, path: str) -> list[Cause]:
    """Check such a name that has to have its domain."""
    found = qualified_name_causes(name, path)
    if "/" in name:
        return found
    text = "a fully qualified name must be a domain and a name separated by a slash"
    return [*found, field_errors.invalid(path, name, text)]


def _identifier_causes(text: str, path: str) -> list[Cause]:
    found = []
    if len(text.encode()) > _LONGEST_ID:
        found.append(field_errors.too_long(path, _LONGEST_ID))
    is_identifier = text.isascii() and text.isidentifier()
    return found if is_identifier else [*found, field_errors.invalid(path, text, _ID_TEXT)]


def pool_name_causes(name: str, path: str) -> list[Cause]:
    """Check the name of a pool: domain names with slashes between them."""
    if not name:
        return [field_errors.required(path)]
    found = (
        [field_errors.too_long(path, names.SUBDOMAIN_LENGTH)] if len(name) > names.SUBDOMAIN_LENGTH else []
    )
    return found + [
        field_errors.invalid(path, part, error)
        for part in name.split("/")
        for error in names.dns_subdomain_errors(part)
    ]
