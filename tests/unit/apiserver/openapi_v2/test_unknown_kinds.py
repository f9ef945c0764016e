"""kubectl may ask which custom resources there are: only then can it say that it does not know a kind."""

from __future__ import annotations

import pytest

from apiserver.rest.custom_resources import lists_definitions
from apiserver.rest.paths import Target, parse

_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.mark.parametrize(
    ("path", "verb", "answered"),
    [
        (_PATH, "list", True),
        (_PATH, "create", False),
        (_PATH, "deletecollection", False),
        (f"{_PATH}/puddings.example.com", "get", False),
        (_PATH.replace("v1", "v1beta1"), "list", False),
        ("/apis/apiextensions.k8s.io/v1/watch/customresourcedefinitions", "list", False),
        ("/apis/apiextensions.k8s.io/v1/namespaces/x/customresourcedefinitions", "list", False),
        ("/api/v1/customresourcedefinitions", "list", False),
    ],
)
def test_only_the_list_is_answered(path: str, verb: str, answered: bool):
    """The list is all that is served of the group."""
    target = parse(path)
    assert isinstance(target, Target)
    assert lists_definitions(target, verb) is answered
