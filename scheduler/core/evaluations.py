"""The evaluations of the kinds of pods that came by lately: pods with equal needs share one.

Where nodes are kept for other pods (preemption), those that have to leave alone the same of them do.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple, TypeAlias

from scheduler.core.evaluation import Evaluation
from scheduler.core.framework import Need, Plugin
from scheduler.core.pod import PodInfo
from scheduler.core.profile import Profile
from scheduler.core.rejection import Stopped
from scheduler.core.snapshot import Snapshot

_KINDS_LIMIT: Final = 64  # of pods whose evaluation is kept; 5,000 nodes take about 1 MB in each
_TEMPLATES_LIMIT: Final = 10_000

_Needs: TypeAlias = tuple[Need | Stopped | None, ...]
_Answers: TypeAlias = list[Need | Stopped | None]


class Template(NamedTuple):
    """What plugins have to know of a template; templates of which they know the same share a serial number."""

    serial: int
    needs: _Needs  # None where the plugin is asked about each pod
    asked: tuple[Plugin, ...]


class Evaluations:
    """The evaluations for the pods of one profile."""

    def __init__(self, snapshot: Snapshot, profile: Profile, limit: int = _KINDS_LIMIT) -> None:
        self.profile = profile
        self._snapshot = snapshot
        self._limit = limit
        self._templates: dict[bytes, Template] = {}
        self._serials: dict[tuple[_Needs, tuple[Plugin, ...]], int] = {}
        self._next_serial = 1
        self._kinds: OrderedDict[tuple[object, ...], Evaluation] = OrderedDict()

    def of(self, pod: PodInfo) -> Evaluation | Stopped:
        """Return the evaluation of the pod's kind, as of now; or what keeps the pod from every node."""
        snapshot = self._snapshot
        template = self._template(pod)
        needs = [each.need(pod, snapshot) for each in template.asked]
        for each in needs:
            if each.__class__ is Stopped:
                return self._first_stop(template, needs)
        floor = snapshot.nominations.floor(pod.priority)
        kind = (template.serial, floor, *needs)
        found = self._kinds.get(kind)
        if found is None:
            if any(isinstance(each, Stopped) for each in template.needs):
                return self._first_stop(template, needs)
            found = self._kinds[kind] = Evaluation(
                self.profile, self._in_order(template, needs), snapshot, floor
            )
            if len(self._kinds) > self._limit:
                self._kinds.popitem(last=False)
        self._kinds.move_to_end(kind)
        found.refresh()
        return found

    def _template(self, pod: PodInfo) -> Template:
        known = self._templates.get(pod.needs.key)
        if known is None:
            if len(self._templates) >= _TEMPLATES_LIMIT:
                self._templates.clear()
                self._serials.clear()  # what comes gets new numbers
            plugins = self.profile.plugins
            asked = tuple(each for each in plugins if each.asks_each(pod.needs))
            needs = tuple(None if each in asked else each.need(pod, self._snapshot) for each in plugins)
            known = self._templates[pod.needs.key] = Template(self._serial(needs, asked), needs, asked)
        return known

    def _serial(self, needs: _Needs, asked: tuple[Plugin, ...]) -> int:
        if (needs, asked) not in self._serials:
            self._serials[needs, asked] = self._next_serial
            self._next_serial += 1
        return self._serials[needs, asked]

    def _in_order(self, template: Template, needs: _Answers) -> _Answers:
        of_pod = dict(zip(template.asked, needs, strict=True))
        return [
            of_pod.get(plugin, need)
            for plugin, need in zip(self.profile.plugins, template.needs, strict=True)
        ]

    def _first_stop(self, template: Template, needs: _Answers) -> Stopped:
        return next(each for each in self._in_order(template, needs) if isinstance(each, Stopped))
