"""The fields of a KubeSchedulerConfiguration."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")
API_VERSION: Final = "kubescheduler.config.k8s.io/v1"
KIND: Final = "KubeSchedulerConfiguration"
_AT: Final = re.compile(r"^(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)


class BadConfiguration(ValueError):  # noqa: N818 - as the file is
    """A file says something that cannot be, or that is not built; the text names the field."""


class Document(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A part of the file; a field that is not known is an error."""


class Enabled(Document, frozen=True):
    """A plugin that is enabled at a point; the weight is that of its score, 0 for its own."""

    name: str
    weight: int = 0


class Disabled(Document, frozen=True):
    """A plugin that is disabled at a point; `*` for all that would be there without the file."""

    name: str


class PluginSet(Document, frozen=True):
    """The plugins of a point."""

    enabled: tuple[Enabled, ...] = ()
    disabled: tuple[Disabled, ...] = ()


class Plugins(Document, frozen=True):
    """The plugins by point."""

    preEnqueue: PluginSet = PluginSet()
    queueSort: PluginSet = PluginSet()
    preFilter: PluginSet = PluginSet()
    filter: PluginSet = PluginSet()
    postFilter: PluginSet = PluginSet()
    preScore: PluginSet = PluginSet()
    score: PluginSet = PluginSet()
    reserve: PluginSet = PluginSet()
    permit: PluginSet = PluginSet()
    preBind: PluginSet = PluginSet()
    bind: PluginSet = PluginSet()
    postBind: PluginSet = PluginSet()
    placementGenerate: PluginSet = PluginSet()
    placementScore: PluginSet = PluginSet()
    multiPoint: PluginSet = PluginSet()


class PluginConfig(Document, frozen=True):
    """The arguments of a plugin."""

    name: str
    args: dict[str, Any] = {}


class ProfileFields(Document, frozen=True):
    """One profile."""

    schedulerName: str = "default-scheduler"
    percentageOfNodesToScore: int | None = None
    plugins: Plugins = Plugins()
    pluginConfig: tuple[PluginConfig, ...] = ()


class Configuration(Document, frozen=True):
    """The whole file."""

    apiVersion: str
    kind: str
    parallelism: int = 16
    leaderElection: dict[str, Any] = {}
    clientConnection: dict[str, Any] = {}
    enableProfiling: bool | None = None
    enableContentionProfiling: bool | None = None
    percentageOfNodesToScore: int | None = None
    podInitialBackoffSeconds: int = 1
    podMaxBackoffSeconds: int = 10
    profiles: tuple[ProfileFields, ...] = ()
    extenders: tuple[dict[str, Any], ...] = ()
    delayCacheUntilActive: bool = False


def read(content: Any, type_: type[T], where: str = "") -> T:
    """Return a part of the file as a value.

    Raises:
        BadConfiguration: a field is unknown, missing or of another type; `where` is what stands before its path.
    """
    try:
        return msgspec.convert(content, type_)
    except msgspec.ValidationError as error:
        found = _AT.match(str(error))
        problem, path = (found["problem"], found["path"] or "") if found else (str(error), "")
        at = ".".join(each for each in (where, path) if each) or "the file"
        raise BadConfiguration(f"{at}: {problem}") from error
