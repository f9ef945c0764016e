"""The gRPC door on a real network: what gRPC itself would have answered."""

from __future__ import annotations

import grpc
import pytest

from kubarium.pki import Pki
from machinery.model import resources as kinds
from machinery.model.errors import TooLarge
from machinery.wire.resources import SERVICE_PATH
from machinery.wire.status import from_rpc
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


async def test_bytes_that_are_no_message_are_a_bad_request(pki: Pki) -> None:
    """INVALID_ARGUMENT, and the door goes on."""
    async with serving(pki) as served:
        channel = served.tls().channel(served.config.grpc_listen[0])
        call = channel.unary_unary(f"/{SERVICE_PATH}/Get", lambda data: data, bytes)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call(b"\x12\x01\xff", timeout=5)
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert from_rpc(raised.value).message == "resource_version: the string is not valid UTF-8"
        await channel.close()
