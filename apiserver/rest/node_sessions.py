"""Sessions in containers by a kubelet's own paths, as `nodes/proxy` passes them on: /exec, /attach, /portForward.

The connection becomes what the caller asks for (SPDY or a WebSocket) at the runtime of the node, as that of `pods/exec`.
"""

from __future__ import annotations

from typing import Any, Final

from apiserver.rest.http_request import HttpRequest
from apiserver.rest.node_tunnels import connection_headers
from machinery.model.errors import BadRequest, NotFound
from machinery.model.kubelet_paths import SESSIONS, PodPath, read_pod_path

_STREAMS: Final = {"stdin": "input", "stdout": "output", "stderr": "error", "tty": "tty"}


def start_of(path: str, http: HttpRequest) -> Any:
    """Return what a tunnel to the node begins with; `path` is the kubelet's, decoded.

    Raises:
        NotFound: no session is there.
        BadRequest: it is asked for no command, or for no stream.
    """
    from machinery.wire.node import messages

    read = read_pod_path(path)
    if read is None or read.what not in SESSIONS:
        raise NotFound("404 page not found")
    headers = connection_headers(http)
    container = messages.ContainerRef(
        namespace=read.namespace, pod=read.pod, container=read.container, pod_uid=read.uid
    )
    if read.what == "portForward":
        streams = messages.RuntimeStreams(
            start=messages.StreamStart(container=container), query=http.raw_query, headers=headers
        )
        return messages.TunnelStart(port_forward=streams)
    start = messages.StreamStart(container=container, **_wanted(read, http))
    streams = messages.RuntimeStreams(start=start, headers=headers)
    if read.what == "attach":
        return messages.TunnelStart(attach=streams)
    return messages.TunnelStart(exec=streams)


def _wanted(read: PodPath, http: HttpRequest) -> dict[str, Any]:
    query = http.query
    wanted: dict[str, Any] = {field: query.get(name) == "1" for field, name in _STREAMS.items()}
    if not (wanted["stdin"] or wanted["stdout"] or wanted["stderr"]):
        raise BadRequest("you must specify at least 1 of stdin, stdout, stderr")
    if read.what == "exec":
        wanted["command"] = query.getall("command", [])
        if not wanted["command"]:
            raise BadRequest("you must specify a command to execute")
    return wanted
