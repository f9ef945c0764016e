"""The Pod Security Standards over many pods: each level contains the one before it, in every version."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apiserver.core.pod_security.policy import Level, LevelVersion
from apiserver.core.pod_security.standards import LATEST, evaluate
from apiserver.core.values import Json
from tests.support.examples import examples


def _maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=fields)


def _one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


_PROFILE = _maybe(type=_one_of("RuntimeDefault", "Localhost", "Unconfined"))
_COMMON: dict[str, st.SearchStrategy[Any]] = {
    "appArmorProfile": _PROFILE,
    "seccompProfile": _PROFILE,
    "runAsNonRoot": st.booleans(),
    "runAsUser": _one_of(0, 1000),
    "seLinuxOptions": _maybe(type=_one_of("container_t", "container_engine_t", "spc_t"), user=_one_of("u")),
    "windowsOptions": _maybe(hostProcess=st.booleans()),
}
_CAPABILITIES = st.lists(_one_of("ALL", "CHOWN", "NET_BIND_SERVICE", "NET_RAW"), max_size=2)
_HOST = _maybe(httpGet=_maybe(host=_one_of("", "10.0.0.1")), tcpSocket=_maybe(host=_one_of("a")))
_CONTAINER = st.fixed_dictionaries(
    {"name": _one_of("a", "b")},
    optional={
        "securityContext": _maybe(
            **_COMMON,
            allowPrivilegeEscalation=st.booleans(),
            capabilities=_maybe(add=_CAPABILITIES, drop=_CAPABILITIES),
            privileged=st.booleans(),
            procMount=_one_of("Default", "Unmasked"),
        ),
        "ports": st.lists(_maybe(hostPort=_one_of(0, 80)), max_size=2),
        "livenessProbe": _HOST,
        "lifecycle": _maybe(preStop=_HOST),
    },
)
_CONTAINERS = st.lists(_CONTAINER, max_size=2)
_SPECS = _maybe(
    containers=_CONTAINERS,
    initContainers=_CONTAINERS,
    ephemeralContainers=_CONTAINERS,
    hostNetwork=st.booleans(),
    hostUsers=st.booleans(),
    os=st.just({"name": "linux"}),
    securityContext=_maybe(
        **_COMMON,
        sysctls=st.lists(st.fixed_dictionaries({"name": _one_of("kernel.shmmax", "net.ipv4.tcp_rmem")}), max_size=2),
    ),
    volumes=st.lists(_one_of({"name": "h", "hostPath": {}}, {"name": "e", "emptyDir": {}}, {"name": "n", "nfs": {}}), max_size=2),
)  # fmt: skip
_METAS = _maybe(
    annotations=st.dictionaries(
        _one_of(
            "container.apparmor.security.beta.kubernetes.io/a", "seccomp.security.alpha.kubernetes.io/pod"
        ),
        _one_of("runtime/default", "unconfined"),
    )
)


@given(meta=_METAS, spec=_SPECS, minor=st.integers(0, LATEST + 1))
@examples(300)
def test_what_the_baseline_refuses_the_restricted_level_refuses(meta: Json, spec: Json, minor: int):
    """And the privileged level nothing. Pods for Windows are another matter: they need not drop what they do not have."""
    privileged, baseline, restricted = (evaluate(LevelVersion(level, minor), meta, spec) for level in Level)
    assert privileged == ()
    assert bool(restricted) >= bool(baseline)
    for violation in (*baseline, *restricted):
        assert violation.reason
        assert violation.detail


@given(meta=_METAS, spec=_SPECS)
@examples(100)
def test_the_latest_version_is_the_newest_that_there_is(meta: Json, spec: Json):
    """So is every version of the future."""
    for level in Level:
        newest = evaluate(LevelVersion(level, LATEST), meta, spec)
        assert (
            newest
            == evaluate(LevelVersion(level), meta, spec)
            == evaluate(LevelVersion(level, 99), meta, spec)
        )
