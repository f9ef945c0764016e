"""Version, Status, RuntimeConfig, UpdateRuntimeConfig."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from dockershim.shim import Shim
from machinery.model.errors import ApiError
from machinery.pb import cri_pb2 as cri

UNRESTRICTED: Final = "RuntimeUnrestricted"  # a condition of our own: false where the host does not allow all


async def version(shim: Shim, _request: Any) -> Any:
    """Return the engine's name and versions."""
    engine = await shim.engine.version()
    return cri.VersionResponse(
        version="0.1.0",
        runtime_name="docker",
        runtime_version=engine["Version"],
        runtime_api_version=f"{engine['ApiVersion']}.0",
    )


async def status(shim: Shim, request: Any) -> Any:
    """Return whether containers can run, and whether pods get addresses; an engine that does not answer is a condition."""
    engine_problem, network_problem = await _engine_problem(shim), shim.network.problem()
    conditions = [
        _condition("RuntimeReady", "DockerDaemonNotReady", engine_problem),
        _condition("NetworkReady", "NetworkPluginNotReady", network_problem),
    ]
    response = cri.StatusResponse(status=cri.RuntimeStatus(conditions=conditions))
    if not engine_problem:
        host = await shim.host.get()
        lack = _lack(host.missing_capabilities)
        response.status.conditions.append(_condition(UNRESTRICTED, "CapabilitiesMissing", lack))
        names = ("", *host.runtimes)
        response.runtime_handlers.extend(
            cri.RuntimeHandler(name=name, features=cri.RuntimeHandlerFeatures()) for name in names
        )
    if request.verbose:
        response.info["config"] = json.dumps({"podCIDR": shim.network.pod_cidr})
    return response


async def runtime_config(shim: Shim, _request: Any) -> Any:
    """Return the engine's cgroup driver."""
    driver = cri.SYSTEMD if (await shim.host.get()).systemd_cgroups else cri.CGROUPFS
    return cri.RuntimeConfigResponse(linux=cri.LinuxRuntimeConfiguration(cgroup_driver=driver))


async def update_runtime_config(shim: Shim, request: Any) -> Any:
    """Remember the node's pod range, from which pods that start from now on get their addresses; "" changes nothing.

    Raises:
        BadRequest: it is no network, or one without room for a pod.
        OSError: it cannot be written down.
    """
    if pod_cidr := request.runtime_config.network_config.pod_cidr:
        shim.network.configure(pod_cidr)
    return cri.UpdateRuntimeConfigResponse()


async def _engine_problem(shim: Shim) -> str:
    try:
        await shim.engine.ping()
    except ApiError as error:
        return error.message
    return ""


def _lack(missing: Sequence[str]) -> str:
    if not missing:
        return ""
    names = ", ".join(f"CAP_{name}" for name in missing)
    return f"the Docker engine lacks {names}: privileged containers and those that ask for them run without"


def _condition(name: str, reason: str, problem: str) -> Any:
    return cri.RuntimeCondition(
        type=name, status=not problem, reason=reason if problem else "", message=problem
    )
