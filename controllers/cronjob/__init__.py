"""The CronJob controller: make a Job at each time that a schedule names.

controller  what it watches, whom a change concerns, what it remembers
plan        what has become of its Jobs; which are old; whether one is to be started
missed      which start is due, and how many were missed
schedule    when a schedule is due, in a time zone, on the cluster's clock
new_job     the Job of one start

https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/

Differs: A Job that was made and forgotten in a crash becomes active again, so that Forbid holds; without a time zone
a schedule is in UTC; with a time scale schedules follow the cluster's clock, and an event says so.
"""

from controllers.cronjob.controller import build

__all__ = ["build"]
