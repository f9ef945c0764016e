"""What both front doors check of a request, so that what one refuses the other refuses, with the same Status.

In the order in which a door asks:

checked_selection, checked_deletion   the options, as they are read
selected                              one object of a collection, chosen by its name
                                      (the gate: may this caller do this?)
found_kind                            does the place exist: kind, version, namespace, subresource?
checked_verb                          has it this verb?
checked_body                          the size of a body, and that there is one
checked_writing                       the options of a write
checked_count                         how many objects one request creates
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import structs

from apiserver.core import answers, field_errors
from apiserver.core.apply.validation import manager_causes
from apiserver.core.catalogue import Catalogue
from apiserver.request import DeleteOptions, ListOptions, Request
from machinery.model.errors import BadRequest, Cause, Invalid, TooLarge
from machinery.model.kinds import KindNames
from machinery.model.requests import PatchType

BODY_LIMIT: Final = 3 * 1024 * 1024  # bytes, as in Kubernetes
LONGEST_OPTIONS: Final = (
    64 * 1024
)  # characters of selectors and continue token: no URL takes more at the REST door
_POLICIES: Final = ["Foreground", "Background", "Orphan", "nil"]  # in the order of Kubernetes' words
_VALIDATIONS: Final = ("", "Ignore", "Strict", "Warn")
_OPTIONS: Final = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}
_OF_A_NAMESPACE: Final = frozenset({"create", "deletecollection"})  # and not of all of them
_OF_ONE: Final = frozenset({"get", "create", "update", "patch", "delete"})


def checked_selection(options: ListOptions) -> ListOptions:
    """Return the options, if they make sense.

    Raises:
        BadRequest: a text is longer than any URL.
    """
    texts = (options.label_selector, options.field_selector, options.continue_)
    if sum(map(len, texts)) > LONGEST_OPTIONS:
        long = max(zip(texts, ("labelSelector", "fieldSelector", "continue"), strict=True), key=_length)
        raise BadRequest(
            f"{long[1]}: {len(long[0])} characters; all three together have {LONGEST_OPTIONS} at most"
        )
    return options


def _length(named: tuple[str, str]) -> int:
    return len(named[0])


def checked_deletion(options: DeleteOptions) -> DeleteOptions:
    """Return the options, with a negative grace period as Kubernetes takes it: as soon as possible.

    Raises:
        Invalid: there is no such propagation policy.
    """
    policy, grace_s = options.propagation_policy, options.grace_period_s
    if policy and policy not in _POLICIES[:3]:
        raise invalid_option(
            "DeleteOptions", field_errors.not_supported("propagationPolicy", policy, _POLICIES)
        )
    return structs.replace(options, grace_period_s=1) if grace_s is not None and grace_s < 0 else options


def checked_writing(request: Request, dry_run: Sequence[str] = ()) -> Request:
    """Return a request of a write, if its options make sense; `dry_run` has every value of dryRun, where they are texts.

    Raises:
        Invalid: one of them has a value that it cannot have; all of them are named.
    """
    options, is_apply = request.writing, request.patch_type is PatchType.APPLY
    causes: list[Cause] = []
    if request.verb == "patch" and not is_apply and options.force is not None:
        causes.append(field_errors.forbidden("force", "may not be specified for non-apply patch"))
    causes += manager_causes(options.field_manager, "fieldManager", required=is_apply)
    causes += dry_run_causes(dry_run)
    causes += field_errors.one_of("fieldValidation", options.field_validation, _VALIDATIONS)
    if causes:
        raise invalid_option(_OPTIONS[request.verb], *causes)
    return request


def dry_run_causes(values: Sequence[str]) -> list[Cause]:
    """Find what is wrong with the values of dryRun: there is one, All."""
    if all(value == "All" for value in values):
        return []
    given = "{" + ", ".join(field_errors.quoted(value) for value in values) + "}"
    return [
        Cause(
            "dryRun", f'Unsupported value: []string{given}: supported values: "All"', "FieldValueNotSupported"
        )
    ]


def invalid_option(options_kind: str, *causes: Cause) -> Invalid:
    """Return the error of options with values that they cannot have."""
    return field_errors.invalid_object(f"{options_kind}.meta.k8s.io", "", causes)


def selected(request: Request) -> Request:
    """Return a request of a collection whose name, if it has one, selects the object of this name.

    So the gate and the registry see the same thing. That is how Kubernetes follows one object by its name.
    """
    if not request.name:
        return request
    options, own = request.selection, f"metadata.name={request.name}"
    fields = f"{options.field_selector},{own}" if options.field_selector else own
    return structs.replace(request, name="", selection=structs.replace(options, field_selector=fields))


def found_kind(catalogue: Catalogue, request: Request) -> KindNames | None:
    """Return the kind that a request is about; None where its place leads nowhere.

    Raises:
        NotBuilt: Kubernetes has this place.
    """
    names = catalogue.names(request.group, request.version, request.resource)
    if names is None or (request.subresource and request.subresource not in names.subresources):
        lacking = answers.not_built(request.group, request.version, request.resource)
        if lacking:
            raise lacking
        return None
    if request.namespace and not names.namespaced:
        return None
    # Without its namespace an object cannot be found; a collection can be listed, if it can be listed at all.
    is_partial = names.namespaced and not request.namespace
    return None if is_partial and (request.name or "list" not in names.verbs) else names


def checked_verb(found: KindNames, request: Request) -> None:
    """Check that a request's verb is one of its place's.

    Raises:
        NotBuilt: Kubernetes has it.
        MethodNotSupported: it is not, or the place is one object where the verb is about a collection, or the other way.
    """
    verb, subresource = request.verb, request.subresource
    allowed = found.subresources[subresource].verbs if subresource else found.verbs
    if verb in _OF_A_NAMESPACE and not subresource:
        is_misplaced = bool(request.name) or (found.namespaced and not request.namespace)
    else:
        is_misplaced = (verb in _OF_ONE or bool(subresource)) != bool(request.name)
    if is_misplaced or verb not in allowed:
        lacking = answers.not_built(found.group, found.version, found.plural)  # a kind that can only be read
        raise lacking or answers.not_allowed(found.group, found.plural)


def checked_body(body: bytes) -> bytes:
    """Return a body that is not too large.

    Raises:
        TooLarge: it is over the limit.
    """
    if len(body) > BODY_LIMIT:
        raise too_large()
    return body


def checked_count(count: int, limit: int) -> int:
    """Return how many objects one request creates, if they are not too many.

    Raises:
        BadRequest: they are.
    """
    if count > limit:
        raise BadRequest(f"items: {count} objects in one request; at most {limit} can be created by one")
    return count


def too_large() -> TooLarge:
    """Return the error of a body over the limit."""
    return TooLarge(f"Request entity too large: limit is {BODY_LIMIT}")
