"""What a CustomResourceDefinition may say: every fault, with the paths and in the words of Kubernetes.

What all versions say alike is told of once, at the place where Kubernetes keeps it (`spec.validation` for the schema).
https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from apiserver.core import field_errors
from apiserver.core.custom import fieldpath
from apiserver.core.custom.conditions import is_condition_true
from apiserver.core.custom.schema_rules import CheckRules, check_schema, no_rules
from apiserver.core.values import Json, metadata, spec
from apiserver.core.webhook_clients import client_causes
from machinery.model import names
from machinery.model.errors import Cause

MOST_SELECTABLE: Final = 8
_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS: Final = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_NO_SCHEMA: Final = "selectableFields may only be set when version.schema.openAPIV3Schema is not included"  # so Kubernetes says
_NO_SCHEMA_OF_ALL: Final = "may only be set when validations.schema is not included"
_REVIEW_VERSIONS: Final = frozenset({"v1", "v1beta1"})
_APPROVAL: Final = "api-approved.kubernetes.io"
_SEE: Final = "see https://github.com/kubernetes/enhancements/pull/1111"


def check_definition(definition: Json, check_rules: CheckRules = no_rules) -> list[Cause]:
    """Find what is wrong with a new definition, except for what its metadata has in common with others."""
    name, wanted = metadata(definition).get("name", ""), spec(definition)
    named = f"{(wanted.get('names') or {}).get('plural', '')}.{wanted.get('group', '')}"
    found: list[Cause] = []
    if name != named:
        text = 'must be spec.names.plural+"."+spec.group'
        found.append(field_errors.invalid("metadata.name", name, text))
    found += _spec_causes(wanted, check_rules)
    found += _approval_causes(definition, None)
    return [*found, *_preserving_causes(wanted)]


def check_definition_change(new: Json, old: Json, check_rules: CheckRules = no_rules) -> list[Cause]:
    """Find what is wrong with a changed definition."""
    after, before = spec(new), spec(old)
    stored = {each.get("name"): each.get("schema") for each in before.get("versions") or ()}
    versions = after.get("versions") or ()
    known = {name for each in versions if stored.get(name := each.get("name")) == each.get("schema")}
    found = _spec_causes(after, check_rules, frozenset(known))
    names_after, names_before = after.get("names") or {}, before.get("names") or {}
    if is_condition_true(old, "Established"):
        found += field_errors.unchanged("spec.scope", after.get("scope"), before.get("scope"))
        found += field_errors.unchanged("spec.names.kind", names_after.get("kind"), names_before.get("kind"))
    found += field_errors.unchanged("spec.group", after.get("group"), before.get("group"))
    found += field_errors.unchanged(
        "spec.names.plural", names_after.get("plural"), names_before.get("plural")
    )
    found += check_stored_versions(new)
    found += _approval_causes(new, old)
    return [*found, *(_preserving_causes(after) if not before.get("preserveUnknownFields") else ())]


def check_status_change(new: Json, _old: Json) -> list[Cause]:
    """Find what is wrong with a written status."""
    accepted = (new.get("status") or {}).get("acceptedNames") or {}
    return _names_causes(accepted, "status.acceptedNames")


def check_stored_versions(definition: Json) -> list[Cause]:
    """Find versions in which objects may be stored and that the definition knows no more."""
    path = "status.storedVersions"
    stored = (definition.get("status") or {}).get("storedVersions") or []
    if not stored:
        return [field_errors.invalid(path, stored, "must have at least one stored version")]
    versions = spec(definition).get("versions") or []
    found = [
        field_errors.invalid(path, stored, f"must have the storage version {each.get('name', '')}")
        for each in versions
        if each.get("storage") and each.get("name") not in stored
    ]
    known = {each.get("name") for each in versions}
    for index, name in enumerate(stored):
        if name not in known:
            text = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and "
                f"removes {name} from status.storedVersions"
            )
            found.append(field_errors.invalid(f"{path}[{index}]", name, text))
    return found


def _spec_causes(wanted: Json, check_rules: CheckRules, known: frozenset[Any] = frozenset()) -> list[Cause]:
    """Check a spec; versions that are `known` have the schema that they had."""
    versions: list[Json] = wanted.get("versions") or []
    found = [*_group_causes(wanted.get("group") or ""), *_scope_causes(wanted.get("scope") or "")]
    for index, version in enumerate(versions):
        if (version.get("schema") or {}).get("openAPIV3Schema") is None:
            path = f"spec.versions[{index}].schema.openAPIV3Schema"
            found.append(field_errors.required(path, "schemas are required"))
    shared = {name for name in _PER_VERSION if _is_shared(versions, name)}
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        found += _joined(f"{path}.name", version.get("name") or "")
        found += _deprecation_causes(version, f"{path}.deprecationWarning")
        parts = set(_PER_VERSION) - shared
        found += _version_causes(version, path, parts, check_rules, known=version.get("name") in known)
    found += _versions_causes(versions)
    wanted_names = wanted.get("names") or {}
    found += [
        field_errors.required(f"spec.names.{name}")
        for name in ("plural", "singular", "kind", "listKind")
        if not wanted_names.get(name)
    ]
    found += _names_causes(wanted_names, "spec.names")
    if versions:
        first = versions[0].get("name") in known
        found += _version_causes(versions[0], "spec", shared, check_rules, is_shared=True, known=first)
    return [*found, *_conversion_causes(wanted.get("conversion"), "spec.conversion")]


_PER_VERSION: Final = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")


def _is_shared(versions: list[Json], name: str) -> bool:
    """Whether all versions say the same of something, and say it."""
    first = versions[0].get(name) if versions else None
    return bool(first) and all(each.get(name) == first for each in versions)


def _version_causes(
    version: Json,
    path: str,
    parts: set[str],
    check_rules: CheckRules,
    *,
    is_shared: bool = False,
    known: bool = False,
) -> list[Cause]:
    found: list[Cause] = []
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    subresources = version.get("subresources") or {}
    if "schema" in parts and schema is not None:
        where = f"{path}.validation.openAPIV3Schema" if is_shared else f"{path}.schema.openAPIV3Schema"
        has_status = subresources.get("status") is not None
        found += check_schema(schema, where, has_status=has_status, check_rules=check_rules, known=known)
    if "subresources" in parts:
        found += _scale_causes(subresources.get("scale"), f"{path}.subresources")
    if "additionalPrinterColumns" in parts:
        for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
            found += _column_causes(column, f"{path}.additionalPrinterColumns[{index}]")
    if "selectableFields" in parts and version.get("selectableFields"):
        missing = _NO_SCHEMA_OF_ALL if is_shared else _NO_SCHEMA
        found += _selectable_causes(version["selectableFields"], schema, f"{path}.selectableFields", missing)
    return found


def _group_causes(group: str) -> list[Cause]:
    if not group:
        return [field_errors.required("spec.group")]
    if errors := names.dns_subdomain_errors(group):
        return [field_errors.invalid("spec.group", group, ",".join(errors))]
    if "." not in group:
        return [field_errors.invalid("spec.group", group, "should be a domain with at least one dot")]
    return []


def _scope_causes(scope: str) -> list[Cause]:
    if not scope:
        return [field_errors.required("spec.scope")]
    return field_errors.one_of("spec.scope", scope, ("Cluster", "Namespaced"))


def _versions_causes(versions: list[Json]) -> list[Cause]:
    found: list[Cause] = []
    if len({each.get("name") for each in versions}) < len(versions):
        text = "must contain unique version names"
        found.append(field_errors.invalid("spec.versions", versions, text))
    if sum(bool(each.get("storage")) for each in versions) != 1:
        text = "must have exactly one version marked as storage version"
        found.append(field_errors.invalid("spec.versions", versions, text))
    return found


def _deprecation_causes(version: Json, path: str) -> list[Cause]:
    warning = version.get("deprecationWarning")
    if warning is None:
        return []
    if not version.get("deprecated"):
        return [field_errors.invalid(path, warning, "can only be set for deprecated versions")]
    errors = []
    if len(warning.encode()) > 256:
        errors.append("must be <= 256 characters long")
    if not warning:
        errors.append("must not be an empty string")
    for index, sign in enumerate(warning):
        if not sign.isprintable():
            at = len(warning[:index].encode())
            text = "must only contain printable UTF-8 characters; non-printable character found at index"
            errors.append(f"{text} {at}")
            break
    return field_errors.each_invalid(path, warning, errors)


def _joined(path: str, name: str, prefix: str = "") -> list[Cause]:
    errors = names.dns_1035_label_errors(name.lower() if prefix else name)
    return [field_errors.invalid(path, name, prefix + ",".join(errors))] if errors else []


def _names_causes(given: Json, path: str) -> list[Cause]:
    found: list[Cause] = []
    for name in ("plural", "singular"):
        if given.get(name):
            found += _joined(f"{path}.{name}", given[name])
    for name in ("kind", "listKind"):
        if given.get(name):
            text = "may have mixed case, but should otherwise match: "
            found += _joined(f"{path}.{name}", given[name], text)
    for index, name in enumerate(given.get("shortNames") or ()):
        found += _joined(f"{path}.shortNames[{index}]", name)
    if given.get("kind") and given.get("kind") == given.get("listKind"):
        text = "kind and listKind may not be the same"
        found.append(field_errors.invalid(f"{path}.listKind", given["listKind"], text))
    for index, name in enumerate(given.get("categories") or ()):
        found += _joined(f"{path}.categories[{index}]", name)
    return found


def _scale_causes(scale: Json | None, path: str) -> list[Cause]:
    if scale is None:
        return []
    found: list[Cause] = []
    for name, roots in (("specReplicasPath", (".spec.",)), ("statusReplicasPath", (".status.",))):
        where = f"{path}.scale.{name}"
        if not scale.get(name):
            found.append(field_errors.required(where))
        else:
            found += _rooted(where, scale[name], roots, f"should be a json path under {roots[0].rstrip('.')}")
    if selector := scale.get("labelSelectorPath"):
        text = "should be a json path under either .spec or .status"
        found += _rooted(f"{path}.scale.labelSelectorPath", selector, (".spec.", ".status."), text)
    return found


def _rooted(path: str, given: str, roots: tuple[str, ...], text: str) -> list[Cause]:
    found = _simple_path(path, given)
    if not found and not given.startswith(roots):
        return [field_errors.invalid(path, given, text)]
    return found


def _simple_path(path: str, given: str) -> list[Cause]:
    if given.startswith("."):
        return []
    return [field_errors.invalid(path, given, "must be a simple json path starting with .")]


def _column_causes(column: Json, path: str) -> list[Cause]:
    found = [] if column.get("name") else [field_errors.required(f"{path}.name")]
    kind, form, given = column.get("type") or "", column.get("format") or "", column.get("jsonPath") or ""
    types = f"must be one of {','.join(_COLUMN_TYPES)}"
    if not kind:
        found.append(field_errors.required(f"{path}.type", types))
    elif kind not in _COLUMN_TYPES:
        found.append(field_errors.invalid(f"{path}.type", kind, types))
    if form and form not in _COLUMN_FORMATS:
        text = f"must be one of {','.join(_COLUMN_FORMATS)}"
        found.append(field_errors.invalid(f"{path}.format", form, text))
    if not given:
        return [*found, field_errors.required(f"{path}.JSONPath")]
    return [*found, *_simple_path(f"{path}.JSONPath", given)]


def _selectable_causes(fields: list[Json], schema: Any, path: str, missing: str) -> list[Cause]:
    """Check the fields that objects can be selected by; `missing` is said where there is no schema."""
    if schema is None:
        return [field_errors.invalid(path, "", missing)]
    found: list[Cause] = []
    seen: set[str] = set()
    for index, each in enumerate(fields):
        where, given = f"{path}[{index}].jsonPath", each.get("jsonPath") or ""
        if not given:
            found.append(field_errors.required(where))
            continue
        target, problem = fieldpath.resolve(given, schema, brackets=False)
        if problem:
            found.append(field_errors.invalid(where, given, f"is an invalid path: {problem}"))
            continue
        if given.startswith(".metadata"):
            found.append(field_errors.invalid(where, given, "must not point to fields in metadata"))
        if target.get("type") not in {"string", "boolean", "integer"}:
            text = "must point to a field of type string, boolean or integer."
            text = f"{text} Enum string fields and strings with formats are allowed."
            found.append(field_errors.invalid(where, given, text))
        if given in seen:
            found.append(field_errors.duplicate(where, given))
        seen.add(given)
    if len(seen) > MOST_SELECTABLE:
        found.append(field_errors.too_many(path, len(seen), MOST_SELECTABLE))
    return found


def _conversion_causes(conversion: Json | None, path: str) -> list[Cause]:
    if conversion is None:
        return []
    strategy, webhook = conversion.get("strategy") or "", conversion.get("webhook") or {}
    client, reviews = webhook.get("clientConfig"), webhook.get("conversionReviewVersions") or []
    found = (
        field_errors.one_of(f"{path}.strategy", strategy, ("None", "Webhook"))
        if strategy
        else [field_errors.required(f"{path}.strategy")]
    )
    if strategy == "Webhook":
        where = f"{path}.webhookClientConfig"
        if client is None:
            found.append(field_errors.required(where, "required when strategy is set to Webhook"))
        else:
            found += client_causes(client, where)
        return [*found, *_review_causes(reviews, f"{path}.conversionReviewVersions")]
    text = "should not be set when strategy is not set to Webhook"
    if client is not None:
        found.append(field_errors.forbidden(f"{path}.webhookClientConfig", text))
    if reviews:
        found.append(field_errors.forbidden(f"{path}.conversionReviewVersions", text))
    return found


def _review_causes(reviews: list[str], path: str) -> list[Cause]:
    if not reviews:
        return [field_errors.required(path)]
    found: list[Cause] = []
    seen: set[str] = set()
    for index, name in enumerate(reviews):
        if name in seen:
            found.append(field_errors.invalid(f"{path}[{index}]", name, "duplicate version"))
            continue
        seen.add(name)
        found += field_errors.each_invalid(f"{path}[{index}]", name, names.dns_1035_label_errors(name))
    if not seen & _REVIEW_VERSIONS:
        text = f"must include at least one of {', '.join(sorted(_REVIEW_VERSIONS))}"
        found.append(field_errors.invalid(path, reviews, text))
    return found


def _approval_causes(new: Json, old: Json | None) -> list[Cause]:
    """Check that who defines kinds in a group of Kubernetes says who has approved it."""
    group = spec(new).get("group") or ""
    if not f".{group}".endswith((".k8s.io", ".kubernetes.io")):
        return []
    state, problem = _approval(new)
    if not problem or (old is not None and _approval(old)[0] == state):
        return []
    path = f"metadata.annotations[{_APPROVAL}]"
    given = (metadata(new).get("annotations") or {}).get(_APPROVAL)
    if given:
        return [field_errors.invalid(path, given, problem)]
    return [field_errors.required(path, problem)]


def _approval(definition: Json) -> tuple[str, str]:
    given = (metadata(definition).get("annotations") or {}).get(_APPROVAL) or ""
    if not given:
        return "missing", f'protected groups must have approval annotation "{_APPROVAL}", {_SEE}'
    if given.startswith("unapproved"):
        return "bypassed", ""
    parts = urlsplit(given)
    if parts.scheme and parts.netloc:
        return "approved", ""
    text = 'with either a URL or a reason starting with "unapproved"'
    return "invalid", f'protected groups must have approval annotation "{_APPROVAL}" {text}, {_SEE}'


def _preserving_causes(wanted: Json) -> list[Cause]:
    if not wanted.get("preserveUnknownFields"):
        return []
    text = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
    return [field_errors.invalid("spec.preserveUnknownFields", True, text)]  # noqa: FBT003 - the value
