"""LimitRanges: what containers get, and what is refused, in the words that kubectl shows.

https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from apiserver.core.admission import EVERY_NAME, Attributes, LookupKey, Settings
from apiserver.core.admission.limit_ranger import (
    ANNOTATION,
    LIMIT_RANGER,
    claim_problems,
    item_with_defaults,
    pod_problems,
    with_defaults,
)
from apiserver.core.values import Json
from machinery.model.errors import Forbidden
from machinery.model.k8s import served
from machinery.model.kinds import KindNames


def container(name: str = "c", requests: Json | None = None, limits: Json | None = None, **more: Any) -> Json:
    """Return a container that asks for resources."""
    resources = {
        key: value for key, value in (("requests", requests), ("limits", limits)) if value is not None
    }
    return {"name": name, **({"resources": resources} if resources else {}), **more}


def pod(*containers: Json, init: tuple[Json, ...] = (), **spec: Any) -> Json:
    """Return a pod."""
    begin = {"initContainers": list(init)} if init else {}
    return {"metadata": {"name": "web"}, "spec": {"containers": list(containers), **begin, **spec}}


def limit_range(*items: Json) -> Json:
    """Return a LimitRange."""
    return {"metadata": {"name": "limits"}, "spec": {"limits": list(items)}}


def of_containers(**limits: Json) -> Json:
    """Return limits of containers."""
    return {"type": "Container", **limits}


# Defaults


def test_containers_get_what_they_do_not_ask_for_and_the_pod_says_so():
    """Each resource for itself; an annotation names what was given to which container."""
    given = limit_range(of_containers(default={"cpu": "1", "memory": "1Gi"}, defaultRequest={"cpu": "100m"}))
    old = pod(container("a", {"cpu": "2"}, {"cpu": "3"}), container("b"), init=(container("i"),))
    before = deepcopy(old)
    new = with_defaults(old, [given])
    assert old == before
    everything = {"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    assert [each["resources"] for each in new["spec"]["containers"]] == [
        {"requests": {"cpu": "2"}, "limits": {"cpu": "3", "memory": "1Gi"}},
        everything,
    ]
    assert new["spec"]["initContainers"][0]["resources"] == everything
    assert new["metadata"]["annotations"] == {
        ANNOTATION: "LimitRanger plugin set: memory limit for container a; cpu request for container b; "
        "cpu, memory limit for container b; cpu request for init container i; cpu, memory limit for init container i"
    }


def test_a_pod_that_asks_for_everything_stays_as_it_is():
    """Nor do limits of other types give anything."""
    asking = pod(container("a", {"cpu": "2"}, {"cpu": "3"}))
    given = of_containers(default={"cpu": "1"}, defaultRequest={"cpu": "100m"})
    assert with_defaults(asking, [limit_range(given)]) is asking
    silent = pod(container("a"))
    assert with_defaults(silent, [limit_range({"type": "Pod", "max": {"cpu": "1"}}), limit_range()]) is silent


def test_the_last_default_of_a_range_and_the_first_range_that_has_one_count():
    """What an earlier range has given is asked for."""
    twice = limit_range(of_containers(default={"cpu": "1"}), of_containers(default={"cpu": "2"}))
    later = limit_range(of_containers(default={"cpu": "9", "memory": "1Gi"}))
    new = with_defaults(pod(container("a")), [twice, later])
    assert new["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "2", "memory": "1Gi"}}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"max": {"cpu": "2"}}, {"default": {"cpu": "2"}, "defaultRequest": {"cpu": "2"}}),
        ({"min": {"cpu": "1"}}, {"defaultRequest": {"cpu": "1"}}),
        (
            {"max": {"cpu": "4"}, "min": {"cpu": "1"}, "default": {"cpu": "3"}},
            {"default": {"cpu": "3"}, "defaultRequest": {"cpu": "3"}},
        ),
        (
            {"max": {"cpu": "4"}, "min": {"memory": "1"}, "defaultRequest": {"cpu": "2"}},
            {"default": {"cpu": "4"}, "defaultRequest": {"cpu": "2", "memory": "1"}},
        ),
    ],
)
def test_what_a_limit_leaves_out_follows_from_the_rest(item: Json, expected: Json):
    """For containers only."""
    assert item_with_defaults(of_containers(**item)) == {"type": "Container", **item, **expected}
    assert item_with_defaults({"type": "Pod", **item}) == {"type": "Pod", **item}


# Limits

CPU = {"cpu": "500m"}


@pytest.mark.parametrize(
    ("requests", "limits", "item", "told"),
    [
        (CPU, None, {"min": {"cpu": "500m"}}, []),
        (CPU, None, {"min": {"cpu": "0.6"}}, ["minimum cpu usage per Container is 600m, but request is 500m"]),
        (None, CPU, {"min": {"cpu": "1"}}, ["minimum cpu usage per Container is 1.  No request is specified"]),
        (CPU, {"cpu": "100m"}, {"min": {"cpu": "200m"}}, ["minimum cpu usage per Container is 200m, but limit is 100m"]),
        (None, CPU, {"max": {"cpu": "500m"}}, []),
        (None, CPU, {"max": {"cpu": "499m"}}, ["maximum cpu usage per Container is 499m, but limit is 500m"]),
        (CPU, None, {"max": {"cpu": "1"}}, ["maximum cpu usage per Container is 1.  No limit is specified"]),
        ({"cpu": "2"}, CPU, {"max": {"cpu": "1"}}, ["maximum cpu usage per Container is 1, but request is 2"]),
        (CPU, {"cpu": "2"}, {"maxLimitRequestRatio": {"cpu": "4"}}, []),
        (CPU, {"cpu": "2"}, {"maxLimitRequestRatio": {"cpu": "3"}}, ["cpu max limit to request ratio per Container is 3, but provided ratio is 4.000000"]),
        ({"cpu": "300m"}, {"cpu": "1"}, {"maxLimitRequestRatio": {"cpu": "3.2"}}, ["cpu max limit to request ratio per Container is 3200m, but provided ratio is 3.333333"]),
        ({"cpu": "0"}, CPU, {"maxLimitRequestRatio": {"cpu": "4"}}, ["cpu max limit to request ratio per Container is 4, but no request is specified or request is 0"]),
        (CPU, None, {"maxLimitRequestRatio": {"cpu": "4"}}, ["cpu max limit to request ratio per Container is 4, but no limit is specified or limit is 0"]),
        ({"memory": "1Gi"}, {"memory": "2Gi"}, {"min": {"memory": "2048Mi"}, "max": {"memory": "1536Mi"}}, ["minimum memory usage per Container is 2Gi, but request is 1Gi", "maximum memory usage per Container is 1536Mi, but limit is 2Gi"]),
        ({"memory": "6Ei"}, {"memory": "7Ei"}, {"max": {"memory": "6Ei"}}, ["maximum memory usage per Container is 6Ei, but limit is 7Ei"]),
    ],
)  # fmt: skip
def test_a_container_has_its_limits(requests: Json | None, limits: Json | None, item: Json, told: list[str]):
    """Those that begin the pod as well."""
    asking = container("c", requests, limits)
    ranges = limit_range(of_containers(**item))
    assert pod_problems(pod(asking), ranges) == told
    assert pod_problems(pod(init=(asking,)), ranges) == told


def test_a_pod_is_limited_by_its_sum():
    """Of the containers that stay, or of one that begins it with the sidecars before it."""
    of_pods = {"type": "Pod", "max": {"cpu": "3"}}
    limits = {"cpu": "1"}
    two = (container("a", limits=limits), container("b", limits=limits))
    sidecar = container("s", limits={"cpu": "1500m"}, restartPolicy="Always")
    beginning = container("i", limits={"cpu": "2"})
    assert pod_problems(pod(*two), limit_range(of_pods)) == []
    assert pod_problems(pod(*two, init=(beginning,)), limit_range(of_pods)) == []
    too_much = "maximum cpu usage per Pod is 3, but limit is 3500m"
    assert pod_problems(pod(*two, init=(sidecar,)), limit_range(of_pods)) == [too_much]
    assert pod_problems(pod(two[0], init=(sidecar, beginning)), limit_range(of_pods)) == [too_much]
    assert pod_problems(pod(two[0], init=(beginning, sidecar)), limit_range(of_pods)) == []
    whole = pod(*two, init=(sidecar,), resources={"limits": {"cpu": "3"}})
    assert pod_problems(whole, limit_range(of_pods)) == []
    silent = pod(container("a"))
    assert pod_problems(silent, limit_range(of_pods)) == [
        "maximum cpu usage per Pod is 3.  No limit is specified"
    ]


def test_a_claim_is_limited_by_what_it_requests():
    """Its limits do not count."""
    item = {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "10Gi"}}
    ranges = limit_range(item, of_containers(max={"storage": "1"}))

    def problems(**resources: Json) -> list[str]:
        return claim_problems({"spec": {"resources": resources}}, ranges)

    assert problems(requests={"storage": "5Gi"}) == []
    assert problems(requests={"storage": "5Mi"}) == [
        "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 5Mi"
    ]
    assert problems(requests={"storage": "11Gi"}, limits={"storage": "1Gi"}) == [
        "maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 11Gi"
    ]
    assert problems() == [
        "minimum storage usage per PersistentVolumeClaim is 1Gi.  No request is specified",
        "maximum storage usage per PersistentVolumeClaim is 10Gi.  No request is specified",
    ]


# The plugin


@dataclass(frozen=True)
class _User:
    name: str = "alice"
    groups: tuple[str, ...] = ()


CLAIMS = KindNames(
    "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim", "", True
)
KEY: LookupKey = ("", "limitranges", "default", EVERY_NAME)
STRICT = limit_range(of_containers(default={"cpu": "2"}, max={"cpu": "1"}, min={"cpu": "1"}))


def _attributes(kind: KindNames = served.PODS, verb: str = "create", subresource: str = "") -> Attributes:
    return Attributes(_User(), verb, kind, subresource, namespace="default", name="web")


def _refusal(attributes: Attributes, obj: Json, *ranges: Json, old: Json | None = None) -> str:
    assert LIMIT_RANGER.validate
    with pytest.raises(Forbidden) as caught:
        LIMIT_RANGER.validate(attributes, obj, old, {KEY: {"items": list(ranges)}}, Settings())
    return caught.value.message


def test_what_is_outside_of_a_range_is_forbidden_with_everything_that_is_wrong():
    """What two containers break alike is told once; the next range is not asked."""
    both = pod(container("a", limits={"cpu": "2"}), container("b", limits={"cpu": "2"}))
    told = (
        "minimum cpu usage per Container is 1.  No request is specified, "
        "maximum cpu usage per Container is 1, but limit is 2"
    )
    assert _refusal(_attributes(), both, STRICT, limit_range({"type": "Pod", "max": {"cpu": "1"}})) == (
        f'pods "web" is forbidden: [{told}]'
    )
    one = limit_range(of_containers(max={"cpu": "1"}))
    assert _refusal(_attributes(), both, one) == (
        'pods "web" is forbidden: maximum cpu usage per Container is 1, but limit is 2'
    )
    claim = {"metadata": {"name": "web"}, "spec": {}}
    item = {"type": "PersistentVolumeClaim", "min": {"storage": "1"}}
    assert _refusal(_attributes(CLAIMS, "update"), claim, limit_range(item), old=claim).startswith(
        'persistentvolumeclaims "web" is forbidden: minimum storage usage'
    )


def test_ranges_hold_for_new_and_resized_pods_and_for_claims():
    """Not for other changes, nor for what is being deleted: then nothing is looked up."""
    old = pod(container("a"))
    gone = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {}}
    meant = [
        (_attributes(), None),
        (_attributes(verb="update", subresource="resize"), old),
        (_attributes(CLAIMS), None),
        (_attributes(CLAIMS, "update"), old),
    ]
    left_alone = [
        (_attributes(verb="update"), old),
        (_attributes(subresource="binding"), None),
        (_attributes(verb="update", subresource="status"), old),
        (_attributes(CLAIMS, "update", "status"), old),
        (_attributes(CLAIMS, "update"), gone),
        (_attributes(verb="update", subresource="resize"), gone),
    ]
    assert LIMIT_RANGER.validate
    for attributes, before in meant:
        assert LIMIT_RANGER.needs(attributes, old, before) == (KEY,)
    for attributes, before in left_alone:
        assert LIMIT_RANGER.needs(attributes, old, before) == ()
        assert LIMIT_RANGER.admit(attributes, old, before, {}, Settings()) is old
        assert LIMIT_RANGER.validate(attributes, old, before, {}, Settings()) == ()
    assert LIMIT_RANGER.needs(_attributes(verb="delete"), None, old) == ()


def test_defaults_are_given_before_and_limits_checked_after():
    """A kind that is not served has no ranges."""
    assert LIMIT_RANGER.validate
    new = LIMIT_RANGER.admit(_attributes(), pod(container("a")), None, {KEY: {"items": [STRICT]}}, Settings())
    assert new["spec"]["containers"][0]["resources"] == {"limits": {"cpu": "2"}}
    assert LIMIT_RANGER.admit(_attributes(), new, None, {KEY: None}, Settings()) is new
    assert LIMIT_RANGER.validate(_attributes(), new, None, {KEY: None}, Settings()) == ()
