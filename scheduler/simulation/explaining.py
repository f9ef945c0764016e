"""From a question about one pod to its explanation."""

from __future__ import annotations

from msgspec.structs import replace

from machinery.model.simulation import Explanation, HintText, NodeVerdicts, Verdict
from scheduler.core.essential import essential
from scheduler.core.evaluations import Evaluations
from scheduler.core.explaining.hints import find_hints
from scheduler.core.explaining.table import Line, explain
from scheduler.core.profile import Profile
from scheduler.core.rejection import Stopped
from scheduler.core.schedule import Unschedulable, schedule
from scheduler.core.simulation.using import requests_of
from scheduler.core.simulation.world import Member, World


def explanation_of(member: Member, world: World, profile: Profile) -> Explanation:
    """Explain a pod of a world as of now; one that is on a node as if it were not there."""
    snapshot = world.snapshot
    snapshot.remove_pod(member.info.uid)
    pod = replace(member.pod, spec=replace(member.pod.spec, nodeName=""))
    info = world.reader.read(essential(pod))
    found = Explanation(
        info.namespace, info.name, profile.scheduler_name, requests_of(info.needs), node=member.info.node
    )
    found.gate = next((said for each in profile.gates if (said := each.gate(info, snapshot))), "")
    decision = schedule(info, snapshot, Evaluations(snapshot, profile), tie_break=0.0)
    if isinstance(decision, Unschedulable):
        found.message = decision.message.strip()
    found.nominated = snapshot.withdraw(info.uid)  # what is kept for it is not in its way
    lines = explain(info, snapshot, profile)
    if not isinstance(lines, Stopped):
        found.nodes = [_verdicts(line, profile) for line in lines]
    if found.message:
        found.hints = [HintText(each.changes, each.nodes) for each in find_hints(pod, world, profile)]
    return found


def _verdicts(line: Line, profile: Profile) -> NodeVerdicts:
    verdicts = [
        Verdict(plugin.name, found.reasons, found.raw, found.points, found.weight)
        for plugin in profile.plugins
        if (found := line.verdicts.get(plugin.name)) is not None
    ]
    return NodeVerdicts(line.node.name, line.fits, verdicts, line.score if line.fits else None)


def find_member(world: World, key: str) -> Member | None:
    """Return the pod of a name, "namespace/name"."""
    return next((each for each in world.members.values() if each.info.key == key), None)
