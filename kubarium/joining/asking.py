"""A machine that joins a cluster: finds out whether it is the one that is meant, gets a number and a certificate, and starts.

As `kubeadm join`: the ConfigMap cluster-info, which everybody may read, is signed by the token, and the authority in it has to
have the public key that the user was told. From then on the connection is trusted, and the token says who asks.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import secrets
import ssl
import tempfile
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kubarium.core.components import PROXY
from kubarium.core.kubeconfig import bootstrap_kubeconfig
from kubarium.core.layout import Layout
from kubarium.core.machines import (
    ADDRESS,
    CLAIM,
    DESCRIPTION,
    NAMESPACE,
    JoinError,
    door_of,
    joined_spec,
    number_of,
    public_key_hash,
    read_invitation,
    signed_kubeconfig,
)
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import APISERVER, ClusterSpec
from kubarium.errors import KubariumError
from kubarium.identity.pki import Pki
from machinery.process.clock import WALL

if TYPE_CHECKING:
    from machinery.client.api import Api  # gRPC, which most commands do without

_PATIENCE_S = 20.0
_LOOK_S = 0.2
_CLUSTER_INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"


@dataclass(frozen=True, slots=True)
class Joined:
    """What a machine has when it is let in."""

    spec: ClusterSpec  # without nodes
    authority: bytes  # PEM, of the cluster
    proxy: tuple[bytes, bytes]  # key and certificate, PEM


def ask_to_join(door: str, token: str, authority_hash: str, *, name: str, address: str = "") -> Joined:
    """Ask the first machine of a cluster to be let in.

    Args:
        door: its ADDRESS:PORT.
        token: one of `kubarium token create`.
        authority_hash: "sha256:…" of the authority's public key.
        name: of the cluster on this machine; "" for the one that it has.
        address: by which the other machines reach this one; "" for the one that it has on the way to the door.

    Raises:
        KubariumError: nobody answers there, it is not the cluster that is meant, or it refuses.
    """
    from machinery.model.errors import ApiError

    try:
        host, port = door_of(door)
        own, authority = _discover(host, port, token, authority_hash)
        return asyncio.run(_ask(host, port, token, authority, address or own, name))
    except (JoinError, ApiError) as error:
        raise KubariumError(f"this machine cannot join {door}: {error}") from error
    except (OSError, http.client.HTTPException, TimeoutError) as error:
        raise KubariumError(
            f"{door} does not answer as a cluster does ({str(error) or 'it is silent'}): is that the address "
            f"of `kubarium up --listen`, and does no firewall stand between?"
        ) from error


def write_credentials(joined: Joined, layout: Layout[Path], token: str) -> None:
    """Write what this machine has of the cluster into its folder: authority, certificate of its proxies, token of its kubelets.

    Raises:
        OSError: the folder cannot be written.
    """
    import yaml

    pki, places = Pki(layout.pki), LocalPlaces(joined.spec, layout)
    key, certificate = joined.proxy
    content = bootstrap_kubeconfig(
        joined.spec.name, places.node_rest_url, authority=joined.authority, token=token
    )
    pki.write_private(layout.bootstrap_kubeconfig, yaml.safe_dump(content, sort_keys=False).encode())
    pki.write_private(pki.key(PROXY.name), key)
    pki.certificate(PROXY.name).write_bytes(certificate)
    pki.certificate("ca").write_bytes(joined.authority)


def _discover(host: str, port: int, token: str, authority_hash: str) -> tuple[str, bytes]:
    """Return this machine's own address on the way there, and the authority's certificate (PEM)."""
    import yaml

    from kubarium.identity.signing import public_key_of

    own, info = _cluster_info(host, port)
    content = yaml.safe_load(signed_kubeconfig(info, token))
    authority = b64decode(content["clusters"][0]["cluster"]["certificate-authority-data"])
    if public_key_hash(public_key_of(authority)) != authority_hash:
        raise JoinError(f"its authority is another one than --ca-hash {authority_hash} says")
    return own, authority


def _cluster_info(host: str, port: int) -> tuple[str, dict[str, Any]]:
    """Read what everybody may read, from whoever answers: the token's signature says whether it is true."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=_PATIENCE_S, context=trusting)
    try:
        connection.request("GET", _CLUSTER_INFO)
        own = str(connection.sock.getsockname()[0])
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise JoinError(
                f"it shows nobody what it is ({answer.status}): `kubarium token create` was not run there"
            )
        return own, json.loads(answer.read()).get("data") or {}
    finally:
        connection.close()


async def _ask(host: str, port: int, token: str, authority: bytes, own: str, name: str) -> Joined:
    from machinery.client.rest_transport import Token, connect_rest
    from machinery.model.resources import CONFIG_MAPS

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ca.crt"
        file.write_bytes(authority)
        credentials = Token("", str(file), token, APISERVER)
        api = connect_rest(f"https://{host}:{port}", credentials, caller="kubarium", clock=WALL)
        try:
            async with WALL.timeout_wall(_PATIENCE_S):
                described = await api.get(CONFIG_MAPS, DESCRIPTION, namespace=NAMESPACE)
                told = read_invitation(described.data["invitation"])
                machine = await _claimed(api, own, told.machines)
                spec = joined_spec(told, name=name, machine=machine, listen=own, first=host)
                return Joined(spec, authority, await _proxy_certificate(api))
        finally:
            await api.aclose()


async def _claimed(api: Api, own: str, machines: int) -> int:
    """Claim a number, the one that this machine had where it comes again."""
    from machinery.model.errors import AlreadyExists
    from machinery.model.k8s.core_v1 import ConfigMap
    from machinery.model.k8s.meta_v1 import ObjectMeta
    from machinery.model.requests import Selection
    from machinery.model.resources import CONFIG_MAPS

    while True:
        listed = await api.list(CONFIG_MAPS, Selection(NAMESPACE))
        claims = {
            each.metadata.name: each.data.get(ADDRESS, "")
            for each in listed.items
            if each.metadata.name.startswith(CLAIM)
        }
        number, is_ours = number_of(claims, own, machines)
        if is_ours:
            return number
        meta = ObjectMeta(name=f"{CLAIM}{number}", namespace=NAMESPACE)
        try:
            await api.create(CONFIG_MAPS, ConfigMap(metadata=meta, data={ADDRESS: own}))
        except AlreadyExists:  # another machine joined meanwhile
            continue
        return number


async def _proxy_certificate(api: Api) -> tuple[bytes, bytes]:
    """Ask for the certificate of this machine's proxies; return key and certificate."""
    from kubarium.identity.signing import new_request
    from machinery.model.k8s.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestSpec
    from machinery.model.k8s.meta_v1 import ObjectMeta
    from machinery.model.resources import CERTIFICATE_SIGNING_REQUESTS

    key, request = new_request(PROXY.common_name)
    name = f"kubarium-proxy-{secrets.token_hex(8)}"
    spec = CertificateSigningRequestSpec(
        request=b64encode(request).decode(),
        signerName="kubernetes.io/kube-apiserver-client",
        usages=["digital signature", "client auth"],
    )
    await api.create(
        CERTIFICATE_SIGNING_REQUESTS, CertificateSigningRequest(metadata=ObjectMeta(name=name), spec=spec)
    )
    while True:
        status = (await api.get(CERTIFICATE_SIGNING_REQUESTS, name)).status
        if status.certificate:
            return key, b64decode(status.certificate)
        if refused := [each for each in status.conditions if each.type in {"Denied", "Failed"}]:
            raise JoinError(f"its proxies get no certificate: {refused[0].message or refused[0].reason}")
        await WALL.sleep_wall(_LOOK_S)
