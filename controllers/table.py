"""The controllers that a cluster has: one line for each."""

from __future__ import annotations

from typing import Final

from controllers import (
    certificate_approving,
    certificate_cleaning,
    certificate_signing,
    clusterrole_aggregation,
    daemonset,
    deployment,
    disruption,
    endpointslice,
    garbage_collector,
    job,
    namespace,
    node_ipam,
    node_lifecycle,
    persistentvolume_binder,
    pod_gc,
    pv_protection,
    pvc_protection,
    replicaset,
    replicationcontroller,
    resourcequota,
    serviceaccount,
    serviceaccount_token,
    statefulset,
    taint_eviction,
    validatingadmissionpolicy_status,
)
from controllers.core.controller import Build

CONTROLLERS: Final[tuple[Build, ...]] = (
    serviceaccount.build,
    serviceaccount_token.build,
    clusterrole_aggregation.build,
    deployment.build,
    daemonset.build,
    replicaset.build,
    disruption.build,
    replicationcontroller.build,
    job.build,
    statefulset.build,
    endpointslice.build,
    node_lifecycle.build,
    taint_eviction.build,
    node_ipam.build,
    garbage_collector.build,
    pod_gc.build,
    namespace.build,
    resourcequota.build,
    pvc_protection.build,
    pv_protection.build,
    persistentvolume_binder.build,
    certificate_approving.build,
    certificate_signing.build,
    certificate_cleaning.build,
    validatingadmissionpolicy_status.build,
)
