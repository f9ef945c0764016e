"""What a Pod's spec has to look like, in the words that users of kubectl know."""

from __future__ import annotations

from typing import Any

from tests.support.pod_specs import complaints, created, pod


def test_a_plain_pod_is_fine() -> None:
    """A pod with one container is stored."""
    assert complaints(pod()) == []


def test_an_extended_resource_is_whole() -> None:
    """There is no half of a device; what is limited only is requested, too, so both are named."""
    found = complaints(pod(container={"resources": {"limits": {"example.com/gpu": "500m"}}}))
    path = "spec.containers[0].resources"
    assert found == [
        f'{path}.limits[example.com/gpu]: Invalid value: "500m": must be an integer',
        f'{path}.requests[example.com/gpu]: Invalid value: "500m": must be an integer',
    ]


def test_amounts_are_rounded_up_to_thousandths() -> None:
    """Who asks for less than a thousandth gets one."""
    container = created(pod(container={"resources": {"requests": {"cpu": "1.5m"}}}))["spec"]["containers"][0]
    assert container["resources"] == {"requests": {"cpu": "2m"}}


def test_a_token_needs_ten_minutes_and_a_service_account() -> None:
    """A projected token is long-lived enough, and of a named account."""
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": 10}}
    found = complaints(pod(volumes=[{"name": "t", "projected": {"sources": [token]}}]))
    path = "spec.volumes[0].projected.sources[0].serviceAccountToken"
    assert found == [
        f"{path}.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes",
        f"{path}: Forbidden: must not be specified when serviceAccountName is not set",
    ]


def test_a_sidecar_may_have_probes() -> None:
    """An init container that is restarted always is probed like any other."""
    sidecar = {
        "name": "s",
        "image": "x",
        "restartPolicy": "Always",
        "readinessProbe": {"tcpSocket": {"port": 1}},
    }
    assert complaints(pod(initContainers=[sidecar])) == []


def test_so_many_rules_and_exit_codes_are_too_many() -> None:
    """A container has at most 20 rules, of at most 255 exit codes each."""
    rule = {"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [*range(256)]}}
    main = {"restartPolicy": "OnFailure", "restartPolicyRules": [rule] * 21}
    found = complaints(pod(container=main))
    path = "spec.containers[0].restartPolicyRules"
    assert found[0] == f"{path}: Too many: 21: must have at most 20 items"
    assert found[1] == f"{path}[0].exitCodes.values: Too many: 256: must have at most 255 items"


def test_a_pod_may_see_another_name_as_its_own() -> None:
    """The name is a subdomain of at most 64 characters, of a pod that has a name of its own to begin with."""
    longest = f"{'a' * 31}.{'b' * 32}"
    assert created(pod(hostnameOverride=longest))["spec"]["hostnameOverride"] == longest
    wrong = (
        {"hostnameOverride": "Web.example"},
        {"hostnameOverride": f"{longest}c"},
        {"hostnameOverride": "web.example", "setHostnameAsFQDN": True},
        {"hostnameOverride": "web.example", "hostNetwork": True},
    )
    for spec in wrong:
        (found,) = complaints(pod(**spec))
        assert found.startswith("spec.hostnameOverride: ")


def test_a_variable_from_a_file_needs_a_folder_of_the_pod() -> None:
    """A file in an emptyDir, and a name of a variable in it."""

    def wrong(
        volumes: tuple[dict[str, Any], ...] = ({"name": "config", "emptyDir": {}},), **changed: str
    ) -> list[str]:
        source = {"volumeName": "config", "path": "app.env", "key": "A", **changed}
        return complaints(
            pod(container={"env": [{"name": "A", "valueFrom": {"fileKeyRef": source}}]}, volumes=[*volumes])
        )

    path = "spec.containers[0].env[0].valueFrom.fileKeyRef"
    assert wrong() == wrong(({"name": "config"},)) == []
    assert wrong(volumeName="") == [f"{path}.volumeName: Required value"]
    assert wrong(path="") == [f"{path}.path: Required value"]
    assert wrong(key="") == [f"{path}.key: Required value"]
    assert wrong(path="/app.env") == [f'{path}.path: Invalid value: "/app.env": must be a relative path']
    assert wrong(path="a/../b") == [f"{path}.path: Invalid value: \"a/../b\": must not contain '..'"]
    assert wrong(key="A" * 129) == [f"{path}.key: Too long: may not be more than 128 bytes"]
    assert wrong(key="A=")[0].startswith(
        f'{path}.key: Invalid value: "A=": a valid environment variable name'
    )
    assert wrong(volumeName="none") == [f'{path}.volumeName: Not found: "none"']
    (found,) = wrong(({"name": "config", "configMap": {"name": "a"}},))
    assert found == f'{path}.volumeName: Invalid value: "config": referenced volume must be of type emptyDir'


def test_every_fault_is_named_at_once() -> None:
    """One answer lists all that is wrong."""
    found = complaints(pod(container={"image": "", "name": ""}, restartPolicy="x"))
    assert len(found) == 3


def test_two_constraints_about_the_same_are_refused() -> None:
    """A topology key is constrained once a strength."""
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    found = complaints(pod(topologySpreadConstraints=[constraint, constraint]))
    path = "spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}"
    assert found == [f'{path}: Duplicate value: "{{zone, DoNotSchedule}}"']


def test_a_pod_in_its_nodes_network_has_the_same_port_there() -> None:
    """The port of a hostNetwork pod is the node's; another one is refused."""
    own = created(pod(container={"ports": [{"containerPort": 80}]}, hostNetwork=True))
    assert own["spec"]["containers"][0]["ports"][0]["hostPort"] == 80
    found = complaints(pod(container={"ports": [{"containerPort": 80, "hostPort": 81}]}, hostNetwork=True))
    assert found == [
        "spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true",
    ]
