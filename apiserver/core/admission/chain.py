"""The plugins in upstream's order. Each sees what those before it have made of the object.

https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from apiserver.core.admission.always_pull_images import ALWAYS_PULL_IMAGES
from apiserver.core.admission.anti_affinity import HARD_ANTI_AFFINITY
from apiserver.core.admission.attributes import (
    Attributes,
    Demand,
    LookedUp,
    LookupKey,
    Plugin,
    Settings,
    as_it_is,
    let_go,
    no_demands,
    no_needs,
)
from apiserver.core.admission.certificates import (
    CERTIFICATE_APPROVAL,
    CERTIFICATE_SIGNING,
    CERTIFICATE_SUBJECT,
)
from apiserver.core.admission.default_classes import DEFAULT_INGRESS_CLASS, DEFAULT_STORAGE_CLASS
from apiserver.core.admission.default_tolerations import DEFAULT_TOLERATIONS
from apiserver.core.admission.device_admin_access import DEVICE_ADMIN_ACCESS
from apiserver.core.admission.device_status_access import DEVICE_STATUS_ACCESS
from apiserver.core.admission.event_rates import EVENT_RATE_LIMIT
from apiserver.core.admission.extended_resources import EXTENDED_RESOURCE_TOLERATION
from apiserver.core.admission.external_ips import DENY_EXTERNAL_IPS
from apiserver.core.admission.limit_ranger import LIMIT_RANGER
from apiserver.core.admission.namespace_lifecycle import (
    IMMORTAL_NAMESPACES,
    NAMESPACE_AUTO_PROVISION,
    NAMESPACE_EXISTS,
    NAMESPACE_LIFECYCLE,
)
from apiserver.core.admission.namespace_tolerations import POD_TOLERATIONS
from apiserver.core.admission.node_restriction import NODE_RESTRICTION
from apiserver.core.admission.node_selectors import POD_NODE_SELECTOR
from apiserver.core.admission.node_taints import TAINT_NODES_BY_CONDITION
from apiserver.core.admission.owner_references import OWNER_REFERENCES
from apiserver.core.admission.pod_resize import POD_RESIZE
from apiserver.core.admission.pod_security import POD_SECURITY
from apiserver.core.admission.priority import ONE_DEFAULT_PRIORITY, PRIORITY
from apiserver.core.admission.runtime_class import RUNTIME_CLASS
from apiserver.core.admission.service_account import SERVICE_ACCOUNT
from apiserver.core.admission.storage_protection import CLAIM_RESIZE, STORAGE_PROTECTION
from apiserver.core.admission.tally import Meter, Tally, count
from apiserver.core.admission.topology_labels import POD_TOPOLOGY_LABELS
from apiserver.core.values import Json

ALWAYS_ADMIT: Final = Plugin("AlwaysAdmit")  # has no effect, in Kubernetes as well
ORDERED: Final[tuple[Plugin, ...]] = (
    ALWAYS_ADMIT,
    NAMESPACE_AUTO_PROVISION,
    NAMESPACE_LIFECYCLE,
    IMMORTAL_NAMESPACES,
    NAMESPACE_EXISTS,
    HARD_ANTI_AFFINITY,
    LIMIT_RANGER,
    SERVICE_ACCOUNT,
    NODE_RESTRICTION,
    TAINT_NODES_BY_CONDITION,
    ALWAYS_PULL_IMAGES,
    POD_SECURITY,
    POD_NODE_SELECTOR,
    PRIORITY,
    ONE_DEFAULT_PRIORITY,
    DEFAULT_TOLERATIONS,
    POD_TOLERATIONS,
    EVENT_RATE_LIMIT,
    EXTENDED_RESOURCE_TOLERATION,
    DEFAULT_STORAGE_CLASS,
    STORAGE_PROTECTION,
    OWNER_REFERENCES,
    CLAIM_RESIZE,
    RUNTIME_CLASS,
    CERTIFICATE_APPROVAL,
    CERTIFICATE_SIGNING,
    CERTIFICATE_SUBJECT,
    DEFAULT_INGRESS_CLASS,
    DENY_EXTERNAL_IPS,
    POD_TOPOLOGY_LABELS,
    POD_RESIZE,
    DEVICE_ADMIN_ACCESS,
    DEVICE_STATUS_ACCESS,
)
"""All plugins that there are; webhooks, policies and quotas wait for something, and come after them (`apiserver.admission`)."""

LATER: Final = (
    "ImagePolicyWebhook",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionWebhook",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionWebhook",
    "ResourceQuota",
)
"""The names of what comes after the plugins, in order."""

_OPTIONAL: Final = (
    ALWAYS_ADMIT,
    ALWAYS_PULL_IMAGES,
    DENY_EXTERNAL_IPS,
    EVENT_RATE_LIMIT,
    EXTENDED_RESOURCE_TOLERATION,
    HARD_ANTI_AFFINITY,
    NAMESPACE_AUTO_PROVISION,
    NAMESPACE_EXISTS,
    OWNER_REFERENCES,
    POD_NODE_SELECTOR,
    POD_TOLERATIONS,
)
OFF_BY_DEFAULT: Final = frozenset({"ImagePolicyWebhook", *(plugin.name for plugin in _OPTIONAL)})
NEED_CONFIGURATION: Final = frozenset({"EventRateLimit", "ImagePolicyWebhook"})
"""Those that can do nothing without a configuration."""
UNBUILT: Final = frozenset(
    {"AlwaysDeny", "ClusterTrustBundleAttest", "NodeDeclaredFeatureValidator", "PodGroupWorkloadExists"}
)
"""Plugins of Kubernetes that nothing here would come to be with, or that are about kinds that are not served."""
NAMES: Final = tuple(dict.fromkeys((*(plugin.name for plugin in ORDERED), *LATER)))


def check_built(name: str) -> None:
    """Check that there is a plugin of a name.

    Raises:
        ValueError: there is none here, or none at all.
    """
    if name in UNBUILT:
        raise ValueError(f"the admission plugin {name!r} is not built")
    if name not in NAMES:
        raise ValueError(f"there is no admission plugin {name!r}; there are {', '.join(sorted(NAMES))}")


def chosen(enabled: Collection[str] = (), disabled: Collection[str] = ()) -> frozenset[str]:
    """Return the names of the plugins that are on, with some more and some less than by default.

    Raises:
        ValueError: there is no such plugin, or one is in both.
    """
    for name in (*enabled, *disabled):
        if name not in UNBUILT or name in enabled:
            check_built(name)
        if name in enabled and name in disabled:
            raise ValueError(f"the admission plugin {name!r} is both enabled and disabled")
    on = (name for name in NAMES if name in enabled or name not in OFF_BY_DEFAULT)
    return frozenset(name for name in on if name not in disabled)


class _Group:
    """What plugins do, in their order, without what does nothing."""

    def __init__(self, plugins: Iterable[Plugin], meter: Meter) -> None:
        plugins = tuple(plugins)
        self.needs = tuple(each.needs for each in plugins if each.needs is not no_needs)
        self.admit = tuple(
            (each.admit, meter.tally(each.name, "admit")) for each in plugins if each.admit is not as_it_is
        )
        self.validate = tuple(
            (each.validate, meter.tally(each.name, "validate"))
            for each in plugins
            if each.validate is not None
        )
        self.demands = tuple(each.demands for each in plugins if each.demands is not no_demands)
        self.admit_delete = tuple(
            (each.admit_delete, meter.tally(each.name, "admit"))
            for each in plugins
            if each.admit_delete is not let_go
        )


class _Unmeasured:
    """Nobody wants to know how long plugins take: there is no time."""

    def now(self) -> float:
        """Return no time."""
        return 0.0

    def tally(self, _plugin: str, _stage: str) -> Tally:
        """Return what nobody reads."""
        return Tally()


class Chain:
    """The plugins that are on, sorted by what they are about."""

    def __init__(
        self, plugins: Iterable[Plugin], later: Collection[str] = LATER, meter: Meter | None = None
    ) -> None:
        plugins = tuple(plugins)
        meter = meter or _Unmeasured()
        self._now = meter.now
        self._provides_namespaces = any(plugin.name == NAMESPACE_AUTO_PROVISION.name for plugin in plugins)
        self.later = frozenset(later)  # the names of what is on after the plugins
        self._everywhere = _Group((plugin for plugin in plugins if plugin.about is None), meter)
        resources = frozenset[tuple[str, str]]().union(*(plugin.about or () for plugin in plugins))
        self._about = {
            resource: _Group(
                (plugin for plugin in plugins if plugin.about is None or resource in plugin.about), meter
            )
            for resource in resources
        }

    @property
    def counts_quotas(self) -> bool:
        """Whether writes are charged to quotas."""
        return "ResourceQuota" in self.later

    @property
    def provides_namespaces(self) -> bool:
        """Whether a namespace that is missing is created with the first object in it."""
        return self._provides_namespaces

    def _group(self, attributes: Attributes) -> _Group:
        return self._about.get(attributes.resource, self._everywhere)

    def needs(self, attributes: Attributes, obj: Json | None, old: Json | None) -> tuple[LookupKey, ...]:
        """Return the keys of what `admit` and `admit_delete` will look up: no key twice.

        `obj` is the object of the request (None for a delete), `old` the stored one (None where there is none).
        """
        asked = [key for needs in self._group(attributes).needs for key in needs(attributes, obj, old)]
        return tuple(dict.fromkeys(asked))

    def admit(
        self, attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, settings: Settings
    ) -> Json:
        """Return the object as the cluster wants it; `obj` itself is left alone.

        `looked_up` has every key that `needs` named. The result is defaulted as far as `obj` was. Settings and looked_up
        aside it depends on nothing, so a write that lost a race runs it again from the request's object.

        Raises:
            Forbidden: the cluster does not want it.
            NotFound: its namespace, or the pod that it speaks of, is not there.
        """
        now, verb = self._now, attributes.verb
        before_s = now()
        for admit, tally in self._group(attributes).admit:
            try:
                obj = admit(attributes, obj, old, looked_up, settings)
            except BaseException:
                count(tally.refused[verb], now() - before_s)
                raise
            after_s = now()
            count(tally.done[verb], after_s - before_s)
            before_s = after_s
        return obj

    def validate(
        self, attributes: Attributes, obj: Json, old: Json | None, looked_up: LookedUp, settings: Settings
    ) -> tuple[str, ...]:
        """Check an object as it would be stored; returns what to warn the client of.

        `looked_up` is what `admit` had: what is asked for does not depend on what plugins and rules add.

        Raises:
            Forbidden: the cluster does not want it.
            Invalid: it breaks a rule of a plugin's own.
        """
        warnings: tuple[str, ...] = ()
        now, verb = self._now, attributes.verb
        before_s = now()
        for validate, tally in self._group(attributes).validate:
            try:
                warnings += validate(attributes, obj, old, looked_up, settings)
            except BaseException:
                count(tally.refused[verb], now() - before_s)
                raise
            after_s = now()
            count(tally.done[verb], after_s - before_s)
            before_s = after_s
        return warnings

    def demands(self, attributes: Attributes, obj: Json, old: Json | None) -> Sequence[Demand]:
        """Return what permissions the user of a request needs beyond that for the request itself."""
        demanding = self._group(attributes).demands
        if not demanding:
            return ()
        return [each for demands in demanding for each in demands(attributes, obj, old)]

    def admit_delete(self, attributes: Attributes, old: Json, looked_up: LookedUp) -> None:
        """Check that an object may be deleted.

        Raises:
            Forbidden: it has to stay, or the caller may not.
        """
        before_s = self._now()
        for admit_delete, tally in self._group(attributes).admit_delete:
            try:
                admit_delete(attributes, old, looked_up)
            except BaseException:
                count(tally.refused[attributes.verb], self._now() - before_s)
                raise
            after_s = self._now()
            count(tally.done[attributes.verb], after_s - before_s)
            before_s = after_s


def make_chain(on: Collection[str], meter: Meter | None = None, configured: Collection[Plugin] = ()) -> Chain:
    """Return the chain of the plugins with these names; a meter is told how long each of them takes.

    A plugin that is `configured` comes in the place of the one with its name.
    """
    instead = {plugin.name: plugin for plugin in configured}
    plugins = (instead.get(plugin.name, plugin) for plugin in ORDERED if plugin.name in on)
    return Chain(plugins, [name for name in LATER if name in on], meter)


DEFAULT_CHAIN: Final = make_chain(chosen())
