"""Which kernel parameters a node lets pods set."""

import pytest

from kubelet.config import KubeletConfig
from kubelet.core.sysctls import SAFE, allowed_sysctls
from machinery.model.sysctls import dotted, is_name, namespace_of
from machinery.process.config import ConfigError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kernel.shm_rmid_forced", "kernel.shm_rmid_forced"),
        ("kernel/shm_rmid_forced", "kernel.shm_rmid_forced"),
        ("net/ipv4/conf/eno2.100/rp_filter", "net.ipv4.conf.eno2/100.rp_filter"),
        ("net.ipv4.conf.eno2/100.rp_filter", "net.ipv4.conf.eno2/100.rp_filter"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_the_first_separator_decides(name, expected):
    """As sysctl.d(5) says: with slashes, a dot is part of a name."""
    assert dotted(name) == expected


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("kernel.sem", "ipc"),
        ("kernel.semaphore", ""),
        ("kernel.shmmax", "ipc"),
        ("kernel.msgmnb", "ipc"),
        ("fs.mqueue.msg_max", "ipc"),
        ("fs.file-max", ""),
        ("net.core.somaxconn", "net"),
        ("network", ""),
        ("vm.swappiness", ""),
    ],
)
def test_each_has_its_namespace(name, space):
    """What lies in none is the node's."""
    assert namespace_of(name) == space


@pytest.mark.parametrize("text", ["", ".", "a.", "-a", "a-", "a b", "A", "é", "a" * 254])
def test_not_every_text_is_a_name(text):
    """Segments begin and end with a letter or digit."""
    assert not is_name(text)


@pytest.mark.parametrize(
    ("kernel", "missing"),
    [
        ("6.18.44-generic", set()),
        ("4.15.0", set()),
        ("4.14.9", {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}),
        ("4.5", {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_fin_timeout"}),
        ("unreadable", {name for name, since in SAFE.items() if since > (0, 0)}),
    ],
)
def test_an_old_kernel_keeps_fewer_apart(kernel, missing):
    """A parameter is safe from the kernel on that has one for each network."""
    assert set(SAFE) - allowed_sysctls(kernel).names == missing


@pytest.mark.parametrize("pattern", ["", "*", "vm.swappiness", "kernel.*", "net core", "NET.*"])
def test_what_is_shared_cannot_be_allowed(pattern):
    """Nobody can give pods what they share with their node."""
    with pytest.raises(ValueError, match=r"parameter|share"):
        allowed_sysctls("6.1", [pattern])


def test_a_flag_that_allows_what_is_shared_is_refused_by_name():
    """The kubelet does not start with it."""
    config = KubeletConfig(
        server="x:1", node_name="n", cri_socket="/s", allowed_unsafe_sysctls=("vm.swappiness",)
    )
    with pytest.raises(ConfigError) as caught:
        config.validate()
    assert caught.value.field == "allowed_unsafe_sysctls"
