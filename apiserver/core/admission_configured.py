"""AdmissionConfiguration: what admission plugins are configured with, each in a document of its own.

https://kubernetes.io/docs/reference/config-api/apiserver-admission.v1/
https://kubernetes.io/docs/tasks/configure-pod-container/enforce-standards-admission-controller/
https://kubernetes.io/docs/concepts/policy/resource-quotas/#limit-priority-class-consumption-by-default
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from apiserver.core.admission import Settings
from apiserver.core.admission.chain import NEED_CONFIGURATION
from apiserver.core.admission.event_rates import Limit
from apiserver.core.admission.node_selectors import read_selector
from apiserver.core.configured.documents import BadDocument, Configured, convert, read
from apiserver.core.configured.image_policy import ImagePolicySettings, read_image_policy
from apiserver.core.configured.kubeconfig import KnownUsers, read_users
from apiserver.core.pod_security.policy import (
    LEVELS,
    MODES,
    Exemptions,
    LevelVersion,
    PodSecuritySettings,
    Policy,
    read_version,
)
from apiserver.core.podspec.tolerations import toleration_causes
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.k8s.core_v1 import Toleration
from machinery.model.quota.limited import Limited

_GROUP: Final = "apiserver.config.k8s.io"
_VERSIONS: Final = tuple(f"{_GROUP}/{version}" for version in ("v1", "v1alpha1"))
_POD_SECURITY: Final = tuple(
    f"pod-security.admission.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1")
)
_EVENT_LIMITS: Final = ("eventratelimit.admission.k8s.io/v1alpha1",)
_TOLERATIONS: Final = ("podtolerationrestriction.admission.k8s.io/v1alpha1",)
_BUCKETS: Final = 4096
_WEBHOOKS: Final = ("MutatingAdmissionWebhook", "ValidatingAdmissionWebhook")


@dataclass(frozen=True, slots=True)
class AdmissionConfigured:
    """What follows from the documents."""

    settings: Settings
    event_limits: tuple[Limit, ...] = ()
    image_policy: ImagePolicySettings | None = None
    known_users: Mapping[str, KnownUsers] = field(default_factory=dict)  # of webhooks, by their plugin

    def lacks(self, on: Collection[str]) -> str:
        """Return the first plugin that is on and has no configuration, although it needs one; "" where there is none."""
        has = {"EventRateLimit": bool(self.event_limits), "ImagePolicyWebhook": self.image_policy is not None}
        return next((name for name in sorted(NEED_CONFIGURATION) if name in on and not has[name]), "")


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


class _EventLimit(Configured, frozen=True, kw_only=True):
    type: Literal["Server", "Namespace", "User", "SourceAndObject"]
    qps: int
    burst: int
    cache_size: int = 0


class _EventLimits(Configured, frozen=True, kw_only=True):
    limits: tuple[_EventLimit, ...] = ()


class _NodeSelectors(Configured, frozen=True, kw_only=True):
    pod_node_selector_plugin_config: dict[str, str] = msgspec.field(default_factory=dict)


class _Tolerations(Configured, frozen=True, kw_only=True):
    default: tuple[Toleration, ...] = ()
    whitelist: tuple[Toleration, ...] = ()


def read_admission(
    document: Any, load: Callable[[str], Any], check_plugin: Callable[[str], None], toleration_s: int = 300
) -> AdmissionConfigured:
    """Read the document; `load` reads the file of a plugin that has one, by its path as it is written.

    `check_plugin` raises ValueError where there is no plugin of a name; `toleration_s` is `Settings.default_toleration_s`.

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
    default, allowed = found.get("PodTolerationRestriction") or ((), ())
    settings = Settings(
        toleration_s,
        found.get("PodSecurity") or PodSecuritySettings(),
        found.get("ResourceQuota") or (),
        found.get("PodNodeSelector") or {},
        default,
        allowed,
    )
    known_users = {name: found[name] for name in _WEBHOOKS if found.get(name) is not None}
    return AdmissionConfigured(
        settings, found.get("EventRateLimit") or (), found.get("ImagePolicyWebhook"), known_users
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
        return reader(document, load)
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
    for name, values in lists.items():
        for index, value in enumerate(values):
            if not value:
                raise BadDocument(f"exemptions.{name}[{index}]: may not be empty")
            if value in values[:index]:
                raise BadDocument(f"exemptions.{name}[{index}]: {value!r} is there twice")


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


def _webhook(document: Any, load: Callable[[str], Any]) -> KnownUsers | None:
    path = read(document, _Webhook, "WebhookAdmissionConfiguration", _VERSIONS).kube_config_file
    if not path:
        return None
    if not path.startswith("/"):
        raise BadDocument(f"kubeConfigFile: {path!r} must be an absolute file path")
    try:
        return read_users(load(path))
    except BadDocument as error:
        raise BadDocument(f"kubeConfigFile: {path}: {error}") from error


def _event_limits(document: Any) -> tuple[Limit, ...]:
    listed = read(document, _EventLimits, "Configuration", _EVENT_LIMITS).limits
    if not listed:
        raise BadDocument("limits: must not be empty")
    for index, each in enumerate(listed):
        for name, value in (("burst", each.burst), ("qps", each.qps)):
            if value <= 0:
                raise BadDocument(f"limits[{index}].{name}: must be positive, not {value}")
        if each.cache_size < 0:
            raise BadDocument(f"limits[{index}].cacheSize: must not be negative, not {each.cache_size}")
    return tuple(Limit(each.type, each.qps, each.burst, each.cache_size or _BUCKETS) for each in listed)


def _node_selectors(document: Any) -> dict[str, str]:
    if not isinstance(document, dict):
        raise BadDocument("this is no configuration of PodNodeSelector")
    found = convert(document, _NodeSelectors).pod_node_selector_plugin_config
    for namespace, text in found.items():
        try:
            read_selector(text)
        except ValueError as error:
            raise BadDocument(f"podNodeSelectorPluginConfig.{namespace}: {error}") from error
    return found


def _tolerations(document: Any) -> tuple[tuple[Json, ...], tuple[Json, ...]]:
    found = read(document, _Tolerations, "Configuration", _TOLERATIONS)
    both = {
        name: [msgspec.to_builtins(each) for each in getattr(found, name)]
        for name in ("default", "whitelist")
    }
    for name, listed in both.items():
        if wrong := toleration_causes(listed, name):
            raise BadDocument(f"{wrong[0].field}: {wrong[0].message}")
    return tuple(both["default"]), tuple(both["whitelist"])


def _alone(reader: Callable[[Any], Any]) -> Callable[[Any, Callable[[str], Any]], Any]:
    """Read what names no other file."""
    return lambda document, _load: reader(document)


_READERS: Final[Mapping[str, Callable[[Any, Callable[[str], Any]], Any]]] = {
    "EventRateLimit": _alone(_event_limits),
    "ImagePolicyWebhook": _alone(read_image_policy),
    "PodNodeSelector": _alone(_node_selectors),
    "PodSecurity": _alone(_pod_security),
    "PodTolerationRestriction": _alone(_tolerations),
    "ResourceQuota": _alone(_quota),
    **dict.fromkeys(_WEBHOOKS, _webhook),
}
