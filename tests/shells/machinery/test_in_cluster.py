"""What a pod is told of its cluster, read from real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from machinery.client.api import Api
from machinery.client.in_cluster import HOST, PORT, in_cluster
from machinery.client.rest_transport import Token, connect_rest
from machinery.client.servers import NotSent
from machinery.model.resources import NODES
from machinery.process.clock import WALL

POD = {HOST: "10.96.0.1", PORT: "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """The folder of a ServiceAccount."""
    for name in ("ca.crt", "token"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_pod_finds_its_apiserver(account: Path) -> None:
    """By the Service's address, which may be one of IPv6."""
    found = in_cluster(POD, account)
    assert found == ("https://10.96.0.1:443", str(account / "ca.crt"), str(account / "token"))
    assert in_cluster({HOST: "fd00::1", PORT: "6443"}, account).server == "https://[fd00::1]:6443"


@pytest.mark.parametrize("missing", [HOST, PORT])
def test_what_is_not_in_a_pod_is_told_so(account: Path, missing: str) -> None:
    """Each of the two variables is needed."""
    with pytest.raises(LookupError, match=f"{missing} is not set"):
        in_cluster({key: value for key, value in POD.items() if key != missing}, account)


@pytest.mark.parametrize("missing", ["ca.crt", "token"])
def test_a_pod_without_its_accounts_token_is_told_so(account: Path, missing: str) -> None:
    """As with automountServiceAccountToken: false."""
    (account / missing).unlink()
    with pytest.raises(LookupError, match=missing):
        in_cluster(POD, account)


async def test_a_request_without_its_token_was_not_sent(account: Path) -> None:
    """A token that is gone for a moment fails one request, which may be tried again, and ends nobody."""
    (account / "token").unlink()
    api: Api = connect_rest(
        "http://127.0.0.1:1", Token(str(account / "token"), ""), caller="test", clock=WALL
    )
    try:
        with pytest.raises(NotSent, match="token cannot be read"):
            await api.list(NODES)
    finally:
        await api.aclose()
