"""Names of drivers: of volumes (CSI), and of devices, which are named alike."""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from machinery.model import names
from machinery.model.errors import Cause

LONGEST_DRIVER: Final = 63


def driver_name_causes(driver: str, path: str) -> list[Cause]:
    """Check a driver's name, which has to be there."""
    if not driver:
        return [field_errors.required(path)]
    found = []
    if len(driver.encode()) > LONGEST_DRIVER:
        found.append(field_errors.too_long(path, LONGEST_DRIVER))
    return found + field_errors.each_invalid(path, driver, names.dns_subdomain_errors(driver.lower()))
