"""The web-app Deployment of the seed documents: started, updated and undone under load."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster
from kubarium.core.network import node_namespace
from tests.support.captures import differences
from tests.support.clusters import clusters
from tests.support.ingress import certificate
from tests.support.ingress_image import build_ingress_image, ingress_manifest
from tests.support.kubectl import Kubectl, eventually, is_ready
from tests.support.load import Load
from tests.support.requirements import need
from tests.support.transcript_run import prepare

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MANIFEST = EXAMPLES / "web-app.yaml"
API, WWW, SHOP = "api.example.com", "www.example.com", "shop.example.com"


@pytest.fixture(scope="module")
def cluster(images: None) -> Iterator[Cluster]:
    """A cluster of this file's own: where pods go depends on what else runs."""
    need("etcd", "docker", "cni", "kubectl")
    with clusters() as start:
        yield start("web", nodes=3, runtime="docker")


@pytest.fixture(scope="module")
def production(cluster: Cluster) -> Iterator[Kubectl]:
    """The manifest, applied and rolled out."""
    kubectl = Kubectl(cluster.kubeconfig, "production")
    kubectl("apply", "-f", str(MANIFEST))
    kubectl("rollout", "status", "deployment/web-app", "--timeout=180s", timeout_s=200)
    yield kubectl
    kubectl("delete", "-f", str(MANIFEST), "--timeout=120s", timeout_s=130)


def test_it_runs_on_all_three_nodes(production: Kubectl):
    """Three replicas are Ready, each on a node of its own."""
    eventually(lambda: all(map(is_ready, production.pods("app=web-app"))), what="all Ready")
    nodes = [pod["spec"]["nodeName"] for pod in production.pods("app=web-app")]
    assert sorted(nodes) == ["node-1", "node-2", "node-3"]


def test_the_container_sees_what_the_manifest_gives_it(production: Kubectl):
    """Environment from a Secret and a field, files from a ConfigMap, a token of its ServiceAccount."""
    name = production.pods("app=web-app")[0]["metadata"]["name"]
    script = (
        "echo $NODE_ENV $DB_HOST $POD_NAME; cat /app/config/app.properties; touch /tmp/x && echo writable"
    )
    said = production("exec", name, "--", "sh", "-c", script).split()
    assert said == ["production", "db.example.com", name, "greeting=hello", "writable"]
    token = production("exec", name, "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/token")
    assert token.count(".") == 2


def test_the_service_reaches_pods_on_every_node(cluster: Cluster, production: Kubectl):
    """From each node, the ClusterIP is answered by every replica in turn."""
    address = production.get("service", "web-app")["spec"]["clusterIP"]
    for node in ("node-1", "node-2", "node-3"):
        eventually(lambda node=node: _is_answered(cluster, node, address), what=f"an answer on {node}")  # type: ignore[misc]
        with Load(node_namespace(cluster.name, node), address, 80, limit_s=2) as load:
            pass
        assert load.lost == 0, load.examples
    names = {pod["metadata"]["name"] for pod in production.pods("app=web-app")}
    client = min(names)
    script = f"for i in $(seq 60); do wget -qO- http://{address}/; echo; done"

    def answering() -> set[str]:
        answers = production.run("exec", client, "--", "sh", "-c", script).out
        return {name for name in names if name in answers}

    eventually(lambda: answering() == names, what="every replica in turn")


def test_an_update_and_an_undo_lose_no_request(cluster: Cluster, production: Kubectl):
    """A rolling update and its undo under a steady load through the Service: every request is answered."""
    address = production.get("service", "web-app")["spec"]["clusterIP"]
    with Load(node_namespace(cluster.name, "node-2"), address, 80) as load:
        production("set", "image", "deployment/web-app", "web=myregistry/web-app:v1.1.0")
        production("rollout", "status", "deployment/web-app", "--timeout=150s", timeout_s=160)
        assert _images(production) == {"myregistry/web-app:v1.1.0"}
        production("rollout", "undo", "deployment/web-app")
        production("rollout", "status", "deployment/web-app", "--timeout=150s", timeout_s=160)
    assert load.lost == 0, f"{load.lost} of {load.answered + load.lost}: {load.examples}"
    assert load.answered > 100
    eventually(lambda: _images(production) == {"myregistry/web-app:v1.0.0"}, what="the old image everywhere")
    history = production("rollout", "history", "deployment/web-app")
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["2", "3"]


def test_a_node_is_drained_behind_a_budget_without_a_lost_request(cluster: Cluster, production: Kubectl):
    """Two of three pods stay Ready while one is evicted; a taint drives out those that do not tolerate it."""
    address = production.get("service", "web-app")["spec"]["clusterIP"]
    production("create", "poddisruptionbudget", "web-app", "--selector=app=web-app", "--min-available=2")
    eventually(lambda: production.get("pdb", "web-app")["status"].get("disruptionsAllowed") == 1)
    with Load(node_namespace(cluster.name, "node-2"), address, 80) as load:
        production("drain", "node-3", "--delete-emptydir-data", "--timeout=180s", timeout_s=200)
        assert "node-3" not in _nodes(production)
        eventually(lambda: len(_nodes(production)) == 3, what="three Ready pods on the others")
        production("uncordon", "node-3")
        production("taint", "nodes", "node-2", "gpu=true:NoExecute")
        eventually(
            lambda: sorted(set(_nodes(production))) == ["node-1", "node-3"] and len(_nodes(production)) == 3,
            what="nobody on a node that drives them out",
        )
    production("taint", "nodes", "node-2", "gpu-")
    assert load.lost == 0, f"{load.lost} of {load.answered + load.lost}: {load.examples}"


def _is_answered(cluster: Cluster, node: str, address: str) -> bool:
    """Whether a node's proxy has the Service already."""
    with Load(node_namespace(cluster.name, node), address, 80, limit_s=0.1) as load:
        pass
    return load.answered > 0 and not load.lost


def _nodes(kubectl: Kubectl) -> list[str]:
    return [pod["spec"]["nodeName"] for pod in kubectl.pods("app=web-app") if is_ready(pod)]


def _images(kubectl: Kubectl) -> set[str]:
    pods = (pod for pod in kubectl.pods("app=web-app") if "deletionTimestamp" not in pod["metadata"])
    return {pod["spec"]["containers"][0]["image"] for pod in pods}


@dataclass(frozen=True)
class Edge:
    """Where the Ingress is reached, and the certificate that it shows."""

    address: str
    certificate: Path
    ingress: Kubectl

    def curl(self, url: str, *flags: str, host: str) -> tuple[str, str]:
        """Ask from this machine with curl, as if the names led there; return the status and the rest of what it prints."""
        ports = [word for port in (80, 443) for word in ("--resolve", f"{host}:{port}:{self.address}")]
        command = ["curl", "-s", "-m", "10", "--cacert", str(self.certificate), *ports, *flags]
        form = "\n%{http_code} %{redirect_url}"
        done = subprocess.run([*command, "-w", form, url], capture_output=True, text=True, check=False)
        body, _, last = done.stdout.rpartition("\n")
        status, _, redirect = last.partition(" ")
        return status, redirect or body.strip()


@pytest.fixture(scope="module")
def edge(production: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """The controller, and the Ingress, the NetworkPolicy and the TLS of the seed documents as they are written."""
    need("haproxy")
    build_ingress_image()
    folder = tmp_path_factory.mktemp("tls")
    ingress = Kubectl(production.kubeconfig, "kubarium-ingress")
    manifest = folder / "ingress.yaml"
    manifest.write_text(ingress_manifest())
    ingress("apply", "-f", str(manifest))
    _put_certificate(production, folder, "example-tls", API, WWW)
    production("apply", "-f", str(EXAMPLES / "web-app-ingress.yaml"))
    ingress("rollout", "status", "deployment/ingress", "--timeout=180s", timeout_s=200)
    production("rollout", "status", "deployment/frontend", "--timeout=180s", timeout_s=200)
    path = "-o=jsonpath={.status.loadBalancer.ingress[0].ip}"
    address = eventually(
        lambda: production("get", "ingress", "web-app-ingress", path), what="the Ingress has an address"
    )
    yield Edge(address, folder / "tls.crt", ingress)
    production("delete", "-f", str(EXAMPLES / "web-app-ingress.yaml"), "--timeout=180s", timeout_s=200)
    ingress("delete", "-f", str(manifest), "--timeout=180s", timeout_s=200)


def _put_certificate(kubectl: Kubectl, folder: Path, secret: str, *hosts: str) -> None:
    """Make a certificate for some hosts, and put it into a Secret."""
    for name, content in zip(("tls.crt", "tls.key"), certificate(*hosts), strict=True):
        (folder / name).write_bytes(content)
    files = [f"--cert={folder / 'tls.crt'}", f"--key={folder / 'tls.key'}"]
    made = kubectl("create", "secret", "tls", secret, *files, "--dry-run=client", "-o=json")
    kubectl.apply(json.loads(made))


def test_the_ingress_from_this_machine(production: Kubectl, edge: Edge):
    """HTTP is sent to HTTPS, hosts and paths to their Services, with the certificate of the Secret; what nobody serves says so."""
    moved = ("308", f"https://{API}/x?y=1")
    eventually(lambda: edge.curl(f"http://{API}/x?y=1", host=API) == moved, what="HTTP is sent to HTTPS")
    names = {pod["metadata"]["name"] for pod in production.pods("app=web-app")}

    def served_by() -> str:
        status, body = edge.curl(f"https://{API}/", host=API)
        return body.split()[0] if status == "200" and body else ""

    eventually(lambda: served_by() in names, what="a pod of the application answers")
    [frontend] = production.pods("app=frontend")
    served = ("200", frontend["metadata"]["name"])
    eventually(lambda: edge.curl(f"https://{WWW}/", host=WWW) == served, what="the frontend is an endpoint")
    assert edge.curl(f"https://{WWW}/api/x", host=WWW)[0] == "503"
    assert edge.curl("http://other.example.com/", host="other.example.com")[0] == "404"
    too_large = ("--http1.1", "-X", "POST", "-H", f"Content-Length: {51 << 20}")
    assert edge.curl(f"https://{API}/", *too_large, host=API)[0] == "413"
    assert edge.curl(f"https://{API}/", "--http2", "-o", "/dev/null", host=API)[0] == "200"
    balancer = edge.ingress.get("service", "ingress")["status"]["loadBalancer"]["ingress"]
    assert [each["ip"] for each in balancer] == [edge.address]


def test_the_ingress_from_pods(production: Kubectl, edge: Edge):
    """The same at the same address; the policy lets the proxy and the frontend in to the application, and nobody else."""
    frontend = production.pods("app=frontend")[0]["metadata"]["name"]
    ask = f"printf 'GET / HTTP/1.0\\r\\nHost: {API}\\r\\n\\r\\n' | nc -w 5 {edge.address} 80"
    asked = ("exec", frontend, "--", "sh", "-c", ask)
    moved = f"location: https://{API}/"
    eventually(lambda: moved in production.run(*asked).out, what="HTTP is sent to HTTPS")
    script = (
        "import socket, ssl; anybody = ssl.create_default_context(); anybody.check_hostname = False; "
        "anybody.verify_mode = ssl.CERT_NONE; "
        f"plain = socket.create_connection(('{edge.address}', 443), 30); "
        f"secure = anybody.wrap_socket(plain, server_hostname='{WWW}'); "
        f"secure.sendall(b'GET / HTTP/1.0\\r\\nHost: {WWW}\\r\\n\\r\\n'); print(secure.recv(4096).decode())"
    )
    asked = ("exec", "deployment/ingress", "--", "/opt/kubarium/bin/python", "-c", script)
    well = ("HTTP/1.0 200", "HTTP/1.1 200")
    eventually(lambda: edge.ingress.run(*asked).out.startswith(well), what="the frontend over TLS")
    pod = production.pods("app=web-app")[0]["status"]["podIP"]
    try_it = ("--", "sh", "-c", f"nc -w 2 {pod} 8080 </dev/null && echo reached")
    for namespace, who in ((production, frontend), (edge.ingress, "deployment/ingress")):
        asked = ("exec", who, *try_it)
        eventually(lambda namespace=namespace, asked=asked: "reached" in namespace.run(*asked).out, what=who)  # type: ignore[misc]
    stranger = {"metadata": {"name": "stranger"}, "apiVersion": "v1", "kind": "Pod", "spec": _sleeping()}
    production.apply(stranger)
    production("wait", "--for=condition=Ready", "pod/stranger", "--timeout=180s", timeout_s=200)
    assert "reached" not in production.run("exec", "stranger", *try_it).out
    production("delete", "pod", "stranger", "--wait=false")


def _sleeping() -> dict[str, Any]:
    box = {"name": "main", "image": "busybox:1.36", "command": ["sleep", "3600"]}
    return {"terminationGracePeriodSeconds": 0, "containers": [box]}


def test_an_update_and_a_new_certificate_lose_no_request(production: Kubectl, edge: Edge):
    """A rolling update of the application and a change of the Secret, under a steady load over TLS: every request is answered."""
    old = edge.certificate.read_text()
    with Load("", edge.address, 443, tls_name=API) as load:
        production("rollout", "restart", "deployment/web-app")
        _put_certificate(production, edge.certificate.parent, "example-tls", API, WWW)
        production("rollout", "status", "deployment/web-app", "--timeout=150s", timeout_s=160)
        eventually(
            lambda: edge.curl(f"https://{API}/", host=API)[0] == "200", what="the new certificate is shown"
        )
    assert edge.certificate.read_text() != old
    assert load.lost == 0, load.examples
    assert load.answered > 100


def test_the_captures_of_the_page(cluster: Cluster, edge: Edge, tmp_path: Path):
    """docs/networking.md shows what tcpdump, conntrack and nft print: by ClusterIP, DNS, node port, load balancer, policy, Ingress."""
    need("tcpdump")
    place = prepare("captures", edge.ingress.kubeconfig, tmp_path, {})
    assert not "\n\n".join(differences(cluster.name, place))


@pytest.fixture(scope="module")
def shop(production: Kubectl, edge: Edge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """The Gateway of the examples, in a cluster that gets its kinds when the controller runs already."""
    folder = tmp_path_factory.mktemp("shop")
    production("apply", "-f", str(EXAMPLES / "gateway-api.yaml"))
    production("wait", "--for=condition=Established", "crd", "--all", "--timeout=180s", timeout_s=200)
    _put_certificate(production, folder, "shop-tls", SHOP)
    production("apply", "-f", str(EXAMPLES / "gateway.yaml"))
    production("wait", "--for=condition=Programmed", "gateway/shop", "--timeout=180s", timeout_s=200)
    production("rollout", "status", "deployment/shop-new", "--timeout=180s", timeout_s=200)
    address = production("get", "gateway", "shop", "-o=jsonpath={.status.addresses[0].value}")
    yield Edge(address, folder / "tls.crt", edge.ingress)
    production("delete", "-f", str(EXAMPLES / "gateway.yaml"), "--timeout=180s", timeout_s=200)
    eventually(
        lambda: "gateway-shop" not in edge.ingress("get", "services"), what="the Gateway's Service is gone"
    )
    production("delete", "-f", str(EXAMPLES / "gateway-api.yaml"), "--timeout=180s", timeout_s=200)


def test_the_gateway_from_this_machine(production: Kubectl, edge: Edge, shop: Edge):
    """It has an address of its own; its routes redirect, choose by header, change paths and headers, and share requests out."""
    assert shop.address != edge.address
    away = ("301", f"https://{SHOP}/x?y=1")
    eventually(
        lambda: shop.curl(f"http://{SHOP}/x?y=1", host=SHOP) == away, what="the nodes know the address"
    )
    [new] = production.pods("app=shop-new")
    served = ("200", new["metadata"]["name"])
    asked = ("-H", "X-Version: new")
    eventually(
        lambda: shop.curl(f"https://{SHOP}/", *asked, host=SHOP) == served, what="the new version is asked"
    )
    old = (f"https://{SHOP}/old/x", "-D", "-")
    eventually(lambda: "deprecation: true" in shop.curl(*old, host=SHOP)[1].lower(), what="the old way")
    names = [shop.curl(f"https://{SHOP}/", host=SHOP)[1] for _ in range(200)]
    assert 0 < names.count(served[1]) < 100  # a tenth, as the weights say
    assert {name.split()[0] for name in names} <= {
        pod["metadata"]["name"] for app in ("web-app", "shop-new") for pod in production.pods(f"app={app}")
    }
    other = "other.example.com"
    assert shop.curl(f"https://{other}/", "-k", host=other)[0] == "404"
    assert edge.curl(f"https://{SHOP}/", "-k", host=SHOP)[0] == "404"  # Ingresses know nothing of it
    [listener] = [
        each for each in production.get("gateway", "shop")["status"]["listeners"] if each["name"] == "https"
    ]
    assert listener["attachedRoutes"] == 1
    route = production.get("httproute", "shop")["status"]["parents"][0]
    assert {each["type"]: each["status"] for each in route["conditions"]} == {
        "Accepted": "True",
        "ResolvedRefs": "True",
    }
    assert production("get", "gateway", "shop", "--no-headers").split()[1:4] == [
        "kubarium",
        shop.address,
        "True",
    ]
