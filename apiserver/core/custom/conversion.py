"""ConversionReviews: what a conversion webhook is asked, and what its answer comes to.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#webhook-conversion
An object comes back as it went except for its content, its labels and its annotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from apiserver.core.values import Json, metadata

_GROUP: Final = "apiextensions.k8s.io"
_KNOWN: Final = ("v1", "v1beta1")
_CHANGEABLE: Final = ("labels", "annotations")


class BadConversion(Exception):  # noqa: N818 - it names what happened
    """An answer that is none; the text says why."""


def review(objects: Sequence[Json], api_version: str, uid: str, versions: Sequence[str]) -> Json:
    """Return what a webhook is asked; `versions` are those of reviews that it knows, the best first."""
    spoken = next((each for each in versions if each in _KNOWN), "v1")
    request = {"uid": uid, "desiredAPIVersion": api_version, "objects": list(objects)}
    return {"kind": "ConversionReview", "apiVersion": f"{_GROUP}/{spoken}", "request": request}


def called(obj: Json) -> str:
    """Return what messages call the kind of an object."""
    return f"{obj.get('apiVersion', '')}, Kind={obj.get('kind', '')}"


def converted(answer: Any, asked: Json) -> list[Json]:
    """Return the objects of an answer, in the order in which they were asked.

    Raises:
        BadConversion: the answer makes no sense.
    """
    objects: list[Json] = asked["request"]["objects"]
    name = called(objects[0])
    response = _response(answer, asked, name)
    found = response.get("convertedObjects")
    count = len(found) if isinstance(found, list) else 0
    if count != len(objects):
        raise BadConversion(
            f"conversion webhook for {name} returned {count} objects, expected {len(objects)}"
        )
    wanted = asked["request"]["desiredAPIVersion"]
    return [_restored(new, old, wanted, name) for new, old in zip(found or (), objects, strict=True)]


def failed(name: str, reason: object) -> BadConversion:
    """Return the error of a call that came to nothing."""
    return BadConversion(f"conversion webhook for {name} failed: {reason}")


def _response(answer: Any, asked: Json, name: str) -> Json:
    kind, version = asked["kind"], asked["apiVersion"]
    if not isinstance(answer, dict) or (answer.get("apiVersion"), answer.get("kind")) != (version, kind):
        told = called(answer) if isinstance(answer, dict) else "something else"
        raise failed(name, f"expected webhook response of {version}, Kind={kind}, got {told}")
    response = answer.get("response")
    if not isinstance(response, dict):
        raise failed(name, "no response provided")
    uid = asked["request"]["uid"]
    if response.get("uid") != uid:
        raise failed(name, f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    result = response.get("result")
    status = result.get("status", "") if isinstance(result, dict) else ""
    if status != "Success":
        message = result.get("message") if isinstance(result, dict) else ""
        raise failed(name, message or f"response.result.status was '{status}', not 'Success'")
    return response


def _restored(new: Any, old: Json, api_version: str, name: str) -> Json:
    """Return a converted object with the metadata that a conversion cannot change."""
    text = f"conversion webhook for {name} returned invalid converted object"
    if not isinstance(new, dict) or not isinstance(new.get("metadata"), dict):
        raise BadConversion(f"{text}: it has no metadata")
    if new.get("apiVersion") != api_version:
        raise BadConversion(
            f"{text}: invalid apiVersion: expected {api_version}, got {new.get('apiVersion')}"
        )
    if new.get("kind") != old.get("kind"):
        raise BadConversion(f"{text}: invalid kind: expected {old.get('kind')}, got {new.get('kind')}")
    meta, before = new["metadata"], metadata(old)
    for key in ("name", "namespace", "uid"):
        if meta.get(key, "") != before.get(key, ""):
            raise BadConversion(
                f"conversion webhook for {name} returned invalid metadata: metadata.{key} was changed"
            )
    for key in _CHANGEABLE:
        values = meta.get(key)
        if values is not None and not _is_text_map(values):
            raise BadConversion(
                f"conversion webhook for {name} returned invalid metadata: metadata.{key} is no map of texts"
            )
    kept = {key: value for key, value in before.items() if key not in _CHANGEABLE}
    changed = {key: meta[key] for key in _CHANGEABLE if meta.get(key)}
    rest = {key: value for key, value in new.items() if key not in {"apiVersion", "kind", "metadata"}}
    return {"apiVersion": api_version, "kind": old["kind"], "metadata": {**kept, **changed}, **rest}


def _is_text_map(values: Any) -> bool:
    return isinstance(values, dict) and all(isinstance(each, str) for each in values.values())
