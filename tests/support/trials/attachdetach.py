"""Volumes are attached to nodes."""

from controllers import attachdetach
from tests.support.trials.trial import Trial
from tests.support.volume_courses import a_disk_is_attached_and_detached

TRIALS = (Trial(a_disk_is_attached_and_detached, (attachdetach.build,), writes=4),)
