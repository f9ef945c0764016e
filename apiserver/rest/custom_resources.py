"""Custom resources: there are none, and none can be made.

kubectl lists the definitions before it says that it does not know a kind; where they are not found it cannot say
so. The list is therefore answered, empty as it is. Discovery does not have it: nothing else is served of its group.
"""

from __future__ import annotations

from typing import Final

from apiserver.rest.negotiation import DOCUMENTS, negotiate
from apiserver.rest.paths import Target
from apiserver.rest.replies import Reply, reply

_DEFINITIONS: Final = Target(group="apiextensions.k8s.io", resource="customresourcedefinitions")
_NONE: Final = (
    b'{"kind":"CustomResourceDefinitionList","apiVersion":"apiextensions.k8s.io/v1","metadata":{},"items":[]}'
)


def lists_definitions(target: Target, verb: str) -> bool:
    """Whether a request asks which custom resources are defined."""
    return verb == "list" and target == _DEFINITIONS


def no_definitions(accept: str) -> Reply:
    """Answer with an empty list.

    Raises:
        NotAcceptable: the caller takes no JSON.
    """
    negotiate(accept, DOCUMENTS)
    return reply(_NONE)
