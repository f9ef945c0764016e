"""What objects of the newer kinds are refused for: Kubernetes' paths and words, a change of a good object a line."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from apiserver.core.values import Json
from tests.support.served_kinds import KINDS, complaints, created, example, update_complaints

_LABEL = "a lowercase RFC 1123 label must consist of"
_SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of"


def changed(kind: str, path: str, value: Any) -> Json:
    """Return the kind's example with another value at a path; None takes the field away."""
    obj = deepcopy(example(KINDS[kind]))
    *holders, last = path.split(".")
    inner: Any = obj
    for step in holders:
        inner = inner[int(step)] if step.isdecimal() else inner.setdefault(step, {})
    key = int(last) if last.isdecimal() else last
    if value is None:
        inner.pop(key)
    else:
        inner[key] = value
    return obj


@pytest.mark.parametrize(
    ("kind", "path", "value", "said"),
    [
        ("APIService", "metadata.name", "x", 'metadata.name: Invalid value: "x": must be `spec.version+"."+spec.group`: "v1.example.com"'),
        ("APIService", "spec.groupPriorityMinimum", 0, "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000"),
        ("APIService", "spec.versionPriority", 1001, "spec.versionPriority: Invalid value: 1001: must be positive and less than 1000"),
        ("APIService", "spec.service.namespace", "", "spec.service.namespace: Required value"),
        ("APIService", "spec.service", None, ""),
        ("CSIDriver", "spec.fsGroupPolicy", "Some", 'spec.fsGroupPolicy: Unsupported value: "Some": supported values: "File", "None", "ReadWriteOnceWithFSType"'),
        ("CSIDriver", "spec.tokenRequests", [{"audience": "a"}, {"audience": "a"}], 'spec.tokenRequests[1].audience: Duplicate value: "a"'),
        ("CSIDriver", "spec.tokenRequests.0.expirationSeconds", 1, "spec.tokenRequests[0].expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes"),
        ("CSIDriver", "spec.volumeLifecycleModes", ["Never"], 'spec.volumeLifecycleModes: Unsupported value: "Never": supported values: "Persistent", "Ephemeral"'),
        ("CSIDriver", "spec.nodeAllocatableUpdatePeriodSeconds", 9, "spec.nodeAllocatableUpdatePeriodSeconds: Invalid value: 9: must be greater than or equal to 10 seconds"),
        ("CSINode", "spec.drivers.0.name", "", "spec.drivers[0].name: Required value"),
        ("CSINode", "spec.drivers.0.nodeID", "", "spec.drivers[0].nodeID: Required value"),
        ("CSINode", "spec.drivers.0.nodeID", "n" * 257, f'spec.drivers[0].nodeID: Invalid value: "{"n" * 257}": must be 256 characters or less'),
        ("CSINode", "spec.drivers.0.allocatable", {"count": -1}, "spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0"),
        ("CSIStorageCapacity", "capacity", "-1", 'capacity: Invalid value: "-1": must be greater than or equal to 0'),
        ("CSIStorageCapacity", "storageClassName", "A", f'storageClassName: Invalid value: "A": {_SUBDOMAIN}'),
        ("CertificateSigningRequest", "spec.usages", None, "spec.usages: Required value: usages must be provided"),
        ("CertificateSigningRequest", "spec.usages", ["any", "any"], 'spec.usages[1]: Duplicate value: "any"'),
        ("CertificateSigningRequest", "spec.usages", ["fun"], 'spec.usages[0]: Unsupported value: "fun": supported values: "any", "cert sign"'),
        ("CertificateSigningRequest", "spec.signerName", None, "spec.signerName: Required value: signerName must be provided"),
        ("CertificateSigningRequest", "spec.signerName", "a", "spec.signerName: Invalid value: \"a\": must be a fully qualified domain and path of the form 'example.com/signer-name'"),
        ("CertificateSigningRequest", "spec.signerName", "a/b", 'spec.signerName: Invalid value: "a": should be a domain with at least two segments separated by dots'),
        ("CertificateSigningRequest", "spec.signerName", "A.b/c", f'spec.signerName: Invalid value: "A.b": validating label "A": {_LABEL}'),
        ("CertificateSigningRequest", "spec.signerName", "kubernetes.io/legacy-unknown", 'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version'),
        ("CertificateSigningRequest", "spec.expirationSeconds", 599, "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)"),
        ("CertificateSigningRequest", "spec.request", "YQ==", 'spec.request: Invalid value: "YQ==": PEM block type must be CERTIFICATE REQUEST'),
        ("DeviceClass", "spec.selectors.0.cel", None, "spec.selectors[0].cel: Required value"),
        ("DeviceClass", "spec.extendedResourceName", "cpu", 'spec.extendedResourceName: Invalid value: "cpu": must be a valid extended resource name'),
        ("Endpoints", "subsets.0.addresses", None, "subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"),
        ("Endpoints", "subsets.0.addresses.0.ip", "x", 'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
        ("Endpoints", "subsets.0.addresses.0.ip", "127.0.0.1", 'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'),
        ("Endpoints", "subsets.0.ports", [{"port": 1}, {"port": 2, "name": "a"}], "subsets[0].ports[0].name: Required value"),
        ("FlowSchema", "spec.matchingPrecedence", -1, "spec.matchingPrecedence: Invalid value: -1: must be a positive value"),
        ("FlowSchema", "spec.matchingPrecedence", 10001, "spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000"),
        ("FlowSchema", "spec.matchingPrecedence", 1, "spec.matchingPrecedence: Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1"),
        ("FlowSchema", "spec.priorityLevelConfiguration.name", "", "spec.priorityLevelConfiguration.name: Required value: must reference a priority level"),
        ("FlowSchema", "spec.rules.0.subjects", [], "spec.rules[0].subjects: Required value: subjects must contain at least one value"),
        ("FlowSchema", "spec.rules.0.nonResourceRules", [], "spec.rules[0]: Required value: at least one of resourceRules and nonResourceRules has to be non-empty"),
        ("FlowSchema", "spec.rules.0.subjects.0.kind", "Dog", 'spec.rules[0].subjects[0].kind: Unsupported value: "Dog": supported values: "Group", "ServiceAccount", "User"'),
        ("FlowSchema", "spec.rules.0.subjects.0.group", {"name": "g"}, "spec.rules[0].subjects[0].group: Forbidden: group is forbidden when subject kind is not 'Group'"),
        ("FlowSchema", "spec.rules.0.nonResourceRules.0.nonResourceURLs", ["a"], 'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "a": must start with slash'),
        ("FlowSchema", "spec.rules.0.nonResourceRules.0.nonResourceURLs", ["/a*"], 'spec.rules[0].nonResourceRules[0].nonResourceURLs[0]: Invalid value: "/a*": wildcard can only do suffix matching'),
        ("FlowSchema", "spec.rules.0.nonResourceRules.0.verbs", ["*", "get"], "spec.rules[0].nonResourceRules[0].verbs: Invalid value: [\"*\",\"get\"]: if '*' is present, must not specify other verbs"),
        ("FlowSchema", "metadata.name", "catch-all", "spec: Invalid value: "),
        ("IPAddress", "metadata.name", "010.0.0.1", 'metadata.name: Invalid value: "010.0.0.1": must not have leading 0s'),
        ("IPAddress", "metadata.name", "2001:DB8::1", 'metadata.name: Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")'),
        ("IPAddress", "spec.parentRef", None, "spec.parentRef: Required value"),
        ("IPAddress", "spec.parentRef.resource", "", "spec.parentRef.resource: Required value"),
        ("MutatingAdmissionPolicy", "spec.mutations", [], "spec.mutations: Required value"),
        ("MutatingAdmissionPolicy", "spec.mutations.0.patchType", "Merge", 'spec.mutations[0].patchType: Unsupported value: "Merge": supported values: "ApplyConfiguration", "JSONPatch"'),
        ("MutatingAdmissionPolicy", "spec.matchConstraints", None, "spec.matchConstraints: Required value"),
        ("MutatingAdmissionPolicyBinding", "spec.paramRef.name", "", "spec.paramRef: Required value: one of name or selector must be specified"),
        ("MutatingAdmissionPolicyBinding", "spec.paramRef.parameterNotFoundAction", "Ask", 'spec.paramRef.parameterNotFoundAction: Unsupported value: "Ask": supported values: "Deny", "Allow"'),
        ("MutatingWebhookConfiguration", "webhooks.0.reinvocationPolicy", "Often", 'webhooks[0].reinvocationPolicy: Unsupported value: "Often": supported values: "IfNeeded", "Never"'),
        ("PriorityLevelConfiguration", "spec.type", "Some", 'spec.type: Unsupported value: "Some": supported values: "Exempt", "Limited"'),
        ("PriorityLevelConfiguration", "spec.limited", None, "spec.limited: Required value: must not be empty when type is Limited"),
        ("PriorityLevelConfiguration", "spec.limited.nominalConcurrencyShares", -1, "spec.limited.nominalConcurrencyShares: Invalid value: -1: must be a non-negative integer"),
        ("PriorityLevelConfiguration", "spec.limited.limitResponse.queuing.handSize", 65, "spec.limited.limitResponse.queuing.handSize: Invalid value: 65: should not be greater than queues (64)"),
        ("PriorityLevelConfiguration", "spec.limited.limitResponse.queuing.handSize", 20, "spec.limited.limitResponse.queuing.handSize: Invalid value: 20: required entropy bits of deckSize 64 and handSize 20 should not be greater than 60"),
        ("PriorityLevelConfiguration", "spec.limited.limitResponse.type", "Wait", 'spec.limited.limitResponse.type: Unsupported value: "Wait": supported values: "Queue", "Reject"'),
        ("PriorityLevelConfiguration", "metadata.name", "exempt", "spec.type: Invalid value: \"Limited\": type must be 'Exempt' if and only if name is 'exempt'"),
        ("ResourceClaim", "spec.devices.requests.0.name", "A", f'spec.devices.requests[0].name: Invalid value: "A": {_LABEL}'),
        ("ResourceClaim", "spec.devices.requests.0.exactly", None, "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"),
        ("ResourceClaim", "spec.devices.requests.0.exactly.deviceClassName", "", "spec.devices.requests[0].exactly.deviceClassName: Required value"),
        ("ResourceClaim", "spec.devices.requests.0.exactly.count", -1, "spec.devices.requests[0].exactly.count: Invalid value: -1: must be greater than zero"),
        ("ResourceClaim", "spec.devices.requests.0.exactly.allocationMode", "Most", 'spec.devices.requests[0].exactly.allocationMode: Unsupported value: "Most": supported values: "All", "ExactCount"'),
        ("ResourceClaim", "spec.devices.constraints.0.requests", ["cpu"], "spec.devices.constraints[0].requests[0]: Invalid value: \"cpu\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"),
        ("ResourceClaim", "spec.devices.constraints.0.matchAttribute", "model", 'spec.devices.constraints[0].matchAttribute: Invalid value: "model": a fully qualified name must be a domain and a name separated by a slash'),
        ("ResourceSlice", "spec.nodeName", None, "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"),
        ("ResourceSlice", "spec.allNodes", True, 'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set'),
        ("ResourceSlice", "spec.pool.resourceSliceCount", 0, "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero"),
        ("ResourceSlice", "spec.devices.0.attributes.model", {}, 'spec.devices[0].attributes[model]: Invalid value: "": exactly one value must be specified'),
        ("ResourceSlice", "spec.devices.0.attributes.model", {"version": "1"}, 'spec.devices[0].attributes[model].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0'),
        ("ResourceSlice", "spec.devices.0.taints", [{"key": "a"}], "spec.devices[0].taints[0].effect: Required value"),
        ("ServiceCIDR", "spec.cidrs", [], "spec.cidrs: Required value: at least one CIDR required"),
        ("ServiceCIDR", "spec.cidrs", ["10.0.0.1/8"], 'spec.cidrs[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length'),
        ("ServiceCIDR", "spec.cidrs", ["10.0.0.0/8", "10.0.0.0/9"], 'spec.cidrs: Invalid value: ["10.0.0.0/8","10.0.0.0/9"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64'),
        ("ValidatingAdmissionPolicy", "spec.validations", [], "spec.validations: Required value: validations or auditAnnotations must contain at least one item"),
        ("ValidatingAdmissionPolicy", "spec.validations.0.expression", " ", "spec.validations[0].expression: Required value: expression is not specified"),
        ("ValidatingAdmissionPolicy", "spec.validations.0.message", "a\nb", 'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks'),
        ("ValidatingAdmissionPolicy", "spec.validations.0.reason", "Odd", 'spec.validations[0].reason: Unsupported value: "Odd": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"'),
        ("ValidatingAdmissionPolicy", "spec.variables", [{"name": "if", "expression": "1"}], 'spec.variables[0].name: Invalid value: "if": name is not a valid CEL identifier'),
        ("ValidatingAdmissionPolicy", "spec.paramKind", {"apiVersion": "a/b/c", "kind": "A"}, 'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c'),
        ("ValidatingAdmissionPolicyBinding", "spec.validationActions", [], "spec.validationActions: Required value: at least one validation action is required"),
        ("ValidatingAdmissionPolicyBinding", "spec.validationActions", ["Deny", "Warn"], 'spec.validationActions: Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)'),
        ("ValidatingAdmissionPolicyBinding", "spec.policyName", "", "spec.policyName: Required value"),
        ("ValidatingWebhookConfiguration", "webhooks.0.name", "a.b", 'webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots'),
        ("ValidatingWebhookConfiguration", "webhooks.0.sideEffects", "Some", 'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'),
        ("ValidatingWebhookConfiguration", "webhooks.0.sideEffects", None, "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun"),
        ("ValidatingWebhookConfiguration", "webhooks.0.timeoutSeconds", 31, "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds"),
        ("ValidatingWebhookConfiguration", "webhooks.0.admissionReviewVersions", ["v2"], 'webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1'),
        ("ValidatingWebhookConfiguration", "webhooks.0.clientConfig", {}, "webhooks[0].clientConfig: Required value: exactly one of url or service is required"),
        ("ValidatingWebhookConfiguration", "webhooks.0.clientConfig", {"url": "http://a"}, "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]"),
        ("ValidatingWebhookConfiguration", "webhooks.0.rules.0.operations", ["*", "CREATE"], "webhooks[0].rules[0].operations: Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must not specify other operations"),
        ("ValidatingWebhookConfiguration", "webhooks.0.rules.0.resources", ["pods/*", "pods/log"], "webhooks[0].rules[0].resources[1]: Invalid value: \"pods/log\": if 'pods/*' is present, must not specify pods/log"),
        ("ValidatingWebhookConfiguration", "webhooks.0.matchConditions.0.name", "", "webhooks[0].matchConditions[0].name: Required value"),
        ("VolumeAttachment", "spec.attacher", "", "spec.attacher: Required value"),
        ("VolumeAttachment", "spec.source", {}, "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"),
        ("VolumeAttributesClass", "parameters", {}, "parameters: Required value: must contain at least one key/value pair"),
        ("VolumeAttributesClass", "driverName", "", "driverName: Required value"),
    ],
)  # fmt: skip
def test_an_object_is_refused(kind: str, path: str, value: Any, said: str) -> None:
    """The first fault that is named is the one that was made."""
    found = complaints(changed(kind, path, value))
    assert (found[0] if found else "").startswith(said)
    assert bool(found) is bool(said)


@pytest.mark.parametrize(
    ("kind", "path", "value", "said"),
    [
        ("CSIDriver", "spec.attachRequired", False, "spec.attachedRequired: Invalid value: false: field is immutable"),
        ("CSIStorageCapacity", "storageClassName", "slow", 'storageClassName: Invalid value: "slow": field is immutable'),
        ("CSINode", "spec.drivers.0.nodeID", "m", "spec.drivers: Invalid value"),
        ("IPAddress", "spec.parentRef.name", "other", "spec.parentRef: Invalid value"),
        ("ResourceClaim", "spec.devices.requests.0.exactly.count", 2, "spec: Invalid value"),
        ("ResourceClaimTemplate", "spec.spec.devices.requests.0.exactly.count", 2, "spec: Invalid value"),
        ("ResourceSlice", "spec.driver", "b.example.com", 'spec.driver: Invalid value: "b.example.com": field is immutable'),
        ("ServiceCIDR", "spec.cidrs", ["10.201.0.0/16"], 'spec.cidrs[0]: Invalid value: "10.201.0.0/16": field is immutable'),
        ("ServiceCIDR", "spec.cidrs", ["10.200.0.0/16", "fd00::/64"], ""),
        ("VolumeAttachment", "spec.nodeName", "m", "spec: Invalid value"),
        ("VolumeAttributesClass", "driverName", "b.example.com", "driverName: Forbidden: updates to driverName are forbidden."),
    ],
)  # fmt: skip
def test_a_change_is_refused(kind: str, path: str, value: Any, said: str) -> None:
    """What was given once stays."""
    found = update_complaints(changed(kind, path, value), created(example(KINDS[kind])))
    assert (found[0] if found else "").startswith(said)
    assert bool(found) is bool(said)
