"""The first machine of several: makes the tokens by which others join, and what these may do with them.

Whoever has such a token may ask for certificates of nodes and of their proxies, read how the cluster is made, and take a
number. Nodes may then have serving certificates of their own names, and delete their own Node.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kubarium.core.kubeconfig import bootstrap_kubeconfig, discovery_kubeconfig
from kubarium.core.layout import Layout
from kubarium.core.machines import DESCRIPTION, GROUP, NAMESPACE, invitation, join_command, public_key_hash
from kubarium.core.places import LocalPlaces, Places
from kubarium.core.spec import ClusterSpec
from kubarium.errors import KubariumError
from kubarium.identity.pki import Pki
from kubarium.joining.bootstrapping import publish, secret_data

if TYPE_CHECKING:
    from machinery.client.api import Api  # gRPC, which most commands do without

_RBAC = "rbac.authorization.k8s.io"
_CERTIFICATES = "certificates.k8s.io"
_REQUESTS = "certificatesigningrequests"
_PATIENCE_S = 10.0


class Admission(NamedTuple):
    """What a machine needs to join."""

    token: str
    authority_hash: str  # "sha256:…"


def create_token(spec: ClusterSpec, layout: Layout[Path], *, ttl_s: float) -> str:
    """Make a token for machines, valid for so many seconds; return the command by which one joins.

    Raises:
        KubariumError: no machine can join, or the apiserver refuses or does not answer.
    """
    token, authority_hash = admit_machines(LocalPlaces(spec, layout), invitation(spec), ttl_s=ttl_s)
    return join_command(spec, token, authority_hash)


def admit_machines(places: Places, told: str, *, ttl_s: float) -> Admission:
    """Make a token for machines, valid for so many seconds; `told` is what they are told of the cluster.

    Raises:
        KubariumError: no machine can join, or the apiserver refuses or does not answer.
    """
    from kubarium.identity.signing import public_key_of
    from kubarium.waiting import as_admin  # gRPC, which most commands do without

    spec, layout = places.spec, places.layout
    if spec.joined:
        raise KubariumError(f"this machine joined the cluster at {spec.joined}: tokens are made there")
    if not spec.listen:
        raise KubariumError(
            f'cluster "{spec.name}" listens on this machine alone: `kubarium up --listen ADDRESS` makes one that others can join'
        )
    authority = Pki(layout.pki).certificate("ca").read_bytes()
    token = f"{secrets.token_hex(3)}.{secrets.token_hex(8)}"

    async def write(api: Api) -> None:
        await _admit(api, places, told, authority, token, ttl_s)

    as_admin(spec, layout, write, _PATIENCE_S, "the token could not be made")
    return Admission(token, public_key_hash(public_key_of(authority)))


async def _admit(api: Api, places: Places, told: str, authority: bytes, token: str, ttl_s: float) -> None:
    import yaml

    from machinery.model.k8s.core_v1 import ConfigMap, Secret
    from machinery.model.k8s.meta_v1 import ObjectMeta
    from machinery.model.resources import CONFIG_MAPS, SECRETS

    await _grant(api)
    meta = ObjectMeta(name=DESCRIPTION, namespace=NAMESPACE)
    await _ensure(api, CONFIG_MAPS, ConfigMap(metadata=meta, data={"invitation": told}))
    content = discovery_kubeconfig(
        bootstrap_kubeconfig(places.spec.name, places.node_rest_url, authority=authority, token=token)
    )
    await publish(api, yaml.safe_dump(content, sort_keys=False))
    data = secret_data(token, ttl_s, groups=(GROUP,))
    meta = ObjectMeta(name=f"bootstrap-token-{data['token-id']}", namespace="kube-system")
    await api.create(SECRETS, Secret(metadata=meta, type="bootstrap.kubernetes.io/token", stringData=data))


async def _grant(api: Api) -> None:
    """Write who may do what; what is there stays."""
    from machinery.model.k8s.core_v1 import Namespace
    from machinery.model.k8s.meta_v1 import ObjectMeta
    from machinery.model.k8s.rbac_v1 import Role, RoleBinding
    from machinery.model.resources import NAMESPACES, ROLE_BINDINGS, ROLES

    await _ensure(api, NAMESPACES, Namespace(metadata=ObjectMeta(name=NAMESPACE)))
    meta = ObjectMeta(name="kubarium:join", namespace=NAMESPACE)
    await _ensure(api, ROLES, Role(metadata=meta, rules=[_rule("", "configmaps", "get", "list", "create")]))
    await _ensure(
        api,
        ROLE_BINDINGS,
        RoleBinding(metadata=meta, roleRef=_role_ref("Role", meta.name), subjects=[_subject("Group", GROUP)]),
    )
    await _grant_everywhere(
        api, "kubarium:machines", [_rule(_CERTIFICATES, f"{_REQUESTS}/nodeproxy", "create")], GROUP
    )
    nodes = [_rule(_CERTIFICATES, f"{_REQUESTS}/selfnodeserver", "create"), _rule("", "nodes", "delete")]
    await _grant_everywhere(api, "kubarium:nodes-of-machines", nodes, "system:nodes")
    await _grant_everywhere(
        api, "kubarium:approver", [_approval()], "system:kube-controller-manager", kind="User"
    )


async def _grant_everywhere(api: Api, name: str, rules: list[Any], whom: str, *, kind: str = "Group") -> None:
    from machinery.model.k8s.meta_v1 import ObjectMeta
    from machinery.model.k8s.rbac_v1 import ClusterRole, ClusterRoleBinding
    from machinery.model.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES

    meta = ObjectMeta(name=name)
    await _ensure(api, CLUSTER_ROLES, ClusterRole(metadata=meta, rules=rules))
    binding = ClusterRoleBinding(
        metadata=meta, roleRef=_role_ref("ClusterRole", name), subjects=[_subject(kind, whom)]
    )
    await _ensure(api, CLUSTER_ROLE_BINDINGS, binding)


async def _ensure(api: Api, resource: Any, obj: Any) -> None:
    from machinery.model.errors import AlreadyExists

    with suppress(AlreadyExists):
        await api.create(resource, obj)


def _rule(group: str, resource: str, *verbs: str) -> Any:
    from machinery.model.k8s.rbac_v1 import PolicyRule

    return PolicyRule(apiGroups=[group], resources=[resource], verbs=list(verbs))


def _role_ref(kind: str, name: str) -> Any:
    from machinery.model.k8s.rbac_v1 import RoleRef

    return RoleRef(apiGroup=_RBAC, kind=kind, name=name)


def _subject(kind: str, name: str) -> Any:
    from machinery.model.k8s.rbac_v1 import Subject

    return Subject(apiGroup=_RBAC, kind=kind, name=name)


def _approval() -> Any:
    """Return what the controllers need, who else approve the client certificates of kubelets only."""
    from machinery.model.k8s.rbac_v1 import PolicyRule

    signers = ["kubernetes.io/kube-apiserver-client", "kubernetes.io/kubelet-serving"]
    return PolicyRule(
        apiGroups=[_CERTIFICATES], resources=["signers"], resourceNames=signers, verbs=["approve"]
    )
