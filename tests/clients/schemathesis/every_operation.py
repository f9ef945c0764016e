"""Requests that schemathesis draws from an apiserver's own OpenAPI documents; its checks judge the answers.

    every_operation.py URL CA CERTIFICATE KEY EXAMPLES

Reads and lists of every document, and writes of kinds whose schemas are small enough to be drawn in a moment. No answer is
the server's fault, and what is answered is what the document says: its media type, and its schema.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

SMALL = 25_000  # characters of the schemas that a body refers to
NOT_BUILT = {
    501,
    503,
    504,
}  # not built; a proxy to a node that is not there; a revision that is still to come
ACTIONS = {"get", "list", "post", "patch"}
STREAMS = ("/log", "/proxy", "/proxy/{path}")


def main(url: str, ca: str, certificate: str, key: str, count: str) -> None:
    """Try every operation that is wanted."""
    session = requests.Session()
    session.trust_env = (
        False  # else the environment's authorities are believed before the one that is named here
    )
    session.verify, session.cert = ca, (certificate, key)
    answered: Counter[int] = Counter()
    index = session.get(f"{url}/openapi/v3", timeout=30).json()["paths"]
    for address in index.values():
        document = session.get(url + address["serverRelativeURL"], timeout=30).json()
        for result in schemathesis.openapi.from_dict(document).get_all_operations():
            operation = result.ok()
            if is_wanted(operation, document):
                try_out(operation, url, session, int(count), answered)
    print(dict(sorted(answered.items())))
    assert sum(answered.values()) > 300
    assert {200, 404, 422} <= set(answered)


def is_wanted(operation: Any, document: dict[str, Any]) -> bool:
    """Whether an operation reads, or writes what is small, and does not last."""
    if operation.definition.raw.get("x-kubernetes-action", "get") not in ACTIONS:
        return False
    if "/openid" in operation.label:  # JSON that documents call a text, Kubernetes' own, too
        return False
    if operation.label.endswith(STREAMS):
        return False
    return operation.method == "get" or size(operation, document) <= SMALL


def size(operation: Any, document: dict[str, Any]) -> int:
    """Return how large the schemas are that a body refers to, with all that they refer to."""
    waiting, seen = [str(operation.definition.raw.get("requestBody", {}))], dict[str, str]()
    while waiting:
        for part in waiting.pop().split("#/components/schemas/")[1:]:
            name = part.partition("'")[0]
            if name not in seen:
                seen[name] = str({**document["components"]["schemas"][name], "description": ""})
                waiting.append(seen[name])
    return sum(map(len, seen.values()))


def examples(count: int) -> settings:
    """Draw so many requests, the same ones each time."""
    return settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def try_out(operation: Any, url: str, session: requests.Session, count: int, answered: Counter[int]) -> None:
    """Draw requests of an operation, and judge what they are answered with."""

    @given(case=operation.as_strategy())
    @examples(count)
    def judge(case: Any) -> None:
        case.query.pop("watch", None)
        response = case.call(base_url=url, session=session, verify=session.verify, timeout=60)
        answered[response.status_code] += 1
        if response.status_code not in NOT_BUILT:
            checks = [not_a_server_error, content_type_conformance, response_schema_conformance]
            case.validate_response(response, checks=checks)

    judge()


main(*sys.argv[1:])
