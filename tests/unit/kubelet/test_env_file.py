"""Files of variables: what a shell would make of them, and nothing that it would have to work out."""

from __future__ import annotations

from contextlib import suppress

import pytest

from kubelet.core.env_file import parse_env_file
from tests.support.stalls import using

FILE = """\
# comment
DB_ADDRESS='address'

  SPACED  =  ' kept '
MULTI='line1
# line2'
EMPTY=''
QUOTED='say "no" to $HOME and \\n'
with.dots-and-dashes='x'
DB_ADDRESS='another'"""


def test_values_are_what_stands_between_single_quotes():
    """Line breaks, blanks, double quotes, dollars and backslashes included; the last of two values counts."""
    assert parse_env_file(FILE) == {
        "DB_ADDRESS": "another",
        "SPACED": " kept ",
        "MULTI": "line1\n# line2",
        "EMPTY": "",
        "QUOTED": 'say "no" to $HOME and \\n',
        "with.dots-and-dashes": "x",
    }
    assert parse_env_file("") == parse_env_file("\n \t\n#\n# A='1'") == {}
    assert parse_env_file("A='1'\r\n\r\n#x\r\nB='2'\r\n") == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    "line",
    [
        "A=1",
        'A="1"',
        "A='1''2'",
        "A='1'$B",
        "A=${B}",
        "A='1' # no",
        "A='1",
        "A",
        "export A='1'",
        "='1'",
        "A='\0'",
        "Ä='1'",
    ],
)
def test_what_a_shell_would_have_to_work_out_is_refused(line: str):
    """The message has the number of the line."""
    with pytest.raises(ValueError, match=r"^line 3: want NAME='value'"):
        parse_env_file(f"# first\nB='2'\n{line}")


@pytest.mark.parametrize(
    "text", ["'" * 200_000, "A" * 200_000, "A='" + " " * 200_000, " " * 200_000 + "A", "A='1'\n" * 20_000]
)
def test_a_long_file_is_read_in_linear_time(text: str):
    """Whatever is in it."""
    with using(less_than_s=1.0), suppress(ValueError):
        parse_env_file(text)
