"""What Kubernetes has and Kubarium does not says so, by its name; what neither has leads nowhere."""

from __future__ import annotations

import pytest

from apiserver.core.catalogue import Catalogue
from apiserver.core.kinds import ALL
from apiserver.request import Request, UserInfo
from apiserver.request_checks import found_kind
from machinery.model.errors import NotBuilt, from_status
from machinery.model.k8s import served, unserved
from machinery.wire.status import to_rpc

KINDS = Catalogue(ALL, (*served.REVIEWS, *served.POSTED, *served.COMPUTED))


def asked(resource: str, group: str = "", version: str = "v1", **place: str) -> Request:
    """Return a request of a place."""
    return Request(user=UserInfo("a"), verb="get", group=group, version=version, resource=resource, **place)


@pytest.mark.parametrize("gvr", unserved.KINDS)
def test_each_kind_that_is_missing_is_named(gvr: tuple[str, str, str]) -> None:
    """Whatever is asked of it: one, all, in a namespace or not, or a part of one."""
    group, version, plural = gvr
    for place in ({}, {"namespace": "a"}, {"name": "x"}, {"name": "x", "subresource": "status"}):
        with pytest.raises(NotBuilt) as caught:
            found_kind(KINDS, asked(plural, group, version, **place))
        assert caught.value.message.startswith(f"{plural}.{group}" if group else plural)
        assert unserved.KINDS[gvr] in caught.value.message


@pytest.mark.parametrize(
    "request_",
    [
        asked("puddings"),
        asked("leasecandidates"),
        asked("jobs", "batch", "v2"),
        asked("scales", "autoscaling"),
        asked("pods", name="x", namespace="a", subresource="bake"),
        asked("configmaps", name="x", namespace="a", subresource="proxy"),
    ],
)
def test_what_kubernetes_does_not_have_leads_nowhere(request_: Request) -> None:
    """Also under a group or version where it is not."""
    assert found_kind(KINDS, request_) is None


def test_what_is_served_is_not_missing() -> None:
    """A kind is in one of the tables."""
    assert not {names.gvr for names in KINDS.served()} & set(unserved.KINDS)


def test_the_answer_is_a_501_that_clients_take_for_missing() -> None:
    """The code says that it is not built; by the reason client-go does without, as `kubectl describe service` of endpoints."""
    error = NotBuilt("endpoints (core/v1 Endpoints) is not built", kind="endpoints")
    status = error.to_status()
    assert (status["code"], status["reason"]) == (501, "NotFound")
    assert type(from_status(status)) is NotBuilt
    assert to_rpc(error)[0].name == "UNIMPLEMENTED"
