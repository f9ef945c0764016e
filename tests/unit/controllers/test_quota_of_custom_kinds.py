"""Quotas of custom resources: counted from the moment that their definition is there, and after it has gone."""

from __future__ import annotations

import pytest

from controllers import resourcequota
from controllers.core.documents import Document
from controllers.resourcequota.plan import QUOTAS
from machinery.model.errors import Forbidden
from machinery.model.k8s.meta_v1 import ObjectMeta
from tests.support.controllers_cluster import Cluster, cluster_with
from tests.support.custom_resources import CRDS, GROUP, TOYS, definition, toy

LOOK_S = 1.0
COUNT = f"count/toys.{GROUP}"


async def used(cluster: Cluster) -> dict[str, str]:
    await cluster.clock.advance(LOOK_S)
    quota = await cluster.user.get(QUOTAS, "all", namespace="default")
    return dict(quota.status.get("used") or {})


async def test_custom_resources_are_counted_and_charged() -> None:
    """The quota may be there first, and the definition may go and come again; other kinds are counted all the while."""
    meta = ObjectMeta(name="all", namespace="default")
    hard = {COUNT: "2", "count/configmaps": "3"}
    async with cluster_with("a", table=(resourcequota.build,)) as cluster:
        await cluster.clock.advance(LOOK_S)
        await cluster.user.create(QUOTAS, Document(kind="ResourceQuota", metadata=meta, spec={"hard": hard}))
        assert await used(cluster) == {"count/configmaps": "0"}
        await cluster.user.create(CRDS, definition())
        assert await used(cluster) == {COUNT: "0", "count/configmaps": "0"}
        for name in ("a", "b"):
            await cluster.user.create(TOYS, toy(name))
        with pytest.raises(Forbidden, match=rf"exceeded quota: all, requested: {COUNT}=1, used: {COUNT}=2"):
            await cluster.user.create(TOYS, toy("c"))
        await cluster.user.delete(TOYS, "a", namespace="default")
        assert (await used(cluster))[COUNT] == "1"
        await cluster.user.create(TOYS, toy("c"))
        await cluster.user.delete(CRDS, f"toys.{GROUP}")
        await cluster.clock.advance(10 * LOOK_S)
        assert await used(cluster) == {COUNT: "0", "count/configmaps": "0"}
        await cluster.user.create(CRDS, definition())
        await cluster.clock.advance(LOOK_S)
        await cluster.user.create(TOYS, toy("d"))
        assert await used(cluster) == {COUNT: "1", "count/configmaps": "0"}
