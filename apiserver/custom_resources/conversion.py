"""Conversion webhooks, called: each definition's objects are converted by its own, several by one call.

What was converted is kept for a while: the rule that needed it is run anew, and finds it (`apiserver.core.conversion`).
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import msgspec

from apiserver.admission import webhook_call
from apiserver.admission.service_dialer import ServiceDialer
from apiserver.admission.web_client import CallFailed, WebClient
from apiserver.aside import aside, slices, weigh
from apiserver.core.conversion import ConversionNeeded
from apiserver.core.custom.conversion import BadConversion, called, converted, failed, review
from apiserver.core.values import Json, spec
from machinery.model.errors import InternalError

TIMEOUT_S: Final = 30.0  # wall seconds of one call
_KEPT: Final = 1_000  # conversions
_KEPT_BYTES: Final = 16 * 1024 * 1024
_BATCH_BYTES: Final = 2 * 1024 * 1024  # of objects, in one call

Key: TypeAlias = tuple[bytes, str]


class WebhookConverter:
    """Converts the objects of one definition."""

    def __init__(self, conversion: Json, client: WebClient, dialer: ServiceDialer) -> None:
        webhook = conversion.get("webhook") or {}
        self._config: Json = webhook.get("clientConfig") or {}
        self._versions: Sequence[str] = webhook.get("conversionReviewVersions") or ()
        self._client = client
        self._dialer = dialer
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._kept_bytes = 0

    def convert(self, obj: Json, api_version: str) -> Json:
        """Return an object in another version, if that is known already.

        Raises:
            ConversionNeeded: it is not.
        """
        if obj.get("apiVersion") == api_version:
            return obj
        key = (msgspec.json.encode(obj, order="deterministic"), api_version)
        known = self._kept.get(key)
        if known is None:
            raise ConversionNeeded(lambda: self._make(key, obj))
        found: Json = msgspec.json.decode(known)
        return found

    async def convert_all(self, objs: Sequence[Json], api_version: str) -> list[Json]:
        """Return objects in another version, in their order.

        Raises:
            InternalError: the webhook does not answer, or makes no sense.
        """
        wanted = [obj for obj in objs if obj.get("apiVersion") != api_version]
        made: list[Json] = []
        for some, _ in slices(wanted, weigh, _BATCH_BYTES):
            made += await self._call(some, api_version)
        found = iter(made)
        return [obj if obj.get("apiVersion") == api_version else next(found) for obj in objs]

    async def _make(self, key: Key, obj: Json) -> None:
        [made] = await self._call([obj], key[1])
        value = msgspec.json.encode(made)
        self._kept[key] = value
        self._kept_bytes += len(key[0]) + len(value)
        while len(self._kept) > _KEPT or self._kept_bytes > _KEPT_BYTES:
            (first, _), dropped = self._kept.popitem(last=False)
            self._kept_bytes -= len(first) + len(dropped)

    async def _call(self, objs: Sequence[Json], api_version: str) -> list[Json]:
        asked = review(objs, api_version, str(uuid.uuid4()), self._versions)
        name = called(objs[0])
        try:
            body = await aside(len(objs), msgspec.json.encode, asked)
            try:
                answer = await webhook_call.post(self._config, body, TIMEOUT_S, self._client, self._dialer)
            except CallFailed as error:
                raise failed(name, str(error)) from error
            return await aside(len(answer), _read, answer, asked)
        except BadConversion as error:
            raise InternalError(str(error)) from error


def _read(answer: bytes, asked: Json) -> list[Json]:
    try:
        decoded = msgspec.json.decode(answer)
    except (msgspec.DecodeError, RecursionError) as error:
        raise failed(called(asked["request"]["objects"][0]), f"the answer is no JSON: {error}") from error
    return converted(decoded, asked)


def converter_of(client: WebClient, dialer: ServiceDialer) -> Callable[[Json], WebhookConverter | None]:
    """Return what makes the converter of a definition; None for one whose versions differ in their name alone."""

    def make(definition: Json) -> WebhookConverter | None:
        conversion = spec(definition).get("conversion") or {}
        if conversion.get("strategy") != "Webhook":
            return None
        return WebhookConverter(conversion, client, dialer)

    return make
