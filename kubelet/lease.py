"""The node's heartbeat: a Lease in kube-node-lease, renewed by one small update."""

from __future__ import annotations

import contextlib
from dataclasses import KW_ONLY, dataclass, field
from typing import Final

from kubelet.core.node_status import LEASE_NAMESPACE, new_lease, renewed
from machinery.client.api import Api
from machinery.model.backoff import Backoff
from machinery.model.clock import Clock
from machinery.model.errors import AlreadyExists, ApiError, Conflict, NotFound
from machinery.model.k8s.coordination_v1 import Lease
from machinery.model.log import SILENT, EventLog
from machinery.model.profile import Intervals
from machinery.model.resources import LEASES

_RETRY: Final = Backoff(initial_s=0.1, cap_s=1.0)  # wall seconds
_LEAST_TIMEOUT_S: Final = 1.0


@dataclass(slots=True)
class NodeLease:
    """Renews one node's lease."""

    api: Api
    clock: Clock
    log: EventLog = SILENT
    _: KW_ONLY
    name: str
    node_uid: str
    intervals: Intervals
    _held: Lease | None = field(init=False, default=None)
    _timeout_s: float = field(init=False)  # wall: a hung call must not cost the lease

    def __post_init__(self) -> None:
        lasts_s = self.clock.timescale.wall(self.intervals.node_lease_duration_s)
        self._timeout_s = max(_LEAST_TIMEOUT_S, lasts_s / 4)

    async def run(self) -> None:
        """Renew until cancelled; after a failure soon again, and never later than the next regular renewal."""
        failures = 0
        while True:
            begun_s = self.clock.monotonic()
            try:
                await self.renew()
                failures = 0
            except ApiError as error:
                failures += 1
                self._note(error, failures)
            await self.clock.sleep(self._pause_s(failures) - (self.clock.monotonic() - begun_s))

    async def renew(self) -> None:
        """Write that the node is alive now.

        Raises:
            ApiError: nobody knows of it.
        """
        if self._held is None:
            self._held = await self._find()
        if self._held is None:
            await self._create()
            return
        try:
            self._held = await self.api.update(
                LEASES, renewed(self._held, self._fresh()), timeout_s=self._timeout_s
            )
        except (Conflict, NotFound):  # somebody wrote, or took it away: begin from what is there
            self._held = None
            raise

    def _pause_s(self, failures: int) -> float:
        regular_s = self.intervals.node_lease_renew_s
        if not failures:
            return regular_s
        return min(regular_s, self.clock.timescale.cluster(_RETRY.delay(failures)))

    async def _find(self) -> Lease | None:
        try:
            return await self.api.get(LEASES, self.name, namespace=LEASE_NAMESPACE, timeout_s=self._timeout_s)
        except NotFound:
            return None

    async def _create(self) -> None:
        with contextlib.suppress(AlreadyExists):  # our own, whose answer was lost: the next renewal finds it
            self._held = await self.api.create(LEASES, self._fresh(), timeout_s=self._timeout_s)

    def _fresh(self) -> Lease:
        return new_lease(
            self.name,
            self.node_uid,
            duration_s=self.intervals.node_lease_duration_s,
            renew_text=self.clock.timescale.format_micro(self.clock.now()),
        )

    def _note(self, error: ApiError, failures: int) -> None:
        is_news = (failures == 1 or failures % 20 == 0) and not isinstance(error, Conflict)
        write = self.log.warning if is_news else self.log.debug
        write("lease_not_renewed", node=self.name, error=error, attempts=failures)
