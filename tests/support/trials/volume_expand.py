"""A claim is to be larger."""

from controllers import volume_expand
from tests.support.trials.trial import Trial
from tests.support.volume_courses import a_claim_grows

TRIALS = (Trial(a_claim_grows, (volume_expand.build,), writes=2),)
