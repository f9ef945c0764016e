"""Namespaces, ConfigMaps, Secrets and ServiceAccounts."""

from __future__ import annotations

from typing import Final

from apiserver.core.table.table import AGE, NAME, Cells, Column, Moment, Table, age, name
from apiserver.core.values import Json

_DATA: Final = Column("Data", description="How many entries it has.")


def _namespace(obj: Json, moment: Moment) -> Cells:
    return [name(obj), (obj.get("status") or {}).get("phase", ""), age(obj, moment)]


def _config_map(obj: Json, moment: Moment) -> Cells:
    return [name(obj), len(obj.get("data") or ()) + len(obj.get("binaryData") or ()), age(obj, moment)]


def _secret(obj: Json, moment: Moment) -> Cells:
    return [name(obj), obj.get("type", ""), len(obj.get("data") or ()), age(obj, moment)]


def _service_account(obj: Json, moment: Moment) -> Cells:
    return [name(obj), len(obj.get("secrets") or ()), age(obj, moment)]


NAMESPACES: Final = Table((NAME, Column("Status", description="Active or Terminating."), AGE), _namespace)
CONFIG_MAPS: Final = Table((NAME, _DATA, AGE), _config_map)
SECRETS: Final = Table((NAME, Column("Type", description="What the secret is for."), _DATA, AGE), _secret)
SERVICE_ACCOUNTS: Final = Table(
    (NAME, Column("Secrets", description="How many secrets belong to it."), AGE), _service_account
)
