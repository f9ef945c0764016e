"""Follows the ConfigMap kube-system/kubarium-dns: each change counts at once, and one that makes no sense not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dns.core.settings import CONFIG_MAP, NAMESPACE, Settings, read_settings
from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.clock import Clock
from machinery.model.k8s.core_v1 import ConfigMap
from machinery.model.log import EventLog
from machinery.model.requests import Selection
from machinery.model.resources import CONFIG_MAPS
from machinery.model.store import Change

_PATIENCE_S: Final = 2.0  # wall seconds: whoever may not read it answers without


class FollowedSettings:
    """The settings as they are."""

    def __init__(self, api: Api, use: Callable[[Settings], None], *, clock: Clock, log: EventLog) -> None:
        """Follow them; `use` is called with the settings at each change."""
        only = Selection(namespace=NAMESPACE, field_selector=f"metadata.name={CONFIG_MAP}")
        self._informer: Informer[ConfigMap] = Informer(api, CONFIG_MAPS, only, clock=clock, log=log)
        self._informer.subscribe(self._on_change)
        self._use = use
        self._clock = clock
        self._log = log
        self.problem = ""  # why the last change does not count

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._informer.run()

    async def known(self) -> None:
        """Wait until they are known, but not for long."""
        try:
            async with self._clock.timeout_wall(_PATIENCE_S):
                await self._informer.synced()
        except TimeoutError:
            self._log.warning("settings_unknown", config_map=f"{NAMESPACE}/{CONFIG_MAP}")

    def _on_change(self, change: Change[ConfigMap]) -> None:
        data = change.new.data if change.new is not None else {}
        try:
            settings = read_settings(data)
        except ValueError as error:
            self.problem = str(error)
            self._log.warning("settings_refused", config_map=f"{NAMESPACE}/{CONFIG_MAP}", why=self.problem)
            return
        self.problem = ""
        self._use(settings)
        self._log.info("settings_used", config_map=f"{NAMESPACE}/{CONFIG_MAP}", keys=",".join(sorted(data)))
