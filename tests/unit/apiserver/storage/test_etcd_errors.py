"""What etcd's errors mean to the API."""

from __future__ import annotations

import pytest

from apiserver.storage.endpoints import to_error
from machinery.model.errors import ApiError, BadRequest, DeadlineExceeded, InternalError, Unavailable
from machinery.rpc.status import Code, RpcError


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (Code.UNAVAILABLE, Unavailable),
        (Code.DEADLINE_EXCEEDED, DeadlineExceeded),
        (Code.OUT_OF_RANGE, BadRequest),
        (Code.RESOURCE_EXHAUSTED, InternalError),  # its quota is reached
        (Code.DATA_LOSS, InternalError),
        (Code.FAILED_PRECONDITION, InternalError),
    ],
)
def test_what_etcd_refuses_is_told_in_its_own_words(code: Code, error: type[ApiError]) -> None:
    """With the server's address; a full quota is no reason for clients to come again soon, as a 429 is."""
    found = to_error(RpcError(code, "etcdserver: mvcc: database space exceeded"), "10.0.0.1:2379")
    assert type(found) is error
    assert found.message == "etcd at 10.0.0.1:2379: etcdserver: mvcc: database space exceeded"
