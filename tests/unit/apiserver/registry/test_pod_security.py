"""Pod Security Standards, from a namespace's labels to the answer: refused, warned of, told of pods that are there.

https://kubernetes.io/docs/concepts/security/pod-security-admission/
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver import audit_notes
from apiserver.core.values import Json
from apiserver.request import ObjectReply, WriteOptions
from machinery.model.errors import Forbidden, Invalid
from machinery.model.requests import PatchType
from tests.support.apiserver import RegistryBench, pod
from tests.support.pod_specs import deployment

LABEL = "pod-security.kubernetes.io/"
PRIVILEGED = 'privileged (container "main" must not set securityContext.privileged=true)'
CONTEXT = {"securityContext": {"privileged": True}}


def namespace(name: str, **said: str) -> Json:
    """Return a namespace with labels of pod security."""
    labels = {f"{LABEL}{key.replace('_', '-')}": value for key, value in said.items()}
    return {"metadata": {"name": name, "labels": labels}}


async def _created(
    bench: RegistryBench, resource: str, obj: Json, where: str = "team", **options: Any
) -> ObjectReply:
    await bench.feed.fresh()
    request = bench.request("create", resource, namespace=where, body=msgspec.json.encode(obj), writing=WriteOptions(**options))  # fmt: skip
    return await bench.registry.create(request)


async def _patched(
    bench: RegistryBench, resource: str, name: str, patch: Json, patch_type: PatchType = PatchType.MERGE
) -> ObjectReply:
    await bench.feed.fresh()
    body = msgspec.json.encode(patch)
    request = bench.request("patch", resource, name, "team", body=body, patch_type=patch_type)
    return await bench.registry.patch(request)


def _pod(name: str = "web", **container: Any) -> Json:
    main = {"name": "main", "image": "app:1", **container}
    return {"metadata": {"name": name} if name else {"generateName": "web-"}, "spec": {"containers": [main]}}


@pytest.fixture
async def team(bench: RegistryBench) -> RegistryBench:
    """A registry with the namespace `team`, where nothing is demanded yet."""
    await bench.create("namespaces", namespace("team"))
    await bench.create("serviceaccounts", {"metadata": {"name": "default"}}, namespace="team")
    return bench


async def _label(bench: RegistryBench, **said: str | None) -> ObjectReply:
    labels = {f"{LABEL}{key.replace('_', '-')}": value for key, value in said.items()}
    return await _patched(bench, "namespaces", "team", {"metadata": {"labels": labels}})


async def test_a_pod_that_breaks_the_standard_is_not_created(team: RegistryBench):
    """Nor in a dry run; its refusal has the name that the server made up. Nothing is stored."""
    await _label(team, enforce="baseline")
    with pytest.raises(Forbidden) as caught:
        await _created(team, "pods", _pod(**CONTEXT))
    assert (
        caught.value.message
        == f'pods "web" is forbidden: violates PodSecurity "baseline:latest": {PRIVILEGED}'
    )
    with pytest.raises(Forbidden):
        await _created(team, "pods", _pod(**CONTEXT), dry_run=True)
    with pytest.raises(Forbidden, match=r'pods "web-[a-z0-9]{5}" is forbidden: violates PodSecurity'):
        await _created(team, "pods", _pod("", **CONTEXT))
    assert (await _created(team, "pods", _pod())).warnings == ()
    assert [each.key for each in (await team.storage.list("/registry/pods/")).items] == [
        "/registry/pods/team/web"
    ]


async def test_an_invalid_pod_hears_of_that_first(team: RegistryBench):
    """The standard judges what would be stored."""
    await _label(team, enforce="baseline")
    with pytest.raises(Invalid, match="image: Required value"):
        await _created(team, "pods", _pod(image="", **CONTEXT))


async def test_what_would_be_refused_is_warned_of(team: RegistryBench):
    """In pods, and in the templates of workloads, which are never refused."""
    await _label(team, warn="baseline", warn_version="v1.30")
    told = f'would violate PodSecurity "baseline:v1.30": {PRIVILEGED}'
    assert (await _created(team, "pods", _pod(**CONTEXT))).warnings == (told,)
    await _label(team, enforce="restricted", warn=None, warn_version=None)
    main = {"name": "main", "image": "app:1", **CONTEXT}
    workload = deployment(template={"containers": [main]})
    workload["metadata"].pop("namespace")
    reply = await _created(team, "deployments", workload)
    assert [text.partition(": ")[0] for text in reply.warnings] == [
        'would violate PodSecurity "restricted:latest"'
    ]
    patch = {"spec": {"replicas": 2}}
    assert len((await _patched(team, "deployments", "web", patch)).warnings) == 1
    assert len((await _patched(team, "deployments", "web", patch)).warnings) == 1  # nothing is written
    assert (await _patched(team, "deployments/scale", "web", patch)).warnings == ()


async def test_a_pod_that_is_there_stays_and_may_change(team: RegistryBench):
    """Its labels and its status; a new image is judged with the whole pod."""
    await _created(team, "pods", _pod(**CONTEXT))
    await _label(team, enforce="baseline")
    labels = {"metadata": {"labels": {"app": "web"}}}
    assert (await _patched(team, "pods", "web", labels)).warnings == ()
    status = {"status": {"phase": "Running"}}
    assert (await _patched(team, "pods/status", "web", status)).warnings == ()
    image = {"spec": {"containers": [{"name": "main", "image": "app:2"}]}}
    with pytest.raises(Forbidden, match="violates PodSecurity"):
        await _patched(team, "pods", "web", image, PatchType.STRATEGIC_MERGE)


async def test_a_namespace_hears_which_of_its_pods_would_be_refused(team: RegistryBench):
    """When it begins to enforce; the pods of other namespaces are not meant."""
    for name in ("b", "a"):
        await _created(team, "pods", _pod(name, **CONTEXT))
    await _created(team, "pods", _pod("fine"))
    await _created(team, "pods", pod("elsewhere"), "default")
    reply = await _label(team, enforce="baseline")
    assert reply.warnings == (
        'existing pods in namespace "team" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 1 other pod): privileged",
    )
    assert (await _label(team, enforce="baseline")).warnings == ()
    assert (await _label(team, enforce="privileged")).warnings == ()


async def test_a_label_that_is_none_is_refused(team: RegistryBench):
    """At creation, and where it is new."""
    said = f'metadata.labels[{LABEL}enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted'
    with pytest.raises(Invalid) as caught:
        await _created(team, "namespaces", namespace("other", enforce="strict"))
    assert caught.value.message == f'Namespace "other" is invalid: {said}'
    with pytest.raises(Invalid) as caught:
        await _label(team, enforce="strict")
    assert caught.value.message == f'Namespace "team" is invalid: {said}'


async def test_what_is_for_the_audit_log_is_noted_there(team: RegistryBench):
    """Nobody is refused or warned for it; where no log is written nothing is noted."""
    await _label(team, audit="baseline")
    token = audit_notes.begin()
    assert (await _created(team, "pods", _pod("a", **CONTEXT))).warnings == ()
    found = dict(audit_notes.noted())
    audit_notes.end(token)
    assert found[f"{LABEL}enforce-policy"] == "privileged:latest"
    assert found[f"{LABEL}audit-violations"].startswith(
        'would violate PodSecurity "baseline:latest": privileged'
    )
    await _created(team, "pods", _pod("b", **CONTEXT))
    assert audit_notes.noted() == {}
