"""What a plan consists of: writes as data, and the questions that only the apiserver itself can answer.

A controller's `plan` reads the informers' stores, which may lag behind. Where that is not enough (adopting a
pod, collecting garbage), it returns a plan with `needs` and no actions; the shell looks them up live and calls
`plan` again with the answers in `Facts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from machinery.model.json_objects import Json
from machinery.model.k8s.core_v1 import ObjectReference
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import PatchType, reference_to
from machinery.model.resources import KubeObject, Resource

NORMAL: Final = "Normal"
WARNING: Final = "Warning"


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """An Event: what was done to an object. `{name}` and `{error}` are filled in from the outcome."""

    regarding: ObjectReference
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Create:
    """Write a new object."""

    resource: Resource[Any]
    object: KubeObject
    on_success: RecordEvent | None = None
    on_failure: RecordEvent | None = None
    already_exists_is_fine: bool = False


@dataclass(frozen=True, slots=True)
class Patch:
    """Change some fields. A `metadata.resourceVersion` or `metadata.uid` inside is a precondition."""

    resource: Resource[Any]
    namespace: str
    name: str
    patch: Any
    subresource: str = ""
    kind: PatchType = PatchType.MERGE
    on_success: RecordEvent | None = None
    absent_is_fine: bool = False


@dataclass(frozen=True, slots=True)
class Finalize:
    """Write a namespace's finalizers through its `finalize` subresource."""

    resource: Resource[Any]
    object: KubeObject


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete this very object (by uid); one that is gone already is fine."""

    resource: Resource[Any]
    namespace: str
    name: str
    uid: str
    resource_version: str = ""
    grace_period_s: int | None = None
    propagation_policy: str = ""
    on_success: RecordEvent | None = None
    on_failure: RecordEvent | None = None


@dataclass(frozen=True, slots=True)
class DeleteCollection:
    """Delete every object of a kind in a namespace."""

    resource: Resource[Any]
    namespace: str


@dataclass(frozen=True, slots=True)
class AskNode:
    """Have a node's kubelet do something: idempotent, for it is asked again where its answer is lost."""

    node: str
    method: Literal["Create", "Delete"]
    path: str  # of its page
    on_failure: RecordEvent | None = None


Write = Create | Patch | Finalize | Delete | DeleteCollection | AskNode


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write that may be refused: what is done after it, and what is done instead of that where it was.

    Where nobody knows whether it was done, or this process does not lead any more, neither is: the plan fails.
    """

    write: Write
    then: tuple[Action, ...]
    otherwise: Callable[[Failure], tuple[Action, ...]]


@dataclass(frozen=True, slots=True)
class Remember:
    """What the controller is to remember as soon as all that stands before it was done, whatever comes after it."""

    note: Any


@dataclass(frozen=True, slots=True)
class Metric:
    """What is counted on /metrics, by the name that kube-controller-manager has for it; with `buckets` it is a histogram."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Count:
    """Count something, as soon as all that stands before it was done; the values belong to the metric's labels."""

    metric: Metric
    values: tuple[str, ...] = ()
    amount: float = 1


@dataclass(frozen=True, slots=True)
class Sync:
    """What one more sync of a key is counted as: on a counter, and on a histogram of how many wall seconds it took."""

    total: Metric
    duration: Metric
    values: tuple[str, ...]
    on_failure: tuple[str, ...] = ()  # values where a write was refused; the same where there are none


@dataclass(frozen=True, slots=True)
class SlowStart:
    """Writes that will likely fail together: 1, then 2, then 4… at once; after a failure the rest is left out."""

    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class AllAtOnce:
    """Writes that do not depend on each other: all at once, and each is tried."""

    writes: tuple[Write, ...]


Action: TypeAlias = "Write | SlowStart | AllAtOnce | RecordEvent | Attempt | Remember | Count"


@dataclass(frozen=True, slots=True)
class Lookup:
    """One object, asked for live."""

    resource: Resource[Any]
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Census:
    """All objects of a kind in a namespace, asked for live (metadata only)."""

    resource: Resource[Any]
    namespace: str


@dataclass(frozen=True, slots=True)
class Documents:
    """All objects of a kind in a namespace, or the one of a name, asked for live: metadata, spec and status, as JSON gives them.

    Of the one of a name it may be a subresource: "scale".
    """

    resource: Resource[Any]
    namespace: str
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class MayDo:
    """Whether somebody may do something, asked for live (a SubjectAccessReview)."""

    user: str
    uid: str
    groups: tuple[str, ...]
    extra: tuple[tuple[str, tuple[str, ...]], ...]
    verb: str
    group: str
    resource: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Selected:
    """The objects of a kind that a label selector selects in a namespace, asked for live, as the resource's type has them."""

    resource: Resource[Any]
    namespace: str
    label_selector: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an object (its Scale), or what stands at a path like one's, asked for live as JSON.

    `query` is for other servers than the apiserver.
    """

    group: str
    version: str
    resource: str
    namespace: str
    name: str
    subresource: str = ""
    query: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a version of a group serves, asked for live (`machinery.client.api.Discovered`)."""

    group: str
    version: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a question has no answer: that is one, too."""

    reason: str  # of the Status: "NotFound"
    message: str
    name: str = ""  # of the object that it is about


@dataclass(frozen=True, slots=True)
class Finding:
    """What follows from values alone, and takes long to find: it is found beside the event loop, which goes on."""

    about: str  # what tells it from the plan's other findings
    find: Callable[[], Any] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """How the previous execution of a plan for the same key ended, if it failed."""

    reason: str  # of the Status: "Forbidden"
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Live answers, findings, and the previous failure. An absent key means: not asked yet; None: it is not there."""

    objects: Mapping[Lookup, ObjectMeta | None] = field(default_factory=dict)
    collections: Mapping[Census, tuple[ObjectMeta, ...]] = field(default_factory=dict)
    documents: Mapping[Documents, tuple[Json, ...]] = field(default_factory=dict)
    permissions: Mapping[MayDo, bool] = field(default_factory=dict)
    answers: Mapping[Selected | Part | Discovery, Any] = field(default_factory=dict)  # or a Refusal
    findings: Mapping[Finding, Any] = field(default_factory=dict)
    failure: Failure | None = None


NO_FACTS: Final = Facts()


Need: TypeAlias = Lookup | Census | Documents | MayDo | Selected | Part | Discovery | Finding


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, in this order, and when to look again (cluster seconds; None: at the next change).

    A failing action ends the execution: the plan is made anew from what is then true. With `needs`, nothing is
    done, and `plan` is called again with the answers. What it is counted as stands in `syncs`.
    """

    actions: tuple[Action, ...] = ()
    requeue_after_s: float | None = None
    needs: tuple[Need, ...] = ()
    syncs: tuple[Sync, ...] = field(default=(), compare=False)


NOTHING_TO_DO: Final = Plan()


def event(obj: KubeObject, type_: Literal["Normal", "Warning"], reason: str, message: str) -> RecordEvent:
    """Say something about an object."""
    return RecordEvent(reference_to(obj), type_, reason, message)


def delete(resource: Resource[Any], obj: KubeObject, **options: Any) -> Delete:
    """Delete exactly this object."""
    meta = obj.metadata
    return Delete(resource, meta.namespace, meta.name, meta.uid, **options)


def soonest(*delays_s: float | None) -> float | None:
    """Return the shortest of some delays, None where there is none."""
    return min((delay for delay in delays_s if delay is not None), default=None)
