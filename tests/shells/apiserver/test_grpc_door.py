"""The gRPC door on a real network: what gRPC itself would have answered."""

from __future__ import annotations

import msgspec
import pytest

from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from machinery.model import resources as kinds
from machinery.model.errors import BadRequest, TooLarge
from machinery.model.requests import Selection
from machinery.process.clock import WALL
from machinery.rpc.status import Code, RpcError
from machinery.wire.resources import EACH_LIMIT, SERVICE, SERVICE_PATH
from machinery.wire.resources import messages as pb
from machinery.wire.rpc_errors import from_rpc
from machinery.wire.stubs import Stub
from tests.support.apiserver import serving
from tests.support.client_doors import config_map


@pytest.mark.parametrize("size_bytes", [4_000_000, 30_000_000])
async def test_a_body_over_the_limit_is_refused_as_at_the_rest_door(pki: Pki, size_bytes: int) -> None:
    """Whether gRPC has taken it or not: 413, nothing to be tried again."""
    async with serving(pki) as served:
        api = served.connect("grpc")
        with pytest.raises(TooLarge):
            await api.create(kinds.CONFIG_MAPS, config_map("large", data={"key": "x" * size_bytes}))
        await api.create(kinds.CONFIG_MAPS, config_map("small"))
        await api.aclose()


async def test_a_list_that_is_larger_than_a_message_is_read_all_the_same(pki: Pki) -> None:
    """At one revision, with what was there; a collection of that size is deleted as any other."""
    async with serving(pki) as served:
        api = served.connect("grpc")
        for number in range(6):
            await api.create(kinds.CONFIG_MAPS, config_map(f"m{number}", data={"key": "x" * 800_000}))
        for _ in range(2):  # the second time it is known to be large
            found = await api.list(kinds.CONFIG_MAPS, Selection("default"))
            assert [each.metadata.name for each in found.items] == [f"m{number}" for number in range(6)]
            assert {len(each.data["key"]) for each in found.items} == {800_000}
            assert found.revision
        page = await api.list(kinds.CONFIG_MAPS, Selection("default"), limit=4)
        assert (len(page.items), bool(page.continue_)) == (4, True)
        await api.delete_collection(kinds.CONFIG_MAPS, Selection("default"))
        assert not (await api.list(kinds.CONFIG_MAPS, Selection("default"))).items
        await api.aclose()


async def test_bytes_that_are_no_message_are_a_bad_request(pki: Pki) -> None:
    """INVALID_ARGUMENT, and the door goes on."""
    async with serving(pki) as served:
        channel = served.tls().channel(served.config.grpc_listen[0], WALL)
        call = channel.unary_unary(f"/{SERVICE_PATH}/Get", lambda data: data, bytes)
        with pytest.raises(RpcError) as raised:
            await call(b"\x12\x01\xff", timeout=60)
        assert raised.value.code is Code.INVALID_ARGUMENT
        assert from_rpc(raised.value).message == "resource_version: the string is not valid UTF-8"
        await channel.close()


async def test_too_many_objects_in_one_request_are_refused(pki: Pki) -> None:
    """With the number that is allowed, and before anything is stored."""
    async with serving(pki) as served:
        api = served.connect("grpc")
        wanted = [(config_map(f"m{number}"), ()) for number in range(EACH_LIMIT + 1)]
        with pytest.raises(BadRequest, match=f"at most {EACH_LIMIT} can be created by one"):
            await api.create_each(kinds.CONFIG_MAPS, wanted)
        assert not (await api.list(kinds.CONFIG_MAPS, Selection("default"))).items
        await api.aclose()


async def test_several_objects_are_checked_as_one_is(pki: Pki) -> None:
    """A namespace that is missing, no body, a kind that is not there, one that the caller may not write: as by `Create`."""
    pki.ensure(Certificate("node-1", "system:node:node-1", ("system:nodes",)))
    async with serving(pki) as served:
        for name, client in (("admin", served.tls()), ("node-1", served.tls("node-1"))):
            channel = client.channel(served.config.grpc_listen[0], WALL)
            stub = Stub(channel, SERVICE, SERVICE_PATH)
            for target, namespace, body in _ODD:
                one = pb.CreateRequest(target=target, json=body)
                one.target.namespace = namespace
                with pytest.raises(RpcError) as raised:
                    await stub.Create(one, timeout=60)
                item = pb.CreateEachRequest.Item(namespace=namespace, json=body)
                answer = await stub.CreateEach(
                    pb.CreateEachRequest(target=target, items=[item, item]), timeout=5
                )
                statuses = [msgspec.json.decode(each.json) for each in answer.items]
                assert statuses == [from_rpc(raised.value).to_status()] * 2, name
            await channel.close()


_ODD = [
    (pb.Target(version="v1", resource="configmaps"), "", b'{"metadata": {"name": "a"}}'),
    (pb.Target(version="v1", resource="configmaps"), "default", b""),
    (pb.Target(version="v1", resource="configmaps"), "default", b"{"),
    (pb.Target(version="v1", resource="configmaps"), "default", b'{"metadata": {"name": "NO"}}'),
    (pb.Target(version="v1", resource="configmaps"), "gone", b'{"metadata": {"name": "a"}}'),
    (pb.Target(version="v1", resource="nothings"), "default", b'{"metadata": {"name": "a"}}'),
    (pb.Target(version="v1", resource="pods", name="a"), "default", b"{}"),
    (pb.Target(version="v1", resource="pods", name="a", subresource="binding"), "default", b"{}"),
]
