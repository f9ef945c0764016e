"""Requests through pods/proxy, services/proxy and nodes/proxy: to a real HTTP server, through a kubelet that connects."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from kubarium.identity.pki import Pki
from kubelet.tunnels import DialError, carry, dialled, upgraded
from machinery.model.errors import NotFound
from machinery.process.server import bound_ports, grpc_server
from machinery.process.tls import ServerTls
from machinery.wire.node import messages as pb
from machinery.wire.services import handler
from tests.support.rest_door import Client
from tests.support.waiting import until

PODS, SERVICES = "/api/v1/namespaces/default/pods", "/api/v1/namespaces/default/services"
PAGE = (
    b'<a href="/x?a=1&amp;b">x</a><a href=rel>r</a><img src="http://elsewhere/p.png"><!-- <a href="/c"> -->'
)


class Node:
    """A kubelet whose pods are all one HTTP server, and who has one page; addresses at port 1 refuse."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, int, bool]] = []
        self.there = 0  # the port of the server
        self.sessions: list[tuple[str, Any]] = []

    async def Tunnel(self, inputs: AsyncIterator[Any], _context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the proto's name
        stream = inputs.__aiter__()
        start = (await anext(stream)).start
        if (target := start.WhichOneof("target")) != "address":
            self.sessions.append((target, getattr(start, target)))
            connection = await upgraded(f"http://127.0.0.1:{self.there}/ws", "GET", "", _chat(start))
            async for message in carry(connection, stream):
                yield message
            return
        address = start.address
        self.dialled.append((address.host, address.port, address.tls))
        try:
            connection = await dialled("127.0.0.1", 1 if address.port == 1 else self.there, tls=False)
        except DialError as error:
            yield pb.TunnelOutput(failed=str(error))
            return
        async for message in carry(connection, stream):
            yield message

    async def Page(self, request: Any, _context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the proto's name
        if request.path != "/stats/summary":
            raise NotFound("404 page not found")
        yield pb.PageChunk(head=pb.PageHead(status=200, content_type="application/json"))
        yield pb.PageChunk(data=f"[{request.method}, {request.query}]".encode())


def _chat(start: Any) -> list[tuple[str, str]]:
    streams = getattr(start, start.WhichOneof("target"))
    return [(each.name, each.value) for each in streams.headers]


async def _echo(request: web.Request) -> web.StreamResponse:
    """Say what has come; /page is HTML, /moved a redirect, /large many bytes, /ws a WebSocket, /cut breaks off."""
    match request.path:
        case "/page" | "/packed":
            packed = request.path == "/packed"
            headers = {"Content-Type": "text/html", "Access-Control-Allow-Origin": "*"}
            headers |= {"Content-Encoding": "gzip"} if packed else {}
            return web.Response(body=gzip.compress(PAGE) if packed else PAGE, headers=headers)
        case "/moved":
            return web.Response(status=302, headers={"Location": request.query["to"]})
        case "/large":
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(64):
                await response.write(bytes(128 * 1024))
            return response
        case "/ws":
            socket = web.WebSocketResponse(protocols=("chat",))
            await socket.prepare(request)
            async for message in socket:
                await socket.send_str(message.data.upper())
            return socket
        case "/cut":
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b"half")
            assert request.transport
            request.transport.close()
            return response
    size = sum([len(piece) async for piece in request.content.iter_any()])
    told = {
        "method": request.method,
        "path": request.raw_path,
        "size": size,
        "headers": dict(request.headers),
    }
    return web.json_response(told, headers={"X-Pod": "web", "Set-Cookie": "a=b"}, status=207)


@pytest.fixture
async def node(pki: Pki, admin: aiohttp.ClientSession) -> AsyncIterator[Node]:
    """A node with the pod `web`, a service `web` in front of it, and one `none` in front of nothing."""
    there = Node()
    files = (str(pki.certificate("node-1")), str(pki.key("node-1")), str(pki.certificate("ca")))
    service = handler(pb.DESCRIPTOR.services_by_name["Node"], "kubarium.node.v1.Node", there)
    kubelet = grpc_server(["127.0.0.1:0"], ServerTls(*files), [service])
    await kubelet.start()
    runner = web.ServerRunner(web.Server(_echo, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    there.there = runner.addresses[0][1]
    await _furnish(admin, bound_ports(kubelet)[0])
    yield there
    await runner.cleanup()
    await kubelet.stop(0)


async def _furnish(admin: aiohttp.ClientSession, port: int) -> None:
    async def post(path: str, obj: dict[str, Any]) -> None:
        async with admin.post(path, json=obj) as response:
            assert response.status in {201, 409}, await response.text()

    async def status(path: str, found: dict[str, Any]) -> None:
        headers = {"Content-Type": "application/merge-patch+json"}
        async with admin.patch(
            f"{path}/status", data=json.dumps({"status": found}), headers=headers
        ) as response:
            assert response.status == 200, await response.text()

    await post("/api/v1/nodes", {"metadata": {"name": "node-1"}})
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
    endpoint = {"kubeletEndpoint": {"Port": port}}
    await status("/api/v1/nodes/node-1", {"addresses": addresses, "daemonEndpoints": endpoint})
    await post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    for name in ("web", "bare", "odd"):
        container = {"name": "main", "image": "x", "ports": [{"containerPort": 8080}]}
        spec = {"nodeName": "node-1", "containers": [container]}
        await post(PODS, {"metadata": {"name": name}, "spec": spec})
    await status(f"{PODS}/web", {"podIPs": [{"ip": "10.0.0.5"}], "podIP": "10.0.0.5"})
    await status(f"{PODS}/odd", {"podIPs": [{"ip": "169.254.169.254"}], "podIP": "169.254.169.254"})
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "bad", "port": 81}]
    for name in ("web", "none"):
        await post(SERVICES, {"metadata": {"name": name}, "spec": {"ports": ports}})
    pod = {"kind": "Pod", "namespace": "default", "name": "web"}
    endpoints = [
        {"addresses": ["10.0.0.9"], "targetRef": pod},  # which the pod does not have any more
        {"addresses": ["10.0.0.5"]},  # which is nobody's
        {"addresses": ["10.0.0.5"], "targetRef": pod, "conditions": {"ready": False}},
    ]
    labels = {"kubernetes.io/service-name": "none"}
    await post(
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        {
            "metadata": {"name": "none-1", "labels": labels},
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": [{"name": "http", "port": 8080}],
        },
    )
    labels = {"kubernetes.io/service-name": "web"}
    await post(
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
        {
            "metadata": {"name": "web-1", "labels": labels},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.5"], "targetRef": pod}],
            "ports": [{"name": "http", "port": 8080}, {"name": "bad", "port": 1}],
        },
    )


def _base(admin: aiohttp.ClientSession) -> str:
    return str(admin._base_url).rstrip("/")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_request_goes_to_a_pod_as_it_is(admin: aiohttp.ClientSession, node: Node, method: str):
    """Method, path as it is encoded, query, headers and body; the status, headers and body come back."""
    body = b"x" * 5000 if method in {"POST", "PUT", "PATCH"} else None
    headers = {"X-Own": "1", "Impersonate-Extra": "no"} if method == "GET" else {"X-Own": "1"}
    url = URL(f"{_base(admin)}{PODS}/web/proxy/a%2Fb/c//d/?q=%20x&q=", encoded=True)
    async with admin.request(method, url, data=body, headers=headers) as response:
        assert response.status == 207, await response.text()
        assert (response.headers["X-Pod"], response.headers["Set-Cookie"]) == ("web", "a=b")
        told = await response.json()
    assert (told["method"], told["path"], told["size"]) == (
        method,
        "/a%2Fb/c//d/?q=%20x&q=",
        len(body or b""),
    )
    assert told["headers"]["X-Own"] == "1"
    assert told["headers"]["X-Forwarded-Uri"] == f"{PODS}/web/proxy/a%2Fb/c//d/"
    assert not {"Authorization", "Impersonate-Extra", "Connection"} & told["headers"].keys()
    assert node.dialled == [("10.0.0.5", 8080, False)]


@pytest.mark.parametrize(
    ("path", "dialled_"),
    [
        (f"{PODS}/web:9/proxy/", ("10.0.0.5", 9, False)),
        (f"{PODS}/https:web:/proxy/", ("10.0.0.5", 8080, True)),
        (f"{SERVICES}/web:http/proxy/", ("10.0.0.5", 8080, False)),
        (f"{SERVICES}/https:web:80/proxy/", ("10.0.0.5", 8080, True)),
    ],
)
async def test_a_name_may_have_a_scheme_and_a_port(
    admin: aiohttp.ClientSession, node: Node, path: str, dialled_: tuple[str, int, bool]
):
    """Of a pod the container's port; of a service its own, by name or number, and the pod's is found."""
    async with admin.get(path) as response:
        assert response.status == 207, await response.text()
    assert node.dialled == [dialled_]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"{PODS}/a:b:c:d/proxy/", 400, 'invalid pod request "a:b:c:d"'),
        (f"{PODS}/ftp:web:1/proxy/", 400, 'invalid pod request "ftp:web:1"'),
        (f"{PODS}/gone/proxy/", 404, 'pods "gone" not found'),
        (f"{PODS}/bare/proxy/", 400, "address not allowed"),
        (f"{PODS}/odd/proxy/", 400, "address not allowed"),
        (f"{PODS}/web:http/proxy/", 503, "error trying to reach service: dial tcp: unknown port http"),
        (
            f"{PODS}/web:1/proxy/",
            503,
            "error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused",
        ),
        (f"{SERVICES}/web:82/proxy/", 503, 'no service port 82 found for service "web"'),
        (f"{SERVICES}/web:x/proxy/", 503, 'no endpoints available for service "web"'),
        (f"{SERVICES}/none:http/proxy/", 503, 'no endpoints available for service "none"'),
        (f"{SERVICES}/gone:80/proxy/", 404, 'services "gone" not found'),
        ("/api/v1/nodes/node-1:9/proxy/", 400, "address not allowed"),
        ("/api/v1/nodes/gone/proxy/", 404, 'nodes "gone" not found'),
        ("/api/v1/nodes/node-1/proxy/none", 404, "404 page not found"),
    ],
)
@pytest.mark.usefixtures("node")
async def test_who_cannot_be_asked(admin: aiohttp.ClientSession, path: str, status: int, words: str):
    """It is told in a Status, in Kubernetes' words."""
    async with admin.get(path) as response:
        assert (response.status, (await response.json())["message"]) == (status, words)


@pytest.mark.usefixtures("node")
async def test_links_and_redirects_lead_through_the_proxy(admin: aiohttp.ClientSession):
    """Those to the pod itself; other hosts, relative links and comments stay, and what is compressed stays so."""
    below = f"{_base(admin)}{PODS}/web/proxy"
    for path in ("page", "packed"):
        async with admin.get(f"{PODS}/web/proxy/{path}") as response:
            assert "Access-Control-Allow-Origin" not in response.headers
            assert response.headers.get("Content-Encoding") == ("gzip" if path == "packed" else None)
            assert await response.read() == PAGE.replace(b'"/x?a=1&amp;b"', f'"{below}/x?a=1&amp;b"'.encode())
    for to, expected in (
        ("/x/?a", f"{below}/x/?a"),
        ("y", "y"),
        ("http://elsewhere/x", "http://elsewhere/x"),
    ):
        async with admin.get(f"{PODS}/web/proxy/moved?to={to}", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (302, expected)
    async with admin.get(f"{PODS}/web/proxy?a=b", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (301, f"{PODS}/web/proxy/?a=b")


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_the_proxy_itself_passes_on_what_a_redirect_would_change(
    admin: aiohttp.ClientSession, method: str
):
    """Only GET and HEAD are sent to "/" at its end; anything else is for the pod's own "/"."""
    async with admin.request(method, f"{PODS}/web/proxy?a=b", allow_redirects=False) as response:
        assert response.status == 207
        seen = await response.json()
        assert (seen["method"], seen["path"]) == (method, "/?a=b")


@pytest.mark.usefixtures("node")
async def test_bodies_stream(admin: aiohttp.ClientSession):
    """Ten megabytes there in chunks, eight back; the head alone where that is asked for."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield bytes(128 * 1024)

    async with admin.put(f"{PODS}/web/proxy/x", data=pieces()) as response:
        assert (await response.json())["size"] == 80 * 128 * 1024
    async with admin.get(f"{SERVICES}/web:80/proxy/large") as response:
        assert len(await response.read()) == 64 * 128 * 1024
    async with admin.head(f"{PODS}/web/proxy/x") as response:
        assert (response.status, response.headers["X-Pod"]) == (207, "web")


@pytest.mark.usefixtures("node")
async def test_an_answer_that_breaks_off_breaks_off(admin: aiohttp.ClientSession):
    """Nobody takes half of it for the whole."""
    async with admin.get(f"{PODS}/web/proxy/cut") as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


@pytest.mark.usefixtures("node")
async def test_a_connection_can_be_upgraded(admin: aiohttp.ClientSession):
    """A WebSocket is between the caller and the pod."""
    async with admin.ws_connect(f"{SERVICES}/web:http/proxy/ws", protocols=("chat",)) as socket:
        assert socket.protocol == "chat"
        await socket.send_str("hello")
        async with asyncio.timeout(30):
            assert await socket.receive_str() == "HELLO"


@pytest.mark.usefixtures("node")
async def test_a_kubelet_shows_its_pages(admin: aiohttp.ClientSession):
    """At its own port, which need not be named."""
    async with admin.get("/api/v1/nodes/node-1/proxy/stats/summary?a=b") as response:
        assert (response.status, await response.text()) == (200, "[GET, a=b]")
        assert response.headers["Content-Type"] == "application/json"


@pytest.mark.usefixtures("node")
async def test_who_may_not_is_told_the_verb(client: Client):
    """It follows the method; the name is what stands in the path."""
    for method, verb in (("GET", "get"), ("POST", "create"), ("PUT", "update"), ("DELETE", "delete")):
        async with client("nobody").request(method, f"{PODS}/https:web:1/proxy/x") as response:
            message = (await response.json())["message"]
            assert (response.status, f'cannot {verb} resource "pods/proxy"' in message) == (403, True)
            assert message.startswith('pods "https:web:1" is forbidden')


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        ("exec/default/web/main", "command=sh&command=-c&input=1&output=1&tty=1", "exec"),
        ("exec/default/web/u-1/main", "command=sh&error=1", "exec"),
        ("attach/default/web/main", "output=1", "attach"),
        ("portForward/default/web", "port=80", "port_forward"),
    ],
)
async def test_sessions_of_a_kubelet_are_carried(
    admin: aiohttp.ClientSession, node: Node, path: str, query: str, wanted: str
):
    """By its own paths and queries; what is spoken then is between the caller and the runtime."""
    async with admin.ws_connect(f"/api/v1/nodes/node-1/proxy/{path}?{query}", protocols=("chat",)) as socket:
        await socket.send_str("hello")
        async with asyncio.timeout(30):
            assert await socket.receive_str() == "HELLO"
    [(target, streams)] = node.sessions
    about = streams.start.container
    assert (target, about.namespace, about.pod) == (wanted, "default", "web")
    assert about.pod_uid == ("u-1" if "u-1" in path else "")
    if target == "exec":
        flags = (streams.start.stdin, streams.start.stdout, streams.start.stderr, streams.start.tty)
        assert flags == ((True, True, False, True) if "input" in query else (False, False, True, False))
        assert streams.start.command == (["sh", "-c"] if "input" in query else ["sh"])


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("exec/default/web/main?output=1", 400, "specify a command"),
        ("exec/default/web/main?command=x", 400, "at least 1 of stdin, stdout, stderr"),
        ("exec/default/web?command=x&output=1", 404, "404 page not found"),
        ("stats/summary", 404, "404 page not found"),
        ("run/default/web/main?cmd=x", 404, "404 page not found"),
    ],
)
async def test_what_no_session_is_upgrades_nothing(
    admin: aiohttp.ClientSession, node: Node, path: str, status: int, words: str
):
    """An error with a status, before anything is asked of the node."""
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    async with admin.post(f"/api/v1/nodes/node-1/proxy/{path}", headers=headers) as response:
        assert (response.status, words in await response.text()) == (status, True)
    assert not node.sessions


async def test_who_may_only_read_a_node_runs_nothing_on_it(
    admin: aiohttp.ClientSession, client: Client, node: Node
):
    """A WebSocket begins with a GET: for what does something the verb is create, whatever the method is."""
    rules = [{"apiGroups": [""], "resources": ["nodes/proxy"], "verbs": ["get"]}]
    group = "/apis/rbac.authorization.k8s.io/v1"
    role = {"metadata": {"name": "reads-nodes"}, "rules": rules}
    subject = {"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "ClusterRole", "name": "reads-nodes", "apiGroup": "rbac.authorization.k8s.io"}
    for plural, obj in (
        ("clusterroles", role),
        ("clusterrolebindings", {**role, "subjects": [subject], "roleRef": reference}),
    ):
        async with admin.post(f"{group}/{plural}", json=obj) as response:
            assert response.status == 201
    nobody = client("nobody")

    async def may_read() -> bool:
        async with nobody.get("/api/v1/nodes/node-1/proxy/stats/summary") as response:
            return response.status == 200

    await until(may_read)
    for path in ("exec/default/web/main", "//exec/default/web/main", "%65xec/default/web/main", "run/a/b/c"):
        url = URL(f"/api/v1/nodes/node-1/proxy/{path}?command=id&output=1", encoded=True)
        headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
        async with nobody.get(url, headers=headers) as response:
            assert response.status == 403, path
            assert 'cannot create resource "nodes/proxy"' in (await response.json())["message"]
    assert not node.sessions
