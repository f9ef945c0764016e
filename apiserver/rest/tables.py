"""Answers as tables: what `kubectl get` prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from apiserver.aside import aside
from apiserver.core.catalogue import Catalogue
from apiserver.core.table import Moment, Table
from apiserver.core.table.table import NAME_AND_AGE
from apiserver.core.table.unstored import UNSTORED
from apiserver.core.values import Json
from apiserver.request import Item, ListReply, SharedEvent
from apiserver.rest import envelopes
from apiserver.rest.long_lists import LongList, long_list
from apiserver.rest.negotiation import META_V1
from machinery.model.clock import Clock
from machinery.model.errors import BadRequest

_INCLUDES: Final = ("", "Metadata", "None", "Object")


class Shown(NamedTuple):
    """What a row has beside its cells: "Object", "Metadata" or "None" of it, and which version of meta.k8s.io a table is."""

    include: str
    api_version: str


class Tables:
    """Writes tables of objects."""

    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock

    async def of_object(self, obj: bytes, include_object: str, api_version: str = META_V1) -> bytes:
        """Write a table of one object; what is no object of a kind (a Status) is written as it is.

        Raises:
            BadRequest: includeObject is none of its values.
        """
        return await aside(len(obj), self._of_object, obj, include_object, api_version)

    def _of_object(self, obj: bytes, include_object: str, api_version: str) -> bytes:
        decoded = msgspec.json.decode(obj)
        if decoded.get("kind") == "Status":
            return obj
        meta = {"resourceVersion": decoded["metadata"].get("resourceVersion", "")}
        table = self._table(decoded["apiVersion"], decoded["kind"])
        return self._written(table, meta, [(decoded, obj)], Shown(_include(include_object), api_version))

    async def of_list(self, reply: ListReply, include_object: str, api_version: str = META_V1) -> LongList:
        """Write a table of a list.

        Raises:
            BadRequest: includeObject is none of its values.
        """
        shown, moment = Shown(_include(include_object), api_version), self._moment()
        table = self._table(reply.api_version, reply.kind)
        whole = self._written(table, envelopes.list_meta(reply), [], shown)

        def write(item: Item) -> bytes:
            return msgspec.json.encode(_row(table, moment, msgspec.json.decode(item.json), item.json, shown))

        head = whole.removesuffix(envelopes.LIST_TAIL)
        return await long_list(head, reply.items, write, envelopes.LIST_TAIL)

    def framing(self, include_object: str, api_version: str = META_V1) -> Callable[[SharedEvent], bytes]:
        """Return what writes the events of a watch: the columns stand in its first one only.

        Raises:
            BadRequest: includeObject is none of its values.
        """
        shown = Shown(_include(include_object), api_version)
        door = f"rest-table-{shown.include}-{api_version}"
        begun = False

        def encode(event: SharedEvent, *, columns: bool = False) -> bytes:
            return envelopes.frame(event.type, self._event_table(event.json, shown, columns=columns))

        def frame(event: SharedEvent) -> bytes:
            nonlocal begun
            if begun:
                return event.frame(door, encode)
            begun = True
            return encode(event, columns=True)

        return frame

    def _event_table(self, obj: bytes, shown: Shown, *, columns: bool) -> bytes:
        decoded = msgspec.json.decode(obj)
        meta = {"resourceVersion": decoded["metadata"].get("resourceVersion", "")}
        return self._written(
            self._table(decoded["apiVersion"], decoded["kind"]),
            meta,
            [(decoded, obj)],
            shown,
            columns=columns,
        )

    def _table(self, api_version: str, kind: str) -> Table:
        found = self._catalogue.of_type(api_version, kind)
        return found.rules.table if found else UNSTORED.get((api_version, kind), NAME_AND_AGE)

    def _written(
        self, table: Table, meta: Json, pairs: list[tuple[Json, bytes]], shown: Shown, *, columns: bool = True
    ) -> bytes:
        moment = self._moment()
        written: dict[str, Any] = {
            "kind": "Table",
            "apiVersion": shown.api_version,
            "metadata": meta,
            "columnDefinitions": [column.to_dict() for column in table.columns] if columns else [],
            "rows": [_row(table, moment, obj, raw, shown) for obj, raw in pairs],
        }
        return msgspec.json.encode(written)

    def _moment(self) -> Moment:
        return Moment(self._clock.timescale.wall(self._clock.now()))


def _row(table: Table, moment: Moment, obj: Json, raw: bytes, shown: Shown) -> Json:
    row: Json = {"cells": table.row(obj, moment)}
    match shown.include:
        case "Object":
            row["object"] = msgspec.Raw(raw)
        case "Metadata":
            row["object"] = msgspec.Raw(envelopes.metadata_json(raw, shown.api_version))
    return row


def _include(include_object: str) -> str:
    if include_object not in _INCLUDES:
        raise BadRequest(
            f'includeObject: unrecognized value "{include_object}": must be None, Metadata or Object'
        )
    return include_object or "Metadata"
