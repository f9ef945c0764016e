"""The configuration of the scheduler's process."""

from __future__ import annotations

from dataclasses import dataclass

from machinery.process.config import ComponentConfig, ConfigError, check_given, check_positive, setting
from scheduler.config_file import configured
from scheduler.core.pod import DEFAULT_SCHEDULER
from scheduler.own_plugins import installed_plugins


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerConfig(ComponentConfig):
    """Every field is a flag."""

    scheduler_name: str = setting(
        "default-scheduler", help="pods with another spec.schedulerName are somebody else's"
    )
    config: str = setting(
        "",
        help="file with a KubeSchedulerConfiguration (v1): profiles with their names, plugins (also installed ones, of the entry points kubarium.scheduler_plugins), weights and arguments; instead of --scheduler-name",
    )
    plugin_timeout_s: float = setting(
        2.0,
        help="how long plugins that are not Kubarium's may take to decide on one pod",
        unit="wall seconds",
    )
    leader_elect: bool = setting(
        default=True, help="work only while holding the lease kube-system/kube-scheduler"
    )
    bind_timeout_s: float = setting(
        10.0,
        help="deadline of a binding request, and of what a plugin that is not Kubarium's does before, for and after one",
        unit="wall seconds",
    )
    volume_bind_timeout_s: float = setting(
        600.0, help="how long a pod with a node waits for its claims to be bound", unit="cluster seconds"
    )
    bindings: int = setting(100, help="pods that are being bound at once")
    requests: int = setting(
        16, help="requests in flight at once, except for the lease and the watches; fewer than bindings"
    )
    confirm_s: float = setting(
        30.0,
        help="how long after its binding a pod may stay unseen on its node before it is read",
        unit="cluster seconds",
    )

    def validate(self) -> None:
        """Check what has no default, and the ranges.

        Raises:
            ConfigError: a field does not fit; the error names it.
        """
        ComponentConfig.validate(self)
        check_given(self, "server")
        check_positive(self, "plugin_timeout_s", "bind_timeout_s", "volume_bind_timeout_s", "confirm_s")
        if self.config and self.scheduler_name != DEFAULT_SCHEDULER:
            raise ConfigError("scheduler_name", "the profiles of --config have the names")
        configured(self.config, self.scheduler_name, installed_plugins)
        for name in ("bindings", "requests"):
            if (number := getattr(self, name)) < 1:
                raise ConfigError(name, f"has to be 1 or more, not {number}")
