"""The rules of Jobs: what stands in a Job and in the template of a CronJob.

job_spec          the numbers, the mode of completion, and what they ask of each other
failure_policy    what becomes of a pod that failed, and when it is replaced
success_policy    when a Job is done before all of its indexes are
indexes           texts like "1,3-5,7"
job_update        what may change in a Job
selectors         which pods are a Job's
job_status        which status may follow which
schedules         when a CronJob runs
"""
