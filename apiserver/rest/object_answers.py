"""Answers to requests of resources: one object, or a list of them, in the form that was asked for.

what is shown (`Shape`)        the object, a table of it, its metadata
how it is written (`Encoding`)  JSON, YAML, protobuf; tables are never protobuf
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from apiserver.aside import aside
from apiserver.request import Item, ListReply, ObjectReply
from apiserver.rest import envelopes, protobuf_answers
from apiserver.rest.gzip_runs import Runs
from apiserver.rest.lists import list_reply, protobuf_list_reply
from apiserver.rest.long_lists import LongList, long_list
from apiserver.rest.negotiation import Encoding, Form, Offer, Shape, negotiate
from apiserver.rest.protobuf_answers import Elements
from apiserver.rest.protobuf_messages import MEDIA_TYPE
from apiserver.rest.replies import JSON, YAML_WEIGHT, Reply, pretty, reply, to_yaml
from apiserver.rest.resource_request import ResourceRequest
from apiserver.rest.tables import Tables
from machinery.model.errors import NotAcceptable
from machinery.model.kinds import KindNames

_READS = frozenset({"get", "list"})


def negotiate_for(kind: KindNames, accept: str, offered: Offer, without_message: Offer) -> Form:
    """Choose the form of an answer about a kind, which may have no protobuf message.

    Raises:
        NotAcceptable: the caller accepts none that there is.
    """
    form = negotiate(accept, offered)
    if form[:2] == (Encoding.PROTOBUF, Shape.WHOLE) and not protobuf_answers.has_message(kind):
        return negotiate(accept, without_message)
    return form


def check_shape(form: Form, kind: str, *, is_list: bool) -> None:
    """Check that metadata is asked for of what is answered: of one object, or of a list.

    Raises:
        NotAcceptable: it is not.
    """
    wanted = form.shape
    if wanted is Shape.METADATA and is_list:
        raise NotAcceptable(f"you requested {wanted.value}, but the requested object is a list ({kind}List)")
    if wanted is Shape.METADATA_LIST and not is_list:
        raise NotAcceptable(f"you requested {wanted.value}, but the requested object is not a list ({kind})")


class ObjectAnswers:
    """Writes answers; what several callers get as protobuf is written once."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._whole = Elements()
        self._metadata = Elements(is_metadata=True)
        self._runs = Runs()

    def elements(self, shape: Shape) -> Elements:
        """Return the objects that were written in a shape as protobuf."""
        return self._whole if shape is Shape.WHOLE else self._metadata

    async def of_object(self, asked: ResourceRequest, form: Form, answer: ObjectReply) -> Reply:
        """Answer with one object."""
        body, content_type = await self._object_body(asked, form, answer.json)
        status = 201 if answer.created else 200
        return reply(body, status=status, content_type=content_type, warnings=answer.warnings)

    async def of_list(self, asked: ResourceRequest, form: Form, answer: ListReply) -> Reply:
        """Answer with a list."""
        accepts_gzip = asked.http.accepts_gzip
        if form.encoding is Encoding.PROTOBUF:
            return await protobuf_list_reply(
                answer,
                self.elements(form.shape),
                self._runs,
                metadata_version="" if form.shape is Shape.WHOLE else form.meta_version,
                accepts_gzip=accepts_gzip,
            )
        is_pretty = asked.is_pretty or form.is_pretty
        if form[:2] == (Encoding.JSON, Shape.WHOLE) and not is_pretty:
            return await list_reply(answer, self._runs, accepts_gzip=accepts_gzip)
        found = await self._long_list(asked, form, answer)
        if form.encoding is Encoding.YAML:
            return reply(await found.yaml(), content_type=form.encoding.value)
        return reply(await found.pretty() if is_pretty else found.json())

    async def _object_body(self, asked: ResourceRequest, form: Form, json: bytes) -> tuple[bytes, str]:
        if form.encoding is Encoding.PROTOBUF:
            made = self._element(asked, form.shape, json)
            return protobuf_answers.object_body(
                protobuf_answers.in_version(made, form.meta_version)
            ), MEDIA_TYPE
        match form.shape:
            case Shape.TABLE:
                json = await self._tables.of_object(json, asked.include_object, form.meta_version)
            case Shape.METADATA:
                json = envelopes.metadata_json(json, form.meta_version)
        if form.encoding is Encoding.YAML:
            return await aside(YAML_WEIGHT * len(json), to_yaml, json), form.encoding.value
        if asked.is_pretty or form.is_pretty:
            return await aside(len(json), pretty, json), JSON
        return json, JSON

    def _element(self, asked: ResourceRequest, shape: Shape, json: bytes) -> protobuf_answers.Element:
        elements = self.elements(shape)
        return elements.get(json) if asked.verb in _READS else elements.get_written(json)

    async def _long_list(self, asked: ResourceRequest, form: Form, answer: ListReply) -> LongList:
        match form.shape:
            case Shape.TABLE:
                return await self._tables.of_list(answer, asked.include_object, form.meta_version)
            case Shape.METADATA_LIST:
                head = envelopes.metadata_list_head(answer, form.meta_version)
                write = partial(_metadata, form.meta_version)
                return await long_list(head, answer.items, write, envelopes.LIST_TAIL)
            case _:
                head = envelopes.list_head(answer)
                write = partial(_whole, envelopes.item_writer(answer))
                return await long_list(head, answer.items, write, envelopes.LIST_TAIL)


def _metadata(api_version: str, item: Item) -> bytes:
    return envelopes.metadata_json(item.json, api_version)


def _whole(finish: Callable[[bytes], bytes], item: Item) -> bytes:
    return finish(item.json)
