"""AdmissionConfiguration: what admission plugins are configured with, each in a document of its own.

https://kubernetes.io/docs/reference/config-api/apiserver-admission.v1/
https://kubernetes.io/docs/tasks/configure-pod-container/enforce-standards-admission-controller/
https://kubernetes.io/docs/concepts/policy/resource-quotas/#limit-priority-class-consumption-by-default
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from apiserver.core.configured.documents import BadDocument, Configured, read
from apiserver.core.pod_security.policy import (
    LEVELS,
    MODES,
    Exemptions,
    LevelVersion,
    PodSecuritySettings,
    Policy,
    read_version,
)
from machinery.model import names
from machinery.model.quota.limited import Limited

T = TypeVar("T")
_GROUP: Final = "apiserver.config.k8s.io"
_VERSIONS: Final = tuple(f"{_GROUP}/{version}" for version in ("v1", "v1alpha1"))
_POD_SECURITY: Final = tuple(
    f"pod-security.admission.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1")
)
_WEBHOOKS: Final = ("MutatingAdmissionWebhook", "ValidatingAdmissionWebhook")


@dataclass(frozen=True, slots=True)
class AdmissionConfigured:
    """What follows from the documents."""

    pod_security: PodSecuritySettings
    limited: tuple[Limited, ...]  # what nobody may take who has no quota for it


class _Plugin(Configured, frozen=True, kw_only=True):
    name: str
    path: str = ""
    configuration: dict[str, Any] | None = None


class _Document(Configured, frozen=True, kw_only=True):
    plugins: tuple[_Plugin, ...] = ()


class _Defaults(Configured, frozen=True, kw_only=True, rename="kebab"):
    enforce: str = ""
    enforce_version: str = ""
    audit: str = ""
    audit_version: str = ""
    warn: str = ""
    warn_version: str = ""


class _Exemptions(Configured, frozen=True, kw_only=True):
    usernames: tuple[str, ...] = ()
    runtime_classes: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


class _PodSecurity(Configured, frozen=True, kw_only=True):
    defaults: _Defaults = _Defaults()
    exemptions: _Exemptions = _Exemptions()


class _Scope(Configured, frozen=True, kw_only=True):
    scope_name: Literal[
        "Terminating",
        "NotTerminating",
        "BestEffort",
        "NotBestEffort",
        "PriorityClass",
        "CrossNamespacePodAffinity",
        "VolumeAttributesClass",
    ]
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


class _Limited(Configured, frozen=True, kw_only=True):
    api_group: str = ""
    resource: str
    match_contains: tuple[str, ...] = ()
    match_scopes: tuple[_Scope, ...] = ()


class _Quota(Configured, frozen=True, kw_only=True):
    limited_resources: tuple[_Limited, ...] = ()


class _Webhook(Configured, frozen=True, kw_only=True):
    kube_config_file: str = ""


def read_admission(
    document: Any, load: Callable[[str], Any], check_plugin: Callable[[str], None]
) -> AdmissionConfigured:
    """Read the document; `load` reads the file of a plugin that has one, by its path as it is written.

    `check_plugin` raises ValueError where there is no plugin of a name.

    Raises:
        BadDocument: a field is wrong, or there is no such plugin.
        OSError: a file cannot be read.
    """
    listed = read(document, _Document, "AdmissionConfiguration", _VERSIONS).plugins
    found: dict[str, Any] = {}
    for index, plugin in enumerate(listed):
        path = f"plugins[{index}]"
        if plugin.name in found:
            raise BadDocument(f"{path}.name: {plugin.name} is there twice")
        try:
            check_plugin(plugin.name)
        except ValueError as error:
            raise BadDocument(f"{path}.name: {error}") from error
        found[plugin.name] = _read_plugin(plugin, path, load)
    return AdmissionConfigured(
        found.get("PodSecurity") or PodSecuritySettings(), found.get("ResourceQuota") or ()
    )


def _read_plugin(plugin: _Plugin, path: str, load: Callable[[str], Any]) -> Any:
    name, where = plugin.name, f"{path}.configuration"
    document: Any = plugin.configuration
    if document is None and plugin.path:
        document, where = load(plugin.path), plugin.path
    reader = _READERS.get(name)
    if document is None:
        return None
    if reader is None:
        raise BadDocument(f"{path}: the admission plugin {name!r} takes no configuration")
    try:
        return reader(document)
    except BadDocument as error:
        raise BadDocument(f"{where}: {error}") from error


def _pod_security(document: Any) -> PodSecuritySettings:
    found = read(document, _PodSecurity, "PodSecurityConfiguration", _POD_SECURITY)
    exempt = found.exemptions
    for index, name in enumerate(exempt.namespaces):
        if names.dns_label_errors(name):
            raise BadDocument(f"exemptions.namespaces[{index}]: {name!r} is no name of a namespace")
    for index, name in enumerate(exempt.runtime_classes):
        if names.dns_subdomain_errors(name):
            raise BadDocument(f"exemptions.runtimeClasses[{index}]: {name!r} is no name of a RuntimeClass")
    _check_listed(exempt)
    return PodSecuritySettings(
        Policy(*(_level_version(found.defaults, mode) for mode in MODES)),
        Exemptions(*map(frozenset, (exempt.usernames, exempt.namespaces, exempt.runtime_classes))),
    )


def _check_listed(exempt: _Exemptions) -> None:
    """Check that nothing is listed twice, or empty."""
    lists: Mapping[str, Sequence[str]] = {
        "usernames": exempt.usernames,
        "namespaces": exempt.namespaces,
        "runtimeClasses": exempt.runtime_classes,
    }
    for field, values in lists.items():
        for index, value in enumerate(values):
            if not value:
                raise BadDocument(f"exemptions.{field}[{index}]: may not be empty")
            if value in values[:index]:
                raise BadDocument(f"exemptions.{field}[{index}]: {value!r} is there twice")


def _level_version(defaults: _Defaults, mode: str) -> LevelVersion:
    level, version = (getattr(defaults, f"{mode}{ending}") for ending in ("", "_version"))
    if level and level not in LEVELS:
        raise BadDocument(f"defaults.{mode}: has to be one of {', '.join(LEVELS)}, not {level!r}")
    try:
        return LevelVersion(LEVELS[level or "privileged"], read_version(version or "latest"))
    except ValueError as error:
        raise BadDocument(f"defaults.{mode}-version: {error}, not {version!r}") from error


def _quota(document: Any) -> tuple[Limited, ...]:
    is_old = isinstance(document, dict) and document.get("kind") == "Configuration"
    kind = "Configuration" if is_old else "ResourceQuotaConfiguration"
    old = tuple(f"resourcequota.admission.k8s.io/{each}" for each in ("v1", "v1beta1", "v1alpha1"))
    listed = read(document, _Quota, kind, old if is_old else (f"{_GROUP}/v1",)).limited_resources
    for index, each in enumerate(listed):
        if not each.resource:
            raise BadDocument(f"limitedResources[{index}].resource: is needed")
    return tuple(
        Limited(
            (each.api_group, each.resource),
            each.match_contains,
            tuple(_scope(scope, f"limitedResources[{index}].matchScopes") for scope in each.match_scopes),
        )
        for index, each in enumerate(listed)
    )


def _scope(scope: _Scope, path: str) -> dict[str, Any]:
    if (scope.operator in {"In", "NotIn"}) != bool(scope.values):
        raise BadDocument(f"{path}: {scope.operator} takes {'no' if scope.values else 'some'} values")
    return {"scopeName": scope.scope_name, "operator": scope.operator, "values": list(scope.values)}


def _webhook(document: Any) -> None:
    found = read(document, _Webhook, "WebhookAdmissionConfiguration", _VERSIONS)
    if found.kube_config_file:
        raise BadDocument("kubeConfigFile: credentials for the servers of webhooks are not built")


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "PodSecurity": _pod_security,
    "ResourceQuota": _quota,
    **dict.fromkeys(_WEBHOOKS, _webhook),
}
