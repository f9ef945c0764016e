"""Generate docs/api-fidelity.md: what is served, kind by kind and verb by verb, with the test that shows it, and what is not.

From the catalogue that discovery tells, and the tests. With --check, fail where it is stale, where a test is gone, or
where something is served that no test shows.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from apiserver.core.kind import Kind
from apiserver.core.kinds import ALL
from machinery.model.k8s import served, unserved
from machinery.model.kinds import KindNames

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "api-fidelity.md"

EVERY = "tests/shells/apiserver/test_every_kind.py"
SUBRESOURCES = "tests/unit/apiserver/registry/test_subresources.py"
STREAMS = "tests/shells/apiserver/rest/test_pod_streams.py"
PROXIES = "tests/shells/apiserver/rest/test_proxies.py"
SHOWN = {  # by kind and subresource; of every kind, where there is none of its own
    "": f"{EVERY}::test_a_kind_has_its_verbs",
    "/status": f"{EVERY}::test_a_status_is_written_apart_from_the_rest",
    "/scale": f"{EVERY}::test_what_has_replicas_is_scaled",
    "certificatesigningrequests.certificates.k8s.io/approval": (
        "tests/shells/apiserver/test_certificates.py::test_a_person_waits_for_an_approval"
    ),
    "customresourcedefinitions.apiextensions.k8s.io": (
        "tests/contract/custom/test_custom_resources.py::test_a_definition_is_served_at_once"
    ),
    "customresourcedefinitions.apiextensions.k8s.io/status": (
        "tests/contract/custom/test_custom_resources.py::test_a_definition_is_served_at_once"
    ),
    "namespaces/finalize": (
        "tests/unit/apiserver/registry/test_deletion.py::test_a_namespace_terminates_until_its_finalizer_is_gone"
    ),
    "nodes/proxy": f"{PROXIES}::test_a_kubelet_shows_its_pages",
    "pods/attach": f"{STREAMS}::test_spdy_goes_through_as_it_is",
    "pods/binding": f"{SUBRESOURCES}::test_a_pod_is_bound_once",
    "pods/ephemeralcontainers": f"{SUBRESOURCES}::test_ephemeral_containers_are_added_by_their_subresource",
    "pods/eviction": "tests/unit/apiserver/registry/test_deletion.py::test_an_eviction_takes_a_disruption_of_its_budget",
    "pods/exec": f"{STREAMS}::test_a_command_gets_its_input_and_its_output_comes_back",
    "pods/log": f"{STREAMS}::test_a_log_is_passed_on",
    "pods/portforward": f"{STREAMS}::test_spdy_within_a_websocket_is_unwrapped",
    "pods/proxy": f"{PROXIES}::test_a_request_goes_to_a_pod_as_it_is",
    "pods/resize": f"{SUBRESOURCES}::test_a_pod_is_resized_by_its_subresource",
    "serviceaccounts/token": (
        "tests/shells/apiserver/rest/test_rest_door.py::test_a_token_lives_as_long_as_its_account"
    ),
    "services/proxy": f"{PROXIES}::test_a_name_may_have_a_scheme_and_a_port",
}
VERSIONS = {
    "autoscaling/v1": f"{EVERY}::test_an_autoscaler_is_read_and_written_in_both_versions",
    "events.k8s.io/v1": f"{EVERY}::test_an_event_is_read_and_written_in_both_groups",
}
REVIEWED = f"{EVERY}::test_a_review_is_answered"
POSTED = f"{EVERY}::test_a_binding_is_posted_by_itself"
COMPUTED = f"{EVERY}::test_the_components_say_how_they_do"
NOT_BUILT = "tests/unit/apiserver/test_unbuilt_places.py::test_each_kind_that_is_missing_is_named"


@cache
def tests_of(module: str) -> frozenset[str]:
    """Return the names of the tests of a module.

    Raises:
        SystemExit: there is no such module.
    """
    path = ROOT / module
    if not path.exists():
        raise SystemExit(f"tools/gen_api_fidelity.py names {module}, which is not there")
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(
        node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, functions)
    )


def checked(test: str) -> str:
    """Return a test as the page names it.

    Raises:
        SystemExit: it is not there.
    """
    module, _, name = test.partition("::")
    if name not in tests_of(module):
        raise SystemExit(f"tools/gen_api_fidelity.py names {test}, which is not there")
    return f"[`{name}`](../{module})"


def test_for(kind: Kind, subresource: str) -> str:
    """Return the test that shows a kind's verbs, or those of one of its subresources.

    Raises:
        SystemExit: none does.
    """
    part = f"/{subresource}" if subresource else ""
    test = VERSIONS.get(kind.api_version) or SHOWN.get(f"{kind.group_resource}{part}") or SHOWN.get(part)
    if test is None:
        raise SystemExit(f"tools/gen_api_fidelity.py: no test shows {kind.group_resource}{part}")
    return checked(test)


def rows_of(kind: Kind) -> Iterator[str]:
    """Write a kind, and each of its subresources."""
    names = ", ".join(kind.short_names)
    shown = f"{kind.plural} ({names})" if names else kind.plural
    yield f"| {kind.api_version} | {kind.kind} | {shown} | {', '.join(kind.verbs)} | {test_for(kind, '')} |"
    for name, part in sorted(kind.subresources.items()):
        verbs = ", ".join(part.verbs)
        yield f"| | {part.kind} | {kind.plural}/{name} | {verbs} | {test_for(kind, name)} |"


def order_of(names: KindNames) -> tuple[str, str, str]:
    """Sort by group, version and plural: the core group first."""
    return names.gvr


def text() -> str:
    """Write the page."""
    table = [row for kind in sorted(ALL, key=order_of) for row in rows_of(kind)]
    reviews = [
        f"| {names.api_version} | {names.kind} | {names.plural} | create | {checked(REVIEWED)} |"
        for names in sorted(served.REVIEWS, key=order_of)
    ]
    reviews += [
        f"| {names.api_version} | {names.kind} | {names.plural} | create | {checked(POSTED)} |"
        for names in served.POSTED
    ]
    reviews += [
        f"| {names.api_version} | {names.kind} | {names.plural} | {', '.join(names.verbs)} | {checked(COMPUTED)} |"
        for names in served.COMPUTED
    ]
    missing = [
        f"| {f'{group}/{version}' if group else version} | {kind} | {plural} |"
        for (group, version, plural), kind in unserved.KINDS.items()
    ]
    head = ["| version | kind | resource | verbs | shown by |", "|---|---|---|---|---|"]
    lines = [
        "# What of the Kubernetes API is served",
        "",
        f"Made by `tools/gen_api_fidelity.py` from the catalogue and the tests; not to be edited. The measure is Kubernetes {unserved_version()}.",
        "Kinds of CustomResourceDefinitions have all verbs, and the subresources that their definitions name.",
        "",
        f"## Stored: {len({kind.stored.gvr for kind in ALL})} kinds, {len(ALL)} versions of them",
        "",
        *head,
        *table,
        "",
        "## Answered, not stored",
        "",
        *head,
        *reviews,
        "",
        "## Not served",
        "",
        f"Whoever asks for one of these is answered 501, by its name ({checked(NOT_BUILT)}).",
        "",
        "| version | kind | resource |",
        "|---|---|---|",
        *missing,
    ]
    return "\n".join(lines) + "\n"


def unserved_version() -> str:
    """Return the version of Kubernetes that the tables are of."""
    return str(unserved.__doc__).split()[2]


def main() -> None:
    """Generate, or check.

    Raises:
        SystemExit: with --check, the page is stale.
    """
    made = text()
    if "--check" not in sys.argv:
        FILE.write_text(made)
    elif not FILE.exists() or FILE.read_text() != made:
        raise SystemExit(f"{FILE.name} is stale: run python tools/gen_api_fidelity.py")


if __name__ == "__main__":
    main()
