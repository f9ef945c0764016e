"""Nodes that get their first certificate for a token, as those that `kubeadm join` brings into a cluster.

One kubeconfig of a cluster has the token; what it is worth stands in a Secret of kube-system, for a day. Where the cluster
is, and whom to trust there, everybody can read in the ConfigMap cluster-info of kube-public, which the token signs.

https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kubarium.core.kubeconfig import discovery_kubeconfig, token_in
from kubarium.core.layout import Layout
from kubarium.core.spec import ClusterSpec
from machinery.process.clock import WALL

if TYPE_CHECKING:
    from machinery.client.api import Api  # gRPC, which most commands do without

CLUSTER_INFO: Final = "cluster-info"
_PUBLIC: Final = "kube-public"
_RBAC: Final = "rbac.authorization.k8s.io"
_LIFE: Final = timedelta(days=1)
_PATIENCE_S: Final = 10.0


def admit_token(spec: ClusterSpec, layout: Layout[Path], *, timeout_s: float = _PATIENCE_S) -> None:
    """Make the token in the kubeconfig valid from now on for a day, and publish what it signs.

    Wait for the apiserver where it does not answer yet.

    Raises:
        KubariumError: the apiserver refuses, or does not answer in time.
        OSError: there is no kubeconfig.
    """
    import yaml

    from kubarium.waiting import as_admin  # gRPC, which most commands do without
    from machinery.model.backoff import Backoff
    from machinery.model.errors import AlreadyExists, NotFound, Unavailable
    from machinery.model.insist import insist
    from machinery.model.k8s.core_v1 import Secret
    from machinery.model.k8s.meta_v1 import ObjectMeta
    from machinery.model.resources import SECRETS

    content = yaml.safe_load(layout.bootstrap_kubeconfig.read_text())
    token = token_in(content)
    discovery = yaml.safe_dump(discovery_kubeconfig(content), sort_keys=False)
    data = secret_data(token, _LIFE.total_seconds())
    name, namespace = f"bootstrap-token-{data['token-id']}", "kube-system"
    meta = ObjectMeta(name=name, namespace=namespace)
    secret = Secret(metadata=meta, type="bootstrap.kubernetes.io/token", stringData=data)

    async def write(api: Api) -> None:
        async def once() -> None:
            try:
                await api.create(SECRETS, secret)
            except AlreadyExists:
                await api.patch(SECRETS, name, {"stringData": data}, namespace=namespace)
            await publish(api, discovery)

        # NotFound: the namespace is made while the first apiserver starts
        await insist(once, WALL, Backoff(0.05, 0.5), on=(Unavailable, NotFound))

    problem = f'the bootstrap token of cluster "{spec.name}" could not be written into {namespace}/{name}'
    as_admin(spec, layout, write, timeout_s, problem)


async def publish(api: Api, discovery: str) -> None:
    """Write the ConfigMap cluster-info, and let everybody read it; both under kubeadm's names."""
    from machinery.model.errors import AlreadyExists
    from machinery.model.k8s.core_v1 import ConfigMap
    from machinery.model.k8s.meta_v1 import ObjectMeta
    from machinery.model.k8s.rbac_v1 import PolicyRule, Role, RoleBinding, RoleRef, Subject
    from machinery.model.resources import CONFIG_MAPS, ROLE_BINDINGS, ROLES

    info = ObjectMeta(name=CLUSTER_INFO, namespace=_PUBLIC)
    reader = ObjectMeta(name="kubeadm:bootstrap-signer-clusterinfo", namespace=_PUBLIC)
    rule = PolicyRule(apiGroups=[""], resources=["configmaps"], resourceNames=[CLUSTER_INFO], verbs=["get"])
    whom = Subject(apiGroup=_RBAC, kind="User", name="system:anonymous")
    role = RoleRef(apiGroup=_RBAC, kind="Role", name=reader.name)
    with suppress(AlreadyExists):
        await api.create(CONFIG_MAPS, ConfigMap(metadata=info, data={"kubeconfig": discovery}))
    with suppress(AlreadyExists):
        await api.create(ROLES, Role(metadata=reader, rules=[rule]))
    with suppress(AlreadyExists):
        await api.create(ROLE_BINDINGS, RoleBinding(metadata=reader, roleRef=role, subjects=[whom]))


def secret_data(token: str, ttl_s: float, *, groups: Iterable[str] = ()) -> dict[str, Any]:
    """Return what the Secret of a token says that is valid for so many wall seconds; `groups` are those of who shows it."""
    ends = datetime.fromtimestamp(WALL.wall_ns() / 1e9, UTC) + timedelta(seconds=ttl_s)
    token_id, _, secret = token.partition(".")
    return {
        "description": "for the nodes of kubarium that bootstrap their certificates",
        "token-id": token_id,
        "token-secret": secret,
        "expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        **({"auth-extra-groups": ",".join(groups)} if groups else {}),
    }
