"""Requests as attackers and broken clients write them, for both front doors: one after the other, from a seed.

What is drawn is of a few kinds each: JSON that is deep, repeats its keys or is no text; bodies in YAML, protobuf and as
patches; options that are no numbers; names, heads and lengths that are odd; and every now and then bytes that are changed
at random. Nothing of it is a secret recipe: each kind stands here because something like it went wrong once, here or
elsewhere.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from random import Random
from typing import Any, Final
from urllib.parse import quote_from_bytes

from google.protobuf.message_factory import GetMessageClass

from machinery.wire.resources import SERVICE

MAGIC: Final = b"k8s\x00"
NAMESPACE: Final = "/api/v1/namespaces/default"
_DEEP: Final = 30_000
_MANY: Final = 5_000

TEXTS: Final = (
    "", "a", "web", "map", "A b", "..", ".", "/", "é", "\x00", "\ud800", "\U0001f4a9", "a" * 300, "x" * 5_000, "0", "-1",
    "true", "null", "1e999", "9" * 25, "$(A)", "%s", "%", "metadata.name", "a=b", "\r\nX: y", "*", "system:masters",
    "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-99-99T99:99:99Z", "10.0.0.1", "::ffff:1.2.3.4", "1Gi", "1E99",
    "-0", "0x10", "1_000", "٣", "١٢", "NaN", "Infinity", "default", "kube-system", "node-1",
)  # fmt: skip
NUMBERS: Final = (0, 1, -1, 80, 2**31, 2**63 - 1, -(2**63), 2**63, 2**64, 10**40, 0.5, -0.0, 1e308, True)

OBJECTS: Final[dict[str, dict[str, Any]]] = {
    f"{NAMESPACE}/configmaps": {"kind": "ConfigMap", "data": {"key": "value"}, "binaryData": {"b": "AA=="}},
    f"{NAMESPACE}/secrets": {"kind": "Secret", "type": "Opaque", "stringData": {"key": "value"}},
    f"{NAMESPACE}/pods": {
        "kind": "Pod",
        "spec": {
            "containers": [
                {
                    "name": "main",
                    "image": "nginx:1.27",
                    "env": [{"name": "A", "value": "$(A)"}],
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                    "livenessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1},
                    "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a"}],
                }
            ],
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
            "tolerations": [
                {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}
            ],
            "affinity": {"podAntiAffinity": {}},
            "terminationGracePeriodSeconds": 30,
        },
    },
    f"{NAMESPACE}/services": {
        "kind": "Service",
        "spec": {"selector": {"a": "b"}, "ports": [{"port": 80, "targetPort": "http"}], "type": "ClusterIP"},
    },
    f"{NAMESPACE}/serviceaccounts": {"kind": "ServiceAccount", "automountServiceAccountToken": False},
    f"{NAMESPACE}/events": {
        "kind": "Event",
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": "web"},
        "reason": "Tried",
        "count": 1,
        "lastTimestamp": "2026-01-01T00:00:00Z",
    },
    "/api/v1/namespaces": {"kind": "Namespace", "spec": {"finalizers": ["kubernetes"]}},
    "/api/v1/nodes": {
        "kind": "Node",
        "spec": {"podCIDR": "10.1.0.0/24", "taints": [{"key": "a", "effect": "NoSchedule"}]},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}], "capacity": {"cpu": "4"}},
    },
    "/apis/apps/v1/namespaces/default/deployments": {
        "kind": "Deployment",
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "main", "image": "nginx"}]},
            },
            "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
        },
    },
    "/apis/coordination.k8s.io/v1/namespaces/default/leases": {
        "kind": "Lease",
        "spec": {
            "holderIdentity": "a",
            "leaseDurationSeconds": 15,
            "renewTime": "2026-01-01T00:00:00.000000Z",
        },
    },
    "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices": {
        "kind": "EndpointSlice",
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": True}}],
        "ports": [{"port": 80}],
    },
    "/apis/rbac.authorization.k8s.io/v1/clusterroles": {
        "kind": "ClusterRole",
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    },
    "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings": {
        "kind": "RoleBinding",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"},
        "subjects": [{"kind": "User", "name": "a", "apiGroup": "rbac.authorization.k8s.io"}],
    },
    "/apis/authorization.k8s.io/v1/subjectaccessreviews": {
        "kind": "SubjectAccessReview",
        "spec": {"user": "a", "resourceAttributes": {"verb": "get", "resource": "pods"}},
    },
    "/apis/authentication.k8s.io/v1/tokenreviews": {"kind": "TokenReview", "spec": {"token": "a.b.c"}},
}
"""What is created, by the collection in which it lies."""

_SUBRESOURCES: Final = ("", "", "", "/status", "/scale", "/log", "/exec", "/binding", "/token", "/eviction", "/finalize",
    "/ephemeralcontainers", "/proxy", "/proxy/a/b", "/attach", "/portforward", "/a/b/c")  # fmt: skip
_OTHER_PLACES: Final = ("/", "/version", "/readyz", "/livez/etcd", "/metrics", "/api", "/apis", "/apis/apps", "/openapi/v3", "/nowhere",
    "/api/v1", "/apis/apps/v1", "/apis//v1/pods", "/api/v1/watch/pods", "/api/v1/watch/namespaces/default/pods/web", "*",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "http://a/version", "//", "/" + "a/" * _MANY)  # fmt: skip
_QUERIES: Final[dict[str, tuple[str, ...]]] = {
    "limit": ("1", "0", "500"),
    "continue": ("", "x"),
    "resourceVersion": ("0", "1", "3"),
    "resourceVersionMatch": ("Exact", "NotOlderThan"),
    "labelSelector": ("a=b", "a in (b,c)", "!a", "a notin (", "(" * 2_000, "a=b," * 1_000, "a>1"),
    "fieldSelector": ("metadata.name=web", "spec.nodeName=", "a=b=c", "\\", "metadata.name=web," * 500),
    "watch": ("true", "0"),
    "timeoutSeconds": ("1",),
    "allowWatchBookmarks": ("true",),
    "sendInitialEvents": ("true", "false"),
    "dryRun": ("All", "Some"),
    "fieldManager": ("me", "x" * 200),
    "fieldValidation": ("Strict", "Warn", "Ignore"),
    "force": ("true",),
    "pretty": ("true", "false"),
    "gracePeriodSeconds": ("0", "30"),
    "propagationPolicy": ("Orphan", "Background", "Foreground"),
    "orphanDependents": ("true",),
    "includeObject": ("Object", "None", "Metadata"),
    "container": ("main",),
    "tailLines": ("1",),
    "limitBytes": ("1",),
    "sinceSeconds": ("1",),
    "sinceTime": ("2026-01-01T00:00:00Z",),
    "command": ("sh",),
    "stdin": ("true",),
    "tty": ("true",),
    "verbose": ("",),
    "exclude": ("etcd",),
}
_HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "Accept": ("application/json", "application/json;as=Table;v=v1;g=meta.k8s.io", "application/yaml", "*/*;q=nan",
               "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "a/b", ",;=," * 500, ";q=1" * 500),
    "Accept-Encoding": ("gzip", "gzip;q=0"),
    "Authorization": ("Bearer ", "Bearer a.b.c", "Bearer e30=.e30=.", "Basic YTpi", "bearer  x", "Bearer " + "a." * 2_000,
                      "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOltdfQ.", "Bearer " + "e30." * 3, "Bearer bnVsbA.bnVsbA.bnVsbA"),
    "Connection": ("close", "keep-alive", "Upgrade", "close, TE", "Keep-Alive, Upgrade"),
    "Content-Encoding": ("gzip", "identity", "br, gzip"),
    "Expect": ("100-continue", "200-ok", "100-Continue, x"),
    "Host": ("a", "a:b", "[::1]:443", "a b", ""),
    "Impersonate-User": ("admin", ""),
    "Impersonate-Group": ("system:masters", ""),
    "Impersonate-Extra-a%zz": ("b",),
    "Impersonate-Uid": ("1",),
    "Kubarium-Cause": ("pods/default/web@1+uid", "@+@+" * 500, "a/b/c@1+d," * 100, "%ff/%ff/%ff@1+%ff"),
    "Kubarium-Fence": ("kube-system/a@1+b+c", "a/b@99999999999+c+d", "a", "%ff/%ff@1+%ff+%ff"),
    "Kubarium-Caller": ("node-1",),
    "Traceparent": ("00-" + "0" * 32 + "-" + "0" * 16 + "-01", "00-x-y-01"),
    "Audit-Id": ("1", "a" * 500),
    "Upgrade": ("h2c", "websocket", "SPDY/3.1", "websocket, h2c"),
    "Sec-WebSocket-Key": ("AAAAAAAAAAAAAAAAAAAAAA==", "x"),
    "Sec-WebSocket-Version": ("13", "8"),
    "Sec-WebSocket-Protocol": ("v5.channel.k8s.io", "base64.channel.k8s.io", "a, b"),
    "TE": ("trailers", "chunked"),
    "Trailer": ("X",),
    "User-Agent": ("a/b", "/" * 500, ""),
    "Cookie": ("a=b",),
    "If-None-Match": ("*", '"a"'),
    "Range": ("bytes=0-1",),
    "X-Forwarded-For": ("1.1.1.1",),
}  # fmt: skip
_CONTENT_TYPES: Final = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf", "", "text/plain",
    "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml", "application/cbor", "application/json; charset=latin1", "a/b;" * 100)  # fmt: skip
_METHODS: Final = ("GET", "GET", "GET", "POST", "POST", "POST", "PUT", "PATCH", "PATCH", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "FOO")  # fmt: skip

DOCUMENTS: Final = (
    b"", b"{", b"[]", b"5", b"null", b'""', b"{}", b"{}{}", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00", b"\x00", b"NaN",
    b"[" * _DEEP, b'{"a":' * _DEEP, b"[" * _DEEP + b"]" * _DEEP, b'{"metadata":' * _DEEP + b"{}" + b"}" * _DEEP,
    b'{"spec":' + b"[" * 900 + b"]" * 900 + b"}",
    b"{" + b",".join([b'"a":1'] * _MANY) + b"}", b'{"metadata":{"name":"a","name":"b"},"metadata":{"name":"c"}}',
    b'{"metadata":{"name":"a\\ud800"}}', b'{"metadata":{"name":"\xff"}}', b'{"metadata":{"\\ud800":"a"}}',
    b'{"metadata":{"name":"a\\u0000"}}', b'{"a":1e999}', b'{"a":-1e-999}', b'{"a":' + b"9" * 5_000 + b"}",
    b'{"a":0.' + b"1" * 5_000 + b"}", b'{"a":01}', b'{"a":Infinity}', b'{"a":"\x01"}', b"/**/{}", b"{'a':1}",
    b'{"apiVersion":"v1","kind":"List","items":[]}', b'{"kind":5}', b'{"metadata":5}', b'{"metadata":[]}',
    b"a: &a [*a]", b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]", b"--- {}\n--- {}", b"!!python/object:os.system {}",
    b"a: 2026-01-01", b"<<: {a: b}", b"? [a]\n: b", b"1: 2", b"a: !!binary x", b"\t", b"%YAML 9.9\n---\na: b", b"a: 0o17",
    b"- " * 3_000, b"a: b: c", b"a:\n" + b" " * 3_000 + b"b: c", b"[[[[" * 2_000, b"&a a: *b", b"a: .nan", b"~", b"...",
)  # fmt: skip
PATCHES: Final = (
    b'[{"op":"add","path":"","value":5}]', b'[{"op":"remove","path":"/metadata"}]', b'[{"op":"copy","from":"","path":"/a"}]',
    b'[{"op":"move","from":"/metadata","path":"/metadata/a"}]', b'[{"op":"test","path":"/metadata/name","value":null}]',
    b'[{"op":"add","path":"/spec/-","value":1}]', b'[{"op":"add","path":"a~2","value":1}]', b'[{"op":5}]', b"[5]", b"{}",
    b'[{"op":"add","path":"/metadata/labels","value":{"a":5}}]', b'[{"op":"replace","path":"/kind","value":"x"}]',
    b"[" + b",".join([b'{"op":"copy","from":"","path":"/x"}'] * 60) + b"]",
    b"[" + b",".join([b'{"op":"add","path":"/metadata/labels/x","value":"y"}'] * 2_000) + b"]",
    b'[{"op":"add","path":"/spec/containers/99999999999999999999","value":{}}]',
    b'[{"op":"remove","path":"/spec/containers/-1"}]', b'[{"op":"add","path":"' + b"/a" * 5_000 + b'","value":1}]',
    b'{"$patch":"delete"}', b'{"spec":{"$patch":"replace"}}', b'{"spec":{"containers":[{"$patch":"delete"}]}}',
    b'{"spec":{"containers":[{"$patch":"x","name":"main"}]}}', b'{"$retainKeys":5}', b'{"spec":{"$retainKeys":["a"]}}',
    b'{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}}', b'{"metadata":{"$deleteFromPrimitiveList/finalizers":5}}',
    b'{"spec":{"$setElementOrder/containers":[{"name":"main"}]}}', b'{"spec":{"$setElementOrder/containers":5}}',
    b'{"spec":{"$setElementOrder/containers":[5,null]}}', b'{"spec":{"containers":null}}', b'{"spec":{"containers":5}}',
    b'{"spec":{"containers":{"a":1}}}', b'{"spec":{"containers":[null]}}', b'{"spec":{"containers":[{}]}}', b'{"metadata":null}',
    b'{"spec":{"containers":[{"name":["a"]}]}}', b'{"metadata":{"finalizers":["a",5]}}', b'{"$patch":5,"a":{"$patch":[]}}',
    b'{"metadata":{"managedFields":[{}]}}', b'{"metadata":{"managedFields":[{"manager":"a","operation":"Apply","fieldsV1":{"f:a":5}}]}}',
    b'{"metadata":{"resourceVersion":"x"}}', b'{"metadata":{"uid":"x"}}', b'{"metadata":{"deletionTimestamp":"x"}}',
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hostile:
    """One request of the REST door."""

    data: bytes
    is_whole: bool  # False: more of it is announced than comes, or nobody knows where it ends


def request(random: Random) -> Hostile:
    """Write a request of HTTP/1.1, well enough formed that its end is where it says."""
    collection = random.choice(list(OBJECTS))
    method = random.choice(_METHODS)
    lines = [f"{method} ".encode() + _url(random, collection, method) + b" HTTP/1.1"]
    names = random.sample(list(_HEADERS), random.choice((0, 0, 1, 2, 4)))
    lines += [f"{name}: ".encode() + _header(random, name) for name in names]
    if "Host" not in names:
        lines.append(b"Host: kube")
    content_type, body = _body(random, collection, method)
    if content_type:
        lines.append(b"Content-Type: " + content_type)
    return _framed(random, lines, body)


def scrambled(random: Random, data: bytes) -> bytes:
    """Change a few of the bytes."""
    changed = bytearray(data[:20_000])
    for _ in range(random.randint(1, 8)):
        at = random.randrange(len(changed) + 1)
        match random.randrange(4):
            case 0:
                changed[at:at] = random.randbytes(random.randint(1, 4))
            case 1:
                del changed[at : at + random.randint(1, 4)]
            case 2:
                changed[at : at + 1] = random.choice((b"\r", b"\n", b"\r\n", b" ", b"\x00", b":", b"\xff"))
            case _:
                changed[at:at] = changed[at : at + random.randint(1, 200)]
    return bytes(changed)


def document(random: Random, collection: str) -> bytes:
    """Write a body that says it is an object."""
    match random.randrange(4):
        case 0:
            return random.choice(DOCUMENTS)
        case 1:
            return scrambled(random, _json(_object(random, collection)))
        case _:
            return _json(_object(random, collection))


def patch(random: Random, collection: str) -> bytes:
    """Write a body that says it is a patch."""
    match random.randrange(4):
        case 0:
            return random.choice(DOCUMENTS)
        case 1:
            return document(random, collection)
        case _:
            return random.choice(PATCHES)


def text(random: Random) -> str:
    """Draw a text without half surrogates, which no transport can say."""
    return random.choice([each for each in TEXTS if each != "\ud800"])


def number(random: Random) -> int:
    """Draw a number that fits into 64 bits."""
    return random.choice([each for each in NUMBERS if type(each) is int and -(2**63) <= each < 2**63])


def option(random: Random, name: str) -> str:
    """Draw a value of an option of a request."""
    return random.choice(_QUERIES.get(name, ("",))) if random.random() < 0.6 else text(random)


def continue_token(random: Random) -> str:
    """Write a continue token, as it should be or nearly."""
    start = random.choice(("default/a\0", "", "/", "\0", "../../x", "é", 5, None, ["a"]))
    revision = random.choice((1, 3, 0, -1, 2**63, "1", 1.5, None, True))
    token = {"v": random.choice(("meta.k8s.io/v1", "v9", 5)), "rv": revision, "start": start}
    raw = random.choice((json.dumps(token).encode(), b"\xff", b"[" * 5_000, json.dumps([token]).encode()))
    return urlsafe_b64encode(raw).decode().rstrip(random.choice(("=", "")))


def _object(random: Random, collection: str) -> dict[str, Any]:
    """Return an object with one or two places that are not as they should be; now and then it is fine."""
    group, _, _ = collection.removeprefix("/apis/").partition("/namespaces/")
    version = "v1" if collection.startswith("/api/") else "/".join(group.split("/")[:2])
    meta = {
        "name": random.choice(("web", "map", "a", "node-1")),
        "labels": {"a": "b"},
        "annotations": {"c": "d"},
    }
    made: dict[str, Any] = json.loads(
        json.dumps({"apiVersion": version, "metadata": meta, **OBJECTS[collection]})
    )
    for _ in range(random.choice((0, 1, 1, 2))):
        _spoil(random, made)
    return made


def _spoil(random: Random, node: Any) -> None:
    """Put something odd somewhere into a document."""
    while True:
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = random.choice(keys)
        if not isinstance(node[key], dict | list) or random.random() < 0.25:
            break
        node = node[key]
    node[key] = _odd(random, node[key])
    if isinstance(node, dict) and random.random() < 0.2:
        node[random.choice(TEXTS)] = node.pop(key)


def _odd(random: Random, there: Any) -> Any:
    deep: Any = []
    for _ in range(random.choice((10, 200))):
        deep = [deep] if random.random() < 0.5 else {"a": deep}
    choices = (
        *(lambda: random.choice(TEXTS), lambda: random.choice(NUMBERS), lambda: None, list, dict),
        *(lambda: [there], lambda: {"a": there}, lambda: [there] * random.choice((2, 100)), lambda: deep),
        lambda: {str(index): there for index in range(100)},
    )
    return random.choice(choices)()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _url(random: Random, collection: str, method: str) -> bytes:
    if random.random() < 0.1:
        path = random.choice(_OTHER_PLACES)
    elif method == "POST" and random.random() < 0.7:
        path = collection
    else:
        name = random.choice(
            ("web", "map", "a", "node-1", _quoted(random.choice(TEXTS)), "%ff", "%2e%2e", "%")
        )
        path = f"{collection}/{name}{random.choice(_SUBRESOURCES)}" if random.random() < 0.8 else collection
    pairs = [_pair(random, name) for name in random.sample(list(_QUERIES), random.choice((0, 0, 1, 2, 4)))]
    return f"{path}?{'&'.join(pairs)}".encode() if pairs else path.encode()


def _pair(random: Random, name: str) -> str:
    if name == "continue" and random.random() < 0.7:
        return f"continue={continue_token(random)}"
    return random.choice(("{}={}", "{}={}", "{}={}", "{}", "{}={}&{}=x", "={}")).format(
        name, _quoted(option(random, name)), name
    )


def _quoted(value: str) -> str:
    return quote_from_bytes(value.encode("utf-8", "surrogatepass"), safe="")


def _header(random: Random, name: str) -> bytes:
    if random.random() < 0.75:
        return random.choice(_HEADERS[name]).encode()
    value = random.choice(TEXTS).encode("utf-8", "surrogatepass")
    return value.replace(b"\r\n", b"").replace(b"\x00", b"\x01")


def _body(random: Random, collection: str, method: str) -> tuple[bytes, bytes]:
    """Return the type of a body, and the body."""
    if method in {"GET", "OPTIONS", "TRACE"} and random.random() < 0.9:
        return b"", b""
    if method == "PATCH":
        return random.choice(_CONTENT_TYPES[5:9]).encode(), patch(random, collection)
    content_type = random.choice(_CONTENT_TYPES) if random.random() < 0.4 else "application/json"
    if content_type == "application/vnd.kubernetes.protobuf":
        return content_type.encode(), protobuf(random)
    return content_type.encode(), document(random, collection)


def protobuf(random: Random) -> bytes:
    """Write something like the envelope of Kubernetes' protobuf."""
    version = random.choice((b"v1", b"apps/v1", b"\xff", b"", b"a/b/c"))
    kind = random.choice((b"Pod", b"ConfigMap", b"Lease", b"DeleteOptions", b"Status", b"List", b"\xff"))
    raw = _field(
        1, _field(1, b"web") + _field(3, b"default") + _field(11, b"\x0a\x01a\x12\x01b")
    ) + random.choice(
        (
            b"",
            _field(2, _field(2, b"\x0a\x04main\x12\x05nginx")),
            random.randbytes(20),
            _field(2, b"\x0a" * 2_000),
        )
    )
    for _ in range(random.choice((0, 0, 200))):
        raw = _field(2, raw)
    data = MAGIC + _field(1, _field(1, version) + _field(2, kind)) + _field(2, raw)
    return scrambled(random, data) if random.random() < 0.5 else data


def _field(tag: int, value: bytes) -> bytes:
    size, length = b"", len(value)
    while length > 127:
        size, length = size + bytes((length & 127 | 128,)), length >> 7
    return bytes((tag << 3 | 2,)) + size + bytes((length,)) + value


def _framed(random: Random, lines: list[bytes], body: bytes) -> Hostile:
    """Say where the body ends: as it should be, or in a way that no two servers understand alike."""
    odd = random.random() < 0.15
    if not odd and (not body or random.random() < 0.8):
        length = [b"Content-Length: %d" % len(body)] if body or random.random() < 0.5 else []
        return Hostile(
            b"\r\n".join((*lines, *length, b"", body)) if length else b"\r\n".join((*lines, b"", b"")), True
        )
    if not odd:
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        return Hostile(b"\r\n".join((*lines, b"Transfer-Encoding: chunked", b"", chunked)), True)
    size = len(body)
    ways = (
        *(
            f"Content-Length: {text}"
            for text in ("-1", "0x5", "+5", "5 5", "", "9" * 30, f"{size}, {size}", f"{size + 9}")
        ),
        f"Content-Length: {size}\r\nContent-Length: {size + 1}",
        f"Content-Length: {size}\r\nTransfer-Encoding: chunked",
        *(
            f"Transfer-Encoding: {text}"
            for text in ("gzip, chunked", "chunked, chunked", "identity", "x", "", "chunked\x0b")
        ),
    )
    return Hostile(b"\r\n".join((*lines, random.choice(ways).encode(), b"", body)), False)


def message(random: Random) -> tuple[str, bytes]:
    """Write a call of the gRPC door: its method, and the bytes of its request."""
    method = random.choice(list(SERVICE.methods))
    collection = random.choice(list(OBJECTS))
    request: Any = GetMessageClass(method.input_type)()
    _fill(random, request, collection)
    data: bytes = request.SerializeToString()
    return method.name, scrambled(random, data) if random.random() < 0.2 else data


def metadata(random: Random) -> tuple[tuple[str, str], ...]:
    """Draw what a client sends beside a message."""
    names = random.sample(
        ("Kubarium-Cause", "Kubarium-Fence", "Kubarium-Caller", "Traceparent"), random.choice((0, 1, 4))
    )
    return tuple((name.lower(), random.choice(_HEADERS[name])) for name in names)


def _fill(random: Random, request: Any, collection: str) -> None:
    for field in request.DESCRIPTOR.fields:
        if field.name == "target":
            _aim(random, request.target, collection)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = (field.message_type.fields_by_name[each] for each in ("key", "value"))
            for _ in range(random.choice((0, 1, 3))):
                getattr(request, field.name)[_scalar(random, key)] = _scalar(random, value)
        elif field.message_type is not None:
            inner = getattr(request, field.name)
            for each in (
                [inner.add() for _ in range(random.choice((0, 1, 3)))] if field.is_repeated else [inner]
            ):
                _fill(random, each, collection)
        elif field.name in {"json", "patch"}:
            write = document if field.name == "json" else patch
            setattr(request, field.name, write(random, collection))
        elif random.random() < 0.4:
            setattr(request, field.name, _scalar(random, field))


def _scalar(random: Random, field: Any) -> Any:
    match field.type:
        case field.TYPE_BOOL:
            return random.random() < 0.5
        case field.TYPE_INT64:
            return number(random)
        case field.TYPE_ENUM:
            return random.randrange(6)
        case _ if field.name == "continue":
            return continue_token(random)
        case _:
            words = field.name.split("_")
            return option(random, words[0] + "".join(map(str.title, words[1:])))


def _aim(random: Random, target: Any, collection: str) -> None:
    """Name an object, or a collection; each part is odd now and then."""
    _, root, *parts = collection.split("/")
    target.group = parts.pop(0) if root == "apis" else ""
    target.version = parts.pop(0)
    target.namespace = parts[1] if len(parts) > 1 else ""
    target.resource = parts[-1]
    target.name = random.choice(("web", "map", "a", "node-1", ""))
    target.subresource = random.choice(_SUBRESOURCES[:13]).strip("/")
    for name in ("group", "version", "namespace", "resource", "name", "subresource"):
        if random.random() < 0.05:
            setattr(target, name, text(random))
