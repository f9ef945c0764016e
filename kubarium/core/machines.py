"""Clusters of several machines: what the first one tells those that join, and how they know that it is the one they mean.

A machine has a number. It decides its address on the backbone (`Addresses.host`) and the places of its nodes in the address
plan, so that no two machines use one address; pod ranges are the controllers' matter, as in any cluster.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest, digest
from typing import Any, Final

import msgspec

from kubarium.core.addresses import Addresses
from kubarium.core.spec import APISERVER, MAX_MACHINES, ClusterSpec, IpFamilies, first_index

NAMESPACE: Final = "kubarium-machines"
DESCRIPTION: Final = "cluster"  # the ConfigMap with `Invitation`
CLAIM: Final = "machine-"  # ConfigMaps that name who has a number; the number follows
ADDRESS: Final = "address"  # in a claim
GROUP: Final = "system:bootstrappers:kubarium:machines"  # of tokens for machines
_KUBECONFIG: Final = "kubeconfig"
_SIGNATURE: Final = "jws-kubeconfig-"  # the token's id follows


class JoinError(ValueError):
    """A machine cannot join: why, in words for the user."""


class Invitation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a machine has to know of the cluster that it joins; of a `ClusterSpec` the fields of those names."""

    name: str
    slot: int
    profile: str
    time_scale: float
    api_port: int
    apiservers: int
    mtu: int
    ip_families: IpFamilies
    process_memory: str
    door: str
    machines: int  # at most, the first one included


def invitation(spec: ClusterSpec, *, door: str = "", machines: int = MAX_MACHINES) -> str:
    """Return what a cluster tells machines that join, as JSON.

    Args:
        spec: the first machine's.
        door: the first apiserver's address, where it is not the slot's own on the backbone.
        machines: how many there is room for in the address plan, beside what else is there.
    """
    told = Invitation(
        name=spec.name,
        slot=spec.slot,
        profile=spec.profile,
        time_scale=spec.time_scale,
        api_port=spec.base_port,
        apiservers=spec.apiservers,
        mtu=spec.link_mtu,
        ip_families=spec.ip_families,
        process_memory=spec.process_memory,
        door=door or Addresses(spec).apiserver(spec.instances(APISERVER)[0]),
        machines=min(machines, MAX_MACHINES, 10 - spec.apiservers),  # further apiservers' addresses are taken
    )
    return msgspec.json.encode(told).decode()


def read_invitation(text: str) -> Invitation:
    """Read what `invitation` returned.

    Raises:
        JoinError: the text is none of this version.
    """
    try:
        return msgspec.json.decode(text, type=Invitation)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise JoinError(f"the first machine has another version of Kubarium: {error}") from error


def joined_spec(told: Invitation, *, name: str, machine: int, listen: str, first: str) -> ClusterSpec:
    """Return the spec of a machine that joins, without nodes.

    Args:
        told: by the first machine.
        name: of the cluster on this machine; "" for the one that it has.
        machine: its number.
        listen: its own address.
        first: the first machine's.

    Raises:
        JoinError: it tells of what cannot be.
    """
    try:
        fields = {**msgspec.to_builtins(told), "name": name or told.name, "runtime": "docker"}
        del fields["machines"]
        own = {"machine": machine, "listen": listen, "joined": first, "next_index": first_index(machine)}
        return msgspec.convert({**fields, **own}, ClusterSpec)
    except msgspec.ValidationError as error:
        raise JoinError(f"the first machine has another version of Kubarium: {error}") from error


def number_of(claims: Mapping[str, str], address: str, machines: int) -> tuple[int, bool]:
    """Return which number a machine of that address has or may claim, and whether it has it already.

    Args:
        claims: addresses by the names of their ConfigMaps.
        address: the machine's own.
        machines: how many there is room for.

    Raises:
        JoinError: there is no number left.
    """
    for number in range(2, machines + 1):
        holder = claims.get(f"{CLAIM}{number}")
        if holder in {None, address}:
            return number, holder is not None
    raise JoinError(
        f"all numbers of machines are taken: `kubectl -n {NAMESPACE} get configmaps` shows by whom; "
        f"delete that of one that has left for good"
    )


def join_command(spec: ClusterSpec, token: str, authority_hash: str) -> str:
    """Return the command that brings another machine in."""
    door = f"{spec.listen}:{Addresses(spec).rest_port}"
    return f"kubarium join {door} --token {token} --ca-hash {authority_hash}"


def door_of(text: str) -> tuple[str, int]:
    """Return the address and the port in ADDRESS:PORT.

    Raises:
        JoinError: there is none.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise JoinError(f'"{text}" has to be ADDRESS:PORT, as `kubarium token create` prints it')
    return host, int(port)


def public_key_hash(public_key: bytes) -> str:
    """Return the hash of an authority's public key (DER, SubjectPublicKeyInfo) as kubeadm writes it."""
    return f"sha256:{sha256(public_key).hexdigest()}"


def signed_kubeconfig(info: Mapping[str, Any], token: str) -> str:
    """Return the kubeconfig in the data of the ConfigMap cluster-info, which a token has signed (JWS, HS256).

    https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#configmap-signing

    Raises:
        JoinError: the token has not signed it; or with another secret half.
    """
    token_id, _, key = token.partition(".")
    content, signature = info.get(_KUBECONFIG), info.get(f"{_SIGNATURE}{token_id}")
    if not isinstance(content, str) or not isinstance(signature, str):
        raise JoinError(
            f"the cluster knows no token {token_id}: it may have expired (`kubarium token create` makes one)"
        )
    header, _, sum_of_it = signature.partition("..")
    expected = _encoded(digest(key.encode(), f"{header}.{_encoded(content.encode())}".encode(), sha256))
    if not _is_hs256(header) or not compare_digest(expected, sum_of_it):
        raise JoinError(
            "what answers there does not know the token's secret half: it is not the cluster that is meant"
        )
    return content


def _is_hs256(header: str) -> bool:
    try:
        return bool(json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))["alg"] == "HS256")
    except (ValueError, KeyError, TypeError):
        return False


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
