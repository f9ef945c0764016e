"""Policies whose expressions are checked."""

from __future__ import annotations

from controllers import (
    validatingadmissionpolicy_status,
)
from controllers.validatingadmissionpolicy_status.plan import POLICIES
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import (
    document,
)
from tests.support.trials.trial import Trial


async def a_policy_is_checked(world: CrashWorld) -> None:
    """Once for each of its generations."""
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["*"], "resources": ["deployments"]}
    for name, expression in (("good", "object.spec.replicas > 1"), ("bad", "object.replicas > 1")):
        spec = {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": expression}],
        }
        await world.server.given(POLICIES, document(POLICIES, name, metadata={"generation": 1}, spec=spec))
    await world.settle()
    good, bad = [await world.user.get(POLICIES, name) for name in ("good", "bad")]
    assert good.status == {"observedGeneration": 1, "typeChecking": {}}
    [warning] = bad.status["typeChecking"]["expressionWarnings"]
    assert warning["fieldRef"] == "spec.validations[0].expression"


TRIALS = (Trial(a_policy_is_checked, (validatingadmissionpolicy_status.build,), writes=2),)
