"""Definitions of the size and the features of those that cert-manager, Argo Rollouts and prometheus-operator bring.

Written for the tests: names and fields are our own; what they embed of Kubernetes (pod templates, containers, affinity,
claims) is inlined from the published schemas, as the generators of such definitions do it. Hundreds to thousands of
fields, list maps, int-or-string, embedded resources, defaults, rules, several versions, scale, columns, selectable fields.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from apiserver.schemas import load

CORE = "io.k8s.api.core.v1."
META = "io.k8s.apimachinery.pkg.apis.meta.v1."
Json = dict[str, Any]

_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_ANY_OF = [{"type": "integer"}, {"type": "string"}]
_NAMED: dict[str, Json] = {
    _QUANTITY: {
        "anyOf": _ANY_OF,
        "x-kubernetes-int-or-string": True,
        "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
    },
    _INT_OR_STRING: {"anyOf": _ANY_OF, "x-kubernetes-int-or-string": True},
    META + "Time": {"type": "string", "format": "date-time"},
    META + "ObjectMeta": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    META + "FieldsV1": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
_COPIED = ("type", "format", "description", "enum", "required", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type")  # fmt: skip


@cache
def inlined(name: str) -> Json:
    """Return a published definition as a structural schema, without references."""
    if name in _NAMED:
        return _NAMED[name]
    return _inline(load().struct(name).definition)


def _inline(schema: Json) -> Json:
    if reference := schema.get("$ref"):
        found = inlined(reference.removeprefix("#/$defs/"))
        return {**found, "description": schema["description"]} if "description" in schema else found
    made = {key: schema[key] for key in _COPIED if key in schema}
    kind = schema.get("type")
    made["type"] = next(each for each in kind if each != "null") if isinstance(kind, list) else kind
    if "properties" in schema:
        made["properties"] = {key: _inline(each) for key, each in schema["properties"].items()}
    if isinstance(schema.get("items"), dict):
        made["items"] = _inline(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = _inline(schema["additionalProperties"])
    _give_keys_defaults(made)
    return made


def _give_keys_defaults(schema: Json) -> None:
    """Set defaults of keys of list maps where they are not required, as a definition has to."""
    items = schema.get("items") or {}
    lacking = [
        key
        for key in schema.get("x-kubernetes-list-map-keys") or ()
        if key not in (items.get("required") or ())
    ]
    if lacking:
        properties = {**items["properties"]}
        for key in lacking:
            properties[key] = {**properties[key], "default": "TCP" if key == "protocol" else ""}
        schema["items"] = {**items, "properties": properties}


def text(longest: int = 253, **more: Any) -> Json:
    """Return the schema of a text."""
    return {"type": "string", "maxLength": longest, **more}


def struct(required: tuple[str, ...] = (), rules: tuple[Json, ...] = (), **properties: Json) -> Json:
    """Return the schema of an object."""
    made: Json = {"type": "object", "properties": properties}
    if required:
        made["required"] = list(required)
    if rules:
        made["x-kubernetes-validations"] = list(rules)
    return made


def listed(items: Json, most: int = 100, **more: Any) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": items, "maxItems": most, **more}


INTEGER: Json = {"type": "integer", "format": "int32"}
CONDITIONS = listed(
    struct(
        ("type", "status"),
        type=text(316),
        status={"type": "string", "enum": ["True", "False", "Unknown"]},
        reason=text(1024),
        message=text(32768),
        lastTransitionTime={"type": "string", "format": "date-time"},
        observedGeneration={"type": "integer", "format": "int64"},
    ),
    **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
)
READY = {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'}
AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def _definition(group: str, kind: str, plural: str, versions: list[Json], **names: Any) -> Json:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": names.pop("scope", "Namespaced"),
            "names": {"kind": kind, "plural": plural, **names},
            "versions": versions,
        },
    }


def _version(name: str, spec: Json, status: Json, *, stored: bool = True, **more: Any) -> Json:
    schema = {"type": "object", "required": ["spec"], "properties": {"spec": spec, "status": status}}
    return {
        "name": name,
        "served": True,
        "storage": stored,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        **more,
    }


@cache
def rollouts() -> Json:
    """Return a definition like that of a progressive rollout: a whole pod template, steps, scale, transition rules."""
    step = struct(
        setWeight=INTEGER,
        pause=struct(duration={"x-kubernetes-int-or-string": True, "anyOf": _ANY_OF}),
        setCanaryScale=struct(weight=INTEGER, replicas=INTEGER, matchTrafficWeight={"type": "boolean"}),
        analysis=struct(
            templates=listed(struct(templateName=text(), clusterScope={"type": "boolean"}), 20),
            args=listed(
                struct(
                    ("name",),
                    name=text(),
                    value=text(4096),
                    valueFrom=struct(fieldRef=struct(("fieldPath",), fieldPath=text()), podTemplateHashValue=text()),
                ),
                20,
            ),
        ),
        rules=(
            {"rule": "[has(self.setWeight), has(self.pause), has(self.setCanaryScale), has(self.analysis)].filter(x, x).size() == 1", "message": "a step does one thing"},
        ),
    )  # fmt: skip
    spec = struct(
        ("selector", "template"),
        ({"rule": "self.selector == oldSelf.selector", "message": "selector is immutable", "fieldPath": ".selector"},),
        replicas={**INTEGER, "minimum": 0, "default": 1},
        paused={"type": "boolean"},
        revisionHistoryLimit={**INTEGER, "default": 10},
        minReadySeconds=INTEGER,
        progressDeadlineSeconds=INTEGER,
        selector={**inlined(META + "LabelSelector"), "properties": {"matchLabels": {"type": "object", "maxProperties": 20, "additionalProperties": text(63)}}},
        template=inlined(CORE + "PodTemplateSpec"),
        workloadRef=struct(apiVersion=text(), kind=text(), name=text()),
        strategy=struct(
            canary=struct(
                steps=listed(step, 50),
                maxSurge=_NAMED[_INT_OR_STRING],
                maxUnavailable=_NAMED[_INT_OR_STRING],
                canaryService=text(),
                stableService=text(),
                antiAffinity=struct(preferredDuringSchedulingIgnoredDuringExecution=struct(weight=INTEGER)),
                trafficRouting=struct(
                    plugins={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    nginx=struct(stableIngress=text(), additionalIngressAnnotations={"type": "object", "maxProperties": 50, "additionalProperties": text(4096)}),
                    managedRoutes=listed(struct(("name",), name=text()), 20),
                ),
            ),
            blueGreen=struct(
                activeService=text(),
                previewService=text(),
                autoPromotionEnabled={"type": "boolean", "default": True},
                scaleDownDelaySeconds=INTEGER,
            ),
            rules=({"rule": "has(self.canary) != has(self.blueGreen)", "message": "either canary or blueGreen"},),
        ),
    )  # fmt: skip
    status = struct(
        replicas=INTEGER,
        selector=text(2048),
        phase=text(64),
        currentPodHash=text(),
        observedGeneration=text(),
        conditions=CONDITIONS,
    )
    version = _version(
        "v1alpha1",
        spec,
        status,
        additionalPrinterColumns=[
            {"name": "Desired", "type": "integer", "jsonPath": ".spec.replicas", "description": "Number of desired pods"},
            {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
            AGE,
        ],
    )  # fmt: skip
    version["subresources"]["scale"] = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    return _definition("rollouts.example.com", "Rollout", "rollouts", [version], shortNames=["ro"])


@cache
def certificates() -> Json:
    """Return a definition like that of a certificate: rules, enumerations, selectable fields, two versions."""
    key = struct(
        rules=(
            {"rule": "!has(self.size) || (self.algorithm == 'RSA' ? self.size >= 2048 : self.size in [256, 384, 521])", "messageExpression": "'a key of %d bits does not fit its algorithm'.format([self.size])", "fieldPath": ".size"},
        ),
        algorithm={"type": "string", "enum": ["RSA", "ECDSA", "Ed25519"], "default": "RSA"},
        encoding={"type": "string", "enum": ["PKCS1", "PKCS8"], "default": "PKCS1"},
        rotationPolicy={"type": "string", "enum": ["Never", "Always"]},
        size=INTEGER,
    )  # fmt: skip
    spec = struct(
        ("secretName", "issuerRef"),
        (
            {"rule": "has(self.commonName) || (has(self.dnsNames) && size(self.dnsNames) > 0)", "message": "a name is needed", "reason": "FieldValueRequired"},
            {"rule": "!has(self.duration) || !has(self.renewBefore) || duration(self.renewBefore) < duration(self.duration)", "message": "renewBefore has to be shorter than duration"},
        ),
        commonName=text(64),
        dnsNames=listed(text(253), 100, **{"x-kubernetes-list-type": "set"}),
        ipAddresses=listed(text(45), 100),
        duration=text(32),
        renewBefore=text(32),
        secretName=text(253),
        issuerRef=struct(("name",), name=text(), kind={"type": "string", "default": "Issuer", "maxLength": 63}, group=text()),
        privateKey=key,
        usages=listed({"type": "string", "enum": ["signing", "digital signature", "key encipherment", "server auth", "client auth"]}, 20),
        subject=struct(**{name: listed(text(64), 10) for name in ("countries", "localities", "organizations", "postalCodes", "provinces", "streetAddresses")}),
        keystores=struct(jks=struct(create={"type": "boolean"}, passwordSecretRef=struct(("name",), name=text(), key=text())), pkcs12=struct(create={"type": "boolean"}, profile=text())),
        secretTemplate=struct(annotations={"type": "object", "maxProperties": 50, "additionalProperties": text(4096)}, labels={"type": "object", "maxProperties": 50, "additionalProperties": text(63)}),
        otherNames=listed(struct(oid=text(128), utf8Value=text()), 20),
        isCA={"type": "boolean"},
    )  # fmt: skip
    status = struct(
        conditions=CONDITIONS,
        notAfter={"type": "string", "format": "date-time"},
        notBefore={"type": "string", "format": "date-time"},
        revision=INTEGER,
    )
    columns = [READY, {"name": "Secret", "type": "string", "jsonPath": ".spec.secretName"}, {"name": "Issuer", "type": "string", "jsonPath": ".spec.issuerRef.name", "priority": 1}, AGE]  # fmt: skip
    shown: Json = {"additionalPrinterColumns": columns, "selectableFields": [{"jsonPath": ".spec.issuerRef.name"}, {"jsonPath": ".spec.issuerRef.kind"}]}  # fmt: skip
    old = struct(("secretName", "issuerRef"), **spec["properties"])
    versions = [
        _version("v1", spec, status, **shown),
        _version("v1beta1", old, status, stored=False, deprecated=True, deprecationWarning="certificates v1beta1 is old; use v1"),
    ]  # fmt: skip
    return _definition("certs.example.com", "Certificate", "certificates", versions, shortNames=["cert", "certs"], categories=["pki"])  # fmt: skip


@cache
def monitors() -> Json:
    """Return a definition like that of a monitoring server: thousands of fields of pods, containers and claims."""
    pod = inlined(CORE + "PodSpec")["properties"]
    claim = {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "properties": {
            "spec": inlined(CORE + "PersistentVolumeClaimSpec"),
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    endpoint = struct(
        port=text(),
        path=text(1024),
        interval=text(16, pattern=r"^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"),
        scheme={"type": "string", "enum": ["http", "https", "HTTP", "HTTPS"]},
        params={"type": "object", "maxProperties": 20, "additionalProperties": listed(text(), 20)},
        targetPort=_NAMED[_INT_OR_STRING],
        relabelings=listed(
            struct(
                action={"type": "string", "enum": ["replace", "keep", "drop", "labelmap"], "default": "replace"},
                regex=text(1024),
                replacement=text(),
                separator=text(8),
                sourceLabels=listed(text(63), 20),
                targetLabel=text(63),
            )
        ),
    )  # fmt: skip
    spec = struct(
        (),
        ({"rule": "!has(self.replicas) || !has(self.shards) || self.replicas * self.shards <= 1000", "message": "too many pods"},),
        replicas={**INTEGER, "minimum": 0},
        shards={**INTEGER, "minimum": 1, "default": 1},
        retention=text(16),
        retentionSize=text(16),
        scrapeInterval={"type": "string", "default": "30s", "maxLength": 16},
        version=text(64),
        image=text(1024),
        containers=pod["containers"],
        initContainers=pod["initContainers"],
        volumes=pod["volumes"],
        affinity=pod["affinity"],
        tolerations=pod["tolerations"],
        topologySpreadConstraints=pod["topologySpreadConstraints"],
        securityContext=pod["securityContext"],
        resources=inlined(CORE + "ResourceRequirements"),
        storage=struct(volumeClaimTemplate=claim, emptyDir=inlined(CORE + "EmptyDirVolumeSource")),
        endpoints=listed(endpoint, 50),
        additionalArgs=listed(struct(("name",), name=text(), value=text(4096)), 50),
        externalLabels={"type": "object", "maxProperties": 50, "additionalProperties": text()},
        web=struct(pageTitle=text(), tlsConfig=struct(minVersion=text(), cipherSuites=listed(text(), 50))),
    )  # fmt: skip
    status = struct(
        paused={"type": "boolean"}, replicas=INTEGER, availableReplicas=INTEGER, selector=text(2048), conditions=CONDITIONS
    )  # fmt: skip
    version = _version(
        "v1", spec, status, additionalPrinterColumns=[{"name": "Version", "type": "string", "jsonPath": ".spec.version"}, READY, AGE]
    )  # fmt: skip
    version["subresources"]["scale"] = {
        "specReplicasPath": ".spec.shards",
        "statusReplicasPath": ".status.replicas",
    }
    return _definition("monitoring.example.com", "Monitor", "monitors", [version], shortNames=["mon"])


def everything() -> tuple[Json, ...]:
    """Return all of them."""
    return rollouts(), certificates(), monitors()
