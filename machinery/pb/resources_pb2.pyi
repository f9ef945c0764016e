from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Target(_message.Message):
    __slots__ = ("group", "version", "resource", "namespace", "name", "subresource")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUBRESOURCE_FIELD_NUMBER: _ClassVar[int]
    group: str
    version: str
    resource: str
    namespace: str
    name: str
    subresource: str
    def __init__(self, group: _Optional[str] = ..., version: _Optional[str] = ..., resource: _Optional[str] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ..., subresource: _Optional[str] = ...) -> None: ...

class Object(_message.Message):
    __slots__ = ("uid", "revision", "json")
    UID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    uid: str
    revision: int
    json: bytes
    def __init__(self, uid: _Optional[str] = ..., revision: _Optional[int] = ..., json: _Optional[bytes] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("target", "resource_version", "query")
    class QueryEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TARGET_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    target: Target
    resource_version: str
    query: _containers.ScalarMap[str, str]
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., resource_version: _Optional[str] = ..., query: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("target", "label_selector", "field_selector", "limit", "resource_version", "resource_version_match")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CONTINUE_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_MATCH_FIELD_NUMBER: _ClassVar[int]
    target: Target
    label_selector: str
    field_selector: str
    limit: int
    resource_version: str
    resource_version_match: str
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., limit: _Optional[int] = ..., resource_version: _Optional[str] = ..., resource_version_match: _Optional[str] = ..., **kwargs) -> None: ...

class ObjectList(_message.Message):
    __slots__ = ("revision", "items", "remaining_item_count")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    CONTINUE_FIELD_NUMBER: _ClassVar[int]
    REMAINING_ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    revision: int
    items: _containers.RepeatedCompositeFieldContainer[Object]
    remaining_item_count: int
    def __init__(self, revision: _Optional[int] = ..., items: _Optional[_Iterable[_Union[Object, _Mapping]]] = ..., remaining_item_count: _Optional[int] = ..., **kwargs) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("target", "label_selector", "field_selector", "resource_version", "allow_bookmarks", "timeout_seconds")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_BOOKMARKS_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    target: Target
    label_selector: str
    field_selector: str
    resource_version: str
    allow_bookmarks: bool
    timeout_seconds: int
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., resource_version: _Optional[str] = ..., allow_bookmarks: _Optional[bool] = ..., timeout_seconds: _Optional[int] = ...) -> None: ...

class WatchEvent(_message.Message):
    __slots__ = ("type", "object")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNKNOWN: _ClassVar[WatchEvent.Type]
        ADDED: _ClassVar[WatchEvent.Type]
        MODIFIED: _ClassVar[WatchEvent.Type]
        DELETED: _ClassVar[WatchEvent.Type]
        BOOKMARK: _ClassVar[WatchEvent.Type]
        ERROR: _ClassVar[WatchEvent.Type]
    UNKNOWN: WatchEvent.Type
    ADDED: WatchEvent.Type
    MODIFIED: WatchEvent.Type
    DELETED: WatchEvent.Type
    BOOKMARK: WatchEvent.Type
    ERROR: WatchEvent.Type
    TYPE_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    type: WatchEvent.Type
    object: Object
    def __init__(self, type: _Optional[_Union[WatchEvent.Type, str]] = ..., object: _Optional[_Union[Object, _Mapping]] = ...) -> None: ...

class WatchBatch(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[WatchEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[WatchEvent, _Mapping]]] = ...) -> None: ...

class CreateRequest(_message.Message):
    __slots__ = ("target", "json", "dry_run", "field_validation", "field_manager")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    FIELD_VALIDATION_FIELD_NUMBER: _ClassVar[int]
    FIELD_MANAGER_FIELD_NUMBER: _ClassVar[int]
    target: Target
    json: bytes
    dry_run: bool
    field_validation: str
    field_manager: str
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., json: _Optional[bytes] = ..., dry_run: _Optional[bool] = ..., field_validation: _Optional[str] = ..., field_manager: _Optional[str] = ...) -> None: ...

class CreateEachRequest(_message.Message):
    __slots__ = ("target", "items", "field_validation", "field_manager")
    class Item(_message.Message):
        __slots__ = ("namespace", "json", "cause", "name")
        NAMESPACE_FIELD_NUMBER: _ClassVar[int]
        JSON_FIELD_NUMBER: _ClassVar[int]
        CAUSE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        namespace: str
        json: bytes
        cause: str
        name: str
        def __init__(self, namespace: _Optional[str] = ..., json: _Optional[bytes] = ..., cause: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    FIELD_VALIDATION_FIELD_NUMBER: _ClassVar[int]
    FIELD_MANAGER_FIELD_NUMBER: _ClassVar[int]
    target: Target
    items: _containers.RepeatedCompositeFieldContainer[CreateEachRequest.Item]
    field_validation: str
    field_manager: str
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., items: _Optional[_Iterable[_Union[CreateEachRequest.Item, _Mapping]]] = ..., field_validation: _Optional[str] = ..., field_manager: _Optional[str] = ...) -> None: ...

class UpdateRequest(_message.Message):
    __slots__ = ("target", "json", "dry_run", "field_validation", "field_manager")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    FIELD_VALIDATION_FIELD_NUMBER: _ClassVar[int]
    FIELD_MANAGER_FIELD_NUMBER: _ClassVar[int]
    target: Target
    json: bytes
    dry_run: bool
    field_validation: str
    field_manager: str
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., json: _Optional[bytes] = ..., dry_run: _Optional[bool] = ..., field_validation: _Optional[str] = ..., field_manager: _Optional[str] = ...) -> None: ...

class UpdateEachRequest(_message.Message):
    __slots__ = ("target", "items", "field_validation", "field_manager")
    class Item(_message.Message):
        __slots__ = ("namespace", "name", "json", "cause")
        NAMESPACE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        JSON_FIELD_NUMBER: _ClassVar[int]
        CAUSE_FIELD_NUMBER: _ClassVar[int]
        namespace: str
        name: str
        json: bytes
        cause: str
        def __init__(self, namespace: _Optional[str] = ..., name: _Optional[str] = ..., json: _Optional[bytes] = ..., cause: _Optional[str] = ...) -> None: ...
    TARGET_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    FIELD_VALIDATION_FIELD_NUMBER: _ClassVar[int]
    FIELD_MANAGER_FIELD_NUMBER: _ClassVar[int]
    target: Target
    items: _containers.RepeatedCompositeFieldContainer[UpdateEachRequest.Item]
    field_validation: str
    field_manager: str
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., items: _Optional[_Iterable[_Union[UpdateEachRequest.Item, _Mapping]]] = ..., field_validation: _Optional[str] = ..., field_manager: _Optional[str] = ...) -> None: ...

class PatchRequest(_message.Message):
    __slots__ = ("target", "type", "patch", "dry_run", "field_validation", "field_manager", "force")
    class Type(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNKNOWN: _ClassVar[PatchRequest.Type]
        JSON: _ClassVar[PatchRequest.Type]
        MERGE: _ClassVar[PatchRequest.Type]
        STRATEGIC_MERGE: _ClassVar[PatchRequest.Type]
        APPLY: _ClassVar[PatchRequest.Type]
    UNKNOWN: PatchRequest.Type
    JSON: PatchRequest.Type
    MERGE: PatchRequest.Type
    STRATEGIC_MERGE: PatchRequest.Type
    APPLY: PatchRequest.Type
    TARGET_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    PATCH_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    FIELD_VALIDATION_FIELD_NUMBER: _ClassVar[int]
    FIELD_MANAGER_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    target: Target
    type: PatchRequest.Type
    patch: bytes
    dry_run: bool
    field_validation: str
    field_manager: str
    force: bool
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., type: _Optional[_Union[PatchRequest.Type, str]] = ..., patch: _Optional[bytes] = ..., dry_run: _Optional[bool] = ..., field_validation: _Optional[str] = ..., field_manager: _Optional[str] = ..., force: _Optional[bool] = ...) -> None: ...

class PatchEachRequest(_message.Message):
    __slots__ = ("target", "type", "items", "field_validation", "field_manager")
    class Item(_message.Message):
        __slots__ = ("namespace", "name", "patch", "cause")
        NAMESPACE_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        PATCH_FIELD_NUMBER: _ClassVar[int]
        CAUSE_FIELD_NUMBER: _ClassVar[int]
        namespace: str
        name: str
        patch: bytes
        cause: str
        def __init__(self, namespace: _Optional[str] = ..., name: _Optional[str] = ..., patch: _Optional[bytes] = ..., cause: _Optional[str] = ...) -> None: ...
    TARGET_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    FIELD_VALIDATION_FIELD_NUMBER: _ClassVar[int]
    FIELD_MANAGER_FIELD_NUMBER: _ClassVar[int]
    target: Target
    type: PatchRequest.Type
    items: _containers.RepeatedCompositeFieldContainer[PatchEachRequest.Item]
    field_validation: str
    field_manager: str
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., type: _Optional[_Union[PatchRequest.Type, str]] = ..., items: _Optional[_Iterable[_Union[PatchEachRequest.Item, _Mapping]]] = ..., field_validation: _Optional[str] = ..., field_manager: _Optional[str] = ...) -> None: ...

class DeleteOptions(_message.Message):
    __slots__ = ("grace_period_seconds", "propagation_policy", "uid", "resource_version", "dry_run")
    GRACE_PERIOD_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PROPAGATION_POLICY_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_VERSION_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    grace_period_seconds: int
    propagation_policy: str
    uid: str
    resource_version: str
    dry_run: bool
    def __init__(self, grace_period_seconds: _Optional[int] = ..., propagation_policy: _Optional[str] = ..., uid: _Optional[str] = ..., resource_version: _Optional[str] = ..., dry_run: _Optional[bool] = ...) -> None: ...

class DiscoverRequest(_message.Message):
    __slots__ = ("target",)
    TARGET_FIELD_NUMBER: _ClassVar[int]
    target: Target
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ...) -> None: ...

class DeleteRequest(_message.Message):
    __slots__ = ("target", "options")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    target: Target
    options: DeleteOptions
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., options: _Optional[_Union[DeleteOptions, _Mapping]] = ...) -> None: ...

class DeleteCollectionRequest(_message.Message):
    __slots__ = ("target", "label_selector", "field_selector", "options")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    LABEL_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FIELD_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    target: Target
    label_selector: str
    field_selector: str
    options: DeleteOptions
    def __init__(self, target: _Optional[_Union[Target, _Mapping]] = ..., label_selector: _Optional[str] = ..., field_selector: _Optional[str] = ..., options: _Optional[_Union[DeleteOptions, _Mapping]] = ...) -> None: ...
