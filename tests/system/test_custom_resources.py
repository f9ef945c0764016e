"""Custom resources as users of the real kubectl know them: from `apply` of the definition to its end."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.support import large_definitions
from tests.support.kubectl import Kubectl

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

GROUP = "stable.example.com"
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"crontabs.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"], "categories": ["all"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "additionalPrinterColumns": [
                    {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
                    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "selectableFields": [{"jsonPath": ".spec.image"}],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "description": "What is run, and when.",
                                "properties": {
                                    "cronSpec": {"type": "string", "description": "When it is run."},
                                    "image": {"type": "string", "default": "busybox"},
                                    "replicas": {"type": "integer", "minimum": 0},
                                },
                                "x-kubernetes-validations": [
                                    {
                                        "rule": "!has(self.replicas) || self.replicas < 8",
                                        "message": "too many",
                                    }
                                ],
                            },
                            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
                        },
                    }
                },
            }
        ],
    },
}


def crontab(**spec: object) -> str:
    obj = {"apiVersion": f"{GROUP}/v1", "kind": "CronTab", "metadata": {"name": "mine"}, "spec": spec}
    return yaml.safe_dump(obj)


def test_a_definition_is_applied_used_and_deleted(kubectl: Kubectl) -> None:
    """At once after it is established: applied in both ways, printed, explained, scaled, patched, selected, refused."""
    named = f"crd/crontabs.{GROUP}"
    try:
        kubectl("apply", "-f", "-", stdin=yaml.safe_dump(DEFINITION))
        kubectl("wait", "--for=condition=Established", named, "--timeout=180s")
        assert "crontab.stable.example.com/mine created" in kubectl(
            "apply", "-f", "-", stdin=crontab(cronSpec="* * * * 5", replicas=2)
        )
        lines = kubectl("get", "ct").splitlines()
        assert lines[0].split() == ["NAME", "SPEC", "REPLICAS", "AGE"]
        assert lines[1].split()[:-1] == ["mine", "*", "*", "*", "*", "5", "2"]
        changed = crontab(cronSpec="* * * * 6", replicas=2)
        assert "+  cronSpec: '* * * * 6'" in kubectl.run("diff", "-f", "-", stdin=changed).out
        assert "configured" in kubectl("apply", "-f", "-", stdin=changed)
        assert "unchanged" in kubectl("apply", "-f", "-", stdin=changed)
        assert "When it is run." in kubectl("explain", "crontab.spec.cronSpec")
        assert "crontabs" in kubectl("api-resources", f"--api-group={GROUP}")
        assert "crontab.stable.example.com/mine" in kubectl("get", "all", "-o", "name")
        kubectl("scale", "ct/mine", "--replicas=3")
        kubectl(
            "patch", "ct", "mine", "--subresource=status", "--type=merge", "-p", '{"status":{"replicas":3}}'
        )
        found = json.loads(kubectl("get", "ct", "mine", "-o", "json"))
        assert (found["spec"]["replicas"], found["status"], found["metadata"]["generation"]) == (
            3,
            {"replicas": 3},
            3,
        )
        assert kubectl("get", "ct", "--field-selector", "spec.image=busybox", "-o", "name").split() == [
            f"crontab.{GROUP}/mine"
        ]
        refused = kubectl.run("patch", "ct", "mine", "--type=merge", "-p", '{"spec":{"replicas":9}}')
        assert (refused.code, "too many" in refused.err) == (1, True)
        refused = kubectl.run("apply", "--server-side", "-f", "-", stdin=crontab(replicas=1))
        assert 'conflict with "kubectl' in refused.err
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=crontab(replicas=1))
        assert kubectl("get", "ct", "mine", "-o", "jsonpath={.spec.replicas}") == "1"
    finally:
        kubectl("delete", named, "--timeout=180s")
    assert "crontabs" not in kubectl.run("api-resources", f"--api-group={GROUP}").out


LARGE = [
    (
        large_definitions.rollouts(),
        {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [{"name": "main", "image": "web:1", "ports": [{"containerPort": 80}]}]
                },
            },
            "strategy": {"canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "1h"}}]}},
        },
        "{.spec.replicas} {.spec.revisionHistoryLimit}",
        "1 10",
        {"template": {"spec": {"containers": [{"name": "main", "image": 5}]}}},
        "spec.template.spec.containers[0].image",
        "template.spec.containers.livenessProbe.httpGet.path",
    ),
    (
        large_definitions.certificates(),
        {"secretName": "tls", "issuerRef": {"name": "ca"}, "dnsNames": ["a.example.com"]},
        "{.spec.issuerRef.kind}",
        "Issuer",
        {"privateKey": {"algorithm": "ECDSA", "size": 2048}},
        "spec.privateKey.size",
        "privateKey.algorithm",
    ),
    (
        large_definitions.monitors(),
        {"replicas": 2, "endpoints": [{"port": "web", "interval": "30s"}]},
        "{.spec.shards} {.spec.scrapeInterval}",
        "1 30s",
        {"endpoints": [{"interval": "soon"}]},
        "spec.endpoints[0].interval",
        "containers.lifecycle.preStop.httpGet.port",
    ),
]


@pytest.mark.parametrize(
    ("definition", "spec", "path", "defaults", "wrong", "field", "explained"),
    LARGE,
    ids=[each[0]["spec"]["names"]["plural"] for each in LARGE],
)
def test_a_large_definition_is_applied_explained_and_obeyed(
    kubectl: Kubectl,
    definition: dict[str, Any],
    spec: dict[str, Any],
    path: str,
    defaults: str,
    wrong: dict[str, Any],
    field: str,
    explained: str,
) -> None:
    """Of the size of those that others bring: applied by the server, established, explained; its objects are checked."""
    said = definition["spec"]
    plural, kind = said["names"]["plural"], said["names"]["kind"]
    named = f"crd/{definition['metadata']['name']}"
    obj = {
        "apiVersion": f"{said['group']}/{said['versions'][0]['name']}",
        "kind": kind,
        "metadata": {"name": "mine"},
        "spec": spec,
    }
    try:
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(definition))
        kubectl("wait", "--for=condition=Established", named, "--timeout=180s")
        kubectl("apply", "-f", "-", stdin=json.dumps(obj))
        assert kubectl("get", plural, "mine", "-o", f"jsonpath={path}") == defaults
        assert f"FIELD: {explained.rpartition('.')[2]} <" in kubectl("explain", f"{plural}.spec.{explained}")
        refused = kubectl.run("patch", plural, "mine", "--type=merge", "-p", json.dumps({"spec": wrong}))
        assert (refused.code, field in refused.err) == (1, True), refused.err
        unknown = kubectl.run("apply", "-f", "-", stdin=json.dumps(obj | {"spec": {**spec, "odd": 1}}))
        assert 'unknown field "spec.odd"' in unknown.err
    finally:
        kubectl("delete", named, "--timeout=180s")
