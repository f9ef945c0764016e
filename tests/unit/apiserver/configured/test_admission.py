"""AdmissionConfiguration: read as it is meant, or refused with the file and the field."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.admission import check_built
from apiserver.core.configured.admission import read_admission
from apiserver.core.configured.documents import BadDocument
from apiserver.core.pod_security.policy import Exemptions, Level, LevelVersion, Policy
from machinery.model.quota.limited import Limited

GROUP = "apiserver.config.k8s.io/v1"
POD_SECURITY = {
    "apiVersion": "pod-security.admission.config.k8s.io/v1",
    "kind": "PodSecurityConfiguration",
    "defaults": {
        "enforce": "baseline",
        "enforce-version": "v1.30",
        "warn": "restricted",
        "warn-version": "latest",
    },
    "exemptions": {"usernames": ["alice"], "runtimeClasses": ["kata"], "namespaces": ["kube-system"]},
}
SCOPE = {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
QUOTA = {
    "apiVersion": GROUP,
    "kind": "ResourceQuotaConfiguration",
    "limitedResources": [{"resource": "pods", "matchContains": ["cpu"], "matchScopes": [SCOPE]}],
}


def configuration(*plugins: Any, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": GROUP, "kind": "AdmissionConfiguration", "plugins": list(plugins), **fields}


def own(name: str, document: Any, **changed: Any) -> dict[str, Any]:
    return {"name": name, "configuration": {**document, **changed}}


def nothing(path: str) -> Any:
    raise AssertionError(path)


def test_plugins_are_configured_in_the_document_and_in_files_of_their_own() -> None:
    """What is not said is as it is without."""
    files = {"pods.yaml": POD_SECURITY}
    document = configuration({"name": "PodSecurity", "path": "pods.yaml"}, own("ResourceQuota", QUOTA))
    found = read_admission(document, files.__getitem__, check_built)
    assert found.pod_security.defaults == Policy(
        LevelVersion(Level.BASELINE, 30), LevelVersion(Level.PRIVILEGED), LevelVersion(Level.RESTRICTED)
    )
    assert found.pod_security.exemptions == Exemptions(
        frozenset({"alice"}), frozenset({"kube-system"}), frozenset({"kata"})
    )
    assert found.limited == (Limited(("", "pods"), ("cpu",), (SCOPE,)),)
    empty = read_admission(configuration({"name": "NamespaceLifecycle"}), nothing, check_built)
    assert (empty.pod_security.defaults, empty.limited) == (Policy(), ())


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "this is no AdmissionConfiguration"),
        (configuration(apiVersion="v1"), "apiVersion: has to be"),
        (configuration(more=1), "unknown field `more`"),
        (configuration({}), "plugins[0]: Object missing required field `name`"),
        (configuration({"name": "Nope"}), "plugins[0].name: there is no admission plugin 'Nope'"),
        (configuration({"name": "EventRateLimit", "path": "x"}), "plugins[0].name: the admission plugin 'EventRateLimit' is not built"),
        (configuration({"name": "Priority"}, {"name": "Priority"}), "plugins[1].name: Priority is there twice"),
        (configuration(own("Priority", {"a": 1})), "plugins[0]: the admission plugin 'Priority' takes no configuration"),
        (configuration(own("PodSecurity", QUOTA)), "plugins[0].configuration: kind: has to be PodSecurityConfiguration"),
        (configuration(own("PodSecurity", POD_SECURITY, defaults={"enforce": "none"})), "plugins[0].configuration: defaults.enforce: has to be one of privileged, baseline, restricted, not 'none'"),
        (configuration(own("PodSecurity", POD_SECURITY, defaults={"audit-version": "1.2"})), "defaults.audit-version: must be \"latest\" or \"v1.x\", not '1.2'"),
        (configuration(own("PodSecurity", POD_SECURITY, defaults={"enforceVersion": "latest"})), "defaults: Object contains unknown field `enforceVersion`"),
        (configuration(own("PodSecurity", POD_SECURITY, exemptions={"namespaces": ["A B"]})), "exemptions.namespaces[0]: 'A B' is no name of a namespace"),
        (configuration(own("PodSecurity", POD_SECURITY, exemptions={"usernames": ["a", "a"]})), "exemptions.usernames[1]: 'a' is there twice"),
        (configuration(own("PodSecurity", POD_SECURITY, exemptions={"usernames": [""]})), "exemptions.usernames[0]: may not be empty"),
        (configuration(own("PodSecurity", POD_SECURITY, exemptions={"runtimeClasses": ["A"]})), "exemptions.runtimeClasses[0]: 'A' is no name of a RuntimeClass"),
        (configuration(own("ResourceQuota", QUOTA, limitedResources=[{"resource": ""}])), "limitedResources[0].resource: is needed"),
        (configuration(own("ResourceQuota", QUOTA, limitedResources=[{"resource": "pods", "matchScopes": [{**SCOPE, "scopeName": "X"}]}])), "limitedResources[0].matchScopes[0].scopeName: Invalid enum value 'X'"),
        (configuration(own("ResourceQuota", QUOTA, limitedResources=[{"resource": "pods", "matchScopes": [{**SCOPE, "values": []}]}])), "limitedResources[0].matchScopes: In takes some values"),
        (configuration(own("ValidatingAdmissionWebhook", {"apiVersion": GROUP, "kind": "WebhookAdmissionConfiguration", "kubeConfigFile": "x"})), "kubeConfigFile: credentials for the servers of webhooks are not built"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_its_place(document: Any, said: str) -> None:
    """As the document has it."""
    with pytest.raises(BadDocument) as caught:
        read_admission(document, nothing, check_built)
    assert said in str(caught.value)


def test_a_file_of_a_plugin_is_named() -> None:
    """Where it makes no sense."""
    document = configuration({"name": "PodSecurity", "path": "pods.yaml"})
    with pytest.raises(BadDocument, match=r"^pods\.yaml: this is no PodSecurityConfiguration"):
        read_admission(document, lambda _path: 7, check_built)
