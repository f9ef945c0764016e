"""A cluster whose nodes have another CNI configuration, and packets of another size."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kubarium import Cluster, KubariumError
from tests.support.clusters import clusters
from tests.support.kubectl import Kubectl, eventually
from tests.support.requirements import need

pytestmark = pytest.mark.cluster

PTP = Path(__file__).parents[2] / "examples" / "ptp.conflist"
MANIFEST = """
apiVersion: v1
kind: Pod
metadata:
  name: web
  labels: {app: web}
  annotations: {kubernetes.io/egress-bandwidth: 50M}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: web
    image: busybox:1.36
    command: [sh, -c, "echo here >/tmp/index.html; exec httpd -f -p 8080 -h /tmp"]
    ports: [{containerPort: 8080, hostPort: 18080}]
    readinessProbe: {httpGet: {path: /index.html, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: sh, image: "busybox:1.36", command: [sleep, "3600"]}]
"""


@pytest.fixture(scope="module")
def cluster(images: None) -> Iterator[Cluster]:
    """One node, ptp in the bridge's place, packets of 1,400 bytes."""
    need("etcd", "docker", "cni", "kubectl", "iptables")
    with clusters() as start:
        yield start("ptp", nodes=1, runtime="docker", profile="fast", cni_conf=str(PTP), mtu=1400)


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster) -> Kubectl:
    """A kubectl of a cluster with a web server and a client."""
    made = Kubectl(cluster.kubeconfig)
    made("apply", "-f", "-", stdin=MANIFEST)
    made("wait", "--for=condition=Ready", "pod", "--all", "--timeout=180s")
    return made


def reached_by_name(kubectl: Kubectl) -> bool:
    """Whether the web server answers the client under its Service's name."""
    return "here" in kubectl.run("exec", "client", "--", "wget", "-qO-", "http://web/index.html").out


def in_node(cluster: Cluster, *argv: str) -> str:
    """Run a command on the node's network."""
    command = ["ip", "netns", "exec", f"kubarium-{cluster.name}.node-1", *argv]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_services_names_and_host_ports_lead_to_pods_of_another_plugin(
    cluster: Cluster, kubectl: Kubectl
) -> None:
    """No bridge is there, and each pod has a route of its own."""
    eventually(lambda: reached_by_name(kubectl), what="the Service's name")
    host = cluster.addresses.node(cluster.spec.nodes[0])
    assert "here" in in_node(cluster, "busybox", "wget", "-qO-", f"http://{host}:18080/index.html")
    links = {each["ifname"] for each in json.loads(in_node(cluster, "ip", "-j", "link", "show"))}
    assert "cni0" not in links
    address = kubectl("get", "pod", "web", "-o", "jsonpath={.status.podIP}")
    assert json.loads(in_node(cluster, "ip", "-j", "route", "show", address))[0]["dev"].startswith("veth")


def test_nodes_and_pods_have_the_mtu(cluster: Cluster, kubectl: Kubectl) -> None:
    """Those of the backbone's links, too."""
    assert kubectl("exec", "client", "--", "cat", "/sys/class/net/eth0/mtu").strip() == "1400"
    assert json.loads(in_node(cluster, "ip", "-j", "link", "show", "eth0"))[0]["mtu"] == 1400


def test_a_pod_whose_network_broke_gets_a_new_one(cluster: Cluster, kubectl: Kubectl) -> None:
    """The kernel tells of the end of its link; the plugins CHECK it; its kubelet makes its sandbox anew, and says so."""
    before = kubectl("get", "pod", "client", "-o", "jsonpath={.status.podIP}")
    [device] = [each["dev"] for each in json.loads(in_node(cluster, "ip", "-j", "route", "show", before))]
    in_node(cluster, "ip", "link", "delete", device)

    def is_new() -> bool:
        return kubectl("get", "pod", "client", "-o", "jsonpath={.status.podIP}") not in {"", before}

    eventually(is_new)
    kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=180s")
    about = ("-o", "name", "--field-selector=reason=SandboxChanged,involvedObject.name=client")
    eventually(lambda: kubectl("get", "events", *about), what="the event")
    eventually(lambda: reached_by_name(kubectl), what="the Service's name")


@contextlib.contextmanager
def program(*argv: str) -> Iterator[None]:
    """Run a program of ours, and end it."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield
        assert process.poll() is None, process.stdout and process.stdout.read()
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_a_proxy_works_by_a_kubeconfig(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    """As beside any apiserver: through the REST door, by credentials that stand in the file."""
    content = yaml.safe_load(cluster.kubeconfig.read_text())
    door = f"https://{cluster.addresses.host}:{cluster.addresses.rest_port}"
    content["clusters"][0]["cluster"] |= {"server": door, "tls-server-name": "apiserver"}
    (tmp_path / "config").write_text(yaml.safe_dump(content))
    cluster.stop("proxy@node-1")
    in_node(cluster, "nft", "delete", "table", "ip", "kubarium-proxy")
    fetch = ["exec", "client", "--", "wget", "-qO-", f"http://{service_ip(kubectl)}/index.html"]
    node = ["ip", "netns", "exec", f"kubarium-{cluster.name}.node-1"]
    proxy = [sys.executable, "-m", "proxy", "--node-name=node-1", f"--kubeconfig={tmp_path / 'config'}"]
    with program(*node, *proxy):
        eventually(lambda: "kubarium-proxy" in in_node(cluster, "nft", "list", "tables"))
        eventually(lambda: "here" in kubectl.run(*fetch).out)
    cluster.restart("proxy@node-1")


def service_ip(kubectl: Kubectl) -> str:
    return kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")


def test_a_scheduler_and_controllers_work_by_a_kubeconfig(cluster: Cluster, kubectl: Kubectl) -> None:
    """A Deployment gets its pod, and the pod its node."""
    names = ("scheduler", "controllers")
    for name in names:
        cluster.stop(name)
    with contextlib.ExitStack() as running:
        for name in names:
            running.enter_context(
                program(sys.executable, "-m", name, f"--kubeconfig={cluster.kubeconfig}", "--profile=fast")
            )
        kubectl("create", "deployment", "by-file", "--image=busybox:1.36", "--", "sleep", "3600")
        kubectl("wait", "--for=condition=Available", "deployment/by-file", "--timeout=180s")
    for name in names:
        cluster.restart(name)


def test_a_file_that_is_none_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    """With its name and the field."""
    need("etcd", "docker", "cni")
    file = tmp_path / "net.conflist"
    file.write_text('{"cniVersion": "1.0.0", "name": "net", "plugins": [{"typo": "ptp"}]}')
    with pytest.raises(KubariumError, match=r"net\.conflist: plugins\[0\]\.type: is needed"):
        Cluster.up("none", runtime="docker", cni_conf=str(file), home=tmp_path / "home")
    assert not (tmp_path / "home" / "none").exists()
