"""PodSecurity: pods keep to the standard that the labels of their namespace name.

Pods are refused or warned of; of workloads, their templates are warned of; a namespace that begins to enforce something
hears which of its pods would be refused. What the label of the audit mode asks for is noted in the audit log, where one is
written.
https://kubernetes.io/docs/concepts/security/pod-security-admission/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from apiserver.core import field_errors
from apiserver.core.admission.attributes import (
    EVERY_NAME,
    Attributes,
    LookedUp,
    LookupKey,
    Plugin,
    Settings,
    about,
    forbidden,
)
from apiserver.core.pod_security import decision
from apiserver.core.pod_security.decision import Decision
from apiserver.core.pod_security.policy import ENFORCE_LABELS, PodSecuritySettings
from apiserver.core.values import Json, metadata, spec
from machinery.model.k8s import served

_UNSEEN: Final = frozenset({"attach", "binding", "eviction", "exec", "log", "portforward", "proxy", "status"})
_PODS: Final = (served.PODS.group, served.PODS.plural)
_NAMESPACES: Final = (served.NAMESPACES.group, served.NAMESPACES.plural)
_IN_SPEC: Final = ("spec", "template")
_TEMPLATES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("", "podtemplates"): ("template",),
    ("", "replicationcontrollers"): _IN_SPEC,
    ("apps", "daemonsets"): _IN_SPEC,
    ("apps", "deployments"): _IN_SPEC,
    ("apps", "replicasets"): _IN_SPEC,
    ("apps", "statefulsets"): _IN_SPEC,
    ("batch", "cronjobs"): ("spec", "jobTemplate", *_IN_SPEC),
    ("batch", "jobs"): _IN_SPEC,
}


def _needs(attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
    if obj is None:
        return ()
    if attributes.resource != _NAMESPACES:
        return (_namespace_key(attributes),) if _is_seen(attributes) else ()
    if attributes.subresource or old is None:
        return ()
    new, before = _labels(obj), _labels(old)
    return (_pods_key(old),) if any(new.get(name) != before.get(name) for name in ENFORCE_LABELS) else ()


def _is_seen(attributes: Attributes) -> bool:
    if attributes.resource == _PODS:
        return attributes.subresource not in _UNSEEN
    return not attributes.subresource


def _namespace_key(attributes: Attributes) -> LookupKey:
    return ("", served.NAMESPACES.plural, "", attributes.namespace)


def _pods_key(namespace: Json) -> LookupKey:
    return ("", served.PODS.plural, metadata(namespace).get("name", ""), EVERY_NAME)


def _labels(obj: Json) -> Mapping[str, str]:
    return metadata(obj).get("labels") or {}


def _validate(
    attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, settings: Settings
) -> tuple[str, ...]:
    if attributes.resource == _NAMESPACES:
        return _of_namespace(attributes, obj, old, looked_up, settings.pod_security)
    if not _is_seen(attributes):
        return ()
    found = _decided(attributes, obj, old, looked_up, settings.pod_security)
    if attributes.notes is not None:
        attributes.notes.update(found.annotations)
    if found.refusal:
        raise forbidden(attributes, obj, found.refusal)
    return found.warnings


def _decided(
    attributes: Attributes,
    obj: Json,
    old: Json | None,
    looked_up: LookedUp,
    settings: PodSecuritySettings,
) -> Decision:
    """Judge a pod, or the template of a workload."""
    if attributes.namespace in settings.exemptions.namespaces:
        return decision.exempt("namespace")
    if attributes.user.name in settings.exemptions.usernames:
        return decision.exempt("user")
    labels = _labels(looked_up[_namespace_key(attributes)] or {})
    if attributes.resource == _PODS:
        if old is not None and not decision.is_significant(obj, old):
            return decision.NOTHING_SAID
        return decision.decide(settings, labels, metadata(obj), spec(obj), is_pod=True)
    template = obj
    for field in _TEMPLATES[attributes.resource]:
        template = template.get(field) or {}
    return decision.decide(settings, labels, metadata(template), spec(template), is_pod=False)


def _of_namespace(
    attributes: Attributes,
    obj: Json,
    old: Json | None,
    looked_up: LookedUp,
    settings: PodSecuritySettings,
) -> tuple[str, ...]:
    if attributes.subresource:
        return ()
    name, labels = metadata(obj).get("name", ""), _labels(obj)
    before = None if old is None else _labels(old)
    if wrong := decision.wrong_labels(settings, labels, before):
        raise field_errors.invalid_object(attributes.kind.group_kind, name, wrong)
    if before is not None and not decision.asks_for_more(settings, labels, before):
        return ()
    if name in settings.exemptions.namespaces:
        return decision.warn_of_exemption(settings, name, labels)
    if old is None:
        return ()
    pods = (looked_up[_pods_key(old)] or {}).get("items") or ()
    return decision.warn_of_pods(settings, name, labels, pods)


POD_SECURITY: Final = Plugin(
    "PodSecurity",
    about(served.PODS, served.NAMESPACES) | frozenset(_TEMPLATES),
    needs=_needs,
    validate=_validate,
)
