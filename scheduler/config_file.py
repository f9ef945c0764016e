"""Which profiles there are: by a file of the administrator's, or the default one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from machinery.process.config import ConfigError
from scheduler.core.configured.documents import BadConfiguration
from scheduler.core.configured.own import NOTHING, Installed
from scheduler.core.configured.profiles import Configured, read_configuration
from scheduler.core.queue import BACKOFF
from scheduler.core.registry import DEFAULT

_LONGEST: Final = 3 * 1024 * 1024  # bytes


def configured(
    file: str, scheduler_name: str, installed: Callable[[], Installed] = lambda: NOTHING
) -> Configured:
    """Read a file, which may name plugins that are installed; without one ("") there is the default profile, under a name.

    Raises:
        ConfigError: the file cannot be read, or says what cannot be; the text names the field.
    """
    if not file:
        profile = replace(DEFAULT, scheduler_name=scheduler_name)
        return Configured((profile,), round(BACKOFF.initial_s), round(BACKOFF.cap_s), ())
    import yaml

    try:
        content = Path(file).read_bytes()
        if len(content) > _LONGEST:
            raise ConfigError("config", f"{file}: {len(content)} bytes; {_LONGEST} at most are read")
        return read_configuration(yaml.safe_load(content), installed())
    except (OSError, yaml.YAMLError, BadConfiguration) as error:
        raise ConfigError("config", f"{file}: {error}") from error
