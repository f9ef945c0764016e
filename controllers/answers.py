"""Answers to what a plan asks, from the apiserver itself, where a cache is not enough."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from controllers.core.actions import (
    Census,
    Discovery,
    Documents,
    Facts,
    Finding,
    Lookup,
    MayDo,
    Need,
    Part,
    Refusal,
    Selected,
)
from controllers.core.documents import documents_of, to_json
from controllers.core.metadata_only import MetadataOnly, metadata_only
from controllers.run_all import run_all
from machinery.client.api import Api
from machinery.model.errors import ApiError, NotFound
from machinery.model.json_objects import Json
from machinery.model.k8s.authorization_v1 import (
    ResourceAttributes,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
    SubjectAccessReviewStatus,
)
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import Selection
from machinery.model.resources import SUBJECT_ACCESS_REVIEWS, Resource

_PAGE: Final = 500
_OPEN: Final = SubjectAccessReviewStatus(allowed=False)  # that of a question: the answer has its own


async def answer(api: Api, needs: Sequence[Need], facts: Facts) -> Facts:
    """Return the facts with the answers to what is needed added.

    Raises:
        ApiError: a question could not be answered.
    """
    lookups = [need for need in needs if isinstance(need, Lookup)]
    censuses = [need for need in needs if isinstance(need, Census)]
    whole = [need for need in needs if isinstance(need, Documents)]
    objects = await run_all([look_up(api, lookup) for lookup in lookups])
    collections = await run_all([take_census(api, census) for census in censuses])
    documents = await run_all([read_documents(api, question) for question in whole])
    asked = [need for need in needs if isinstance(need, Selected | Part | Discovery)]
    answers = await run_all([answer_or_refusal(api, question) for question in asked])
    questions = [need for need in needs if isinstance(need, MayDo)]
    permissions = await run_all([review(api, question) for question in questions])
    sought = [need for need in needs if isinstance(need, Finding)]
    found = [await asyncio.to_thread(each.find) for each in sought]  # one by one: they share a core anyway
    return replace(
        facts,
        objects={**facts.objects, **dict(zip(lookups, objects, strict=True))},
        collections={**facts.collections, **dict(zip(censuses, collections, strict=True))},
        documents={**facts.documents, **dict(zip(whole, documents, strict=True))},
        permissions={**facts.permissions, **dict(zip(questions, permissions, strict=True))},
        answers={**facts.answers, **dict(zip(asked, answers, strict=True))},
        findings={**facts.findings, **dict(zip(sought, found, strict=True))},
    )


async def answer_or_refusal(api: Api, question: Selected | Part | Discovery) -> Any:
    """Return the answer to a question, or why there is none."""
    try:
        match question:
            case Selected(resource, namespace, selector):
                found = await api.list(resource, Selection(namespace=namespace, label_selector=selector))
                return tuple(found.items)
            case Discovery(group, version):
                return tuple(await api.discover(group, version))
            case Part():
                place: Resource[Any] = Resource(
                    question.group,
                    question.version,
                    question.resource,
                    "",
                    namespaced=True,
                    type=MetadataOnly,
                )
                return await api.read(
                    place,
                    question.name,
                    question.subresource,
                    namespace=question.namespace,
                    query=question.query,
                )
    except ApiError as error:
        return Refusal(error.reason, error.message, error.name)


async def look_up(api: Api, lookup: Lookup) -> ObjectMeta | None:
    """Read an object's metadata as of now; None where it is not there.

    Raises:
        ApiError: it could not be read.
    """
    try:
        found = await api.get(metadata_only(lookup.resource), lookup.name, namespace=lookup.namespace)
    except NotFound as error:
        if not error.name:
            raise  # it is the kind that is not served: nothing is known of its objects
        return None
    return found.metadata


async def review(api: Api, question: MayDo) -> bool:
    """Return whether somebody may do something.

    Raises:
        ApiError: it could not be asked.
    """
    asked = ResourceAttributes(
        verb=question.verb,
        group=question.group,
        resource=question.resource,
        subresource=question.subresource,
        version="*",
    )
    spec = SubjectAccessReviewSpec(
        user=question.user,
        uid=question.uid,
        groups=list(question.groups),
        extra={key: list(values) for key, values in question.extra},
        resourceAttributes=asked,
    )
    answered = await api.create(SUBJECT_ACCESS_REVIEWS, SubjectAccessReview(spec=spec, status=_OPEN))
    return answered.status.allowed


async def take_census(api: Api, census: Census) -> tuple[ObjectMeta, ...]:
    """Read the metadata of a whole collection as of now, page by page.

    Raises:
        ApiError: it could not be read.
    """
    found: list[ObjectMeta] = []
    selection, rest = Selection(namespace=census.namespace), ""
    while True:
        page = await api.list(metadata_only(census.resource), selection, limit=_PAGE, continue_=rest)
        found += [item.metadata for item in page.items]
        rest = page.continue_
        if not rest:
            return tuple(found)


async def read_documents(api: Api, question: Documents) -> tuple[Json, ...]:
    """Read a whole collection as of now, page by page, or one object of it; nothing where it is not there.

    Raises:
        ApiError: it could not be read.
    """
    resource = documents_of(question.resource)
    if question.name:
        try:
            found_one = await api.get(
                resource, question.name, namespace=question.namespace, subresource=question.subresource
            )
            return (to_json(found_one),)
        except NotFound:
            return ()
    found: list[Json] = []
    selection, rest = Selection(namespace=question.namespace), ""
    while True:
        page = await api.list(resource, selection, limit=_PAGE, continue_=rest)
        found += map(to_json, page.items)
        rest = page.continue_
        if not rest:
            return tuple(found)
