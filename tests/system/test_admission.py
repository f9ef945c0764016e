"""Admission on a whole cluster: a webhook server behind a Service, quotas that their controller counts, a policy."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kubarium import Cluster
from kubarium.core.certificates import Certificate
from kubarium.pki import Pki
from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


class _Webhook(BaseHTTPRequestHandler):
    """Adds a label to what is created."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a review."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        patch = [
            {
                "op": "add",
                "path": "/metadata/labels",
                "value": {"admitted-by": self.headers["Host"].partition(":")[0]},
            }
        ]
        response = {
            "uid": request["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
            "warnings": ["a webhook was here"],
        }
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def webhook_server(pki: Pki, host: str) -> Iterator[int]:
    """Serve on an address of this machine with a certificate of a Service; yields the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.certificate("webhook"), pki.key("webhook"))
    server = ThreadingHTTPServer((host, 0), _Webhook)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_webhook_behind_a_service(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    """The pod passes connections on to a server here; TLS goes from the apiserver to that server, through the node."""
    namespace, host = kubectl.namespace, cluster.addresses.host
    pki = Pki(tmp_path)
    pki.ensure(Certificate("webhook", "webhook", hosts=(f"webhook.{namespace}.svc",)))
    with webhook_server(pki, host) as port:
        relay = ["nc", "-ll", "-p", "8443", "-e", "nc", host, str(port)]
        container = {"name": "relay", "image": "busybox:1.36", "command": relay}
        kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "relay", "labels": {"app": "webhook"}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "webhook"},
                "spec": {"selector": {"app": "webhook"}, "ports": [{"port": 443, "targetPort": 8443}]},
            },
        )
        kubectl("wait", "pod/relay", "--for=condition=Ready", "--timeout=60s")
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["configmaps"],
        }
        ca = base64.b64encode(pki.certificate("ca").read_bytes()).decode()
        hook = {
            "name": "label.example.com",
            "clientConfig": {
                "caBundle": ca,
                "service": {"namespace": namespace, "name": "webhook", "path": "/label"},
            },
            "rules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        try:
            kubectl.apply(
                {
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": "MutatingWebhookConfiguration",
                    "metadata": {"name": namespace},
                    "webhooks": [hook],
                }
            )

            said: list[str] = []

            def made() -> bool:
                kubectl.run("delete", "configmap", "made", "--ignore-not-found")
                outcome = kubectl.run("create", "configmap", "made")
                said.append(outcome.err)
                return "Warning: a webhook was here" in outcome.err

            try:
                eventually(made, timeout_s=20)
            except AssertionError:
                pytest.fail(f"kubectl says {said[-1]}")
            labels = kubectl.get("configmap", "made")["metadata"]["labels"]
            assert labels == {"admitted-by": f"webhook.{namespace}.svc"}
        finally:
            kubectl("delete", "mutatingwebhookconfiguration", namespace)


def test_a_quota_is_charged_and_counted(kubectl: Kubectl) -> None:
    """What is there when it comes is counted; what does not fit is refused; what is deleted makes room again."""
    kubectl("create", "configmap", "first")
    kubectl("create", "quota", "all", "--hard=count/configmaps=3,pods=1")  # the root certificate is one, too

    def used() -> dict[str, str]:
        return dict(kubectl.get("quota", "all").get("status", {}).get("used", {}))

    eventually(lambda: used() == {"count/configmaps": "2", "pods": "0"})
    kubectl("create", "configmap", "second")
    outcome = kubectl.run("create", "configmap", "third")
    assert (
        'configmaps "third" is forbidden: exceeded quota: all, requested: count/configmaps=1' in outcome.err
    )
    kubectl("delete", "configmap", "first")
    eventually(lambda: used()["count/configmaps"] == "2")
    kubectl("create", "configmap", "third")
