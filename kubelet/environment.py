"""Gathers the environment variables of a container.

Fed by the pod workers, before a container is created. ConfigMaps and Secrets are those that the node follows; Services
come from a watch that starts with the first container.
"""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from kubelet.core.environment import (
    ProcessStrings,
    service_variables,
    split_names,
    visible_services,
)
from kubelet.core.field_values import Addresses, field_value, resource_value
from kubelet.env_files import EnvFiles
from kubelet.referenced_objects import ObjectSource
from machinery.client.api import Api
from machinery.client.events import WARNING, EventRecorder
from machinery.client.informer import Informer
from machinery.client.waiting import event_within
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, NotFound
from machinery.model.k8s.core_v1 import (
    ConfigMap,
    Container,
    EnvFromSource,
    EnvVarSource,
    Pod,
    Secret,
    Service,
    ServiceSpec,
)
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import SILENT, EventLog
from machinery.model.resources import CONFIG_MAPS, SECRETS, SERVICES

S = TypeVar("S", ConfigMap | None, Secret | None)

_KEPT_BYTES: Final = 4 * 2**20  # of ConfigMaps, and of Secrets, while one container's environment is gathered
_SYNC_LIMIT_S: Final = 5.0  # wall seconds that a container waits for the first list of Services


class ConfigProblem(Exception):  # noqa: N818 - it is what a waiting container shows
    """A container cannot be configured now (CreateContainerConfigError); the message is for its status."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Environment:
    """The environment of the node's containers."""

    def __init__(
        self,
        api: Api,
        objects: ObjectSource,
        clock: Clock,
        events: EventRecorder,
        log: EventLog = SILENT,
        *,
        allocatable: Callable[[], Mapping[str, str]],
        host_ips: Sequence[str],
    ) -> None:
        self._objects = objects
        self._clock = clock
        self._events = events
        self._allocatable = allocatable
        self._host_ips = host_ips
        self._wanted = asyncio.Event()
        self._synced = asyncio.Event()
        self._services = Informer(api, SERVICES, clock=clock, keep=_worth_keeping, log=log)

    async def run(self) -> None:
        """Follow the Services from the first container on, until cancelled."""
        await self._wanted.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._services.run(), name="services")
            group.create_task(self._note_sync(), name="services-synced")

    async def make(
        self,
        pod: Pod,
        container: Container,
        pod_ip: str,
        pod_ips: Sequence[str] = (),
        volumes: Mapping[str, str] = MappingProxyType({}),
    ) -> ProcessStrings:
        """Return the container's environment, in the order of its declaration, Services last.

        `volumes` are the host paths of the pod's volumes, by their names.

        Raises:
            ConfigProblem: something that is not optional is missing.
            TooLargeError: it is more than a process can be started with.
        """
        addresses = Addresses(tuple(pod_ips) or ((pod_ip,) if pod_ip else ()), self._host_ips)
        strings = ProcessStrings(container.name, await self._service_variables(pod))
        sources = _Sources(self._objects, pod, EnvFiles(volumes))
        for source in container.envFrom:
            for name, value in (await self._from_source(pod, source, sources)).items():
                strings.put(name, value)
        for variable in container.env:
            if variable.value or variable.valueFrom is None:
                strings.put_expanded(variable.name, variable.value)
                continue
            found = await self._value(pod, container, variable.valueFrom, addresses, sources)
            if found is not None:
                strings.put(variable.name, found)
        return strings

    async def _note_sync(self) -> None:
        await self._services.synced()
        self._synced.set()

    async def _service_variables(self, pod: Pod) -> dict[str, str]:
        self._wanted.set()
        limit_s = self._clock.timescale.cluster(_SYNC_LIMIT_S)
        if not await event_within(self._synced, self._clock, limit_s):
            raise ConfigProblem("services have not yet been read at least once, cannot construct envvars")
        links = pod.spec.enableServiceLinks is not False
        return service_variables(visible_services(self._services.store, pod.metadata.namespace, links=links))

    async def _from_source(self, pod: Pod, source: EnvFromSource, sources: _Sources) -> dict[str, str]:
        if config_map := source.configMapRef:
            kind, name = "configMap", config_map.name
            data = await sources.config_map(name, optional=bool(config_map.optional))
        elif secret := source.secretRef:
            kind, name = "secret", secret.name
            hidden = await sources.secret(name, optional=bool(secret.optional)) or {}
            data = {key: _text(key, value) for key, value in hidden.items()}
        else:
            return {}
        good, bad = split_names(data or {}, source.prefix)
        if bad:
            self._events.record(
                pod,
                WARNING,
                "InvalidEnvironmentVariableNames",
                f"Keys [{', '.join(bad)}] from the EnvFrom {kind} {pod.metadata.namespace}/{name} were"
                " skipped since they are considered invalid environment variable names.",
            )
        return good

    async def _value(
        self,
        pod: Pod,
        container: Container,
        source: EnvVarSource,
        addresses: Addresses,
        sources: _Sources,
    ) -> str | None:
        """Return the value that a source has, None for an optional one that is not there."""
        try:
            if source.fieldRef:
                return field_value(pod, source.fieldRef.fieldPath, addresses)
            if source.resourceFieldRef:
                return resource_value(pod, container, source.resourceFieldRef, self._allocatable())
            if source.fileKeyRef:
                return await sources.files.value(source.fileKeyRef)
        except ValueError as error:
            raise ConfigProblem(str(error)) from error
        return await sources.key(source)


class _Sources:
    """ConfigMaps, Secrets and files for one container, each read once, unless they are many and large."""

    def __init__(self, objects: ObjectSource, pod: Pod, files: EnvFiles) -> None:
        self._objects = objects
        self._pod = pod
        self.files = files
        self._config_maps: OrderedDict[str, ConfigMap | None] = OrderedDict()
        self._secrets: OrderedDict[str, Secret | None] = OrderedDict()

    async def config_map(self, name: str, *, optional: bool) -> dict[str, str] | None:
        if name not in self._config_maps:
            _keep(self._config_maps, name, await self._read_config_map(name))
        found = self._config_maps[name]
        if found is None and not optional:
            raise ConfigProblem(f'configmap "{name}" not found')
        return found.data if found else None

    async def secret(self, name: str, *, optional: bool) -> dict[str, str] | None:
        """Return a Secret's data as it is stored, in base64: not every key of it has to be text.

        Raises:
            ConfigProblem: it cannot be had now.
        """
        if name not in self._secrets:
            _keep(self._secrets, name, await self._read_secret(name))
        found = self._secrets[name]
        if found is None and not optional:
            raise ConfigProblem(f'secret "{name}" not found')
        return found.data if found else None

    async def key(self, source: EnvVarSource) -> str | None:
        if config_map := source.configMapKeyRef:
            kind, name, key, optional = (
                "ConfigMap",
                config_map.name,
                config_map.key,
                bool(config_map.optional),
            )
            data = await self.config_map(name, optional=optional)
        elif secret := source.secretKeyRef:
            kind, name, key, optional = "Secret", secret.name, secret.key, bool(secret.optional)
            data = await self.secret(name, optional=optional)
        else:
            raise ConfigProblem("valueFrom names nothing that a variable can come from")
        value = (data or {}).get(key)
        if value is None and not optional:
            raise ConfigProblem(f"couldn't find key {key} in {kind} {self._pod.metadata.namespace}/{name}")
        return _text(key, value) if kind == "Secret" and value is not None else value

    async def _read_config_map(self, name: str) -> ConfigMap | None:
        try:
            return await self._objects.get(CONFIG_MAPS, self._pod, name)
        except NotFound:
            return None
        except ApiError as error:
            raise ConfigProblem(f'configmap "{name}": {error.message}') from error

    async def _read_secret(self, name: str) -> Secret | None:
        try:
            return await self._objects.get(SECRETS, self._pod, name)
        except NotFound:
            return None
        except ApiError as error:
            raise ConfigProblem(f'secret "{name}": {error.message}') from error


def _keep(kept: OrderedDict[str, S], name: str, found: S) -> None:
    """Keep what was read, in place of the oldest where all together are large."""
    kept[name] = found
    while len(kept) > 1 and sum(map(_size, kept.values())) > _KEPT_BYTES:
        kept.popitem(last=False)


def _size(found: ConfigMap | Secret | None) -> int:
    return sum(map(len, found.data.values())) if found else 0


def _text(key: str, encoded: str) -> str:
    try:
        return b64decode(encoded).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ConfigProblem(f"key {key} of a Secret holds no text, which a variable has to be") from error


def _worth_keeping(service: Service) -> Service:
    """Keep name, address and ports: all that variables are made of."""
    meta, spec = service.metadata, service.spec
    return msgspec.structs.replace(
        service,
        metadata=ObjectMeta(
            name=meta.name, namespace=meta.namespace, uid=meta.uid, resourceVersion=meta.resourceVersion
        ),
        spec=ServiceSpec(clusterIP=spec.clusterIP, ports=spec.ports),
    )
