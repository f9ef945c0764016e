"""Environment variables: their sources, their expansion, and the Services in them."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from kubelet.core.environment import (
    MAX_STRING_BYTES,
    MAX_TOTAL_BYTES,
    ProcessStrings,
    TooLargeError,
    expand,
    service_variables,
    split_names,
    unknown_names,
    visible_services,
)
from kubelet.core.field_values import Addresses, field_value, format_map, resource_value
from kubelet.environment import ConfigProblem, Environment
from machinery.model.k8s.core_v1 import (
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    ObjectFieldSelector,
    ResourceFieldSelector,
    Secret,
    SecretKeySelector,
    Service,
    ServicePort,
    ServiceSpec,
)
from machinery.model.resources import CONFIG_MAPS, SECRETS, SERVICES
from tests.support.builders import config_map, container, meta, pod
from tests.support.kubelet_node import KeptEvents, ReadAlways
from tests.support.scripted_api import LocalRegistry, local_registry
from tests.support.virtual_clock import VirtualClock


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)-$(B)", "1-2"),
        ("$(C)", "$(C)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A $", "$A $"),
        ("$(A", "$(A"),
        ("$(A)$(A)", "11"),
        ("$()", "$()"),
        ("$($(A))", "$($(A))"),
        ("$(A)$($$$(", "1$($$("),
        pytest.param("$(" * 60_000, "$(" * 60_000, id="never closed"),
    ],
)
def test_expansion(text: str, expanded: str):
    """A known name is replaced, an unknown one stays, two dollars are one."""
    assert expand(text, {"A": "1", "B": "2"}) == expanded


def test_names_that_nobody_knows():
    """What is not closed is no reference, however often it begins."""
    assert unknown_names("$(A)$(B)$$(C)" + "$(" * 60_000, {"A": "1"}) == ["B"]


@pytest.mark.parametrize(
    "text",
    ["x" * MAX_STRING_BYTES, "$(X)" * 2, "$$" * MAX_STRING_BYTES],
    ids=["written", "expanded", "dollars"],
)
def test_no_text_becomes_longer_than_linux_takes(text: str):
    """Whether it is written so or becomes so."""
    with pytest.raises(TooLargeError, match="longer than the 131072 bytes"):
        expand(text, {"X": "x" * (MAX_STRING_BYTES // 2)})


def test_a_container_has_no_more_strings_than_linux_takes():
    """A string of 128 KiB with its name and NUL, 2 MiB of all with pointers: one byte more is refused, by its name."""
    strings = ProcessStrings("app", {})
    longest = "x" * (MAX_STRING_BYTES - len("V00=") - 1)
    with pytest.raises(
        TooLargeError, match='environment variable "V00" of container "app": as it is written'
    ):
        strings.put("V00", f"{longest}x")
    strings = ProcessStrings("app", {})
    for number in range(15):
        strings.put(f"V{number:02}", longest)
        strings.put(f"V{number:02}", longest)  # in its own place: it counts once
    left = MAX_TOTAL_BYTES - 15 * (MAX_STRING_BYTES + 8)
    assert strings.command_line("args", ["x" * (left - 8 - 1)]) == ["x" * (left - 8 - 1)]
    with pytest.raises(
        TooLargeError, match=r'command\[0\] of container "app": with it, environment, command and args'
    ):
        strings.command_line("command", [""])


def test_long_names_do_not_make_long_messages():
    """A name may be as long as its pod."""
    with pytest.raises(TooLargeError) as caught:
        ProcessStrings("app", {}).put("N" * 2**20, "")
    assert len(str(caught.value)) < 500


def test_keys_that_are_no_names_are_left_out():
    """Printable ASCII but "=" is a name; the rest is told."""
    good, bad = split_names({"ok": "1", "a=b": "2", "dot.ted": "3"}, "P_")
    assert (good, bad) == ({"P_ok": "1", "P_dot.ted": "3"}, ["P_a=b"])


def _service(name: str, namespace: str = "default", ip: str = "10.0.0.1", **ports: int) -> Service:
    entries = [ServicePort(name=key.strip("_"), port=port) for key, port in ports.items()]
    return Service(metadata=meta(name, namespace), spec=ServiceSpec(clusterIP=ip, ports=entries))


def test_services_are_told_in_both_forms():
    """NAME_SERVICE_*, and the variables of Docker links."""
    assert service_variables([_service("my-db", ip="10.0.0.7", sql=5432)]) == {
        "MY_DB_SERVICE_HOST": "10.0.0.7",
        "MY_DB_SERVICE_PORT": "5432",
        "MY_DB_SERVICE_PORT_SQL": "5432",
        "MY_DB_PORT": "tcp://10.0.0.7:5432",
        "MY_DB_PORT_5432_TCP": "tcp://10.0.0.7:5432",
        "MY_DB_PORT_5432_TCP_PROTO": "tcp",
        "MY_DB_PORT_5432_TCP_PORT": "5432",
        "MY_DB_PORT_5432_TCP_ADDR": "10.0.0.7",
    }


def test_who_is_told_of_which_services():
    """The kubernetes Service always, one's own namespace with links, headless ones never; one's own name wins."""
    master, own = _service("kubernetes"), _service("db", "team")
    services = [master, own, _service("far", "other"), _service("none", "team", ip="None")]
    assert visible_services(services, "team", links=True) == [own, master]
    assert visible_services(services, "team", links=False) == [master]
    mine = _service("kubernetes", "team", ip="10.9.9.9")
    assert visible_services([mine, master], "team", links=True) == [mine]


def test_fields_of_the_pod():
    """Every path that the downward API has, and no other."""
    one = pod(labels={"app": "web"}, node="node-1", serviceAccountName="robot")
    addresses = Addresses(["10.1.0.5", "fd::5"], ["192.168.0.1"])
    expected = {
        "metadata.name": "web",
        "metadata.namespace": "default",
        "metadata.uid": "uid-default-web",
        "metadata.labels['app']": "web",
        "metadata.annotations['none']": "",
        "spec.nodeName": "node-1",
        "spec.serviceAccountName": "robot",
        "status.podIP": "10.1.0.5",
        "status.podIPs": "10.1.0.5,fd::5",
        "status.hostIP": "192.168.0.1",
        "status.hostIPs": "192.168.0.1",
    }
    assert {path: field_value(one, path, addresses) for path in expected} == expected
    with pytest.raises(ValueError, match=r"unsupported fieldPath: spec\.volumes"):
        field_value(one, "spec.volumes", addresses)


def test_maps_are_sorted_and_quoted():
    """As files of a downwardAPI volume show labels."""
    assert format_map({"b": 'say "hi"', "a": "1\n2"}) == 'a="1\\n2"\nb="say \\"hi\\""'


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.cpu", "", "1"),
        ("limits.cpu", "1m", "500"),
        ("requests.memory", "1Mi", "65"),
        ("limits.memory", "1Gi", "8"),
        ("requests.cpu", "1m", "0"),
    ],
)
def test_resources_are_counted_in_divisors(resource: str, divisor: str, value: str):
    """Rounded up; a missing limit is what the node has."""
    box = container(limits={"cpu": "500m"}, requests={"memory": "64.5Mi"})
    selector = ResourceFieldSelector(resource=resource, divisor=divisor)
    assert resource_value(pod(containers=[box]), box, selector, {"cpu": "4", "memory": "8Gi"}) == value


class _World:
    def __init__(self, clock: VirtualClock, server: LocalRegistry) -> None:
        self.events, self.server = KeptEvents(), server
        self.door = server.api("kubelet")
        self.environment = Environment(
            self.door,
            ReadAlways(self.door),
            clock,
            self.events,
            allocatable=lambda: {"cpu": "4", "memory": "8Gi"},
            host_ips=("192.168.0.1",),
        )

    async def make(self, *, links: bool = False, **fields: Any) -> dict[str, str]:
        box = container(**fields)
        running = asyncio.ensure_future(self.environment.run())
        try:
            one = pod(containers=[box], enableServiceLinks=links)
            return dict((await self.environment.make(one, box, "10.1.0.5")).pairs())
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def problem(self, *env: EnvVar, **fields: Any) -> str:
        with pytest.raises(ConfigProblem) as caught:
            await self.make(env=list(env), **fields)
        return caught.value.message


@pytest.fixture
async def world() -> AsyncIterator[_World]:
    clock = VirtualClock()
    async with local_registry(clock) as server:
        yield _World(clock, server)


def _from(name: str, **source: Any) -> EnvVar:
    return EnvVar(name=name, valueFrom=EnvVarSource(**source))


async def test_sources_in_their_order_of_precedence(world: _World):
    """`env` wins over `envFrom`, both over Services; later ones may refer to all before."""
    await world.server.given(CONFIG_MAPS, config_map(COLOR="red", SIZE="big"))
    await world.server.given(SERVICES, _service("db", ip="10.96.0.7", sql=5432))
    found = await world.make(
        links=True,
        envFrom=[EnvFromSource(configMapRef=ConfigMapEnvSource(name="settings"))],
        env=[
            EnvVar(name="COLOR", value="blue"),
            EnvVar(name="URL", value="$(DB_SERVICE_HOST)/$(COLOR)/$(SIZE)/$(NONE)"),
            EnvVar(name="DB_PORT", value="mine"),
            _from("IP", fieldRef=ObjectFieldSelector(fieldPath="status.podIP")),
        ],
    )
    assert found["URL"] == "10.96.0.7/blue/big/$(NONE)"
    assert (found["SIZE"], found["DB_PORT"], found["IP"]) == ("big", "mine", "10.1.0.5")
    assert found["DB_SERVICE_PORT"] == "5432"


async def test_variables_that_expand_ten_times_each_are_refused_by_name(world: _World):
    """Eight short lines would be a gigabyte."""
    lines = [EnvVar(name="E0", value="0123456789")]
    lines += [EnvVar(name=f"E{number}", value=f"$(E{number - 1})" * 10) for number in range(1, 9)]
    with pytest.raises(TooLargeError, match=r'^environment variable "E5" of container "main": '):
        await world.make(env=lines)


async def test_large_sources_are_not_kept_together(world: _World):
    """Each is read again where it is named again: what a container is made of does not pile up."""
    for number in range(6):
        large = config_map(f"c{number}", key="v", rest="x" * 1_000_000)
        await world.server.given(CONFIG_MAPS, large)
    refs = [ConfigMapKeySelector(name=f"c{number}", key="key") for number in (*range(6), 5, 0)]
    found = await world.make(env=[_from(f"V{at}", configMapKeyRef=ref) for at, ref in enumerate(refs)])
    assert set(found.values()) == {"v"}
    reads = [name for verb, plural, name in world.door.calls if (verb, plural) == ("get", "configmaps")]
    assert reads == ["c0", "c1", "c2", "c3", "c4", "c5", "c0"]


async def test_keys_that_cannot_be_names_are_skipped_and_told(world: _World):
    """No apiserver takes such a key; what stands in a store that somebody else has written does no harm."""
    stored = config_map(**{"a=b": "x", "GOOD": "y"})
    await world.server.storage.create("/registry/configmaps/default/settings", msgspec.json.encode(stored))
    found = await world.make(envFrom=[EnvFromSource(configMapRef=ConfigMapEnvSource(name="settings"))])
    assert found == {"GOOD": "y"}
    assert world.events.messages == [
        (
            "Keys [a=b] from the EnvFrom configMap default/settings were skipped since they are considered invalid"
            " environment variable names."
        )
    ]


async def test_secrets_are_decoded(world: _World):
    """A Secret's value is its text."""
    secret = Secret(metadata=meta("db", "default"), data={"password": b64encode(b"pa$$").decode()})
    await world.server.given(SECRETS, secret)
    found = await world.make(env=[_from("P", secretKeyRef=SecretKeySelector(name="db", key="password"))])
    assert found == {"P": "pa$$"}


async def test_a_key_that_is_no_text_harms_nobody_who_does_not_ask_for_it(world: _World):
    """A Secret may hold a keystore beside its password; only the keystore cannot be a variable."""
    data = {"password": b64encode(b"pa$$").decode(), "keystore": b64encode(b"\xfe\xed\xfe\xed").decode()}
    await world.server.given(SECRETS, Secret(metadata=meta("db", "default"), data=data))
    found = await world.make(env=[_from("P", secretKeyRef=SecretKeySelector(name="db", key="password"))])
    assert found == {"P": "pa$$"}
    asked = await world.problem(_from("K", secretKeyRef=SecretKeySelector(name="db", key="keystore")))
    assert asked.startswith("key keystore of a Secret holds no text")


async def test_what_is_missing_is_named(world: _World):
    """The messages are those that kubectl users search for."""
    await world.server.given(CONFIG_MAPS, config_map(there="1"))
    key = ConfigMapKeySelector(name="settings", key="gone")
    assert await world.problem(_from("A", configMapKeyRef=key)) == (
        "couldn't find key gone in ConfigMap default/settings"
    )
    absent = ConfigMapKeySelector(name="nowhere", key="k")
    assert await world.problem(_from("A", configMapKeyRef=absent)) == 'configmap "nowhere" not found'
    hidden = SecretKeySelector(name="nowhere", key="k")
    assert await world.problem(_from("A", secretKeyRef=hidden)) == 'secret "nowhere" not found'


async def test_optional_sources_may_be_missing(world: _World):
    """Then the variable is not there at all."""
    found = await world.make(
        env=[_from("A", secretKeyRef=SecretKeySelector(name="nowhere", key="k", optional=True))],
        envFrom=[EnvFromSource(configMapRef=ConfigMapEnvSource(name="nowhere", optional=True))],
    )
    assert found == {}


async def test_without_the_services_no_container_starts(world: _World):
    """A container that was made before the Services are known would miss its variables for ever."""
    box = container()
    with pytest.raises(ConfigProblem, match="services have not yet been read"):  # nobody runs the watch
        await world.environment.make(pod(containers=[box]), box, "")
