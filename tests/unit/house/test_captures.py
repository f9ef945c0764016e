"""Captures are compared by their shape: what is one address on the page has to be one in the run."""

from __future__ import annotations

import pytest

from tests.support.captures import PAGE, Captures, captures
from tests.support.transcripts import Command, File, parse

SHOWN = """\
```console
$ seen 8080
veth1fe467a2 P   IP 10.244.0.5.52770 > 10.96.64.126.80: Flags [S]
eth0  Out IP 10.244.0.5.52770 > 10.244.1.5.8080: Flags [S]
$ entry
tcp      6 116 TIME_WAIT src=10.244.0.5 dst=10.96.64.126 sport=52770 dport=80 src=10.244.1.5 dst=10.244.0.5 sport=8080 dport=52770
```
"""
SEEN = """\
vethcafe0123 P   IP 10.244.7.9.40001 > 10.96.1.1.80: Flags [S]
eth0  Out IP 10.244.7.9.40001 > 10.244.2.8.8080: Flags [S]
"""
ENTRY = "tcp      6 4 TIME_WAIT src=10.244.7.9 dst=10.96.1.1 sport=40001 dport=80 src=10.244.2.8 dst=10.244.7.9 sport=8080 dport=40001\n"


def judged(*printed: str) -> list[bool]:
    """Return which commands are said to differ."""
    steps = parse(SHOWN)
    judge = Captures(steps).judge
    commands = [step for step in steps if isinstance(step, Command)]
    return [bool(judge(each, text, 0)) for each, text in zip(commands, printed, strict=False)]


def test_the_same_packets_with_other_addresses():
    """Addresses, ports, devices and seconds are other ones."""
    assert judged(SEEN, ENTRY) == [False, False]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("10.244.2.8", "10.96.1.1"),  # not changed on its way
        ("Out IP 10.244.7.9", "Out IP 10.77.0.11"),  # by another sender
        ("8.8080", "8.8081"),  # a port that the page names itself
        ("eth0 ", "eth1 "),
        ("[S]", "[R]"),
        ("eth0  Out", "cni0  In"),
        ("veth", "\nveth"),
    ],
)
def test_other_packets(old: str, new: str):
    """Whatever else is different is said."""
    assert judged(SEEN.replace(old, new)) == [True]


def test_an_address_keeps_its_part_from_command_to_command():
    """An entry of other pods does not belong to the packets before it."""
    assert judged(SEEN, ENTRY.replace("10.244.2.8", "10.244.2.9")) == [False, True]
    assert judged(SEEN, ENTRY.replace("src=10.244.2.8", "src=10.96.1.1")) == [False, True]


def test_the_page_has_captures_of_every_way():
    """A Service's address, a name, a node port, a load balancer, a policy, an Ingress; of the cluster that is meant."""
    steps = captures(PAGE.read_text(), "mine")
    shown = "\n".join(line for step in steps if isinstance(step, Command) for line in step.expected)
    said = "".join(step.text if isinstance(step, File) else step.script for step in steps)
    for part in ("Flags [S.]", " A? web.way", "dport=3", "ARP, Reply", "verdict drop", "x-forwarded-for"):
        assert part in shown
    assert "kubarium-mine.node-1" in said
    assert "kubarium-dev" not in said
