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
from tests.support.certificate_requests import serving_request
from tests.support.kubectl import Kubectl, eventually

pytestmark = [pytest.mark.cluster, pytest.mark.docker]


class _Webhook(BaseHTTPRequestHandler):
    """Adds a label to what is created, at /label; refuses what is named so, at /check."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a review."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        decided = self._labelled() if self.path.startswith("/label") else self._checked(request)
        response = {"uid": request["uid"], **decided}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _labelled(self) -> dict[str, Any]:
        labels = {"admitted-by": self.headers["Host"].partition(":")[0]}
        patch = json.dumps([{"op": "add", "path": "/metadata/labels", "value": labels}]).encode()
        return {
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(patch).decode(),
            "warnings": ["a webhook was here"],
        }

    def _checked(self, request: dict[str, Any]) -> dict[str, Any]:
        labelled = "admitted-by" in request["object"]["metadata"].get("labels", {})
        if labelled and request["name"] != "refused":
            return {"allowed": True}
        return {"allowed": False, "status": {"message": f"{request['name']} will not do", "code": 403}}

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def webhook_server(certificate: Path, key: Path, host: str) -> Iterator[int]:
    """Serve on an address of this machine with a certificate of a Service; yields the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
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


def signed_by_the_cluster(kubectl: Kubectl, folder: Path, host: str) -> tuple[Path, Path]:
    """Ask the cluster for a server's certificate, and approve that; return the files of certificate and key."""
    request, key = serving_request(host)
    spec = {
        "request": base64.b64encode(request.encode()).decode(),
        "signerName": "kubernetes.io/kubelet-serving",
        "usages": ["digital signature", "server auth"],
    }
    name = f"webhook-{kubectl.namespace}"
    kubectl.apply(
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": name},
            "spec": spec,
        }
    )
    kubectl("certificate", "approve", name)
    status = eventually(lambda: kubectl.get("csr", name)["status"].get("certificate"), what="the certificate")
    (folder / "webhook.crt").write_bytes(base64.b64decode(status))
    (folder / "webhook.key").write_bytes(key)
    return folder / "webhook.crt", folder / "webhook.key"


def test_webhooks_behind_a_service(cluster: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    """The pod passes connections on to a server here, whose certificate the cluster signed; TLS goes through the node."""
    namespace, host = kubectl.namespace, cluster.addresses.host
    certificate, key = signed_by_the_cluster(kubectl, tmp_path, f"webhook.{namespace}.svc")
    with webhook_server(certificate, key, host) as port:
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
        kubectl("wait", "pod/relay", "--for=condition=Ready", "--timeout=180s")
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": ["configmaps"],
        }
        ca = kubectl.get("configmap", "kube-root-ca.crt")["data"]["ca.crt"]

        def hook(what: str) -> dict[str, Any]:
            return {
                "name": f"{what}.example.com",
                "clientConfig": {
                    "caBundle": base64.b64encode(ca.encode()).decode(),
                    "service": {"namespace": namespace, "name": "webhook", "path": f"/{what}"},
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
                    "webhooks": [hook("label")],
                },
                {
                    "apiVersion": "admissionregistration.k8s.io/v1",
                    "kind": "ValidatingWebhookConfiguration",
                    "metadata": {"name": namespace},
                    "webhooks": [hook("check")],
                },
            )

            said: list[str] = []

            def made() -> bool:
                kubectl.run("delete", "configmap", "made", "--ignore-not-found")
                outcome = kubectl.run("create", "configmap", "made")
                said.append(outcome.err)
                return "Warning: a webhook was here" in outcome.err

            try:
                eventually(made, timeout_s=120)
            except AssertionError:
                pytest.fail(f"kubectl says {said[-1]}")
            labels = kubectl.get("configmap", "made")["metadata"]["labels"]
            assert labels == {"admitted-by": f"webhook.{namespace}.svc"}

            def refused() -> bool:
                kubectl.run("delete", "configmap", "refused", "--ignore-not-found")
                said.append(kubectl.run("create", "configmap", "refused").err)
                return (
                    'admission webhook "check.example.com" denied the request: refused will not do'
                    in said[-1]
                )

            eventually(refused, timeout_s=120, what="the refusal")
        finally:
            kubectl("delete", "mutatingwebhookconfiguration,validatingwebhookconfiguration", namespace)
            kubectl("delete", "csr", f"webhook-{namespace}")


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
