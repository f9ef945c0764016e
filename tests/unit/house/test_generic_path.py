"""The apiserver's generic path knows no kind by its name: what is special about one stands in its rules."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from machinery.model.k8s import served
from tests.support.sources import ROOT, text_of

PARTICULAR = (
    "app.py", "behind_doors.py", "checking/__main__.py",  # the composition roots
    "core/kinds/*", "core/table/*", "core/podspec/*", "core/workloads.py", "core/service_*.py", "core/pod_access.py",
    "core/batch/*", "core/ingress_rules.py", "core/resource_names.py", "core/scaling_metrics.py", "core/volume_claims.py", "core/endpoint_subsets.py",
    "core/emptiness.py", "core/apply/topology.py", "core/openapi_enums.py",  # tables of Go types
    "core/custom/*", "custom_resources/*", "aggregation/*", "core/aggregation/*", "core/autoscaling_v1.py", "core/event_versions.py", "core/flow_rules.py",
    "admission/*", "core/admission/*", "core/hooks/*", "core/pod_security/*",
    "core/authz/*", "core/authn*.py", "core/access_reviews.py", "core/token_requests.py", "core/configured/*", "core/admission_configured.py", "core/audit/*",
    "core/flow/schemas.py", "core/flow/suggested.py", "core/flow/configuration.py", "flow_objects.py",  # which requests belong together, as Kubernetes suggests
    "core/disruption.py", "registry/disruption.py",
    "core/bootstrap*.py", "core/bootstrap_rbac/*", "bootstrap.py", "presence.py", "allocation.py",
    "authentication.py", "legacy_tokens.py", "core/legacy_tokens.py", "authorizers.py", "webhook_authorizer.py", "token_requests.py", "reviews.py", "component_statuses.py", "bindings.py", "rbac_cache.py", "node_references.py", "kubelets.py",
    "resource_metrics.py",  # of nodes and pods
    "rest/pod_*.py", "core/proxying/*", "rest/proxies.py",  # which are about what requests can be passed on to
)  # fmt: skip
"""Modules that are about some kinds: their rules, access, what a cluster begins with. All others are generic."""

OTHER_MEANINGS = {
    "flow_pages.py": {"Namespace"},
    "rest/paths.py": {"namespaces"},
    "storage/endpoints.py": {"Lease"},
    "registry/fences.py": {"leases"},
}
"""Words that are no kinds there: a column, a part of every URL, and etcd's own service. A fence is a Lease by its definition."""

GENERIC = [
    path.relative_to(ROOT / "apiserver")
    for path in sorted((ROOT / "apiserver").rglob("*.py"))
    if not any(path.relative_to(ROOT / "apiserver").match(pattern) for pattern in PARTICULAR)
]
NAMES = {
    name
    for kind in (*served.STORED, *served.REVIEWS, *served.COMPUTED)
    for name in (kind.plural, kind.group_resource, kind.kind, kind.group_kind, kind.definition)
}


def mentions(source: str) -> set[str]:
    """Find the kinds that a module speaks of: by a literal, or by importing rules or names of one."""
    found: set[str] = set()
    tree = ast.parse(source)
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in texts and node.value in NAMES:
            found.add(str(node.value))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("apiserver.core.kinds"):
            found.add(str(node.module))
        if isinstance(node, ast.ImportFrom) and any(each.name in {"kinds", "served"} for each in node.names):
            found |= {f"{node.module}.{each.name}" for each in node.names if each.name in {"kinds", "served"}}
    return found


def test_there_is_a_generic_path() -> None:
    """The modules that every request comes through are among those that are looked at."""
    names = {str(path) for path in GENERIC}
    assert {
        "registry/modify.py",
        "registry/facade.py",
        "watch_cache.py",
        "watch_cache_feed.py",
        "gate.py",
    } <= names
    assert {
        "core/deletion.py",
        "core/metadata.py",
        "core/writes.py",
        "core/discovery.py",
        "rest/resources.py",
    } <= names


@pytest.mark.parametrize("path", GENERIC, ids=str)
def test_a_generic_module_speaks_of_no_kind(path: Path) -> None:
    """Neither by its plural, nor by its kind, nor by its rules."""
    found = mentions(text_of(ROOT / "apiserver" / path))
    assert found <= OTHER_MEANINGS.get(str(path), set())


@pytest.mark.parametrize(
    "source",
    [
        'if kind.plural == "pods": pass',
        'if (obj["apiVersion"], obj["kind"]) == ("v1", "Event"): pass',
        "from apiserver.core.kinds.pods import RULES",
        "from apiserver.core.kinds import ALL",
        "from machinery.model.k8s import served",
    ],
)
def test_a_mention_is_found(source: str) -> None:
    """Each of the ways in which the generic path knew kinds once."""
    assert mentions(source)
