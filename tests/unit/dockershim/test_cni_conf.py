"""The CNI configuration: what a document says, what each plugin is told, and what is refused with its field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dockershim.core.bandwidth import EGRESS, INGRESS, bandwidth
from dockershim.core.cni import is_broken, pod_arguments, wishes
from dockershim.core.cni_conf import (
    BUILT_IN,
    DEFAULT,
    ConfError,
    NetworkConf,
    noted,
    only_filter,
    read_conf,
    variables,
)
from machinery.model.errors import BadRequest
from machinery.pb import cri_pb2 as cri
from tests.support.dockershim import sandbox_config

KNOWN = variables("10.0.1.0/24,fd00::/64", "/data", 1400)
PORTS = {"portMappings": [{"hostPort": 80, "containerPort": 80, "protocol": "tcp"}]}
RATES = {"bandwidth": {"ingressRate": 1000, "ingressBurst": 131072}}


def document(**fields: Any) -> str:
    """Write a document with one plugin, or with other fields."""
    base = {"cniVersion": "1.0.0", "name": "net", "plugins": [{"type": "ptp"}]}
    return json.dumps({key: value for key, value in {**base, **fields}.items() if value is not None})


def built_in() -> NetworkConf:
    return read_conf(DEFAULT, BUILT_IN, KNOWN)


def test_the_bridge_serves_both_families():
    """Each has its range and its default route; the MTU is a number."""
    bridge = built_in().plugins[0]
    assert bridge["mtu"] == 1400
    assert bridge["ipam"] == {
        "type": "host-local",
        "ranges": [[{"subnet": "10.0.1.0/24"}], [{"subnet": "fd00::/64"}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
        "dataDir": "/data",
    }


@pytest.mark.parametrize(
    ("asked", "plugins"),
    [({}, ["bridge"]), (PORTS, ["bridge", "portmap"]), (RATES, ["bridge", "bandwidth"]),
     ({**PORTS, **RATES}, ["bridge", "portmap", "bandwidth"])],
)  # fmt: skip
def test_plugins_that_would_do_nothing_are_not_called(asked: dict[str, Any], plugins: list[str]):
    """They would pass on what they were given."""
    assert [each["type"] for each in built_in().busy(asked)] == plugins


@pytest.mark.parametrize(
    ("addresses", "only"),
    [(["10.0.0.2/24"], "iptables"), (["fd00::2/64"], "ip6tables"), (["10.0.0.2/24", "fd00::2/64"], ""), ([], "")],
)  # fmt: skip
def test_what_looks_for_rules_of_both_families_finds_the_program_of_the_pod_s_own(
    addresses: list[str], only: str
):
    """It would call every pod of one family broken; others look for no such rules."""
    result = {"ips": [{"address": each} for each in addresses]}
    found = {each["type"]: only_filter(each, result) for each in built_in().busy({**PORTS, **RATES})}
    assert found == {"bridge": "", "portmap": only, "bandwidth": ""}


def test_a_plugin_that_limits_every_pod_is_called_for_every_pod():
    """Its rate stands in its own part."""
    conf = read_conf(document(plugins=[{"type": "ptp"}, {"type": "bandwidth", "ingressRate": 5}]), "f", {})
    assert len(conf.busy({})) == 2


def test_what_a_plugin_is_told():
    """Its part, the list's name and version, the wishes that it can fulfil, and the result so far."""
    conf = built_in()
    assert conf.told(conf.plugins[1], {**PORTS, **RATES}, {"ips": []}) == {
        "type": "portmap",
        "snat": True,
        "name": "kubarium",
        "cniVersion": "0.4.0",
        "runtimeConfig": PORTS,
        "prevResult": {"ips": []},
    }
    assert not {"runtimeConfig", "prevResult"} & conf.told(conf.plugins[0], PORTS, None).keys()
    assert NetworkConf.programs_of(conf.plugins) == ("bridge", "host-local", "portmap", "bandwidth")


def test_what_no_plugin_does_is_known():
    """A pod that needs it would come up without."""
    conf = read_conf(document(), "f", {})
    assert conf.unmet({**PORTS, **RATES}) == ["portMappings", "bandwidth"]
    assert built_in().unmet({**PORTS, **RATES}) == []


def test_a_network_can_be_written_down():
    """And is the same one, read again."""
    conf = read_conf(document(cniVersion="1.1.0", disableCheck=True), "f", {})
    assert noted(json.loads(json.dumps(conf.note()))) == conf


def test_which_verbs_a_version_has():
    """CHECK came with 0.4.0, GC with 1.1.0; either can be switched off."""
    found = {
        version: (conf.has_check, conf.has_gc)
        for version in ("0.3.1", "0.4.0", "1.1.0")
        for conf in [read_conf(document(cniVersion=version), "f", {})]
    }
    assert found == {"0.3.1": (False, False), "0.4.0": (True, False), "1.1.0": (True, True)}
    off = read_conf(document(cniVersion="1.1.0", disableCheck=True, disableGC=True), "f", {})
    assert (off.has_check, off.has_gc) == (False, False)


def test_the_latest_version_of_several_is_taken():
    """One that is not known here does not count."""
    assert read_conf(document(cniVersions=["0.4.0", "9.0.0", "1.0.0"]), "f", {}).version == "1.0.0"


def test_a_single_plugin_is_a_network_too():
    """As older documents have it."""
    conf = read_conf('{"cniVersion": "0.3.1", "name": "net", "type": "ptp", "mtu": "${MTU}"}', "f", KNOWN)
    assert conf.plugins[0]["mtu"] == 1400


def test_variables_within_text():
    """A list cannot stand there."""
    conf = read_conf(document(plugins=[{"type": "x", "note": "on ${BRIDGE}: ${POD_CIDR}"}]), "f", KNOWN)
    assert conf.plugins[0]["note"] == "on cni0: 10.0.1.0/24"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "f: is no JSON: "),
        ("[]", "f: has to be an object"),
        (document(cniVersion=None), "f: cniVersion: is needed"),
        (document(cniVersion=1), "f: cniVersion: has to be text, not 1"),
        (document(cniVersion="0.2.0"), 'f: cniVersion: has to be one of 0.3.0, .*, not ["0.2.0"]'),
        (document(cniVersions="1.0.0"), "f: cniVersions: has to be one of"),
        (document(name=None), "f: name: is needed"),
        (document(name="a/b"), 'f: name: "a/b" has to be letters'),
        (document(plugins=None), "f: plugins: has to be a list"),
        (document(plugins=[]), "f: plugins: has to be a list of at least one plugin"),
        (document(plugins=["ptp"]), "f: plugins[0]: has to be an object"),
        (document(plugins=[{"type": "ptp"}, {}]), "f: plugins[1].type: is needed"),
        (document(plugins=[{"type": "../ptp"}]), 'f: plugins[0].type: "../ptp" has to be the name'),
        (document(plugins=[{"type": "ptp", "ipam": 5}]), "f: plugins[0].ipam: has to be an object"),
        (document(plugins=[{"type": "ptp", "ipam": {"x": 1}}]), "f: plugins[0].ipam.type: is needed"),
        (document(plugins=[{"type": "a", "capabilities": {"b": 1}}]), "f: plugins[0].capabilities: has to"),
        (document(plugins=[{"type": "a", "b": ["${MTO}"]}]), "f: plugins[0].b[0]: there is no variable ${MTO}"),
        (document(plugins=[{"type": "a", "b": "x${RANGES}"}]), "f: plugins[0].b: ${RANGES} is a list"),
        (document(disableCheck="yes"), 'f: disableCheck: has to be true or false, not "yes"'),
    ],
)  # fmt: skip
def test_what_describes_no_network_is_refused_with_its_field(text: str, problem: str):
    """And with the file."""
    head, _, tail = problem.partition(".*")
    with pytest.raises(ConfError) as caught:
        read_conf(text, "f", KNOWN)
    assert str(caught.value).startswith(head)
    assert tail in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rate", "burst"),
    [
        ("1k", 1_000, 131_072),
        ("10M", 10_000_000, 1_000_000),
        ("1P", 10**15, 2**32 - 1),
        ("2Mi", 2**21, 209_715),
    ],
)
def test_rates(text: str, rate: int, burst: int):
    """Bits per second; a tenth of a second may pass at once, and at least some packets."""
    assert bandwidth({INGRESS: text}) == {"ingressRate": rate, "ingressBurst": burst}
    assert bandwidth({EGRESS: text}) == {"egressRate": rate, "egressBurst": burst}
    assert bandwidth({"other": text}) == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [("999", "has to be from 1k to 1P bits per second, not 999"), ("2P", "from 1k to 1P"), ("-1M", "from 1k"),
     ("", "quantities must match"), ("fast", "quantities must match")],
)  # fmt: skip
def test_a_rate_that_cannot_be_is_refused(text: str, problem: str):
    """With the annotation."""
    with pytest.raises(BadRequest, match=f"annotation {EGRESS}: .*{problem}"):
        bandwidth({EGRESS: text})


def test_what_a_sandbox_asks_of_its_network():
    """By capability; what is not asked for is not there."""
    assert wishes(sandbox_config()) == {}
    asked = sandbox_config(
        annotations={INGRESS: "1M"}, port_mappings=[cri.PortMapping(container_port=80, host_port=81)]
    )
    assert list(wishes(asked)) == ["portMappings", "bandwidth"]
    assert pod_arguments(asked) == "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=u1"


def test_who_says_that_a_network_is_broken():
    """Codes from 100 on are a plugin's own; the container that it does not know is one, too."""
    assert [is_broken(code) for code in (1, 2, 3, 5, 11, 100, 999)] == [
        False,
        False,
        True,
        False,
        False,
        True,
        True,
    ]
