"""What one door refuses the other refuses, with the same Status: the same random request at both."""

from __future__ import annotations

import asyncio

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from apiserver.request_checks import BODY_LIMIT
from machinery.model.requests import PatchType
from tests.support.apiserver import ADMIN, config_map, running_registry
from tests.support.both_doors import NODE, OWNER, RBAC, READER, Answered, Asked, both_doors, furnish
from tests.support.examples import examples

TOO_NEW = 504  # a revision that is not there yet
_PLACES = st.sampled_from(
    [
        ("", "v1", "configmaps"),
        ("", "v1", "secrets"),
        ("", "v1", "pods"),
        ("", "v1", "nodes"),
        ("", "v1", "namespaces"),
        ("", "v1", "serviceaccounts"),
        ("apps", "v1", "deployments"),
        ("coordination.k8s.io", "v1", "leases"),
        (RBAC, "v1", "clusterroles"),
        (RBAC, "v1", "rolebindings"),
        ("authorization.k8s.io", "v1", "selfsubjectaccessreviews"),
        ("apps", "v9", "deployments"),
        ("", "v1", "things"),
        ("none.example", "v1", "things"),
    ]
)
_SUBRESOURCES = st.sampled_from(["", "", "", "status", "scale", "token", "binding", "finalize", "thing"])
_BODIES = st.sampled_from(
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"{}",
        b'{"metadata": {"name": "\xff"}}',
        b'{"metadata": {"name": "a\\ud800"}}',
        b'{"metadata":' * 2_000,
        b"[" * 100_000,
        b'{"a": 1e999}',
        b" " * (BODY_LIMIT + 1),
        msgspec.json.encode(config_map("new", key="value")),
        msgspec.json.encode(config_map("map", key="value")),
        msgspec.json.encode({"metadata": {"labels": {"a": "b"}}}),
        msgspec.json.encode({"metadata": {"name": "Not A Name"}}),
        msgspec.json.encode({"metadata": {"resourceVersion": "x"}}),
        msgspec.json.encode([{"op": "remove", "path": "/metadata/labels"}]),
    ]
)
_NUMBERS = st.sampled_from(["", "0", "1", "-1", "x", "9" * 18, "9" * 30])
_SELECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "labelSelector": st.sampled_from(["a=b", "a in (b", "!", "=" * 50]),
        "fieldSelector": st.sampled_from(["metadata.name=map", "spec.thing=1", "metadata.name", "a=b=c"]),
        "limit": st.sampled_from([0, 1, -1, 2**63 - 1]),
        "continue": st.sampled_from(["x", "e30=", "é"]),
        "resourceVersion": _NUMBERS,
        "resourceVersionMatch": st.sampled_from(["Exact", "NotOlderThan", "Never"]),
    },
)
_DELETING = st.fixed_dictionaries(
    {},
    optional={
        "gracePeriodSeconds": st.sampled_from([0, -1, 30, 2**63 - 1, -(2**63)]),
        "propagationPolicy": st.sampled_from(["Orphan", "Background", "Never"]),
        "preconditions": st.fixed_dictionaries(
            {}, optional={"uid": st.just("x"), "resourceVersion": _NUMBERS}
        ),
    },
)
_NAMES = st.sampled_from(["", "map", "secret", "node-1", "default", "a/b", "..", "é", "A" * 300])
REQUESTS = st.builds(
    lambda place, **fields: Asked(group=place[0], version=place[1], resource=place[2], **fields),
    place=_PLACES,
    user=st.sampled_from([ADMIN, OWNER, READER, NODE]),
    verb=st.sampled_from(["get", "list", "create", "update", "patch", "delete", "deletecollection"]),
    namespace=st.sampled_from(["", "default", "other", "kube-system", "a/b"]),
    name=_NAMES,
    subresource=_SUBRESOURCES,
    body=_BODIES,
    patch_type=st.sampled_from(PatchType),
    selection=_SELECTIONS,
    deleting=_DELETING,
)


def both(asked: list[Asked]) -> list[tuple[Asked, Answered, Answered]]:
    """Ask both doors of a new apiserver for each."""

    async def scenario() -> list[tuple[Asked, Answered, Answered]]:
        async with running_registry() as bench:
            await furnish(bench)
            async with both_doors(bench) as doors:
                return [(each, await doors.rest(each), await doors.grpc(each)) for each in asked]

    return asyncio.run(scenario())


@examples(40)
@given(asked=st.lists(REQUESTS.filter(lambda each: each.fits_a_path), min_size=1, max_size=25))
def test_both_doors_answer_the_same(asked: list[Asked]) -> None:
    """Down to the text and the causes; the REST door has a bare 404 where a path leads nowhere."""
    for each, rest, rpc in both(asked):
        assert rest.code == rpc.code, (each, rest, rpc)
        assert rest.status is None or rest.status == rpc.status, each
        assert rpc.code != 500, (each, rpc)


@examples(40)
@given(asked=st.lists(REQUESTS, min_size=1, max_size=25))
def test_what_no_path_can_say_is_refused_or_harmless(asked: list[Asked]) -> None:
    """A name beside a collection only narrows it down, a place that does not exist is nowhere."""
    for each, _, rpc in both([each for each in asked if not each.fits_a_path]):
        assert 200 <= rpc.code < 500 or rpc.code == TOO_NEW, (each, rpc)
        if rpc.code == 200:
            assert each.verb in {"list", "deletecollection"}, each
            assert each.name, each


def test_the_doors_holes_are_closed() -> None:
    """Each of these went through the gRPC door."""
    everywhere = Asked(
        OWNER, "patch", "nodes", namespace="default", name="node-1", body=b'{"metadata":{"labels":{"a":"b"}}}'
    )
    role = Asked(OWNER, "delete", "clusterroles", group=RBAC, namespace="default", name="all")
    secrets = Asked(ADMIN, "list", "secrets", namespace="default", subresource="status")
    status = Asked(ADMIN, "list", "pods", namespace="default", subresource="status")
    large = Asked(ADMIN, "create", "configmaps", namespace="default", body=b" " * 30_000_000)
    nowhere = Asked(ADMIN, "create", "configmaps", body=msgspec.json.encode(config_map("x")))
    answers = both([everywhere, role, secrets, status, large, nowhere])
    assert [rpc.code for _, _, rpc in answers] == [404, 404, 404, 405, 413, 405]


def test_a_limit_below_zero_is_none_at_both_doors() -> None:
    """Also where a name narrows the list down to one object."""
    fields = {"limit": -5, "fieldSelector": "metadata.name=map"}
    asked = [
        Asked(ADMIN, "list", "configmaps", namespace="default", name=name, selection=fields)
        for name in ("", "map")
    ]
    assert [rpc.code for _, _, rpc in both(asked)] == [200, 200]


def test_a_name_beside_a_collection_does_not_open_the_rest_of_it() -> None:
    """Who may list one object by its name gets this one."""

    async def scenario() -> list[str]:
        async with running_registry() as bench:
            await furnish(bench)
            await bench.create("configmaps", config_map("another"))
            async with both_doors(bench) as doors:
                return await doors.listed(
                    Asked(READER, "list", "configmaps", namespace="default", name="map")
                )

    assert asyncio.run(scenario()) == ["map"]
