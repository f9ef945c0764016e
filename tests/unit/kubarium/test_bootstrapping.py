"""Where a cluster is, and whom to trust there: published for nodes that join."""

from __future__ import annotations

import yaml

from kubarium.core.kubeconfig import bootstrap_kubeconfig, discovery_kubeconfig
from kubarium.joining.bootstrapping import CLUSTER_INFO, publish
from machinery.model.resources import CONFIG_MAPS, NAMESPACES, ROLE_BINDINGS, ROLES
from tests.support import builders
from tests.support.scripted_api import local_registry
from tests.support.virtual_clock import VirtualClock

JOINING = bootstrap_kubeconfig("dev", "https://10.0.0.1:6443", authority=b"PEM", token="abcdef.secret")


def test_what_everybody_may_read_has_no_credentials() -> None:
    """The server and its authority, under no name."""
    found = discovery_kubeconfig(JOINING)
    assert found["clusters"] == [{"name": "", "cluster": JOINING["clusters"][0]["cluster"]}]
    assert found.keys() == {"apiVersion", "kind", "clusters"}


async def test_it_is_published_once() -> None:
    """For everybody to read, and nothing else; what is there stays."""
    async with local_registry(VirtualClock()) as server:
        await server.given(NAMESPACES, builders.namespace("kube-public"))
        for text in (yaml.safe_dump(discovery_kubeconfig(JOINING)), "other"):
            await publish(server.user, text)
        info = await server.user.get(CONFIG_MAPS, CLUSTER_INFO, namespace="kube-public")
        [role] = (await server.user.list(ROLES)).items
        [binding] = (await server.user.list(ROLE_BINDINGS)).items
    assert yaml.safe_load(info.data["kubeconfig"]) == discovery_kubeconfig(JOINING)
    assert [(rule.verbs, rule.resources, rule.resourceNames) for rule in role.rules] == [
        (["get"], ["configmaps"], [CLUSTER_INFO])
    ]
    assert [(whom.kind, whom.name) for whom in binding.subjects] == [("User", "system:anonymous")]
    assert binding.roleRef.name == role.metadata.name
