import pytest

from machinery.model import names


@pytest.mark.parametrize("text", ["a", "web-1", "0", "a" * 63])
def test_a_label_of_rfc_1123_is_taken(text):
    """Lower case letters, digits and hyphens inside."""
    assert names.dns_label_errors(text) == []


@pytest.mark.parametrize("text", ["", "Web", "-a", "a-", "a_b", "a" * 64, "é"])
def test_what_is_no_label_is_told_why(text):
    """The message is the one that kubectl users know."""
    assert any("RFC 1123" in error or "no more than 63" in error for error in names.dns_label_errors(text))


def test_a_subdomain_is_no_label_for_its_dots():
    """Which is said instead of what labels consist of."""
    assert names.dns_label_errors("a.b") == ["must not contain dots"]


def test_a_subdomain_may_have_dots():
    """Labels joined by dots, 253 characters at most."""
    assert names.dns_subdomain_errors("a.b-c.d") == []
    assert names.dns_subdomain_errors("a..b") != []
    assert names.dns_subdomain_errors("a" * 254) != []


@pytest.mark.parametrize("key", ["app", "example.com/App_1", "kubernetes.io/hostname"])
def test_label_keys_may_have_a_prefix(key):
    """An optional subdomain, a slash and a name."""
    assert names.label_key_errors(key) == []


@pytest.mark.parametrize("key", ["", "/a", "a/b/c", "A_b.com/x", "a/" + "b" * 64, "a b"])
def test_bad_label_keys_are_told_why(key):
    """Nothing bad is accepted."""
    assert names.label_key_errors(key) != []


@pytest.mark.parametrize("key", ["..", ".", "..data", "a/b", ""])
def test_config_keys_cannot_leave_their_folder(key):
    """They become file names."""
    assert names.config_key_errors(key) != []


def test_a_template_hash_is_stable_and_readable():
    """Equal bytes give equal hashes of safe letters."""
    first = names.template_hash(b'{"a":1}')
    assert first == names.template_hash(b'{"a":1}')
    assert first != names.template_hash(b'{"a":2}')
    assert set(first) <= set(names.SAFE_ALPHABET)


@pytest.mark.parametrize(("text", "digest"), [("", "65bb57b6b5"), ("a", "d8bfb88b"), ("foobar", "d7cd9cdf4")])
def test_a_revision_hash_is_fnv_1(text, digest):
    """The published vectors of 32 bits, each decimal digit as a letter of the safe alphabet."""
    assert names.revision_hash(text.encode()) == digest


def test_a_generated_name_fits_into_a_label():
    """The prefix is cut so that the suffix has room."""
    made = names.generated("x" * 100, lambda limit: limit - 1)
    assert len(made) == names.LABEL_LENGTH
    assert made.endswith(names.SAFE_ALPHABET[-1] * 5)
