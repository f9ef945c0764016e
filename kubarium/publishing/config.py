"""The configuration of the process that forwards published ports."""

from __future__ import annotations

from dataclasses import dataclass

from kubarium.core.publications import Publication, read_publication, twice
from machinery.process.config import ComponentConfig, ConfigError, check_given, check_positive, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishingConfig(ComponentConfig):
    """Flags of the process that forwards published ports."""

    publish: tuple[str, ...] = setting(
        (), help="ports: [ADDRESS:]HOSTPORT:PORT[/udp] or [ADDRESS:]HOSTPORT:NAMESPACE/SERVICE[:PORT][/udp]"
    )
    cluster: str = setting(
        "",
        help="the cluster whose nodes are network namespaces of this machine, so that ClusterIPs are reached; none if empty",
    )
    most_connections: int = setting(1024, help="connections of a port at once; more are closed")
    udp_idle_s: float = setting(
        60.0, help="after how much silence a client's datagrams are nobody's", unit="wall seconds"
    )

    @property
    def publications(self) -> tuple[Publication, ...]:
        """What is forwarded.

        Raises:
            ValueError: an item is not of that form.
        """
        return tuple(map(read_publication, self.publish))

    def validate(self) -> None:
        """Check what has no default, and the ports.

        Raises:
            ConfigError: a field does not fit; the error names it.
        """
        ComponentConfig.validate(self)
        check_given(self, "server", "publish")
        check_positive(self, "most_connections", "udp_idle_s")
        try:
            again = twice(self.publications)
        except ValueError as error:
            raise ConfigError("publish", str(error)) from error
        if again:
            raise ConfigError("publish", f"{again} is there twice")
