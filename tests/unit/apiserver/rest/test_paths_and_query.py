"""Where a request goes, and how: its path, its query, its Accept header."""

from __future__ import annotations

import pytest

from apiserver.rest import query
from apiserver.rest.negotiation import (
    CUSTOM_OBJECTS,
    CUSTOM_STREAMS,
    META_V1BETA1,
    OBJECTS,
    STREAMS,
    Encoding,
    Form,
    Shape,
    negotiate,
)
from apiserver.rest.paths import Discovery, Target, parse
from machinery.model.errors import BadRequest, Invalid, NotAcceptable


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/api", Discovery(legacy=True)),
        ("/api/v1", Discovery(legacy=True, version="v1")),
        ("/apis", Discovery(legacy=False)),
        ("/apis/apps", Discovery(legacy=False, group="apps")),
        ("/apis/apps/v1/", Discovery(legacy=False, group="apps", version="v1")),
        ("/api/v1/pods", Target(resource="pods")),
        ("/api/v1/namespaces/x", Target(resource="namespaces", name="x")),
        ("/api/v1/namespaces/x/finalize", Target(resource="namespaces", name="x", subresource="finalize")),
        ("/api/v1/namespaces/x/pods", Target(resource="pods", namespace="x")),
        (
            "/api/v1/namespaces/x/pods/status",
            Target(resource="pods", namespace="x", name="status"),
        ),
        (
            "/apis/apps/v1/namespaces/x/deployments/web/scale",
            Target(group="apps", resource="deployments", namespace="x", name="web", subresource="scale"),
        ),
        ("/api/v1/watch/namespaces/x/pods", Target(resource="pods", namespace="x", watch=True)),
        (
            "/api/v1/namespaces/x/pods/p/proxy/a/b",
            Target(resource="pods", namespace="x", name="p", subresource="proxy", rest=("a", "b")),
        ),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            Target(group="rbac.authorization.k8s.io", resource="clusterroles", name="system:node")),
        ("/version", None),
        ("/", None),
        ("/api/v1/watch", Discovery(legacy=True, version="v1")),
    ],
)  # fmt: skip
def test_a_path_is_taken_apart(path: str, found: object):
    """Every form of a path leads to what it names."""
    if path == "/api/v1/watch":
        assert parse(path) is None
    else:
        assert parse(path) == found


JSON, YAML, PROTOBUF = Form(), Form(Encoding.YAML), Form(Encoding.PROTOBUF)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*;q=0.5,application/yaml;q=0.5", YAML),
        ("*/*;q=0.9,application/vnd.kubernetes.protobuf;q=0.8", JSON),
        (
            "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
            Form(Encoding.JSON, Shape.TABLE),
        ),
        (
            "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
            Form(Encoding.JSON, Shape.TABLE, META_V1BETA1),
        ),
        ("application/json;as=Table;v=v2;g=meta.k8s.io,application/json", JSON),
        ("application/json;pretty=1", Form(is_pretty=True)),
        ("application/vnd.kubernetes.protobuf,application/json", PROTOBUF),
        ("application/json;stream=watch", JSON),
        ("application/json;stream=other,application/yaml", YAML),
        (
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            Form(Encoding.JSON, Shape.METADATA_LIST),
        ),
        (
            "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
            Form(Encoding.PROTOBUF, Shape.METADATA),
        ),
        ("application/yaml;as=Table;g=meta.k8s.io;v=v1", Form(Encoding.YAML, Shape.TABLE)),
        ("application/json;q=0.1, application/yaml;q=0.9", YAML),
        ("application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1,*/*;q=0.1", JSON),
        ("application/cbor,application/json", JSON),
    ],
)
def test_the_first_form_that_is_built_is_given(accept: str, form: Form):
    """Clients list what they accept; what is not built is passed over."""
    assert negotiate(accept, OBJECTS) == form


@pytest.mark.parametrize(
    "accept",
    [
        "application/yaml",
        "text/html",
        "application/cbor",
        "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1",
    ],
)
def test_who_accepts_nothing_that_is_built_is_told(accept: str):
    """406, and what there is."""
    there_is = "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
    with pytest.raises(NotAcceptable, match=f": {there_is}$"):
        negotiate(accept, STREAMS)


def test_custom_resources_have_no_protobuf_form_but_their_metadata_has():
    """Whoever accepts JSON as well gets that."""
    protobuf = "application/vnd.kubernetes.protobuf"
    assert negotiate(f"{protobuf},application/json", CUSTOM_OBJECTS) == JSON
    with pytest.raises(NotAcceptable):
        negotiate(protobuf, CUSTOM_OBJECTS)
    metadata = negotiate(f"{protobuf};as=PartialObjectMetadata;g=meta.k8s.io;v=v1", CUSTOM_STREAMS)
    assert metadata == Form(Encoding.PROTOBUF, Shape.METADATA)


def test_list_options_are_read():
    """All of them."""
    options = query.list_options(
        {"labelSelector": "a=b", "limit": "5", "watch": "1", "timeoutSeconds": "3", "allowWatchBookmarks": "true", "sendInitialEvents": "false"},
    )  # fmt: skip
    assert (options.label_selector, options.field_selector, options.limit) == ("a=b", "", 5)
    assert (options.timeout_s, options.allow_bookmarks, options.send_initial_events) == (3, True, False)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("limit", "x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("limit", "", 'strconv.ParseInt: parsing "": invalid syntax'),
        ("limit", "9" * 30, f'strconv.ParseInt: parsing "{"9" * 30}": value out of range'),
        ("timeoutSeconds", "٣", 'strconv.ParseInt: parsing "٣": invalid syntax'),
        ("timeoutSeconds", "1.5", 'strconv.ParseInt: parsing "1.5": invalid syntax'),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, text: str, told: str):
    """In Kubernetes' words, and with the name of the option beside them."""
    with pytest.raises(BadRequest) as caught:
        query.list_options({name: text})
    assert caught.value.message == told
    assert [cause.field for cause in caught.value.causes] == [name]


def test_a_limit_below_zero_is_none():
    """As in Kubernetes, whose pages have a limit where it is above 0."""
    assert query.list_options({"limit": "-1"}).limit == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1m30s", 90),
        (".5s", 0.5),
        ("1h", 3600),
        ("250ms", 0.25),
        ("0", None),
        ("-3s", None),
        ("", None),
    ],
)
def test_how_long_a_caller_waits_is_a_duration(text: str, seconds: float | None):
    """0 and less mean that they do not say."""
    assert query.timeout_s({"timeout": text}) == seconds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("5", 'time: missing unit in duration "5"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        ("x", 'time: invalid duration "x"'),
        ("s", 'time: invalid duration "s"'),
        ("-", 'time: invalid duration "-"'),
        ("9" * 30 + "h", f'time: invalid duration "{"9" * 30}h"'),
    ],
)
def test_what_is_no_duration_is_refused(text: str, told: str):
    """In Kubernetes' words."""
    with pytest.raises(BadRequest) as caught:
        query.timeout_s({"timeout": text})
    assert caught.value.message == f"invalid timeout specified in the request URL - {told}"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("1", True),
        ("", True),
        ("maybe", True),
        ("false", False),
        ("False", False),
        ("0", False),
    ],
)
def test_all_but_zero_and_false_is_true(text: str, value: bool):
    """As in Kubernetes, where ?watch alone means true."""
    assert query.boolean({"watch": text}, "watch") is value
    assert query.boolean({"watch": text}, "pretty") is None


def test_delete_options_come_from_the_body_or_the_query():
    """The body decides where there is one."""
    body = (
        b'{"kind":"DeleteOptions","gracePeriodSeconds":0,"preconditions":{"uid":"u"},"orphanDependents":true}'
    )
    options = query.delete_options({"gracePeriodSeconds": "9"}, body, [])
    assert (options.grace_period_s, options.uid, options.propagation_policy) == (0, "u", "Orphan")
    options = query.delete_options(
        {"gracePeriodSeconds": "9", "propagationPolicy": "Foreground"}, b"", ["All"]
    )
    assert (options.grace_period_s, options.propagation_policy, options.dry_run) == (9, "Foreground", True)
    assert query.delete_options({}, b'{"gracePeriodSeconds":-1}', []).grace_period_s == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind":"Pod"}',
        b"[]",
        b'{"gracePeriodSeconds":"1"}',
        b'{"preconditions":3}',
        b'{"preconditions":{"uid":3}}',
        b'{"dryRun":"All"}',
        b'{"propagationPolicy":[]}',
        b'{"kind":[]}',
        b'{"kind":{}}',
    ],
)
def test_delete_options_that_make_no_sense_are_refused(body: bytes):
    """Bad input of any kind is a 400."""
    with pytest.raises(BadRequest):
        query.delete_options({}, body, [])


UNSAFE = "ignoreStoreReadErrorWithClusterBreakingPotential"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"propagationPolicy":"x"}', 'propagationPolicy: Unsupported value: "x": supported values: "Foreground", "Background", "Orphan", "nil"'),
        ('{"propagationPolicy":"Orphan","orphanDependents":true}', "orphanDependents and deletionPropagation cannot be both set"),
        ('{"dryRun":["x","All"]}', 'dryRun: Unsupported value: []string{"x", "All"}: supported values: "All"'),
        (f'{{"{UNSAFE}":true}}', "is exclusively used to delete corrupt object(s), try again by removing this option"),
        (f'{{"{UNSAFE}":true,"dryRun":["All"],"preconditions":{{}}}}', "cannot be set together with .dryRun"),
    ],
)  # fmt: skip
def test_delete_options_with_wrong_values_are_invalid(body: str, told: str):
    """A 422 that names the field."""
    with pytest.raises(Invalid) as refused:
        query.delete_options({}, body.encode(), [])
    assert told in refused.value.message


def test_what_cannot_be_read_is_not_deleted_by_collections():
    """Nobody deletes blindly; false asks for nothing."""
    with pytest.raises(Invalid, match="is not allowed with DELETECOLLECTION"):
        query.delete_options({UNSAFE: "true"}, b"", [], one=False)
    assert query.delete_options({UNSAFE: "false"}, b"", [], one=False).dry_run is False
