"""An autoscaler under load."""

from controllers import horizontal_pod_autoscaler
from tests.support.autoscaling_load import load_comes_and_goes
from tests.support.trials.trial import Trial

TRIALS = (Trial(load_comes_and_goes, (horizontal_pod_autoscaler.build,), writes=4),)
