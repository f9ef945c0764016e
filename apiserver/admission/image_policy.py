"""ImagePolicyWebhook: a server is asked whether the images of a pod may run; off by default.

What it answers is remembered as long as the configuration says; what holds where it cannot be asked is `defaultAllow`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

from apiserver.audit_notes import annotate
from apiserver.core.admission.attributes import Attributes, forbidden
from apiserver.core.configured.image_policy import ImagePolicySettings
from apiserver.core.hooks.image_reviews import ImageVerdict, read_verdict, review, review_spec
from apiserver.core.values import Json
from apiserver.remotes import RemoteServer
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, TooManyRequests, Unavailable
from machinery.model.log import EventLog

NAME: Final = "ImagePolicyWebhook"
_NOTES: Final = "imagepolicywebhook.image-policy.k8s.io/"
_REMEMBERED: Final = 1024  # answers
_TRIES: Final = 5
_WITHIN_S: Final = 30.0  # wall seconds of one try


class ImagePolicy:
    """The server, and what it has answered."""

    def __init__(
        self, settings: ImagePolicySettings, server: RemoteServer, clock: Clock, log: EventLog
    ) -> None:
        self._settings = settings
        self._server = server
        self._clock = clock
        self._log = log
        self._answers: OrderedDict[bytes, tuple[float, ImageVerdict]] = OrderedDict()

    async def validate(self, attributes: Attributes, pod: Json) -> None:
        """Ask about the images of a pod that is written.

        Raises:
            Forbidden: they may not run, or nobody could be asked.
        """
        asked = review_spec(attributes, pod)
        if asked is None:
            return
        try:
            verdict = await self._verdict(asked)
        except (ValueError, ApiError) as error:
            self._log.warning("image_policy_failed", error=str(error), ignored=self._settings.default_allow)
            if not self._settings.default_allow:
                raise forbidden(attributes, pod, str(error)) from error
            annotate(f"{_NOTES}failed-open", "true")
            return
        for key, value in verdict.notes:
            annotate(f"{_NOTES}{key}", value)
        if not verdict.is_allowed:
            raise forbidden(attributes, pod, verdict.refusal)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._server.aclose()

    async def _verdict(self, asked: Json) -> ImageVerdict:
        key = msgspec.json.encode(asked)
        known = self._answers.get(key)
        if known is not None and self._clock.monotonic_wall() < known[0]:
            self._answers.move_to_end(key)
            return known[1]
        answer = await self._posted(msgspec.json.encode(review(asked)))
        try:
            verdict = read_verdict(msgspec.json.decode(answer))
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"the answer is no JSON: {error}") from error
        ttl_s = self._settings.allow_ttl_s if verdict.is_allowed else self._settings.deny_ttl_s
        self._answers[key] = (self._clock.monotonic_wall() + ttl_s, verdict)
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        return verdict

    async def _posted(self, body: bytes) -> bytes:
        pause_s = self._settings.retry_backoff_s
        for _ in range(_TRIES - 1):
            try:
                return await self._server.post(body, _WITHIN_S)
            except (Unavailable, TooManyRequests):
                await self._clock.sleep_wall(pause_s)
                pause_s *= 1.5
        return await self._server.post(body, _WITHIN_S)
