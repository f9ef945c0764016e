"""What happened in a cluster, as its watch streams tell it: for golden files that people read.

An `Observer` watches every resource from the first revision on. A `Transcript` makes a line of each change that means
something: virtual time, object, what is different. What is random gets a name by its turn: the first ReplicaSet of
`web` is `web-A`, its first pod `web-A-1`.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from apiserver.core.kind import Kind
from apiserver.core.kinds import KINDS
from apiserver.request import ListOptions, Request
from machinery.client.waiting import event_within
from tests.support.apiserver import ADMIN
from tests.support.virtual_clock import VirtualClock

if TYPE_CHECKING:
    from tests.support.registry_api import LocalApiserver

Json = dict[str, Any]
Key = tuple[str, str, str]  # resource, namespace, name

_UNTOLD = frozenset({"IPAddress"})  # random, and what their Services have
GOLDEN = Path(__file__).parents[1] / "scenarios" / "golden"
_SEPARATORS = re.compile(r"([^A-Za-z0-9.-]+)")
_UID = re.compile(r"\([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\)")
_CLUSTER_IP = re.compile(r"\b10\.96\.[0-9]+\.[0-9]+\b")  # one is drawn for each Service
_LEADS = "leads to "
_WRITE = os.environ.get("KUBARIUM_GOLDEN") == "write"


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of a watch stream, and when it came."""

    at_s: float
    type: str
    revision: int
    kind: Kind
    json: bytes
    obj: Json
    old: Json | None

    @property
    def key(self) -> Key:
        """The object's place."""
        meta = self.obj["metadata"]
        return self.kind.plural, meta.get("namespace", ""), meta["name"]


class Observer:
    """Watches everything, as the admin."""

    def __init__(self, api: LocalApiserver, clock: VirtualClock) -> None:
        self._registry = api.core.registry
        self._clock = clock
        self._changed = asyncio.Event()
        self._now: dict[Key, Json] = {}
        self.seen: list[Seen] = []
        self.transcript = Transcript(0, 0)

    def begin(self) -> None:
        """Begin the transcript now."""
        newest = max((each.revision for each in self.seen), default=0)
        self.transcript = Transcript(self._clock.now(), newest)
        for each in self.seen:
            self.transcript.learn(each)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for kind in KINDS.values():
                tasks.create_task(self._follow(kind))

    def objects(self, resource: str) -> list[Json]:
        """Return the objects of a resource as they are now."""
        return [obj for key, obj in sorted(self._now.items()) if key[0] == resource]

    def object(self, resource: str, namespace: str, name: str) -> Json | None:
        """Return one object."""
        return self._now.get((resource, namespace, name))

    async def changed_within(self, clock: VirtualClock, limit_s: float, why: str) -> None:
        """Wait for the next change."""
        self._changed.clear()
        if limit_s <= 0 or not await event_within(self._changed, clock, limit_s):
            tail = "\n".join(self.transcript.lines(self.seen)[-40:])
            raise AssertionError(f"it did not happen in time: {why}\n{tail}")

    async def _follow(self, kind: Kind) -> None:
        options = ListOptions(resource_version="1")
        request = Request(
            user=ADMIN,
            verb="watch",
            group=kind.group,
            version=kind.version,
            resource=kind.plural,
            selection=options,
        )
        async for batch in await self._registry.watch(request):
            for event in batch:
                self._take(kind, event.type.value, event.revision, event.json)

    def _take(self, kind: Kind, type_: str, revision: int, json: bytes) -> None:
        obj = msgspec.json.decode(json)
        meta = obj["metadata"]
        key = (kind.plural, meta.get("namespace", ""), meta["name"])
        seen = Seen(self._clock.now(), type_, revision, kind, json, obj, self._now.get(key))
        if type_ == "DELETED":
            self._now.pop(key, None)
        else:
            self._now[key] = obj
        self.seen.append(seen)
        self.transcript.learn(seen)
        self._changed.set()


@dataclass
class Transcript:
    """Lines, and the names of what is random. Only what comes after revision `after` is told."""

    begun_s: float
    after: int
    names: dict[str, str] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)

    def learn(self, seen: Seen) -> None:
        """Name a new object."""
        if seen.type != "ADDED":
            return
        meta = seen.obj["metadata"]
        owner = next((ref for ref in meta.get("ownerReferences", ()) if ref.get("controller")), None)
        if seen.kind.kind == "ReplicaSet" and owner:
            turn = self._turn(f"replicasets of {owner['name']}")
            self.names[meta["name"]] = f"{owner['name']}-{chr(ord('A') + turn)}"
        elif owner:
            known = self.names.get(owner["name"], owner["name"])
            self.names[meta["name"]] = f"{known}-{self._turn(known) + 1}"

    def name(self, text: str) -> str:
        """Put the names into a text."""
        words = _SEPARATORS.split(_CLUSTER_IP.sub("of-a-service", _UID.sub("(uid)", text)))
        return "".join(self.names.get(word, word) for word in words)

    def lines(self, seen: list[Seen]) -> list[str]:
        """Return a line for each event since the beginning, in the order of revisions."""
        told = sorted((each for each in seen if each.revision > self.after), key=lambda each: each.revision)
        return [line for each in told for line in self._line(each)]

    def compare(self, name: str, seen: list[Seen]) -> None:
        """Compare with the golden file; KUBARIUM_GOLDEN=write writes it."""
        text = "\n".join(self.lines(seen)) + "\n"
        path = GOLDEN / f"{name}.txt"
        if _WRITE:
            path.write_text(text)
        expected = path.read_text() if path.exists() else ""
        if text != expected:
            diff = unified_diff(expected.splitlines(), text.splitlines(), "golden", "now", n=2, lineterm="")
            pytest.fail(
                f"{path.name} tells another story; if the new one is right, run with KUBARIUM_GOLDEN=write:\n"
                + "\n".join(list(diff)[:80]),
                pytrace=False,
            )

    def _turn(self, of: str) -> int:
        turn = self.turns.get(of, 0)
        self.turns[of] = turn + 1
        return turn

    def _line(self, seen: Seen) -> Iterator[str]:
        what = "".join(_tell(seen))
        if not what or seen.kind.kind in _UNTOLD:
            return
        meta = seen.obj["metadata"]
        place = self.name(meta["name"])
        if (namespace := meta.get("namespace", "default")) != "default":
            place = f"{namespace}/{place}"
        about = f"{seen.kind.kind.lower()} {place}: " if seen.kind.kind != "Event" else ""
        yield f"t=+{seen.at_s - self.begun_s:.1f}s {about}{_in_order(self.name(what))}"


def _in_order(text: str) -> str:
    """Sort the endpoints of a slice by the names that the transcript has given them."""
    head, verb, endpoints = text.partition(_LEADS)
    return head + verb + ", ".join(sorted(endpoints.split(", "))) if verb else text


def _tell(seen: Seen) -> Iterator[str]:
    if seen.kind.kind == "Event":
        yield _tell_event(seen.obj) if seen.type != "DELETED" else ""
        return
    facets = _FACETS.get(seen.kind.kind, lambda _: {})
    if seen.type == "DELETED":
        yield "gone"
        return
    new, old = facets(seen.obj), facets(seen.old) if seen.old else {}
    changed = [text for name, text in new.items() if text and text != old.get(name)]
    changed += [f"no more {text}" for name, text in old.items() if text and not new.get(name)]
    created = seen.type == "ADDED" and seen.kind.kind != "Lease"
    yield ", ".join([*(["created"] if created else []), *changed])


def _tell_event(event: Json) -> str:
    about = event["involvedObject"]
    place = about["name"]
    if about.get("namespace", "default") != "default":
        place = f"{about['namespace']}/{place}"
    times = f" (x{event['count']})" if event.get("count", 1) > 1 else ""
    source = event.get("source", {}).get("component", "")
    return (
        f"  {source} says of {about['kind'].lower()} {place}: "
        f"{event['type']} {event['reason']}{times}: {event['message']}"
    )


def _going(obj: Json) -> dict[str, str]:
    meta = obj["metadata"]
    if "deletionTimestamp" not in meta:
        return {"finalizers": _joined("finalizers", meta.get("finalizers", []))}
    grace_s = meta.get("deletionGracePeriodSeconds", 0)
    waits = _joined("finalizers", meta.get("finalizers", []))
    return {"going": f"is being deleted (grace {grace_s} s)", "finalizers": waits}


def _deployment(obj: Json) -> dict[str, str]:
    spec, status = obj["spec"], obj.get("status", {})
    counts = [("total", "replicas"), ("updated", "updatedReplicas"), ("ready", "readyReplicas")]
    told = ", ".join(f"{status.get(field, 0)} {word}" for word, field in counts)
    conditions = {
        each["type"]: f"{each['type']} {each['status']} ({each['reason']})"
        for each in status.get("conditions", [])
    }
    return {
        "replicas": f"wants {spec.get('replicas')} of {spec['template']['spec']['containers'][0]['image']}",
        "status": f"has {told}" if status.get("observedGeneration") else "",
        "revision": _prefixed("revision ", _annotation(obj, "deployment.kubernetes.io/revision")),
        **conditions,
        **_going(obj),
    }


def _replica_set(obj: Json) -> dict[str, str]:
    status = obj.get("status", {})
    return {
        "replicas": f"wants {obj['spec'].get('replicas')}",
        "owner": _owner(obj),
        "status": f"has {status.get('replicas', 0)}, {status.get('readyReplicas', 0)} ready"
        if status.get("observedGeneration")
        else "",
        "revision": _prefixed("revision ", _annotation(obj, "deployment.kubernetes.io/revision")),
        **_going(obj),
    }


def _pod(obj: Json) -> dict[str, str]:
    status = obj.get("status", {})
    ready = next((each for each in status.get("conditions", []) if each["type"] == "Ready"), {})
    disrupted = [
        each["reason"] for each in status.get("conditions", []) if each["type"] == "DisruptionTarget"
    ]
    return {
        "node": _prefixed("on ", obj["spec"].get("nodeName", "")),
        "phase": status.get("phase", ""),
        "ready": {"True": "Ready", "False": "not Ready"}.get(ready.get("status", ""), ""),
        "reason": status.get("reason", ""),
        "disrupted": _joined("disrupted by", disrupted),
        "containers": "; ".join(_container(each) for each in status.get("containerStatuses", [])),
        "owner": _owner(obj),
        **_going(obj),
    }


def _container(status: Json) -> str:
    ((state, details),) = (status.get("state") or {"unknown": {}}).items()
    reason = _prefixed(" ", details.get("reason", ""))
    code = f" {details['exitCode']}" if "exitCode" in details else ""
    again = f", restarts {status['restartCount']}" if status.get("restartCount") else ""
    return f"{status['name']} {state}{reason}{code}{again}"


def _node(obj: Json) -> dict[str, str]:
    conditions = {each["type"]: each for each in obj.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {})
    taints = [f"{each['key']}:{each['effect']}" for each in obj["spec"].get("taints", [])]
    return {
        "ready": f"Ready {ready['status']} ({ready['reason']})" if ready else "",
        "taints": _joined("tainted", taints),
        **_going(obj),
    }


def _slice(obj: Json) -> dict[str, str]:
    words = []
    for each in obj.get("endpoints") or []:
        conditions = each.get("conditions", {})
        states = [name for name in ("ready", "serving", "terminating") if conditions.get(name)]
        words.append(
            f"{each['targetRef']['name']} {'+'.join(states) or 'not ready'}" if "targetRef" in each else ""
        )
    return {"endpoints": f"{_LEADS}{', '.join(words) or 'nobody'}"}


def _namespace(obj: Json) -> dict[str, str]:
    status = obj.get("status", {})
    blocked = [each["reason"] for each in status.get("conditions", []) if each["status"] == "True"]
    return {"phase": status.get("phase", ""), "blocked": _joined("waits for", blocked)}


def _lease(obj: Json) -> dict[str, str]:
    if obj["metadata"]["namespace"] != "kube-system":
        return {}
    return {
        "holder": f"changes hands ({obj['spec'].get('leaseTransitions', 0)})"
        if obj["spec"].get("holderIdentity")
        else "free"
    }


_FACETS: dict[str, Callable[[Json], dict[str, str]]] = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "Pod": _pod,
    "Node": _node,
    "EndpointSlice": _slice,
    "Namespace": _namespace,
    "Lease": _lease,
}


def _owner(obj: Json) -> str:
    owners = [ref["name"] for ref in obj["metadata"].get("ownerReferences", ())]
    return f"owned by {' '.join(owners) or 'nobody'}"


def _annotation(obj: Json, key: str) -> str:
    return str(obj["metadata"].get("annotations", {}).get(key, ""))


def _prefixed(prefix: str, text: str) -> str:
    return f"{prefix}{text}" if text else ""


def _joined(word: str, items: list[str]) -> str:
    return f"{word} {' '.join(sorted(items))}" if items else ""
