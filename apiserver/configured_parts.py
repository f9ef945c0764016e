"""What an administrator configures in files: who audits, authorizes and authenticates, and what admission is told.

Most clusters configure none of it, so that what reads a file is imported where there is one. What may change while the
process runs is read again (`apiserver.reloading`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from apiserver.authentication import Authenticator
from apiserver.config import ApiserverConfig
from apiserver.core.admission import Settings, check_built
from apiserver.core.admission.attributes import Plugin
from apiserver.core.admission.event_rates import limiting
from apiserver.gate import Gate
from apiserver.node_references import NodeReferences
from apiserver.rbac_cache import RbacCache
from apiserver.registry import Registry
from apiserver.reloading import ReloadedFile
from machinery.model.profile import intervals
from machinery.model.tokens import ISSUER
from machinery.process.run import Process

if TYPE_CHECKING:
    from apiserver.admission.image_policy import ImagePolicy
    from apiserver.admission.webhook_call import AsWhom
    from apiserver.audit.trail import Trail
    from apiserver.core.configured.image_policy import ImagePolicySettings


@dataclass(frozen=True, slots=True)
class Makers:
    """What the parts that the audit log hears of are made by."""

    gate: Callable[..., Gate] = Gate
    authenticator: Callable[..., Authenticator] = Authenticator
    registry: Callable[..., Registry] = Registry
    trail: Trail | None = None


def makers_of(config: ApiserverConfig, process: Process) -> Makers:
    """Return the makers of parts, which tell the audit log where there is one.

    Raises:
        ValueError: its policy makes no sense.
        OSError: a file cannot be read or opened.
    """
    if not config.audit_policy_file:
        return Makers()
    from apiserver.audit.made import configured_trail  # seldom needed
    from apiserver.audit.parts import AuditedAuthenticator, AuditedGate, AuditedRegistry

    trail = configured_trail(config, process)
    return Makers(AuditedGate, partial(AuditedAuthenticator, trail), AuditedRegistry, trail)


@dataclass(frozen=True, slots=True)
class Admission:
    """How admission is configured, and what follows from that."""

    settings: Settings
    plugins: tuple[Plugin, ...] = ()  # those that are configured, in the place of others
    image_policy: ImagePolicy | None = None
    as_whom: Mapping[str, AsWhom] = field(default_factory=dict)  # webhooks are called, by their plugin


@dataclass(slots=True)
class Access:
    """Who is believed and who may do what, by the files that say it; `closing` is called when nothing is served any more."""

    config: ApiserverConfig
    process: Process
    reloaded: list[ReloadedFile] = field(default_factory=list)
    closing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def authorize(self, gate: Gate, rbac: RbacCache, references: NodeReferences) -> None:
        """Have the gate ask the authorizers that a file names, as it is now and will be.

        Raises:
            ValueError: the file makes no sense.
            OSError: it cannot be read.
        """
        if not self.config.authorization_config:
            return
        from apiserver.webhook_authorizer import WebhookAuthorizer, configured_authorizers  # seldom needed

        def use(file: str) -> None:
            gate.authorizers = configured_authorizers(
                file, rbac, references, self.process.clock, self.process.log
            )
            asked = (each for each in gate.authorizers if isinstance(each, WebhookAuthorizer))
            self.closing.extend(each.aclose for each in asked)

        self._follow(self.config.authorization_config, use)

    def authenticate(self, authenticator: Authenticator) -> None:
        """Believe the issuers that a file names, as it is now and will be.

        Raises:
            ValueError: the file makes no sense.
            OSError: it cannot be read.
        """
        if not self.config.authentication_config:
            return
        from apiserver.configured_files import read_document  # seldom needed, as is all of it
        from apiserver.core.authn_issuers import compile_mapping
        from apiserver.core.configured.authentication import read_authentication
        from apiserver.issuers import TrustedIssuer

        def use(file: str) -> None:
            found = read_authentication(read_document(file), compile_mapping, ISSUER)
            issuers = {each.url: TrustedIssuer(each, self.process.clock) for each in found.issuers}
            self.closing.extend(each.aclose for each in issuers.values())
            authenticator.issuers, authenticator.anonymous = issuers, found.anonymous

        self._follow(self.config.authentication_config, use)

    def admission(self) -> Admission:
        """Return how admission is configured.

        Raises:
            ValueError: the file makes no sense.
            OSError: it cannot be read.
        """
        config, process = self.config, self.process
        toleration_s = intervals(config.profile).default_toleration_s
        if not (path := config.admission_control_config_file):
            return Admission(Settings(default_toleration_s=toleration_s))
        from apiserver.configured_files import beside, read_document  # seldom needed
        from apiserver.core.admission_configured import read_admission

        found = read_admission(read_document(path), beside(path), check_built, toleration_s)
        plugins = (limiting(found.event_limits, process.clock.monotonic_wall),) if found.event_limits else ()
        image_policy = _image_policy(found.image_policy, config, process)
        if image_policy is not None:
            self.closing.append(image_policy.aclose)
        as_whom = {name: users.of for name, users in found.known_users.items()}
        return Admission(found.settings, plugins, image_policy, as_whom)

    def _follow(self, path: str, use: Callable[[str], None]) -> None:
        use(path)
        self.reloaded.append(ReloadedFile(path, use, self.process.log))


def _image_policy(
    settings: ImagePolicySettings | None, config: ApiserverConfig, process: Process
) -> ImagePolicy | None:
    if settings is None or "ImagePolicyWebhook" not in config.enable_admission_plugins:
        return None
    from apiserver.admission.image_policy import ImagePolicy  # seldom needed
    from apiserver.core.configured.documents import BadDocument
    from apiserver.remotes import RemoteServer

    path = settings.kubeconfig_file
    try:
        server = RemoteServer.of_kubeconfig(path)
    except BadDocument as error:
        raise ValueError(f"{path}: {error}") from error
    return ImagePolicy(settings, server, process.clock, process.log)
