"""No pod that fits the schema can make the rules stumble: it is stored, or it is refused with reasons."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apiserver import schemas
from apiserver.core.kinds import KINDS
from apiserver.core.normalize import normalize
from apiserver.core.pod_security.policy import Level, LevelVersion
from apiserver.core.pod_security.standards import LATEST, evaluate
from apiserver.core.schema import ListOf, MapOf, Scalar, Shape, Struct
from apiserver.core.values import Json
from apiserver.core.writes import check_create, prepare_create, read, update, update_status
from machinery.model.errors import Invalid, NotImplementedHere
from machinery.model.pod_totals import Side, charged
from tests.support.examples import examples
from tests.support.pod_specs import CONTEXT

_TEXTS = ["", "a", "A b", "Always", "Never", "In", "Exists", "metadata.name", "v1", "10.0.0.1", "..", "/x"]
_SCALARS: dict[Scalar, list[Any]] = {
    Scalar.STRING: _TEXTS,
    Scalar.INT32: [-1, 0, 1, 80],
    Scalar.INT64: [-1, 0, 1, 700],
    Scalar.BOOLEAN: [True, False],
    Scalar.QUANTITY: ["0", "-1", "1500u", "1Gi", "500m"],
    Scalar.INT_OR_STRING: [0, 80, "http", ""],
    Scalar.TIME: ["2026-01-01T00:00:00Z"],
}
_SIDES: tuple[Side, Side] = ("requests", "limits")
_LEFT_OUT = {"managedFields", "resourceVersion", "deletionTimestamp", "ownerReferences"}


def _value(shape: Shape, random: Any, depth: int) -> Any:
    if isinstance(shape, Struct):
        return _struct(shape, random, depth)
    if isinstance(shape, ListOf):
        return [_value(shape.item, random, depth + 1) for _ in range(random.randint(0, 2))]
    if isinstance(shape, MapOf):
        keys = ["a", "cpu", "memory", "example.com/gpu", "B c"]
        return {
            random.choice(keys): _value(shape.item, random, depth + 1) for _ in range(random.randint(0, 2))
        }
    return random.choice(_SCALARS.get(shape, [None]))


def _struct(shape: Struct, random: Any, depth: int) -> Json:
    names = [name for name in shape.fields if name not in _LEFT_OUT]
    chosen = [name for name in names if random.random() < (0.5 if depth < 4 else 0.25)]
    return {name: _value(shape.fields[name], random, depth + 1) for name in chosen}


def _pod(random: Any) -> Json:
    built = {"containers", "initContainers", "affinity", "tolerations", "topologySpreadConstraints", "dnsConfig",
             "hostAliases", "nodeSelector", "readinessGates", "schedulingGates", "restartPolicy", "hostname",
             "terminationGracePeriodSeconds", "imagePullSecrets", "activeDeadlineSeconds", "volumes"}  # fmt: skip
    spec = schemas.load().struct("io.k8s.api.core.v1.PodSpec")
    own: Json = {}
    if random.random() < 0.5:  # a pod that is fine, except for one field perhaps
        built = {random.choice(sorted(built))}
        own = {"containers": [{"name": "a", "image": "b"}]}
    own |= {name: _value(spec.fields[name], random, 1) for name in sorted(built) if random.random() < 0.6}
    for volume in own.get("volumes") or []:
        for name in set(volume) - {
            "name",
            "emptyDir",
            "configMap",
            "secret",
            "hostPath",
            "downwardAPI",
            "projected",
        }:
            del volume[name]
    for container in (*own.get("containers", ()), *own.get("initContainers", ())):
        for name in ("resizePolicy", "volumeDevices", "restartPolicyRules", "securityContext"):
            container.pop(name, None)
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": own}


@examples(200)
@given(st.randoms(use_true_random=False))
def test_a_pod_is_stored_or_refused_with_reasons(random: Any) -> None:
    """Nothing but the errors of the API comes out, and what is stored may be stored again."""
    kind = KINDS["", "pods"]
    stored = _stored(_pod(random))
    if stored is not None:
        assert update(kind, stored, stored, CONTEXT) == stored


@examples(60)
@given(st.randoms(use_true_random=False))
def test_the_standards_and_quotas_judge_every_pod_that_fits_the_schema(random: Any) -> None:
    """Whatever else is wrong with it."""
    spec = _struct(schemas.load().struct("io.k8s.api.core.v1.PodSpec"), random, 1)
    read_spec = normalize(schemas.load(), "io.k8s.api.core.v1.PodSpec", spec).obj
    for level, minor in ((Level.BASELINE, 0), (Level.RESTRICTED, 19), (Level.RESTRICTED, LATEST)):
        evaluate(LevelVersion(level, minor), {}, read_spec)
    for side in _SIDES:
        charged({"spec": read_spec}, side)


def test_both_happen() -> None:
    """Otherwise the test above would look at one half of its promise only."""
    share = sum(_stored(_pod(Random(seed))) is not None for seed in range(200)) / 200
    assert 0.1 < share < 0.9


def _stored(pod: Json) -> Json | None:
    """Create a pod; None where it was refused with reasons."""
    kind = KINDS["", "pods"]
    try:
        stamped = prepare_create(kind, read(schemas.load(), kind, pod, namespace="default").obj, CONTEXT)
        check_create(kind, stamped)
    except Invalid as error:
        if not error.causes:
            raise
        return None
    except NotImplementedHere as error:
        if not error.message:
            raise
        return None
    return stamped


@examples(100)
@given(st.randoms(use_true_random=False))
def test_a_status_is_stored_or_refused_with_reasons(random: Any) -> None:
    """So it is with what a kubelet reports."""
    kind = KINDS["", "pods"]
    plain = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": [{"name": "a", "image": "b"}]},
    }
    old = prepare_create(kind, read(schemas.load(), kind, plain, namespace="default").obj, CONTEXT)
    status = _value(schemas.load().struct("io.k8s.api.core.v1.PodStatus"), random, 1)
    new = read(schemas.load(), kind, {**old, "status": status}, namespace="default").obj
    try:
        stored = update_status(kind, new, old, CONTEXT)
    except Invalid as error:
        causes = error.causes
    else:
        assert stored["spec"] == old["spec"]
        assert stored["status"] == {**new["status"], "qosClass": stored["status"]["qosClass"]}
        assert update_status(kind, stored, stored, CONTEXT) == stored
        return
    assert causes
    assert all(cause.field.startswith("status") for cause in causes)
