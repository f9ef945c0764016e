"""How the protobuf messages are numbered that no kubectl carries: those of apiextensions.k8s.io and apiregistration.k8s.io.

Their types are not part of k8s.io/api. The numbers are those of the protocol file that each of both packages publishes
(k8s.io/apiextensions-apiserver and k8s.io/kube-aggregator, v1.36). `tools/extract_kubernetes_messages.py` adds them.

A line is a message: its fields with their numbers and types, `name=` before those that are called otherwise in JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

_META: Final = "k8s.io.apimachinery.pkg.apis.meta.v1"
_EXTENSIONS: Final = "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1"
_REGISTRATION: Final = "k8s.io.kube_aggregator.pkg.apis.apiregistration.v1"

_MESSAGES: Final = {
    _EXTENSIONS: """
        CustomResourceColumnDefinition: name 1 string, type 2 string, format 3 string, description 4 string, priority 5 int32, jsonPath 6 string
        CustomResourceConversion: strategy 1 string, webhook 2 WebhookConversion
        CustomResourceDefinition: metadata 1 meta.ObjectMeta, spec 2 CustomResourceDefinitionSpec, status 3 CustomResourceDefinitionStatus
        CustomResourceDefinitionCondition: type 1 string, status 2 string, lastTransitionTime 3 meta.Time, reason 4 string, message 5 string, observedGeneration 6 int64
        CustomResourceDefinitionList: metadata 1 meta.ListMeta, items 2 []CustomResourceDefinition
        CustomResourceDefinitionNames: plural 1 string, singular 2 string, shortNames 3 []string, kind 4 string, listKind 5 string, categories 6 []string
        CustomResourceDefinitionSpec: group 1 string, names 3 CustomResourceDefinitionNames, scope 4 string, versions 7 []CustomResourceDefinitionVersion, conversion 9 CustomResourceConversion, preserveUnknownFields 10 bool
        CustomResourceDefinitionStatus: conditions 1 []CustomResourceDefinitionCondition, acceptedNames 2 CustomResourceDefinitionNames, storedVersions 3 []string, observedGeneration 4 int64
        CustomResourceDefinitionVersion: name 1 string, served 2 bool, storage 3 bool, schema 4 CustomResourceValidation, subresources 5 CustomResourceSubresources, additionalPrinterColumns 6 []CustomResourceColumnDefinition, deprecated 7 bool, deprecationWarning 8 string, selectableFields 9 []SelectableField
        CustomResourceSubresourceScale: specReplicasPath 1 string, statusReplicasPath 2 string, labelSelectorPath 3 string
        CustomResourceSubresourceStatus:
        CustomResourceSubresources: status 1 CustomResourceSubresourceStatus, scale 2 CustomResourceSubresourceScale
        CustomResourceValidation: openAPIV3Schema 1 JSONSchemaProps
        ExternalDocumentation: description 1 string, url 2 string
        JSON: raw 1 bytes
        JSONSchemaProps: id 1 string, $schema=schema 2 string, $ref=ref 3 string, description 4 string, type 5 string, format 6 string, title 7 string, default 8 JSON, maximum 9 double, exclusiveMaximum 10 bool, minimum 11 double, exclusiveMinimum 12 bool, maxLength 13 int64, minLength 14 int64, pattern 15 string, maxItems 16 int64, minItems 17 int64, uniqueItems 18 bool, multipleOf 19 double, enum 20 []JSON, maxProperties 21 int64, minProperties 22 int64, required 23 []string, items 24 JSONSchemaPropsOrArray, allOf 25 []JSONSchemaProps, oneOf 26 []JSONSchemaProps, anyOf 27 []JSONSchemaProps, not 28 JSONSchemaProps, properties 29 {}JSONSchemaProps, additionalProperties 30 JSONSchemaPropsOrBool, patternProperties 31 {}JSONSchemaProps, dependencies 32 {}JSONSchemaPropsOrStringArray, additionalItems 33 JSONSchemaPropsOrBool, definitions 34 {}JSONSchemaProps, externalDocs 35 ExternalDocumentation, example 36 JSON, nullable 37 bool, x-kubernetes-preserve-unknown-fields=xKubernetesPreserveUnknownFields 38 bool, x-kubernetes-embedded-resource=xKubernetesEmbeddedResource 39 bool, x-kubernetes-int-or-string=xKubernetesIntOrString 40 bool, x-kubernetes-list-map-keys=xKubernetesListMapKeys 41 []string, x-kubernetes-list-type=xKubernetesListType 42 string, x-kubernetes-map-type=xKubernetesMapType 43 string, x-kubernetes-validations=xKubernetesValidations 44 []ValidationRule
        JSONSchemaPropsOrArray: schema 1 JSONSchemaProps, jSONSchemas 2 []JSONSchemaProps
        JSONSchemaPropsOrBool: allows 1 bool, schema 2 JSONSchemaProps
        JSONSchemaPropsOrStringArray: schema 1 JSONSchemaProps, property 2 []string
        SelectableField: jsonPath 1 string
        ServiceReference: namespace 1 string, name 2 string, path 3 string, port 4 int32
        ValidationRule: rule 1 string, message 2 string, messageExpression 3 string, reason 4 string, fieldPath 5 string, optionalOldSelf 6 bool
        WebhookClientConfig: service 1 ServiceReference, caBundle 2 bytes, url 3 string
        WebhookConversion: clientConfig 2 WebhookClientConfig, conversionReviewVersions 3 []string
    """,
    _REGISTRATION: """
        APIService: metadata 1 meta.ObjectMeta, spec 2 APIServiceSpec, status 3 APIServiceStatus
        APIServiceCondition: type 1 string, status 2 string, lastTransitionTime 3 meta.Time, reason 4 string, message 5 string
        APIServiceList: metadata 1 meta.ListMeta, items 2 []APIService
        APIServiceSpec: service 1 ServiceReference, group 2 string, version 3 string, insecureSkipTLSVerify 4 bool, caBundle 5 bytes, groupPriorityMinimum 7 int32, versionPriority 8 int32
        APIServiceStatus: conditions 1 []APIServiceCondition
        ServiceReference: namespace 1 string, name 2 string, port 3 int32
    """,
}  # fmt: skip
_SCALARS: Final = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
}
_OPTIONAL, _REPEATED = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED


def messages() -> Iterator[tuple[str, DescriptorProto]]:
    """Yield the messages by their full names."""
    for package, text in _MESSAGES.items():
        for line in text.strip().splitlines():
            name, _, fields = line.strip().partition(":")
            message = DescriptorProto(name=name)
            for each in filter(None, fields.split(",")):
                _add_field(package, message, *each.split())
            yield f"{package}.{name}", message


def _add_field(package: str, message: DescriptorProto, names: str, number: str, type_: str) -> None:
    json_name, _, name = names.rpartition("=")
    field = message.field.add(name=name, number=int(number), label=_OPTIONAL)
    if json_name:
        field.json_name = json_name
    if type_.startswith("[]"):
        field.label = _REPEATED
    if type_.startswith("{}"):
        entry = message.nested_type.add(name=f"{name[0].upper()}{name[1:]}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=_OPTIONAL, type=_SCALARS["string"])
        _set_type(package, entry.field.add(name="value", number=2, label=_OPTIONAL), type_[2:])
        field.label, field.type = _REPEATED, FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = f".{package}.{message.name}.{entry.name}"
    else:
        _set_type(package, field, type_.removeprefix("[]"))


def _set_type(package: str, field: FieldDescriptorProto, name: str) -> None:
    if name in _SCALARS:
        field.type = _SCALARS[name]
        return
    owner = _META if name.startswith("meta.") else package
    field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{owner}.{name.removeprefix('meta.')}"
