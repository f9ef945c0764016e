"""Volumes are made for claims."""

from controllers import persistentvolume_binder, pv_protection, volume_provisioner
from tests.support.trials.trial import Trial
from tests.support.volume_courses import folders_come_and_go

TRIALS = (
    Trial(
        folders_come_and_go,
        (volume_provisioner.build, persistentvolume_binder.build, pv_protection.build),
        writes=9,
        quick=True,
    ),
)
