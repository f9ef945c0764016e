"""What a controller is: what it watches, what it looks at, and what it plans from that.

    change in a cache ─▶ keys ─▶ queue ─▶ look(key) ─▶ plan(seen, moment, facts) ─▶ executed
                └──────▶ notes: what it remembers ──┘

A controller is a folder beside this one, with a function `build(caches, settings) -> Controller` that the table
(`controllers.table`) lists. The folder decides and does nothing else: no I/O, no clock. All that acts is generic, and
lives above (`manager`, `execute`, `informers`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from controllers.core.actions import Facts, Plan
from controllers.core.caches import Caches, Source
from controllers.core.moment import Moment
from machinery.model.profile import Intervals
from machinery.model.resources import KubeObject, Resource
from machinery.model.store import Change

In = TypeVar("In")  # what a plan may know
T = TypeVar("T", bound=KubeObject)
Key: TypeAlias = tuple[str, ...]
"""Where an object is: (namespace, name). A controller may use any other texts that say what is to be looked at."""

EVERYTHING_AT_ONCE: Final[Key] = ("", "")
"""The only key of a controller that plans for everything at once."""


SignToken: TypeAlias = Callable[[dict[str, Any]], str]
"""Returns the token of some claims."""
SignCertificate: TypeAlias = Callable[[str, tuple[str, ...], float, float], bytes]
"""Returns the certificate (PEM) of a request (PEM in Base64) with some usages, from when until when: wall seconds since 1970.

It raises ValueError where the request cannot be signed."""


@dataclass(frozen=True, slots=True)
class EvictionRates:
    """How fast nodes that are not ready lose their pods, zone by zone."""

    per_s: float = 0.1  # nodes of a zone that get the NoExecute taint; the first one at once
    secondary_per_s: float = 0.01  # in a large zone that is largely down
    large_zone: int = 50  # nodes; a smaller zone that is largely down has no evictions at all
    unhealthy_share: float = 0.55  # with which a zone is largely down


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """How autoscalers work where they do not say it themselves; times are cluster seconds."""

    sync_s: float = 15.0  # how often one is looked at
    stabilization_s: float = 300.0  # in which one does not shrink below what was asked for
    tolerance: float = 0.1  # how far a ratio may be from 1 without that anything is done
    cpu_initialization_s: float = 300.0  # in which a new pod may need more than it will
    initial_readiness_s: float = (
        30.0  # in which a pod that is not ready has never been, however that came about
    )


USUAL: Final = Autoscaling()


@dataclass(frozen=True, slots=True)
class Settings:
    """What the controllers are built with."""

    intervals: Intervals
    kinds: tuple[
        Resource[Any], ...
    ]  # every kind that the cluster has, with the types that the controllers use
    cluster_cidr: str = (
        ""  # range that nodes get their pod addresses from, or one of each family with a comma; none if empty
    )
    load_balancer_pool: str = ""  # addresses of load balancers, "first-last" or a network; none if empty
    root_ca: str = ""  # PEM published in every namespace; none if empty
    sign_token: SignToken | None = None  # None: no token is made
    sign_certificate: SignCertificate | None = None  # None: nothing is signed
    published: Callable[[], bytes] = lambda: b"{}"  # Kubernetes' published schemas
    evictions: EvictionRates = EvictionRates()
    ended_pods: int = 12_500  # that there may be; no limit where it is not above 0
    autoscaling: Autoscaling = USUAL
    signing_duration_s: float = 365 * 24 * 3600  # cluster seconds that certificates last at most
    legacy_token_period_s: float = 365 * 24 * 3600  # cluster seconds after which an unused token is marked


@dataclass(frozen=True, slots=True)
class Watched(Generic[T]):
    """Whose changes concern the controller, and which of its keys.

    `keys` runs inside the informer, while this process leads: it is cheap and never fails. What comes often is looked
    at together: a key waits for `within_s` (cluster seconds), for whatever else comes until then.
    """

    source: Source[T]
    keys: Callable[[Change[T]], Iterable[Key]]
    within_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Noted(Generic[T]):
    """What the controller remembers of changes, also while another process leads.

    `note` takes the change and when it was seen (monotonic cluster seconds). It runs before any `keys` for the same
    change, under the same rules.
    """

    source: Source[T]
    note: Callable[[Change[T], float], None]


@dataclass(frozen=True, slots=True)
class LaterKinds:
    """What a controller does with kinds that come, and go, while the process runs: those of custom resources.

    `come` returns what is watched of the kind, and what is remembered of its changes. Before `gone` is called, every
    object that is left has been told as deleted.
    """

    come: Callable[[Source[Any]], tuple[Watched[Any], Noted[Any] | None]]
    gone: Callable[[Source[Any]], None]


@dataclass(frozen=True, slots=True)
class Controller(Generic[In]):
    """One controller, built.

    `look` reads the caches and what the controller remembers: a frozen value with all that the plan may know, None
    where there is nothing to plan for. `plan` decides from that value, the moment and what was asked live; it may be
    called several times for one look, with more facts each time. Whatever the caches missed comes with the next look.
    """

    name: str  # as the source of events, and in logs
    watched: tuple[Watched[Any], ...]
    look: Callable[[Key, Moment], In | None]
    plan: Callable[[In, Moment, Facts], Plan]
    writes: frozenset[str] = frozenset()
    """All that it may write: `create pods`, `patch jobs.batch/status`, `delete *` for any kind, `patch */scale`, `ask nodes/proxy`."""
    notes: tuple[Noted[Any], ...] = ()
    later: LaterKinds | None = None  # where it concerns itself with every kind
    workers: int = 1
    always: tuple[Key, ...] = ()  # keys that exist from the start
    size: Callable[[In], int] = lambda _seen: 0
    """How many objects a plan goes through, where these may be thousands: its key then rests for a while (`controllers.core.rests`)."""
    heard: Callable[[bool, float], None] = lambda _answers, _now_s: None
    """Called when the apiserver has answered a live question, or has not; with the monotonic time."""
    remember: Callable[[Any], None] = lambda _what: None
    """Called with what a plan wants to be remembered (`Remember`)."""


Build: TypeAlias = Callable[[Caches, Settings], Controller[Any]]
