"""What authorizers are told of a request."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.kinds import KINDS
from apiserver.gate import attributes_of
from apiserver.request import ListOptions, Request, UserInfo


def request(verb: str, resource: str, **fields: Any) -> Request:
    return Request(user=UserInfo("alice"), verb=verb, group="", version="v1", resource=resource, **fields)


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        (request("get", "namespaces", name="apps"), ("apps", "apps")),
        (request("update", "namespaces", name="apps", subresource="status"), ("apps", "apps")),
        (request("create", "namespaces"), ("", "")),
        (request("list", "namespaces"), ("", "")),
        (request("get", "nodes", name="node-1"), ("", "node-1")),
        (request("get", "pods", namespace="apps", name="web"), ("apps", "web")),
    ],
)
def test_a_namespace_lies_in_itself(asked: Request, place: tuple[str, str]):
    """So a RoleBinding in a namespace may grant the object of that name; nothing else changes its place."""
    found = attributes_of(asked, KINDS["", asked.resource])
    assert (found.namespace, found.name) == place


def test_a_list_of_one_name_is_a_request_of_that_object():
    """As a kubelet watches the Secrets of its pods."""
    one = ListOptions(field_selector="metadata.name=token")
    secrets = KINDS["", "secrets"]
    watched = attributes_of(request("watch", "secrets", namespace="apps", selection=one), secrets)
    created = attributes_of(request("create", "secrets", namespace="apps", selection=one), secrets)
    assert (watched.name, created.name) == ("token", "")
