"""Connections into pods, services and nodes, before they are made: authorized, then asked about at admission (CONNECT)."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import structs

from apiserver.core.connect_options import Options
from apiserver.core.values import Json
from apiserver.request import UserInfo, request_about
from apiserver.rest.http_request import HttpRequest
from apiserver.rest.paths import Target
from apiserver.rest.services import RestServices
from machinery.model.errors import BadRequest

T = TypeVar("T", bound=Options)


async def authorize(services: RestServices, user: UserInfo, target: Target, *verbs: str) -> None:
    """Check that a user may do all of something.

    Raises:
        Forbidden: the user may not.
    """
    for verb in verbs:
        await services.gate.admit(request_about(target, user, verb))


async def admit(services: RestServices, user: UserInfo, target: Target, http: HttpRequest, options: T) -> T:
    """Ask admission about a connection; returns the options with which it is made. The answer will have its warnings.

    Raises:
        BadRequest: it is to be a dry run.
        ApiError: somebody does not want it.
    """
    if http.raw_query and "dryRun" in http.query:
        raise BadRequest("dryRun is not supported")
    admitted = await services.registry.connect(request_about(target, user, "connect"), options)
    http.warnings = (*http.warnings, *admitted.warnings)
    wanted = admitted.options
    assert isinstance(wanted, type(options))  # noqa: S101 - admission keeps what they are
    return wanted


async def pod_of(services: RestServices, user: UserInfo, target: Target) -> Json:
    """Return the pod that a connection is about.

    Raises:
        NotFound: there is no such pod.
    """
    request = structs.replace(request_about(target, user, "get"), subresource="")
    pod: Json = msgspec.json.decode((await services.registry.get(request)).json)
    return pod
