"""An apiserver that is configured by an administrator's files, as far as admission is concerned."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubarium.identity.pki import Pki
from machinery.model.errors import Forbidden
from machinery.process.config import ConfigError
from tests.support.apiserver import RegistryBench, configuration, pod, service, serving
from tests.support.web_server import web_server

POD_SECURITY = {
    "apiVersion": "pod-security.admission.config.k8s.io/v1",
    "kind": "PodSecurityConfiguration",
    "defaults": {"enforce": "baseline"},
    "exemptions": {"namespaces": ["free"]},
}
QUOTA = {
    "apiVersion": "apiserver.config.k8s.io/v1",
    "kind": "ResourceQuotaConfiguration",
    "limitedResources": [{"resource": "services", "matchContains": ["services.loadbalancers"]}],
}


def written(folder: Path, **pod_security: Any) -> str:
    """Write the files; returns the path of the first."""
    (folder / "pods.yaml").write_text(yaml.safe_dump({**POD_SECURITY, **pod_security}))
    plugins = [
        {"name": "PodSecurity", "path": "pods.yaml"},
        {"name": "ResourceQuota", "configuration": QUOTA},
    ]
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AdmissionConfiguration",
        "plugins": plugins,
    }
    path = folder / "admission.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


async def test_files_say_what_holds_in_every_namespace(pki: Pki, tmp_path: Path) -> None:
    """Pods keep to a standard that no label names, and what needs a quota is refused without one."""
    path = written(tmp_path)
    plugins = ("AlwaysPullImages",)
    config = configuration(pki, admission_control_config_file=path, enable_admission_plugins=plugins)
    config.validate()
    fields = {"admission_control_config_file": path, "enable_admission_plugins": plugins}
    async with serving(pki, **fields) as served:
        bench = RegistryBench(served.core, served.process.clock)
        await served.core.feed.fresh()
        for namespace in ("held", "free"):
            await bench.create("namespaces", {"metadata": {"name": namespace}})
            await bench.create("serviceaccounts", {"metadata": {"name": "default"}}, namespace=namespace)
        outlaw = pod()
        outlaw["spec"]["hostNetwork"] = True
        with pytest.raises(Forbidden, match=r'violates PodSecurity "baseline:latest": host namespaces'):
            await bench.create("pods", outlaw, namespace="held")
        made = await bench.create("pods", outlaw, namespace="free")
        assert made["spec"]["containers"][0]["imagePullPolicy"] == "Always"
        with pytest.raises(Forbidden, match=r'services "web" is forbidden: insufficient quota to consume: services\.loadbalancers'):  # fmt: skip
            await bench.create("services", service(type="LoadBalancer"), namespace="held")
        await bench.create("services", service(), namespace="held")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"defaults": {"enforce": "x"}}, "--admission-control-config-file: .*admission.yaml: pods.yaml: defaults.enforce: has to be one of"),
        ({"kind": "Other"}, "pods.yaml: kind: has to be PodSecurityConfiguration"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_before_anything_is_served(
    pki: Pki, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    """With the field; so are a plugin that is not built, and a file that is not there."""
    with pytest.raises(ConfigError, match=said):
        configuration(pki, admission_control_config_file=written(tmp_path, **changed)).validate()
    with pytest.raises(ConfigError, match="the admission plugin 'AlwaysDeny' is not built"):
        configuration(pki, enable_admission_plugins=("AlwaysDeny",)).validate()
    with pytest.raises(ConfigError, match="EventRateLimit needs a configuration"):
        configuration(pki, enable_admission_plugins=("EventRateLimit",)).validate()
    with pytest.raises(ConfigError, match="nowhere"):
        configuration(pki, admission_control_config_file=str(tmp_path / "nowhere.yaml")).validate()


def configured(folder: Path, *plugins: dict[str, Any]) -> str:
    """Write a configuration of plugins; returns its path."""
    path = folder / "admission.yaml"
    head = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration"}
    path.write_text(yaml.safe_dump({**head, "plugins": [*plugins]}))
    return str(path)


async def test_a_server_is_asked_about_images(pki: Pki, tmp_path: Path) -> None:
    """Its no is told in Kubernetes' words, and remembered; without an answer what the configuration says holds."""
    async with web_server(pki) as server:
        server.answer = lambda _path, review: {**review, "status": {"allowed": False, "reason": "no latest"}}
        kubeconfig = server.kubeconfig(tmp_path / "images.yaml", pki, token="sesame")
        policy = {"imagePolicy": {"kubeConfigFile": kubeconfig, "allowTTL": -1, "retryBackoff": 1}}
        plugin = {"name": "ImagePolicyWebhook", "configuration": policy}
        fields = {
            "admission_control_config_file": configured(tmp_path, plugin),
            "enable_admission_plugins": ("ImagePolicyWebhook", "NamespaceAutoProvision"),
        }
        configuration(pki, **fields).validate()
        async with serving(pki, **fields) as served:
            bench = RegistryBench(served.core, served.process.clock)
            await bench.create("serviceaccounts", {"metadata": {"name": "default"}}, namespace="new")
            assert (await bench.get("namespaces", "new"))["metadata"]["name"] == "new"
            asked = pod(annotations={"a.image-policy.k8s.io/ticket": "1", "other": "2"})
            for _ in range(2):
                with pytest.raises(Forbidden, match='pods "web" is forbidden: image policy webhook backend denied one or more images: no latest'):  # fmt: skip
                    await bench.create("pods", asked, namespace="new")
            [review] = server.asked
            assert review["spec"] == {
                "containers": [{"image": asked["spec"]["containers"][0]["image"]}],
                "annotations": {"a.image-policy.k8s.io/ticket": "1"},
                "namespace": "new",
            }
            assert server.headers[0]["Authorization"] == "Bearer sesame"
            server.answer = lambda _path, _review: b"nonsense"
            with pytest.raises(Forbidden, match="the answer is no JSON"):
                await bench.create("pods", pod(), namespace="new")
            server.answer = lambda _path, review: {**review, "status": {"allowed": True}}
            await bench.create("pods", pod(), namespace="new")


async def test_webhooks_are_called_as_whom_a_file_says(pki: Pki, tmp_path: Path) -> None:
    """By the name of the server; one that it does not name sees nobody."""
    async with web_server(pki) as server:
        server.answer = lambda _path, review: {**review, "response": {"uid": review["request"]["uid"], "allowed": True}}  # fmt: skip
        (tmp_path / "users.yaml").write_text(
            yaml.safe_dump({"users": [{"name": server.url[8:], "user": {"token": "sesame"}}]})
        )
        document = {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "WebhookAdmissionConfiguration",
            "kubeConfigFile": str(tmp_path / "users.yaml"),
        }
        plugin = {"name": "ValidatingAdmissionWebhook", "configuration": document}
        async with serving(pki, admission_control_config_file=configured(tmp_path, plugin)) as served:
            bench = RegistryBench(served.core, served.process.clock)
            for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
                hook = {
                    "name": "hook.example.com",
                    "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}],
                    "clientConfig": {"url": f"{server.url}/{kind}", "caBundle": base64.b64encode(pki.certificate("ca").read_bytes()).decode()},
                    "objectSelector": {"matchLabels": {"asked": "yes"}},
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                }  # fmt: skip
                await bench.create(f"{kind.lower()}s", {"metadata": {"name": "hooks"}, "webhooks": [hook]})
            await served.core.feed.fresh()
            await bench.create("configmaps", {"metadata": {"name": "a", "labels": {"asked": "yes"}}})
            assert [each.get("Authorization") for each in server.headers] == [None, "Bearer sesame"]
