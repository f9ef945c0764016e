"""AdmissionConfiguration: read as it is meant, or refused with the file and the field."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.admission import check_built
from apiserver.core.admission.event_rates import Limit
from apiserver.core.admission_configured import read_admission
from apiserver.core.configured.documents import BadDocument
from apiserver.core.configured.image_policy import ImagePolicySettings
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

EVENTS = {"apiVersion": "eventratelimit.admission.k8s.io/v1alpha1", "kind": "Configuration"}
TOLERATIONS = {"apiVersion": "podtolerationrestriction.admission.k8s.io/v1alpha1", "kind": "Configuration"}


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
    assert found.settings.pod_security.defaults == Policy(
        LevelVersion(Level.BASELINE, 30), LevelVersion(Level.PRIVILEGED), LevelVersion(Level.RESTRICTED)
    )
    assert found.settings.pod_security.exemptions == Exemptions(
        frozenset({"alice"}), frozenset({"kube-system"}), frozenset({"kata"})
    )
    assert found.settings.limited == (Limited(("", "pods"), ("cpu",), (SCOPE,)),)
    empty = read_admission(configuration({"name": "NamespaceLifecycle"}), nothing, check_built)
    assert (empty.settings.pod_security.defaults, empty.settings.limited) == (Policy(), ())


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "this is no AdmissionConfiguration"),
        (configuration(apiVersion="v1"), "apiVersion: has to be"),
        (configuration(more=1), "unknown field `more`"),
        (configuration({}), "plugins[0]: Object missing required field `name`"),
        (configuration({"name": "Nope"}), "plugins[0].name: there is no admission plugin 'Nope'"),
        (configuration({"name": "AlwaysDeny", "path": "x"}), "plugins[0].name: the admission plugin 'AlwaysDeny' is not built"),
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
        (configuration(own("ValidatingAdmissionWebhook", {"apiVersion": GROUP, "kind": "WebhookAdmissionConfiguration", "kubeConfigFile": "x"})), "kubeConfigFile: 'x' must be an absolute file path"),
        (configuration(own("EventRateLimit", EVENTS, limits=[])), "limits: must not be empty"),
        (configuration(own("EventRateLimit", EVENTS, limits=[{"type": "All", "qps": 1, "burst": 1}])), "limits[0].type: Invalid enum value 'All'"),
        (configuration(own("EventRateLimit", EVENTS, limits=[{"type": "User", "qps": 0, "burst": 1}])), "limits[0].qps: must be positive, not 0"),
        (configuration(own("EventRateLimit", EVENTS, limits=[{"type": "User", "qps": 1, "burst": 1, "cacheSize": -1}])), "limits[0].cacheSize: must not be negative"),
        (configuration(own("PodNodeSelector", {"podNodeSelectorPluginConfig": {"a": "b"}})), "podNodeSelectorPluginConfig.a: invalid selector: [b]"),
        (configuration(own("PodTolerationRestriction", TOLERATIONS, default=[{"key": "a b"}])), 'default[0].key: Invalid value: "a b"'),
        (configuration(own("ImagePolicyWebhook", {"imagePolicy": {}})), "imagePolicy.kubeConfigFile: is needed"),
        (configuration(own("ImagePolicyWebhook", {"imagePolicy": {"kubeConfigFile": "/k", "allowTTL": 1801}})), "imagePolicy.allowTTL: valid value is between 1s and 1800s, got 1801s"),
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


def test_optional_plugins_are_configured() -> None:
    """Each by its own document; what is not said has Kubernetes' defaults."""
    toleration = {"key": "gpu", "operator": "Exists"}
    users = {
        "users": [
            {"name": name, "user": {"token": name}}
            for name in ("hook.ns.svc", "*.example.com", "other.example.com:8443", "*")
        ]
    }
    webhooks = {
        "apiVersion": GROUP,
        "kind": "WebhookAdmissionConfiguration",
        "kubeConfigFile": "/users.yaml",
    }
    document = configuration(
        own("EventRateLimit", EVENTS, limits=[{"type": "User", "qps": 2, "burst": 3}]),
        own("PodNodeSelector", {"podNodeSelectorPluginConfig": {"clusterDefaultNodeSelector": "a=b,c=d"}}),
        own("PodTolerationRestriction", TOLERATIONS, default=[toleration], whitelist=[toleration]),
        own("ImagePolicyWebhook", {"imagePolicy": {"kubeConfigFile": "/k", "denyTTL": -1}}),
        own("MutatingAdmissionWebhook", webhooks),
    )
    found = read_admission(document, {"/users.yaml": users}.__getitem__, check_built)
    assert found.event_limits == (Limit("User", 2, 3, 4096),)
    assert found.settings.node_selectors == {"clusterDefaultNodeSelector": "a=b,c=d"}
    assert (found.settings.default_tolerations, found.settings.allowed_tolerations) == (
        (toleration,),
        (toleration,),
    )
    assert found.image_policy == ImagePolicySettings("/k", 300.0, 0.0, 0.5, default_allow=False)
    known = found.known_users["MutatingAdmissionWebhook"]
    tokens = {
        target: each.token if (each := known.of(target)) else None
        for target in ("hook.ns.svc:443", "hook.ns.svc:8443", "a.example.com:443", "other.example.com:8443")
    }
    assert tokens == {
        "hook.ns.svc:443": "hook.ns.svc",
        "hook.ns.svc:8443": "*",
        "a.example.com:443": "*.example.com",
        "other.example.com:8443": "other.example.com:8443",
    }


def test_what_needs_a_configuration_is_named_where_it_has_none() -> None:
    """As soon as it is on."""
    found = read_admission(configuration(), nothing, check_built)
    assert [found.lacks({name}) for name in ("EventRateLimit", "ImagePolicyWebhook", "Priority")] == [
        "EventRateLimit",
        "ImagePolicyWebhook",
        "",
    ]
