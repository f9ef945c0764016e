"""Reads what volumes are made of: ConfigMaps, Secrets, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from kubelet.core.volumes import config_map_data, secret_data, token_refresh_s
from kubelet.referenced_objects import ObjectSource
from kubelet.volumes.problem import VolumeProblem
from machinery.client.api import Api
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s.authentication_v1 import (
    BoundObjectReference,
    TokenRequest,
    TokenRequestSpec,
    TokenRequestStatus,
)
from machinery.model.k8s.core_v1 import ConfigMap, Pod, Secret, ServiceAccountTokenProjection
from machinery.model.resources import CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS, Resource

S = TypeVar("S", ConfigMap, Secret)


@dataclass(frozen=True, slots=True)
class _Token:
    status: TokenRequestStatus
    refresh_s: float  # cluster seconds since the epoch


class Sources:
    """The sources of the volumes of the node's pods."""

    def __init__(self, api: Api, objects: ObjectSource, clock: Clock, *, makes_tokens: bool = True) -> None:
        self._makes_tokens = makes_tokens
        self._api = api
        self._objects = objects
        self._clock = clock
        self._tokens: dict[str, dict[tuple[str, int], _Token]] = {}  # by pod uid

    async def config_map(self, pod: Pod, name: str, *, optional: bool) -> Mapping[str, bytes]:
        """Return a ConfigMap's data; nothing for an optional one that is not there.

        Raises:
            VolumeProblem: it is not there, or cannot be read.
            ValueError: a value is no base64.
        """
        found = await self._read(CONFIG_MAPS, "configmap", pod, name, optional=optional)
        return config_map_data(found) if found else {}

    async def secret(self, pod: Pod, name: str, *, optional: bool) -> Mapping[str, bytes]:
        """Return a Secret's data; nothing for an optional one that is not there.

        Raises:
            VolumeProblem: it is not there, or cannot be read.
            ValueError: a value is no base64.
        """
        found = await self._read(SECRETS, "secret", pod, name, optional=optional)
        return secret_data(found) if found else {}

    async def token(self, pod: Pod, source: ServiceAccountTokenProjection) -> str:
        """Return a token for the pod's ServiceAccount, bound to the pod; a new one when it gets old. "" where nobody reads it.

        Raises:
            VolumeProblem: it cannot be had now.
        """
        if not self._makes_tokens:
            return ""
        return (await self.token_status(pod, source.audience, source.expirationSeconds)).token

    async def token_status(
        self, pod: Pod, audience: str, expiration_s: int | None = None
    ) -> TokenRequestStatus:
        """Return such a token for an audience ("": the apiserver), with its end; a new one when it gets old.

        Raises:
            VolumeProblem: it cannot be had now.
        """
        tokens = self._tokens.setdefault(pod.metadata.uid, {})
        key = (audience, expiration_s or 3600)
        known = tokens.get(key)
        if known is None or self._clock.now() >= known.refresh_s:
            try:
                known = tokens[key] = await self._fetch(pod, *key)
            except ApiError as error:
                if known is None:
                    raise VolumeProblem(f"failed to fetch token: {error.message}") from error
        return known.status

    def forget(self, pod_uid: str) -> None:
        """Drop what is kept for a pod."""
        self._tokens.pop(pod_uid, None)

    async def _read(
        self, resource: Resource[S], word: str, pod: Pod, name: str, *, optional: bool
    ) -> S | None:
        try:
            return await self._objects.get(resource, pod, name)
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
        return _Token(reply.status, token_refresh_s(asked_s, expires_s))
