"""The definitions of the Gateway API that the examples have, and how to bring them to a registry."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from machinery.client.api import Api
from machinery.model.resources import Resource
from tests.support.custom_resources import Custom, apply

GROUP = "gateway.networking.k8s.io"
MANIFEST = Path(__file__).resolve().parents[2] / "examples" / "gateway-api.yaml"


@cache
def definitions() -> tuple[Custom, ...]:
    """Return the definitions of the manifest."""
    found = yaml.safe_load_all(MANIFEST.read_text())
    return tuple(msgspec.convert(each, Custom) for each in found)


async def define(api: Api) -> None:
    """Store the definitions, and wait until their kinds are served."""
    for each in definitions():
        await apply(api, each)


def of_kind(plural: str, kind: str, version: str = "v1", *, namespaced: bool = True) -> Resource[Custom]:
    """Return a resource of the group, for objects as they are written."""
    return Resource(GROUP, version, plural, kind, namespaced=namespaced, type=Custom)


def written(
    kind: str, name: str, spec: dict[str, Any], *, version: str = "v1", namespace: str = ""
) -> Custom:
    """Return an object as a user writes it."""
    return msgspec.convert(
        {
            "apiVersion": f"{GROUP}/{version}",
            "kind": kind,
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        },
        Custom,
    )
