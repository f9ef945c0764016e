"""The numbers of webhooks, by Kubernetes' names."""

from __future__ import annotations

from apiserver.admission.metrics import CALLS_S, MATCHES_S
from machinery.process.metrics import Metrics


class WebhookMetrics:
    """What is counted of webhooks, and how long they take; those of both stages are the same."""

    def __init__(self, metrics: Metrics) -> None:
        self.rejected = metrics.counter(
            "apiserver_admission_webhook_rejection_count",
            "Requests that a webhook has ended",
            ("name", "type", "operation", "error_type", "rejection_code"),
        )
        self.failed_open = metrics.counter(
            "apiserver_admission_webhook_fail_open_count",
            "Calls of webhooks that failed and were ignored",
            ("name", "type"),
        )
        self.durations = metrics.histogram(
            "apiserver_admission_webhook_admission_duration_seconds",
            "Wall time of the calls of webhooks",
            ("name", "type", "operation", "rejected"),
            CALLS_S,
        )
        self.requests = metrics.counter(
            "apiserver_admission_webhook_request_total",
            "Calls of webhooks",
            ("name", "type", "operation", "code", "rejected"),
        )
        conditions = ("name", "kind", "type", "operation")
        self.excluded = metrics.counter(
            "apiserver_admission_match_condition_exclusions_total",
            "Requests that a webhook's match conditions leave out",
            conditions,
        )
        self.unmatched = metrics.counter(
            "apiserver_admission_match_condition_evaluation_errors_total",
            "Match conditions of webhooks that could not be evaluated",
            conditions,
        )
        self.matching = metrics.histogram(
            "apiserver_admission_match_condition_evaluation_seconds",
            "Wall time of the evaluation of a webhook's match conditions",
            conditions,
            MATCHES_S,
        )
