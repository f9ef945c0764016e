"""Generate machinery/model/k8s from the published Kubernetes schemas. With --check, fail where it is stale.

The schemas are those of the `kubernetes-validate` package. Only the kinds in ROOTS, and what they refer to,
are generated: one module a group-version. How a schema becomes a Struct field:

- required in the schema: no default;
- optional string: "" (Kubernetes' own zero value), except for those where absent means something else; optional
  timestamp: None, since Go servers write null;
- optional number or boolean: None, since for many of them absent and zero differ;
- optional list or map: empty; optional object: None;
- the `metadata`, `spec` and `status` of a kind are always there: an empty one where the schema allows it.
"""

from __future__ import annotations

import json
import keyword
import subprocess
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "machinery" / "model" / "k8s"
BY_GEN_KINDS = ("served.py", "unserved.py")  # modules there that tools/gen_kinds.py makes
VERSION = "v1.36.0"

CORE = "io.k8s.api.core.v1."
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
ROOTS = [
    *(
        CORE + name
        for name in (
            "Binding",
            "ConfigMap",
            "Endpoints",
            "Event",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Pod",
            "Secret",
            "Service",
            "ServiceAccount",
        )
    ),
    *(META + name for name in ("DeleteOptions", "LabelSelector", "ObjectMeta", "OwnerReference", "Status")),
    "io.k8s.api.apps.v1.DaemonSet",
    "io.k8s.api.apps.v1.Deployment",
    "io.k8s.api.apps.v1.ReplicaSet",
    "io.k8s.api.apps.v1.StatefulSet",
    "io.k8s.api.authentication.v1.TokenRequest",
    "io.k8s.api.authentication.v1.TokenReview",
    "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    "io.k8s.api.authorization.v1.SubjectAccessReview",
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "io.k8s.api.batch.v1.CronJob",
    "io.k8s.api.batch.v1.Job",
    "io.k8s.api.certificates.v1.CertificateSigningRequest",
    "io.k8s.api.coordination.v1.Lease",
    "io.k8s.api.discovery.v1.EndpointSlice",
    "io.k8s.api.networking.v1.IPAddress",
    "io.k8s.api.networking.v1.Ingress",
    "io.k8s.api.networking.v1.IngressClass",
    "io.k8s.api.networking.v1.NetworkPolicy",
    "io.k8s.api.networking.v1.ServiceCIDR",
    "io.k8s.api.node.v1.RuntimeClass",
    "io.k8s.api.policy.v1.Eviction",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
    "io.k8s.api.rbac.v1.ClusterRole",
    "io.k8s.api.rbac.v1.ClusterRoleBinding",
    "io.k8s.api.rbac.v1.Role",
    "io.k8s.api.rbac.v1.RoleBinding",
    "io.k8s.api.resource.v1.DeviceClass",
    "io.k8s.api.resource.v1.ResourceClaim",
    "io.k8s.api.resource.v1.ResourceClaimTemplate",
    "io.k8s.api.resource.v1.ResourceSlice",
    "io.k8s.api.storage.v1.CSIDriver",
    "io.k8s.api.storage.v1.CSINode",
    "io.k8s.api.storage.v1.CSIStorageCapacity",
    "io.k8s.api.storage.v1.StorageClass",
    "io.k8s.api.storage.v1.VolumeAttachment",
]
UNSERVED_SOURCES = (  # of PersistentVolumes: the apiserver refuses them
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "iscsi",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
)
LEFT_OUT = {
    (META + "ObjectMeta", "managedFields"),  # never read by a component, and half the bytes of an object
    *((CORE + "PersistentVolumeSpec", name) for name in UNSERVED_SOURCES),
}
ABSENT_IS_NO_EMPTY = {(CORE + "PersistentVolumeClaimSpec", "storageClassName")}  # absent: the default class
AS_JSON = {"io.k8s.api.resource.v1.DeviceAttribute"}  # its fields are called as Python's types are
TIMES = {META + "Time", META + "MicroTime"}
SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
EMPTY = {"str": '""'}


@cache
def definitions() -> dict[str, Any]:
    """Read the published schemas, by definition name."""
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"{VERSION}-local"
    found: dict[str, Any] = json.loads((folder / "_definitions.json").read_text())["$defs"]
    return found


def module_of(name: str) -> str:
    """Return the module of a definition: io.k8s.api.core.v1.Pod is in core_v1."""
    group, version = name.split(".")[-3:-1]
    return f"{group}_{version}"


def class_of(name: str) -> str:
    """Return the class of a definition."""
    return name.rsplit(".", 1)[-1]


def reference(schema: dict[str, Any]) -> str:
    """Return the definition that a schema refers to, or the empty string."""
    return str(schema.get("$ref", "")).rsplit("/", 1)[-1]


def scalar(schema: dict[str, Any]) -> str:
    """Return the JSON type of a schema, without the null that the package adds."""
    kind = schema.get("type")
    if isinstance(kind, list):
        return str(next(item for item in kind if item != "null"))
    return str(kind)


def is_struct(name: str) -> bool:
    """Whether a definition becomes a Struct, having fields of its own."""
    return "properties" in definitions()[name] and name not in AS_JSON


def type_of(schema: dict[str, Any], home: str) -> str:
    """Write the Python type of a schema, as seen from the module `home`."""
    target = reference(schema)
    if target:
        return type_of_reference(target, home)
    kind = scalar(schema)
    if kind == "array":
        return f"list[{type_of(schema['items'], home)}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"dict[str, {type_of(values, home) if values else 'Any'}]"
    return SCALARS.get(kind, "Any")


def type_of_reference(name: str, home: str) -> str:
    """Write the Python type of a definition."""
    if is_struct(name):
        module = module_of(name)
        return class_of(name) if module == home else f"{module}.{class_of(name)}"
    if name in TIMES or class_of(name) == "Quantity":
        return "str"
    if name in AS_JSON:
        return "dict[str, Any]"
    return {"IntOrString": "int | str", "FieldsV1": "dict[str, Any]"}.get(class_of(name), "Any")


@cache
def can_be_empty(name: str) -> bool:
    """Whether an instance can be made without arguments."""
    return not definitions()[name].get("required")


def default_of(owner: str, field: str, schema: dict[str, Any], home: str) -> tuple[str, str]:
    """Return a field's annotation and its default, which is empty for a required field."""
    annotation = type_of(schema, home)
    definition = definitions()[owner]
    target = reference(schema)
    kinds = definition.get("x-kubernetes-group-version-kind")
    if kinds and field in {"apiVersion", "kind"}:
        group, version, kind = kinds[0]["group"], kinds[0]["version"], kinds[0]["kind"]
        value = kind if field == "kind" else f"{group}/{version}".lstrip("/")
        return "str", f'msgspec.field(default_factory=lambda: "{value}")'
    if field in definition.get("required", []):
        return annotation, ""
    if target in TIMES or (owner, field) in ABSENT_IS_NO_EMPTY:
        return f"{annotation} | None", "None"
    if target and is_struct(target):
        if field == "metadata" or (kinds and field in {"spec", "status"}):
            return annotation, f"{annotation}()" if can_be_empty(target) else ""
        return f"{annotation} | None", "None"
    if annotation.startswith("list["):
        return annotation, "[]"
    if annotation.startswith("dict["):
        return annotation, "{}"
    if annotation in EMPTY:
        return annotation, EMPTY[annotation]
    return (annotation if annotation == "Any" else f"{annotation} | None"), "None"


def field_lines(owner: str) -> list[str]:
    """Write the fields of a Struct."""
    home, lines = module_of(owner), []
    for field, schema in definitions()[owner]["properties"].items():
        if (owner, field) in LEFT_OUT:
            continue
        annotation, default = default_of(owner, field, schema, home)
        name = field.replace("$", "").replace("-", "_")
        name += "_" if keyword.iskeyword(name) else ""
        if name != field:
            default = f'msgspec.field(name="{field}"{f", default={default}" if default else ""})'
        lines.append(f"    {name}: {annotation}{f' = {default}' if default else ''}")
    return lines


def reach(roots: list[str]) -> list[str]:
    """List the roots and all that they refer to, each after what it refers to."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in seen or not is_struct(name):
            return
        seen.add(name)
        for field, schema in definitions()[name]["properties"].items():
            if (name, field) not in LEFT_OUT:
                for target in referred(schema):
                    visit(target)
        order.append(name)

    for root in roots:
        visit(root)
    return order


def referred(schema: dict[str, Any]) -> list[str]:
    """List the definitions that a schema names."""
    inner = [schema, schema.get("items") or {}, schema.get("additionalProperties") or {}]
    return [name for name in map(reference, inner) if name]


def class_text(name: str) -> str:
    """Write one Struct."""
    head = f"class {class_of(name)}(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):"
    link = f'    """{name.removeprefix("io.k8s.")}."""'
    return "\n".join([head, link, "", *field_lines(name)])


def module_text(module: str, names: list[str]) -> str:
    """Write one module."""
    body = "\n\n\n".join(class_text(name) for name in names)
    others = sorted(
        {other for other in map(module_of, reach(ROOTS)) if f" {other}." in body or f"[{other}." in body}
    )
    lines = [
        f'"""Kubernetes {VERSION} {module.replace("_", "/")}, made by tools/gen_k8s.py; not to be edited."""',
        "",
        "# ruff: noqa",
        "from __future__ import annotations",
        "",
        *(["from typing import Any", ""] if "Any" in body else []),
        "import msgspec",
        "",
        *(["from machinery.model.k8s import " + ", ".join(others), ""] if others else []),
        "",
        body,
        "",
    ]
    return "\n".join(lines)


def modules() -> dict[str, str]:
    """Write every module, by file name."""
    grouped: dict[str, list[str]] = {}
    for name in reach(ROOTS):
        grouped.setdefault(module_of(name), []).append(name)
    texts = {f"{module}.py": module_text(module, names) for module, names in grouped.items()}
    texts["__init__.py"] = (
        '"""Typed Kubernetes objects, one module a group-version, generated by tools/gen_k8s.py; and what\n'
        "the kinds that are served are called (`served`), generated by tools/gen_kinds.py.\n\n"
        "Frozen msgspec Structs with Kubernetes' own field names. Decoding drops fields that are not here:\n"
        'never write back what was decoded unless every field of it is yours.\n"""\n'
    )
    return texts


def main() -> None:
    """Generate, or check.

    Raises:
        SystemExit: with --check, what is generated is stale.
    """
    fresh = modules()
    if "--check" in sys.argv:
        old = {path.name: path.read_text() for path in TARGET.glob("*.py") if path.name not in BY_GEN_KINDS}
        if names := sorted(name for name in fresh.keys() | old.keys() if fresh.get(name) != old.get(name)):
            raise SystemExit(
                f"machinery/model/k8s is stale ({', '.join(names)}): run python tools/gen_k8s.py"
            )
        return
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, text in fresh.items():
        (TARGET / name).write_text(text)
    subprocess.run([sys.executable, "-c", "import machinery.model.k8s.core_v1"], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
