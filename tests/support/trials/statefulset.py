"""A StatefulSet and its claims."""

from __future__ import annotations

from controllers import (
    garbage_collector,
    pvc_protection,
    statefulset,
)
from controllers.core.documents import documents_of
from controllers.core.workloads import (
    STATEFUL_SETS,
)
from controllers.pvc_protection.plan import CLAIMS
from machinery.model.k8s.apps_v1 import StatefulSetPersistentVolumeClaimRetentionPolicy
from machinery.model.resources import (
    PODS,
)
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import (
    template,
)
from tests.support.stateful import claim_template, stateful_set
from tests.support.trials.trial import Trial


async def a_stateful_set_rolls(world: CrashWorld) -> None:
    """It makes a pod with its claim, then another one, and is updated and scaled down with the claim in the same breath."""
    policy = StatefulSetPersistentVolumeClaimRetentionPolicy(whenDeleted="Retain", whenScaled="Delete")
    owner = stateful_set(
        2, volumeClaimTemplates=[claim_template()], persistentVolumeClaimRetentionPolicy=policy
    )
    await world.server.given(STATEFUL_SETS, owner)
    await world.run_pods()
    patch = {"spec": {"template": template("app:2"), "replicas": 1}}
    await world.user.patch(STATEFUL_SETS, "web", patch, namespace="default")
    await world.run_pods()
    [pod] = (await world.user.list(PODS)).items
    assert (pod.metadata.name, pod.spec.containers[0].image) == ("web-0", "app:2")
    claims = (await world.user.list(documents_of(CLAIMS))).items
    assert [each.metadata.name for each in claims] == ["data-web-0"]


TRIALS = (
    Trial(
        a_stateful_set_rolls, (statefulset.build, garbage_collector.build, pvc_protection.build), writes=18
    ),
)
