"""A webhook authorizes at both doors, in the place that the configuration gives it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubarium.identity.pki import Pki
from machinery.model import resources as kinds
from machinery.model.errors import Forbidden
from machinery.model.requests import Selection
from tests.support.apiserver import serving
from tests.support.waiting import until
from tests.support.web_server import WebServer, web_server


def configuration(folder: Path, server: WebServer, pki: Pki, **webhook: Any) -> str:
    """Write a configuration: the webhook, then RBAC."""
    written = {
        "timeout": "5s",
        "subjectAccessReviewVersion": "v1",
        "failurePolicy": "NoOpinion",
        "connectionInfo": {
            "type": "KubeConfigFile",
            "kubeConfigFile": server.kubeconfig(folder / "webhook.yaml", pki, token="sesame"),
        },
        **webhook,
    }
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthorizationConfiguration",
        "authorizers": [
            {"type": "Webhook", "name": "hook", "webhook": written},
            {"type": "RBAC", "name": "rbac"},
        ],
    }
    return write(str(folder / "authorization.yaml"), yaml.safe_dump(document))


def write(path: str, text: str) -> str:
    Path(path).write_text(text)
    return path


def status(answer: Any) -> Callable[[str, Any], Any]:
    return lambda _path, review: {**review, "status": answer}


@pytest.mark.parametrize("transport", ["grpc", "rest"])
async def test_a_webhook_allows_denies_and_is_remembered(pki: Pki, tmp_path: Path, transport: str) -> None:
    """Its no is final and says why; it is not asked about who may do everything."""
    async with web_server(pki) as server:
        server.answer = status({"allowed": True, "reason": "why not"})
        path = configuration(tmp_path, server, pki)
        async with serving(pki, authorization_config=path) as served:
            api, admin = served.connect(transport, "nobody"), served.connect(transport)
            for _ in range(3):
                assert (await api.list(kinds.SECRETS, Selection("default"))).items == []
            [review] = server.asked
            assert review["spec"]["resourceAttributes"] == {
                "namespace": "default",
                "verb": "list",
                "version": "v1",
                "resource": "secrets",
            }
            assert server.headers[0]["Authorization"] == "Bearer sesame"
            server.answer = status({"allowed": False, "denied": True, "reason": "not on Sundays"})
            with pytest.raises(Forbidden, match="not on Sundays"):
                await api.list(kinds.PODS, Selection("default"))
            await admin.list(kinds.PODS, Selection("default"))
            assert len(server.asked) == 2
            await api.aclose()
            await admin.aclose()


@pytest.mark.parametrize(
    ("policy", "answer"),
    [("Deny", b"nonsense"), ("Deny", {"status": {"allowed": "yes"}}), ("Deny", 403), ("NoOpinion", [1])],
)
async def test_a_webhook_that_fails_is_as_the_policy_says(
    pki: Pki, tmp_path: Path, policy: str, answer: Any
) -> None:
    """Denied by it, or asked on: the scheduler may list nodes by its role."""
    async with web_server(pki) as server:
        server.answer = lambda _path, _review: answer
        path = configuration(tmp_path, server, pki, failurePolicy=policy)
        async with serving(pki, authorization_config=path) as served:
            user = served.connect("rest", "scheduler")
            work = user.list(kinds.NODES)
            if policy == "NoOpinion":
                await work
            else:
                with pytest.raises(Forbidden):
                    await work
            await user.aclose()


async def test_a_changed_configuration_is_used_and_a_wrong_one_is_not(pki: Pki, tmp_path: Path) -> None:
    """What was used before stays."""
    async with web_server(pki) as server:
        server.answer = status({"allowed": False, "denied": True})
        path = configuration(tmp_path, server, pki, matchConditionSubjectAccessReviewVersion="v1", matchConditions=[{"expression": "request.user != 'system:kube-scheduler'"}])  # fmt: skip
        async with serving(pki, authorization_config=path) as served:
            [reloaded] = served.core.reloaded
            user = served.connect("rest", "scheduler")
            await user.list(kinds.NODES)
            assert server.asked == []
            write(path, "kind: nonsense")
            reloaded.look()
            await user.list(kinds.NODES)
            configuration(tmp_path, server, pki)
            reloaded.look()
            with pytest.raises(Forbidden):
                await user.list(kinds.NODES)
            await until(lambda: len(server.asked) == 1)
            await user.aclose()
