"""The command line of the controllers."""

import pytest

from controllers.config import ControllersConfig
from controllers.switches import names_of, switched_on
from controllers.table import CONTROLLERS
from machinery.process.config import parse


def test_the_flags_of_a_cluster_are_taken():
    """As `kubarium.core.components` writes them."""
    config = parse(
        ControllersConfig,
        [
            "--name=controllers",
            "--time-scale=20",
            "--profile=fast",
            "--server=127.0.0.1:1",
            f"--ca-file={__file__}",
            "--cluster-cidr=10.244.0.0/16",
            f"--root-ca-file={__file__}",
        ],
    )
    assert (config.cluster_cidr, config.root_ca_file) == ("10.244.0.0/16", __file__)


@pytest.mark.parametrize(
    ("argv", "flag"),
    [
        ([], "--server"),
        (["--server=x:1", "--cluster-cidr=fd00::/16"], "--cluster-cidr"),
        (["--server=x:1", "--cluster-cidr=10.0.0.0/30"], "--cluster-cidr"),
        (["--server=x:1", "--cluster-cidr=10.0.0.0/16,10.1.0.0/16"], "--cluster-cidr"),
        (["--server=x:1", "--cluster-cidr=10.0.0.0/16,fd00::/65"], "--cluster-cidr"),
        (["--server=x:1", "--cluster-cidr=fd00::/56,10.0.0.0/16"], "--cluster-cidr"),
        (["--server=x:1", "--root-ca-file=/does/not/exist"], "--root-ca-file"),
        (["--server=x:1", "--controllers=*,-jobs"], "-jobs"),
        (["--server=x:1", "--controllers=-*"], "--controllers"),
        (["--server=x:1", "--unhealthy-zone-threshold=1.5"], "--unhealthy-zone-threshold"),
        (["--server=x:1", "--node-eviction-rate=-1"], "--node-eviction-rate"),
        (
            ["--server=x:1", "--legacy-service-account-token-clean-up-period-s=0"],
            "--legacy-service-account-token-clean-up-period-s",
        ),
        (
            ["--server=x:1", "--horizontal-pod-autoscaler-sync-period-s=0"],
            "--horizontal-pod-autoscaler-sync-period-s",
        ),
        (
            ["--server=x:1", "--horizontal-pod-autoscaler-tolerance=-1"],
            "--horizontal-pod-autoscaler-tolerance",
        ),
        (
            ["--server=x:1", "--horizontal-pod-autoscaler-downscale-stabilization-s=4000"],
            "--horizontal-pod-autoscaler-downscale-stabilization-s",
        ),
    ],
)
def test_what_does_not_fit_is_named(argv, flag, capsys):
    """Exit code 2, before any socket opens."""
    with pytest.raises(SystemExit) as ended:
        parse(ControllersConfig, argv)
    assert ended.value.code == 2
    assert flag in capsys.readouterr().err


def _known(*switches):
    return {names_of(build)[0] for build in switched_on(switches, CONTROLLERS)}


def test_a_controller_that_is_switched_off_does_not_run():
    """By either of its names; the first switch for it counts, and without * only what is named runs."""
    every = _known("*")
    assert len(every) == len(CONTROLLERS)
    assert every - _known("*", "-disruption-controller") == {"disruption-controller"}
    assert every - _known("-podgc", "*") == {"pod-garbage-collector-controller"}
    assert _known("disruption", "nodelifecycle") == {"disruption-controller", "node-lifecycle-controller"}
    assert _known("disruption", "-disruption", "*") == every
    assert _known("-disruption", "disruption") == set()


def test_switches_are_flags():
    """As kube-controller-manager takes them."""
    config = parse(ControllersConfig, ["--server=x:1", "--controllers=*,-garbagecollector"])
    assert config.controllers == ("*", "-garbagecollector")
