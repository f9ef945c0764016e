"""Bodies: YAML and Kubernetes' protobuf become JSON."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from google.protobuf.message_factory import GetMessageClass

from apiserver.rest.bodies import object_json, patch_json, patch_type
from apiserver.rest.protobuf_body import protobuf_to_json
from apiserver.rest.protobuf_messages import is_inlined, message_pool
from apiserver.rest.yaml_body import NotYaml, yaml_to_json
from apiserver.schemas import document
from machinery.model.errors import BadRequest, UnsupportedMediaType
from machinery.model.requests import PatchType

CORE = "k8s.io.api.core.v1"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("{a: [x, 'y', \"z\"]}", {"a": ["x", "y", "z"]}),
        ("a: yes\nb: ~\nc: 1.5\nd: 0x10\ne: '1'", {"a": True, "b": None, "c": 1.5, "d": 16, "e": "1"}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("x: &x {a: 1}\ny: *x", {"x": {"a": 1}, "y": {"a": 1}}),
        ("x: &x {a: 1}\ny: {<<: *x, b: 2}", {"x": {"a": 1}, "y": {"a": 1, "b": 2}}),
        ("x: {<<: {a: 1, b: 1}, b: 2}", {"x": {"a": 1, "b": 2}}),
        ("x: {b: 2, <<: [{a: 1}, {a: 3, b: 3, c: 3}]}", {"x": {"a": 1, "b": 2, "c": 3}}),
        ("x: &x [1, &y {a: 2}]\ny: [*x, *y]", {"x": [1, {"a": 2}], "y": [[1, {"a": 2}], {"a": 2}]}),
        ("1: a\ntrue: b", {"1": "a", "true": "b"}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("", None),
    ],
)
def test_yaml_says_the_same_in_json(text: str, value: Any):
    """Numbers, booleans, dates, aliases and merges as Kubernetes reads them."""
    assert json.loads(yaml_to_json(text.encode()).json) == value


@pytest.mark.parametrize(
    ("text", "read", "repeated"),
    [
        (b"a: 1\na: 2", {"a": 2}, ['line 2: key "a" already set in map']),
        (b"a: 1\na:\n  b: 1\n", {"a": {"b": 1}}, ['line 3: key "a" already set in map']),
        (b"{a: 1, a: {b: 1, b: 2}}", {"a": {"b": 2}}, ['line 1: key "b" already set in map', 'line 1: key "a" already set in map']),
        (b"1: a\n1: b", {"1": "b"}, ["line 2: key 1 already set in map"]),
        (b"x: &x {a: 1}\ny: {<<: *x, a: 2}", {"x": {"a": 1}, "y": {"a": 2}}, []),
    ],
)  # fmt: skip
def test_a_key_that_yaml_says_twice_is_told_with_its_line(text: bytes, read: Any, repeated: list[str]):
    """As go-yaml tells it: the line is that of the later value, which counts."""
    converted = yaml_to_json(text)
    assert (json.loads(converted.json), list(converted.repeated)) == (read, repeated)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"a: [1, 2\nb: 3", "yaml: line 1: did not find expected ',' or ']'"),
        (b"a: b: c", "yaml: mapping values are not allowed in this context"),
        (b"a: 1\nb: c: d", "yaml: line 2: mapping values are not allowed in this context"),
        (b"a: 1\nb: @x", "yaml: line 2: found character that cannot start any token"),
    ],
)
def test_what_is_no_yaml_is_told_as_go_yaml_tells_it(text: bytes, problem: str):
    """With the line, where it is not the first."""
    with pytest.raises(NotYaml) as refused:
        yaml_to_json(text)
    assert refused.value.problem == problem


def test_a_small_text_does_not_become_a_large_one():
    """Aliases of aliases unfold to more than a body may have, and are refused."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(BadRequest, match="3 MiB"):
        yaml_to_json("\n".join(lines).encode())


def test_merges_of_merges_take_no_more_than_their_size():
    """Each level merges the one below twice: unfolded before it is counted, that would be 2 to the 40th pairs."""
    text = "&k0 {x: 1}"
    for level in range(1, 40):
        text = f"&k{level} {{<<: [{text}, *k{level - 1}]}}"
    assert json.loads(yaml_to_json(f"a: {text}".encode()).json) == {"a": {"x": 1}}


@pytest.mark.parametrize(
    "text",
    [
        b"a: [",
        b"\xff\xfe\xfa",
        b"a: 1\n---\nb: 2",
        b"[" * 5000,
        b"a: &a [*a]",
        b"? [a]\n: b",
        b"a: .nan",
        b"a: !!python/object:os.system x\n]",
        b"a: *b",
        b"a: {<<: 1}",
        b"a: {<<: [1]}",
        b"{x: " + b"[" * 100_000,
        b"a: " + b"1:" * 1_000 + b"1",
        b"a: [" + b"0," * 250_000 + b"0]",
        b"a: &a {b: 1}\n? *a\n: c",
    ],
)
def test_what_is_no_object_is_refused(text: bytes):
    """No YAML, two documents, too deep, endless, or no JSON."""
    with pytest.raises(BadRequest):
        yaml_to_json(text)


def message(name: str) -> Any:
    return GetMessageClass(message_pool().FindMessageTypeByName(name))()


def wrapped(kind: str, obj: Any, api_version: str = "v1") -> bytes:
    envelope = message("k8s.io.apimachinery.pkg.runtime.Unknown")
    envelope.typeMeta.apiVersion, envelope.typeMeta.kind = api_version, kind
    envelope.raw = obj if isinstance(obj, bytes) else obj.SerializeToString()
    return b"k8s\x00" + envelope.SerializeToString()


def a_pod() -> Any:
    pod = message(f"{CORE}.Pod")
    pod.metadata.name = "web"
    pod.metadata.creationTimestamp.SetInParent()
    pod.metadata.labels["a"] = "b"
    container = pod.spec.containers.add(name="main", image="x")
    container.resources.limits["cpu"].string = "500m"
    container.livenessProbe.handler.httpGet.port.type = 1
    container.livenessProbe.handler.httpGet.port.strVal = "http"
    container.env.add(name="P").valueFrom.secretKeyRef.localObjectReference.name = "s"
    volume = pod.spec.volumes.add(name="v")
    volume.volumeSource.secret.secretName = "s"
    pod.status.startTime.seconds = 1_700_000_000
    return pod


def test_a_protobuf_object_says_the_same_in_json():
    """Embedded structures are inlined; times, quantities and ports have their texts."""
    obj = json.loads(protobuf_to_json(wrapped("Pod", a_pod())))
    assert obj["metadata"] == {"name": "web", "creationTimestamp": None, "labels": {"a": "b"}}
    assert obj["spec"]["containers"] == [
        {
            "name": "main",
            "image": "x",
            "resources": {"limits": {"cpu": "500m"}},
            "livenessProbe": {"httpGet": {"port": "http"}},
            "env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "s"}}}],
        }
    ]
    assert obj["spec"]["volumes"] == [{"name": "v", "secret": {"secretName": "s"}}]
    assert obj["status"] == {"startTime": "2023-11-14T22:13:20Z"}


@pytest.mark.parametrize(
    ("good", "path"),
    [
        ("NAME", "metadata.name"),
        ("KEY", "metadata.labels"),
        ("VALUE", "metadata.labels[KEY]"),
        ("IMAGE", "spec.containers[0].image"),
        ("500m", "spec.containers[0].resources.limits[cpu]"),
        ("PORT", "spec.containers[0].livenessProbe.httpGet.port"),
        ("SECRET", "spec.volumes[0].secret.secretName"),
    ],
)
def test_a_string_that_is_no_text_is_refused_with_its_field(good: str, path: str):
    """Its bytes would be stored as something else: strings, keys and values of maps, quantities, ports."""
    pod = message(f"{CORE}.Pod")
    pod.metadata.name = "NAME"
    pod.metadata.labels["KEY"] = "VALUE"
    container = pod.spec.containers.add(name="main", image="IMAGE")
    container.resources.limits["cpu"].string = "500m"
    container.livenessProbe.handler.httpGet.port.type = 1
    container.livenessProbe.handler.httpGet.port.strVal = "PORT"
    pod.spec.volumes.add(name="v").volumeSource.secret.secretName = "SECRET"
    raw = pod.SerializeToString()
    assert protobuf_to_json(wrapped("Pod", raw))
    bad = raw.replace(good.encode(), b"\xff" * len(good))
    with pytest.raises(BadRequest, match=f"protobuf: {re.escape(path)} is no UTF-8"):
        protobuf_to_json(wrapped("Pod", bad))


@pytest.mark.parametrize(("good", "path"), [(b"Pod", "kind"), (b"v1", "apiVersion")])
def test_a_type_that_is_no_text_is_refused(good: bytes, path: str):
    """Before anything is looked for under that name."""
    body = wrapped("Pod", a_pod()).replace(good, b"\xff" * len(good), 1)
    with pytest.raises(BadRequest, match=f"protobuf: {path} is no UTF-8"):
        protobuf_to_json(body)


def test_bytes_are_base64():
    """As in the data of a Secret."""
    secret = message(f"{CORE}.Secret")
    secret.data["a"] = b"\x00\xff"
    assert json.loads(protobuf_to_json(wrapped("Secret", secret)))["data"] == {"a": "AP8="}


def test_a_field_that_is_not_known_is_refused_unless_it_is_empty():
    """What a newer client says is never dropped; what it leaves empty says nothing."""
    raw = a_pod().SerializeToString()
    assert protobuf_to_json(wrapped("Pod", raw + b"\xf8\x3e\x00")) == protobuf_to_json(wrapped("Pod", raw))
    with pytest.raises(BadRequest, match="send the object as JSON"):
        protobuf_to_json(wrapped("Pod", raw + b"\xf8\x3e\x01"))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"k8s\x00\xff\xff", wrapped("Pudding", b""), wrapped("Pod", b"\xff\xff\xff")]
)
def test_what_is_no_protobuf_object_is_refused(data: bytes):
    """Any bytes may come."""
    with pytest.raises(BadRequest):
        protobuf_to_json(data)


UNPUBLISHED = {"io.k8s.apimachinery.pkg.version.Info"}
"""What has a schema and no message: it is an answer and no object."""
ROOTS = ("io.k8s.api.", "io.k8s.apimachinery.", "io.k8s.apiextensions-", "io.k8s.kube-aggregator.")


def fields_in_json(descriptor: Any) -> set[str]:
    """The names that a message's fields have in JSON, those of inlined ones included."""
    return {
        name
        for field in descriptor.fields
        for name in (fields_in_json(field.message_type) if is_inlined(field) else {field.json_name})
    }


def test_the_messages_are_those_of_the_schemas_field_by_field():
    """Of all groups: what v1.36 knows can be said in protobuf, and what can be said there is known."""
    definitions = json.loads(document())["$defs"]
    differing, compared = {}, 0
    for name in definitions.keys() - UNPUBLISHED:
        properties = definitions[name].get("properties")
        if not properties or not name.startswith(ROOTS):
            continue
        message_name = name.replace("io.k8s.", "k8s.io.", 1).replace("-", "_")
        described = message_pool().FindMessageTypeByName(message_name)
        differences = properties.keys() ^ fields_in_json(described)
        if differences - {"apiVersion", "kind"}:
            differing[name] = sorted(differences)
        compared += 1
    assert differing == {}
    assert compared > 600


def test_the_newest_fields_of_a_pods_status_are_read():
    """client-go of v1.36 writes them in its default encoding."""
    pod = message(f"{CORE}.Pod")
    pod.metadata.name = "web"
    pod.status.observedGeneration = 3
    pod.status.allocatedResources["cpu"].string = "1"
    pod.status.resources.requests["cpu"].string = "1"
    status = json.loads(protobuf_to_json(wrapped("Pod", pod)))["status"]
    assert status == {
        "observedGeneration": 3,
        "allocatedResources": {"cpu": "1"},
        "resources": {"requests": {"cpu": "1"}},
    }


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-62_135_596_800, None),
        (-62_135_596_799, "0001-01-01T00:00:01.000000Z"),
        (-30_610_224_000, "1000-01-01T00:00:00.000000Z"),
        (253_402_300_799, "9999-12-31T23:59:59.000000Z"),
    ],
)
def test_a_time_is_written_as_go_does(seconds: int, shown: str | None):
    """The zero time, the first moment of year 1, is none; a year has four digits."""
    lease = message("k8s.io.api.coordination.v1.Lease")
    lease.spec.renewTime.seconds = seconds
    obj = json.loads(protobuf_to_json(wrapped("Lease", lease, "coordination.k8s.io/v1")))
    assert obj["spec"] == {"renewTime": shown}


@pytest.mark.parametrize("seconds", [-62_135_596_801, 253_402_300_800, 2**62])
def test_a_time_that_json_cannot_say_is_refused(seconds: int):
    """Before year 1, after year 9999."""
    lease = message("k8s.io.api.coordination.v1.Lease")
    lease.spec.renewTime.seconds = seconds
    with pytest.raises(BadRequest):
        protobuf_to_json(wrapped("Lease", lease, "coordination.k8s.io/v1"))


async def test_bodies_are_read_by_their_media_type():
    """JSON stays as it is, YAML is read, everything else is refused with what there is."""
    assert (await object_json("application/json; charset=utf-8", b"{", "Pod")).json == b"{"
    assert (await object_json("application/yaml", b"a: 1", "Pod")).json == b'{"a":1}'
    with pytest.raises(UnsupportedMediaType, match="application/yaml"):
        await object_json("application/x-www-form-urlencoded", b"a=1", "Pod")
    assert patch_type("application/merge-patch+json") is PatchType.MERGE
    with pytest.raises(UnsupportedMediaType, match="strategic-merge-patch"):
        patch_type("application/json")


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b"a: 1", b'{"a":1}'),
        (b' {"a": 1}\n', b' {"a": 1}\n'),
        (b"{a: 1}", b'{"a":1}'),
        (b"[1]", b"[1]"),
        (b'{"a": 1, "a": 2}', b'{"a": 1, "a": 2}'),
        (b'{"a": 1,\n"a": 2}', b'{"a":2}'),
    ],
)
async def test_a_configuration_is_yaml_or_json(body: bytes, read: bytes):
    """JSON is YAML, and goes on as it is; other patches are JSON, whatever they look like."""
    assert (await patch_json(PatchType.APPLY, body)).json == read
    assert (await patch_json(PatchType.MERGE, body)).json == body


@pytest.mark.deep
async def test_a_large_yaml_does_not_hold_up_the_others():
    """It is read beside the event loop, which has its turns meanwhile."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    body = b"a: [" + b",".join(b"%d" % n for n in range(50_000)) + b"]"
    beside = asyncio.create_task(others())
    read = await object_json("application/yaml", body, "Pod")
    beside.cancel()
    assert read.json.endswith(b",49999]}")
    assert turns > 1
