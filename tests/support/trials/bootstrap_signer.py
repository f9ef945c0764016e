"""Bootstrap tokens sign what is published to nodes that join."""

from __future__ import annotations

import base64

from controllers import (
    bootstrap_signer,
    token_cleaner,
)
from machinery.model.k8s.core_v1 import Secret
from machinery.model.requests import Selection
from machinery.model.resources import (
    CONFIG_MAPS,
    NAMESPACES,
    SECRETS,
)
from tests.support import builders
from tests.support.builders import changed
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import Trial


async def tokens_come_and_go(world: CrashWorld) -> None:
    """Of two bootstrap tokens, one expires."""
    info = changed(builders.config_map("cluster-info", "kube-public"), data={"kubeconfig": "x"})
    await world.server.given(NAMESPACES, builders.namespace("kube-public"))
    await world.server.given(CONFIG_MAPS, info)
    soon = world.clock.timescale.format(world.clock.now() + 60)
    for token_id, expiration in (("abcdef", ""), ("fedcba", soon)):
        values = {"token-id": token_id, "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true"}
        known = values | ({"expiration": expiration} if expiration else {})
        data = {key: base64.b64encode(text.encode()).decode() for key, text in known.items()}
        meta = builders.meta(f"bootstrap-token-{token_id}", "kube-system", uid="")
        secret = Secret(metadata=meta, type="bootstrap.kubernetes.io/token", data=data)
        await world.server.given(SECRETS, secret)
    await world.settle()
    signed = await world.user.get(CONFIG_MAPS, "cluster-info", namespace="kube-public")
    assert len(signed.data) == 3
    await world.live(90)
    signed = await world.user.get(CONFIG_MAPS, "cluster-info", namespace="kube-public")
    assert sorted(signed.data) == ["jws-kubeconfig-abcdef", "kubeconfig"]
    left = (await world.user.list(SECRETS, Selection(namespace="kube-system"))).items
    assert [each.metadata.name for each in left] == ["bootstrap-token-abcdef"]


TRIALS = (Trial(tokens_come_and_go, (bootstrap_signer.build, token_cleaner.build), writes=3),)
