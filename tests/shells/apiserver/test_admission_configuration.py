"""An apiserver that is configured by an administrator's files, as far as admission is concerned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubarium.pki import Pki
from machinery.model.errors import Forbidden
from machinery.process.config import ConfigError
from tests.support.apiserver import RegistryBench, configuration, pod, service, serving

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
    with pytest.raises(ConfigError, match="the admission plugin 'EventRateLimit' is not built"):
        configuration(pki, enable_admission_plugins=("EventRateLimit",)).validate()
    with pytest.raises(ConfigError, match="nowhere"):
        configuration(pki, admission_control_config_file=str(tmp_path / "nowhere.yaml")).validate()
