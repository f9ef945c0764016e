"""Which container of a pod a request for its log, or into it, is about; and what such a request may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import BadRequest, Cause

_STREAMS: Final = ("All", "Stderr", "Stdout")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """What of a log is asked for (core/v1 PodLogOptions)."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since_seconds: int | None = None
    since_time: str = ""
    limit_bytes: int | None = None
    stream: str = ""
    skips_verification: bool = False  # of the kubelet's certificate


def log_causes(options: LogOptions) -> list[Cause]:
    """Find what is wrong with the options."""
    found = field_errors.not_negative("tailLines", options.tail_lines)
    if options.limit_bytes is not None and options.limit_bytes < 1:
        found.append(field_errors.invalid("limitBytes", options.limit_bytes, "must be greater than 0"))
    if options.since_seconds is not None and options.since_time:
        text = "at most one of `sinceTime` or `sinceSeconds` may be specified"
        found.append(field_errors.forbidden("", text))
    elif options.since_seconds is not None and options.since_seconds < 1:
        found.append(field_errors.invalid("sinceSeconds", options.since_seconds, "must be greater than 0"))
    if options.stream and options.stream not in _STREAMS:
        found.append(field_errors.not_supported("stream", options.stream, _STREAMS))
    elif options.stream not in {"", "All"} and options.tail_lines is not None:
        text = "`tailLines` and specific `stream` are mutually exclusive for now"
        found.append(field_errors.forbidden("", text))
    return found


def container_of(pod: Json, asked: str) -> str:
    """Return the container that is meant: the one that is asked for, or the only one there is.

    Raises:
        BadRequest: there is no such container, or it is not clear which one is meant.
    """
    pod_name = metadata(pod)["name"]
    names = _names(pod, "containers")
    if asked:
        every = (*names, *_names(pod, "initContainers"), *_names(pod, "ephemeralContainers"))
        if asked not in every:
            raise BadRequest(f"container {asked} is not valid for pod {pod_name}")
        return asked
    if len(names) == 1:
        return names[0]
    raise BadRequest(_which(pod, pod_name, names))


def connect_verbs(method: str) -> tuple[str, ...]:
    """Return the verbs that somebody needs who connects by a method.

    A WebSocket begins with a GET, and goes into the pod all the same: it needs the verb create, too.
    """
    return ("get", "create") if method == "GET" else ("create",)


def node_of(pod: Json) -> str:
    """Return the node of a pod.

    Raises:
        BadRequest: it has none yet.
    """
    node: str = spec(pod).get("nodeName", "")
    if not node:
        raise BadRequest(f"pod {metadata(pod)['name']} does not have a host assigned")
    return node


def check_running(pod: Json) -> None:
    """Check that somebody can go into the pod.

    Raises:
        BadRequest: it has no node yet, or it has ended.
    """
    node_of(pod)
    phase = (pod.get("status") or {}).get("phase", "")
    if phase in {"Succeeded", "Failed"}:
        raise BadRequest(f"cannot exec into a container in a completed pod; current phase is {phase}")


def exit_status(code: int, error: str) -> Json:
    """Return the metav1.Status that the error channel of an exec ends with."""
    if error:
        return {
            "metadata": {},
            "status": "Failure",
            "message": f"error executing command in container: {error}",
            "reason": "InternalError",
            "code": 500,
        }
    if code:
        return {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with non-zero exit code: exit status {code}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        }
    return {"metadata": {}, "status": "Success"}


def log_options(
    query: Mapping[str, str],
    boolean: Callable[[str], bool | None],
    integer: Callable[[str], int | None],
) -> LogOptions:
    """Read the options of a log out of a query."""
    return LogOptions(
        container=query.get("container", ""),
        follow=bool(boolean("follow")),
        previous=bool(boolean("previous")),
        timestamps=bool(boolean("timestamps")),
        tail_lines=integer("tailLines"),
        since_seconds=integer("sinceSeconds"),
        since_time=query.get("sinceTime", ""),
        limit_bytes=integer("limitBytes"),
        stream=query.get("stream", ""),
        skips_verification=bool(boolean("insecureSkipTLSVerifyBackend")),
    )


def _names(pod: Json, field: str) -> tuple[str, ...]:
    return tuple(each.get("name", "") for each in spec(pod).get(field) or ())


def _which(pod: Json, pod_name: str, names: tuple[str, ...]) -> str:
    if not names:
        return f"a container name must be specified for pod {pod_name}"
    text = f"a container name must be specified for pod {pod_name}, choose one of: [{' '.join(names)}]"
    if inits := _names(pod, "initContainers"):
        text += f" or one of the init containers: [{' '.join(inits)}]"
    if ephemeral := _names(pod, "ephemeralContainers"):
        text += f" or one of the ephemeral containers: [{' '.join(ephemeral)}]"
    return text
