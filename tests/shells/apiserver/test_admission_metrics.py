"""What admission counts, by kube-apiserver's names.

https://kubernetes.io/docs/reference/instrumentation/metrics/
"""

from __future__ import annotations

import aiohttp
import pytest

from apiserver.core.kinds import KINDS
from machinery.model.errors import ApiError
from tests.support.apiserver import RegistryBench, Served, config_map
from tests.support.waiting import until

RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
REFUSED = {
    "name": "hook.example.com",
    "clientConfig": {"url": "https://127.0.0.1:1/"},
    "rules": [RULE],
    "matchConditions": [{"name": "c", "expression": "object.metadata.name != 'left-out'"}],
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
    "timeoutSeconds": 1,
}


async def numbers(admin: aiohttp.ClientSession, name: str) -> dict[str, float]:
    """Return the samples of a metric by their labels, without those of buckets."""
    async with admin.get("/metrics") as answer:
        text = await answer.text()
    found = (line.rpartition(" ") for line in text.splitlines() if line.startswith(f"{name}{{"))
    return {labels.removeprefix(name): float(value) for labels, _, value in found}


async def test_admission_is_counted(served: Served, admin: aiohttp.ClientSession) -> None:
    """Stages, plugins, policies, webhooks and their conditions."""
    bench = RegistryBench(served.core, served.process.clock)
    await served.core.feed.fresh()
    own = served.core.feed.cache(KINDS["", "configmaps"])
    await until(lambda: own.get("kube-system/extension-apiserver-authentication"))  # it is counted, too
    await bench.create("configmaps", config_map("a"))
    prefix = "apiserver_admission"
    steps = await numbers(admin, f"{prefix}_step_admission_duration_seconds_count")
    for stage in ("admit", "validate"):
        assert steps[f'{{type="{stage}",operation="CREATE",rejected="false"}}'] >= 1
    with pytest.raises(ApiError):
        await bench.create("configmaps", config_map("a"), namespace="nowhere")
    plugins = await numbers(admin, f"{prefix}_controller_admission_duration_seconds_count")
    assert plugins['{name="NamespaceLifecycle",type="admit",operation="CREATE",rejected="true"}'] == 1

    policy = {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "false"}]}
    await bench.create("validatingadmissionpolicies", {"metadata": {"name": "p"}, "spec": policy})
    binding = {"policyName": "p", "validationActions": ["Warn", "Audit"]}
    await bench.create("validatingadmissionpolicybindings", {"metadata": {"name": "b"}, "spec": binding})
    hooks = {"metadata": {"name": "h"}, "webhooks": [REFUSED]}
    await bench.create("validatingwebhookconfigurations", hooks)
    await served.core.feed.fresh()
    with pytest.raises(ApiError, match="failed calling webhook"):
        await bench.create("configmaps", config_map("b"))
    await bench.create("configmaps", config_map("left-out"))
    checks = await numbers(admin, "apiserver_validating_admission_policy_check_total")
    assert checks == {
        f'{{policy="p",policy_binding="b",error_type="no_error",enforcement_action="{action}"}}': 2
        for action in ("warn", "audit")
    }
    who = 'name="hook.example.com"'
    told = f'{{{who},type="validating",operation="CREATE",code="0",rejected="true"}}'
    assert await numbers(admin, f"{prefix}_webhook_request_total") == {told: 1}
    failed = f'{{{who},type="validating",operation="CREATE",error_type="calling_webhook_error",rejection_code="0"}}'
    assert await numbers(admin, f"{prefix}_webhook_rejection_count") == {failed: 1}
    lasted = await numbers(admin, f"{prefix}_webhook_admission_duration_seconds_count")
    assert lasted == {f'{{{who},type="validating",operation="CREATE",rejected="true"}}': 1}
    excluded = f'{{{who},kind="webhook",type="validating",operation="CREATE"}}'
    assert await numbers(admin, f"{prefix}_match_condition_exclusions_total") == {excluded: 1}
    evaluated = await numbers(admin, f"{prefix}_match_condition_evaluation_seconds_count")
    assert evaluated == {excluded: 2}
    later = await numbers(admin, f"{prefix}_controller_admission_duration_seconds_count")
    assert (
        later['{name="ValidatingAdmissionWebhook",type="validate",operation="CREATE",rejected="true"}'] == 1
    )
    assert (
        later['{name="ValidatingAdmissionPolicy",type="validate",operation="CREATE",rejected="false"}'] == 2
    )
