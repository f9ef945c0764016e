"""What a controller declares that it writes, it may write: by the roles that a cluster has from the beginning."""

from __future__ import annotations

import pytest

from apiserver.core.authz.attributes import Attributes
from apiserver.core.authz.rules import rules_of
from apiserver.core.bootstrap_rbac import NEEDED
from controllers.core.caches import Caches
from controllers.core.controller import Settings
from controllers.core.kinds import KINDS
from controllers.table import CONTROLLERS
from machinery.model.profile import intervals

OTHERWISE = {"ask nodes/proxy": "create nodes/proxy", "finalize namespaces": "update namespaces/finalize"}
ROLES = {"kubarium:controllers", "system:kube-controller-manager"}
RULES = [rule for obj in NEEDED if obj["kind"] == "ClusterRole" and obj["metadata"]["name"] in ROLES for rule in rules_of(obj)]  # fmt: skip


def asked(write: str) -> Attributes:
    """Return the request that a declared write is."""
    verb, _, what = OTHERWISE.get(write, write).partition(" ")
    resource, _, subresource = what.partition("/")
    plural, _, group = resource.partition(".")
    return Attributes(
        verb=verb,
        group=group,
        resource=plural,
        subresource=subresource,
        namespace="default",
        name="" if verb == "create" else "one",
    )


@pytest.mark.parametrize("build", CONTROLLERS, ids=lambda build: build.__module__.split(".")[1])
def test_a_controller_may_write_what_it_declares(build):
    """What is declared of every kind is a rule of every kind."""
    writes = build(Caches(), Settings(intervals("default"), KINDS)).writes
    refused = [each for each in writes if not any(rule.matches(asked(each)) for rule in RULES)]
    assert refused == []
