"""Tokens whose worth stands in a Secret: of bootstrapping nodes, and of ServiceAccounts."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest

from apiserver.core.authn import BadToken
from machinery.model.errors import Unauthorized
from machinery.model.tokens import LEGACY_TYPE, legacy_claims
from tests.support.apiserver import RegistryBench, running_registry

TOKEN, SECRET = "abcdef.0123456789abcdef", "bootstrap-token-abcdef"
DATA = {
    "token-id": "abcdef",
    "token-secret": "0123456789abcdef",
    "usage-bootstrap-authentication": "true",
    "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
}


@pytest.fixture
async def bench() -> AsyncIterator[RegistryBench]:
    async with running_registry() as running:
        await running.create("namespaces", {"metadata": {"name": "kube-system"}})
        yield running


async def bootstrap(bench: RegistryBench, **data: str) -> None:
    """Write the Secret of a token."""
    secret = {
        "metadata": {"name": SECRET},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": {**DATA, **data},
    }
    await bench.create("secrets", secret, namespace="kube-system")


async def test_a_bootstrap_token_is_a_bootstrapper(bench: RegistryBench) -> None:
    """With the groups that its Secret adds; a review says the same."""
    await bootstrap(bench, expiration="2100-01-01T00:00:00Z")
    user = await bench.core.authenticator.of_bearer(TOKEN)
    assert user.name == "system:bootstrap:abcdef"
    assert user.groups == (
        "system:bootstrappers",
        "system:bootstrappers:kubeadm:default-node-token",
        "system:authenticated",
    )
    with pytest.raises(BadToken):
        await bench.core.authenticator.review(TOKEN, ("vault",))


@pytest.mark.parametrize(
    "data",
    [
        {"token-secret": "fedcba9876543210"},
        {"token-id": "fedcba"},
        {"expiration": "2000-01-01T00:00:00Z"},
        {"expiration": "soon"},
        {"usage-bootstrap-authentication": "false"},
        {"auth-extra-groups": "system:masters"},
        {"auth-extra-groups": "system:bootstrappers:a,"},
        {"token-secret": "ä"},
    ],
)
async def test_a_bootstrap_token_that_its_secret_does_not_bear_out_proves_nothing(
    bench: RegistryBench, data: dict[str, str]
) -> None:
    """Another secret, another time, another use, or a group that is nobody's to give."""
    await bootstrap(bench, **data)
    with pytest.raises(Unauthorized):
        await bench.core.authenticator.of_bearer(TOKEN)


@pytest.mark.parametrize(
    "token", ["abcdef.0123456789abcde", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcdef.", TOKEN]
)
async def test_what_is_no_bootstrap_token_or_has_no_secret_proves_nothing(
    bench: RegistryBench, token: str
) -> None:
    """It is looked for by its id."""
    with pytest.raises(Unauthorized):
        await bench.core.authenticator.of_bearer(token)


async def legacy(bench: RegistryBench, **changes: Any) -> str:
    """Write a token into a Secret, as its controller does."""
    account = await bench.get("serviceaccounts", "default")
    claims = legacy_claims("default", "default", account["metadata"]["uid"], "mine")
    token = bench.core.token_key.sign({**claims, **changes})
    notes = {"kubernetes.io/service-account.name": "default"}
    secret = {"metadata": {"name": "mine", "annotations": notes}, "type": LEGACY_TYPE}
    await bench.create("secrets", {**secret, "data": {"token": b64encode(token.encode()).decode()}})
    return token


async def test_a_token_in_a_secret_lives_as_long_as_it_stands_there(bench: RegistryBench) -> None:
    """It has no end of its own."""
    token = await legacy(bench)
    user = await bench.core.authenticator.of_bearer(token)
    assert user.name == "system:serviceaccount:default:default"
    await bench.patch("secrets", "mine", {"data": {"token": "b3RoZXI="}})
    with pytest.raises(Unauthorized):
        await bench.core.authenticator.of_bearer(token)
    await bench.delete("secrets", "mine")
    with pytest.raises(Unauthorized):
        await bench.core.authenticator.of_bearer(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "system:serviceaccount:default:admin"},
        {"iss": "somebody"},
        {"kubernetes.io/serviceaccount/service-account.uid": "another"},
        {"kubernetes.io/serviceaccount/secret.name": ""},
        {"kubernetes.io/serviceaccount/namespace": 5},
    ],
)
async def test_such_a_token_names_the_account_that_is_there(
    bench: RegistryBench, changes: dict[str, Any]
) -> None:
    """And nobody else."""
    token = await legacy(bench, **changes)
    with pytest.raises(Unauthorized):
        await bench.core.authenticator.of_bearer(token)
