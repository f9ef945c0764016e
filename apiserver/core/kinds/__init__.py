"""The rules of every kind of Kubernetes that has some: one file a kind, one table of all.

What the kinds are called is generated (`machinery.model.k8s.served`); one that is not in this table has no rules of
its own. Only the composition root imports this package: everybody else is handed a `Catalogue`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from apiserver.core import webhook_rules
from apiserver.core.hooks.checking import check_expression
from apiserver.core.kind import Kind, make_kind
from apiserver.core.kinds import (
    apiservices,
    certificatesigningrequests,
    configmaps,
    controllerrevisions,
    cronjobs,
    csidrivers,
    csinodes,
    csistoragecapacities,
    customresourcedefinitions,
    daemonsets,
    deployments,
    deviceclasses,
    endpoints,
    endpointslices,
    events,
    flowschemas,
    horizontalpodautoscalers,
    ingressclasses,
    ingresses,
    ipaddresses,
    jobs,
    leases,
    limitranges,
    mutatingadmissionpolicies,
    namespaces,
    networkpolicies,
    nodes,
    persistentvolumeclaims,
    persistentvolumes,
    poddisruptionbudgets,
    pods,
    podtemplates,
    priorityclasses,
    prioritylevelconfigurations,
    rbac,
    replicasets,
    replicationcontrollers,
    resourceclaims,
    resourceclaimtemplates,
    resourcequotas,
    resourceslices,
    runtimeclasses,
    secrets,
    serviceaccounts,
    servicecidrs,
    services,
    statefulsets,
    storageclasses,
    validatingadmissionpolicies,
    volumeattachments,
    volumeattributesclasses,
)
from apiserver.core.rules import Rules
from machinery.model.k8s import served
from machinery.model.kinds import KindNames

RULES: Final[Mapping[KindNames, Rules]] = {
    served.NAMESPACES: namespaces.RULES,
    served.NODES: nodes.RULES,
    served.PODS: pods.RULES,
    served.SERVICES: services.RULES,
    served.CONFIG_MAPS: configmaps.RULES,
    served.SECRETS: secrets.RULES,
    served.SERVICE_ACCOUNTS: serviceaccounts.RULES,
    served.EVENTS: events.RULES,
    served.REPLICATION_CONTROLLERS: replicationcontrollers.RULES,
    served.POD_TEMPLATES: podtemplates.RULES,
    served.LIMIT_RANGES: limitranges.RULES,
    served.RESOURCE_QUOTAS: resourcequotas.RULES,
    served.PERSISTENT_VOLUMES: persistentvolumes.RULES,
    served.PERSISTENT_VOLUME_CLAIMS: persistentvolumeclaims.RULES,
    served.DEPLOYMENTS: deployments.RULES,
    served.REPLICA_SETS: replicasets.RULES,
    served.STATEFUL_SETS: statefulsets.RULES,
    served.DAEMON_SETS: daemonsets.RULES,
    served.CONTROLLER_REVISIONS: controllerrevisions.RULES,
    served.JOBS: jobs.RULES,
    served.CRON_JOBS: cronjobs.RULES,
    served.HORIZONTAL_POD_AUTOSCALERS: horizontalpodautoscalers.RULES,
    served.POD_DISRUPTION_BUDGETS: poddisruptionbudgets.RULES,
    served.INGRESSES: ingresses.RULES,
    served.INGRESS_CLASSES: ingressclasses.RULES,
    served.NETWORK_POLICIES: networkpolicies.RULES,
    served.PRIORITY_CLASSES: priorityclasses.RULES,
    served.STORAGE_CLASSES: storageclasses.RULES,
    served.RUNTIME_CLASSES: runtimeclasses.RULES,
    served.LEASES: leases.RULES,
    served.ENDPOINT_SLICES: endpointslices.RULES,
    served.ROLES: rbac.ROLES,
    served.ROLE_BINDINGS: rbac.ROLE_BINDINGS,
    served.CLUSTER_ROLES: rbac.CLUSTER_ROLES,
    served.CLUSTER_ROLE_BINDINGS: rbac.CLUSTER_ROLE_BINDINGS,
    served.CUSTOM_RESOURCE_DEFINITIONS: customresourcedefinitions.RULES,
    served.ENDPOINTS: endpoints.RULES,
    served.EVENTS_EVENTS_V1: events.NEWER,
    served.HORIZONTAL_POD_AUTOSCALERS_AUTOSCALING_V1: horizontalpodautoscalers.OLDER,
    served.IP_ADDRESSES: ipaddresses.RULES,
    served.SERVICE_CIDRS: servicecidrs.RULES,
    served.VOLUME_ATTACHMENTS: volumeattachments.RULES,
    served.VOLUME_ATTRIBUTES_CLASSES: volumeattributesclasses.RULES,
    served.CSI_DRIVERS: csidrivers.RULES,
    served.CSI_NODES: csinodes.RULES,
    served.CSI_STORAGE_CAPACITIES: csistoragecapacities.RULES,
    served.CERTIFICATE_SIGNING_REQUESTS: certificatesigningrequests.RULES,
    served.RESOURCE_CLAIMS: resourceclaims.RULES,
    served.RESOURCE_CLAIM_TEMPLATES: resourceclaimtemplates.RULES,
    served.DEVICE_CLASSES: deviceclasses.RULES,
    served.RESOURCE_SLICES: resourceslices.RULES,
    served.FLOW_SCHEMAS: flowschemas.RULES,
    served.PRIORITY_LEVEL_CONFIGURATIONS: prioritylevelconfigurations.RULES,
    served.VALIDATING_WEBHOOK_CONFIGURATIONS: webhook_rules.validating(check_expression),
    served.MUTATING_WEBHOOK_CONFIGURATIONS: webhook_rules.mutating(check_expression),
    served.VALIDATING_ADMISSION_POLICIES: validatingadmissionpolicies.policies(check_expression),
    served.VALIDATING_ADMISSION_POLICY_BINDINGS: validatingadmissionpolicies.BINDINGS,
    served.MUTATING_ADMISSION_POLICIES: mutatingadmissionpolicies.policies(check_expression),
    served.MUTATING_ADMISSION_POLICY_BINDINGS: mutatingadmissionpolicies.BINDINGS,
    served.API_SERVICES: apiservices.RULES,
}


def _make_all() -> tuple[Kind, ...]:
    made: dict[KindNames, Kind] = {}
    for names in served.STORED:  # the version that is stored comes before the others
        stored = served.STORED_AS.get(names)
        made[names] = make_kind(names, RULES.get(names), stored=made[stored] if stored else None)
    return tuple(made.values())


ALL: Final[tuple[Kind, ...]] = _make_all()
"""Every version of every kind."""


def with_families(families: Sequence[str]) -> tuple[Kind, ...]:
    """Return every version of every kind, for a cluster with addresses of these families, its first one first."""
    own = make_kind(served.SERVICES, services.rules(families))
    return tuple(own if (kind.group, kind.plural) == ("", served.SERVICES.plural) else kind for kind in ALL)


KINDS: Final[Mapping[tuple[str, str], Kind]] = {
    (kind.group, kind.plural): kind for kind in ALL if kind.stored is kind
}
"""By group ("" for core) and plural, in the version that is stored."""
