"""The audit log as the configuration says it."""

from __future__ import annotations

from apiserver.audit.log_file import AuditLogFile, Rotation
from apiserver.audit.trail import Sink, Trail
from apiserver.audit.webhook import AuditWebhook, Batches
from apiserver.config import ApiserverConfig
from apiserver.configured_files import read_document
from apiserver.core.audit.policy import read_policy
from apiserver.remotes import RemoteServer
from machinery.process.run import Process

_MEGABYTE = 1024 * 1024


def configured_trail(config: ApiserverConfig, process: Process) -> Trail:
    """Return what writes events.

    Raises:
        ValueError: the policy, or the kubeconfig of the webhook, makes no sense.
        OSError: a file cannot be read.
    """
    policy = read_policy(read_document(config.audit_policy_file))
    sinks: list[Sink] = []
    clock, metrics, log = process.clock, process.metrics, process.log
    if config.audit_log_path:
        rotation = Rotation(
            largest_bytes=config.audit_log_maxsize * _MEGABYTE,
            most=config.audit_log_maxbackup,
            age_days=config.audit_log_maxage,
            compresses=config.audit_log_compress,
        )
        sinks.append(AuditLogFile(config.audit_log_path, rotation, clock, metrics, log))
    if config.audit_webhook_config_file:
        batches = Batches(
            size=config.audit_webhook_batch_max_size,
            wait_s=config.audit_webhook_batch_max_wait_s,
            buffer=config.audit_webhook_batch_buffer_size,
        )
        server = RemoteServer.of_kubeconfig(config.audit_webhook_config_file)
        sinks.append(AuditWebhook(server, batches, clock, metrics, log))
    return Trail(policy, sinks, clock, metrics)
