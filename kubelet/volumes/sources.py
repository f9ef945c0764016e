"""Reads what volumes are made of: ConfigMaps, Secrets, tokens. Immutable objects are read once for each pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from kubelet.core.volumes import config_map_data, secret_data, token_refresh_s
from kubelet.volumes.problem import VolumeProblem
from machinery.client.api import Api
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestSpec
from machinery.model.k8s.core_v1 import ConfigMap, Pod, Secret, ServiceAccountTokenProjection
from machinery.model.resources import CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS, Resource

S = TypeVar("S", ConfigMap, Secret)


_KEPT_BYTES: Final = 2 * 2**20  # of immutable objects, for one pod


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    refresh_s: float  # cluster seconds since the epoch


class Sources:
    """The sources of the volumes of the node's pods."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._immutable: dict[str, dict[tuple[str, str], Mapping[str, bytes]]] = {}  # by pod uid
        self._tokens: dict[str, dict[tuple[str, int], _Token]] = {}

    async def config_map(self, pod: Pod, name: str, *, optional: bool) -> Mapping[str, bytes]:
        """Return a ConfigMap's data; nothing for an optional one that is not there.

        Raises:
            VolumeProblem: it is not there, or cannot be read.
            ValueError: a value is no base64.
        """
        key = ("configmap", name)
        if (known := self._known(pod, key)) is not None:
            return known
        found = await self._read(CONFIG_MAPS, "configmap", pod, name, optional=optional)
        return self._kept(pod, key, config_map_data(found), found) if found else {}

    async def secret(self, pod: Pod, name: str, *, optional: bool) -> Mapping[str, bytes]:
        """Return a Secret's data; nothing for an optional one that is not there.

        Raises:
            VolumeProblem: it is not there, or cannot be read.
            ValueError: a value is no base64.
        """
        key = ("secret", name)
        if (known := self._known(pod, key)) is not None:
            return known
        found = await self._read(SECRETS, "secret", pod, name, optional=optional)
        return self._kept(pod, key, secret_data(found), found) if found else {}

    async def token(self, pod: Pod, source: ServiceAccountTokenProjection) -> str:
        """Return a token for the pod's ServiceAccount, bound to the pod; a new one when it gets old.

        Raises:
            VolumeProblem: it cannot be had now.
        """
        tokens = self._tokens.setdefault(pod.metadata.uid, {})
        key = (source.audience, source.expirationSeconds or 3600)
        known = tokens.get(key)
        if known is None or self._clock.now() >= known.refresh_s:
            try:
                known = tokens[key] = await self._fetch(pod, *key)
            except ApiError as error:
                if known is None:
                    raise VolumeProblem(f"failed to fetch token: {error.message}") from error
        return known.text

    def forget(self, pod_uid: str) -> None:
        """Drop what is kept for a pod."""
        self._immutable.pop(pod_uid, None)
        self._tokens.pop(pod_uid, None)

    def _known(self, pod: Pod, key: tuple[str, str]) -> Mapping[str, bytes] | None:
        return self._immutable.get(pod.metadata.uid, {}).get(key)

    def _kept(
        self, pod: Pod, key: tuple[str, str], data: Mapping[str, bytes], found: S
    ) -> Mapping[str, bytes]:
        if found.immutable:
            kept = self._immutable.setdefault(pod.metadata.uid, {})
            size = _size(data) + sum(_size(each) for each in kept.values())
            if size <= _KEPT_BYTES:  # what is more is read again
                kept[key] = data
        return data

    async def _read(
        self, resource: Resource[S], word: str, pod: Pod, name: str, *, optional: bool
    ) -> S | None:
        try:
            return await self._api.get(resource, name, namespace=pod.metadata.namespace)
        except NotFound as error:
            if optional:
                return None
            raise VolumeProblem(f'{word} "{name}" not found') from error
        except ApiError as error:
            raise VolumeProblem(f'{word} "{name}": {error.message}') from error

    async def _fetch(self, pod: Pod, audience: str, expiration_s: int) -> _Token:
        meta = pod.metadata
        request = TokenRequest(
            spec=TokenRequestSpec(
                audiences=[audience] if audience else [],
                expirationSeconds=expiration_s,
                boundObjectRef=BoundObjectReference(
                    apiVersion="v1", kind="Pod", name=meta.name, uid=meta.uid
                ),
            )
        )
        asked_s = self._clock.now()
        account = pod.spec.serviceAccountName or "default"
        reply = await self._api.post(
            SERVICE_ACCOUNTS, account, "token", request, TokenRequest, namespace=meta.namespace
        )
        expires = reply.status.expirationTimestamp
        expires_s = self._clock.timescale.parse(expires) if expires else asked_s + expiration_s
        return _Token(reply.status.token, token_refresh_s(asked_s, expires_s))


def _size(data: Mapping[str, bytes]) -> int:
    return sum(len(value) for value in data.values())
