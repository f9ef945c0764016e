"""The command line of the controllers."""

import pytest

from controllers.config import ControllersConfig
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
        (["--server=x:1", "--root-ca-file=/does/not/exist"], "--root-ca-file"),
    ],
)
def test_what_does_not_fit_is_named(argv, flag, capsys):
    """Exit code 2, before any socket opens."""
    with pytest.raises(SystemExit) as ended:
        parse(ControllersConfig, argv)
    assert ended.value.code == 2
    assert flag in capsys.readouterr().err
