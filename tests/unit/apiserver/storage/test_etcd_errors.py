"""What etcd's errors mean to the API."""

from __future__ import annotations

import grpc
import pytest

from apiserver.storage.endpoints import to_error
from machinery.model.errors import ApiError, BadRequest, DeadlineExceeded, InternalError, Unavailable
from machinery.wire.rpc_errors import rpc_error


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded),
        (grpc.StatusCode.OUT_OF_RANGE, BadRequest),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, InternalError),  # its quota is reached
        (grpc.StatusCode.DATA_LOSS, InternalError),
        (grpc.StatusCode.FAILED_PRECONDITION, InternalError),
    ],
)
def test_what_etcd_refuses_is_told_in_its_own_words(code: grpc.StatusCode, error: type[ApiError]) -> None:
    """With the server's address; a full quota is no reason for clients to come again soon, as a 429 is."""
    found = to_error(rpc_error(code, "etcdserver: mvcc: database space exceeded"), "10.0.0.1:2379")
    assert type(found) is error
    assert found.message == "etcd at 10.0.0.1:2379: etcdserver: mvcc: database space exceeded"
