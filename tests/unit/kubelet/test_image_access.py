"""Who may use an image that is on the node, and what is kept of that."""

from __future__ import annotations

import pytest

from kubelet.core.image_access import (
    ANYONE,
    Access,
    PodCredential,
    PullCredentials,
    PulledRecord,
    PullSecret,
    Verification,
    VerificationPolicy,
    credential_hash,
    find_secret,
    judge_access,
    learns_more,
    prunable,
    same_image,
    with_credentials,
)
from kubelet.core.images import Credential

NOW = "2026-01-01T00:00:00Z"
REPOSITORY = "r.example.com/team/app"
IMAGE = f"{REPOSITORY}:1"
MINE = Credential("r.example.com", "u", "p")
SECRET = PullSecret("1", "default", "pull", credential_hash(MINE))


def _record(*secrets: PullSecret, anyone: bool = False) -> PulledRecord:
    known = ANYONE if anyone else PullCredentials(kubernetes_secrets=secrets)
    return PulledRecord(last_updated_time=NOW, image_ref="sha256:1", credential_mapping={REPOSITORY: known})


@pytest.mark.parametrize(
    ("record", "access"),
    [
        (None, Access.OPEN),
        (_record(anyone=True), Access.OPEN),
        (_record(SECRET), Access.BY_CREDENTIALS),
        (_record(), Access.CLOSED),
        (PulledRecord(last_updated_time=NOW, image_ref="sha256:1"), Access.CLOSED),
        (PulledRecord(last_updated_time="", image_ref=""), Access.CLOSED),
    ],
)
def test_what_the_kubelet_has_pulled_is_for_those_who_could_pull_it(
    record: PulledRecord | None, access: Access
):
    """The default: an image that it has not pulled is preloaded, and for everyone."""
    assert judge_access(Verification(), IMAGE, record) is access


def test_credentials_for_one_repository_are_none_for_another():
    """The same image under another name is pulled by that name first."""
    assert judge_access(Verification(), "r.example.com/other/app:1", _record(SECRET)) is Access.CLOSED
    assert judge_access(Verification(), "r.example.com/other/app:1", _record(anyone=True)) is Access.CLOSED
    assert judge_access(Verification(), f"{REPOSITORY}:2", _record(SECRET)) is Access.BY_CREDENTIALS


@pytest.mark.parametrize(
    ("policy", "allowlist", "preloaded", "pulled"),
    [
        (VerificationPolicy.NEVER, (), True, True),
        (VerificationPolicy.NOT_PRELOADED, (), True, False),
        (VerificationPolicy.ALWAYS, (), False, False),
        (VerificationPolicy.NOT_ALLOWLISTED, (), False, False),
        (VerificationPolicy.NOT_ALLOWLISTED, (REPOSITORY,), True, True),
        (VerificationPolicy.NOT_ALLOWLISTED, ("r.example.com/team/*",), True, True),
        (VerificationPolicy.NOT_ALLOWLISTED, ("r.example.com/*",), True, True),
        (VerificationPolicy.NOT_ALLOWLISTED, ("r.example.com/tea/*", "r.example.com/team"), False, False),
    ],
)
def test_the_policy_says_which_images_need_credentials(
    policy: VerificationPolicy, allowlist: tuple[str, ...], *, preloaded: bool, pulled: bool
):
    """For an image that nobody pulled here, and for one that somebody with other credentials did."""
    verification = Verification(policy, allowlist)
    assert (judge_access(verification, IMAGE, None) is Access.OPEN) is preloaded
    assert (judge_access(verification, IMAGE, _record()) is Access.OPEN) is pulled


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("busybox", "whole repository"),
        (f"{REPOSITORY}:1", "whole repository"),
        ("r.example.com/Case", "repository name must be lowercase"),
        ("", "couldn't parse"),
        (" docker.io/library/busybox", "spaces"),
        ("r.example.com/*/app", "only patterns ending with"),
        ("r.example.com*", "only patterns ending with"),
        ("*", "only patterns ending with"),
        ("/*", "registry hostname is required"),
    ],
)
def test_an_allowlist_with_anything_but_repositories_is_refused(pattern: str, problem: str):
    """The pattern is in the text."""
    with pytest.raises(ValueError, match=problem):
        Verification(VerificationPolicy.NOT_ALLOWLISTED, (pattern,))


def test_an_allowlist_without_effect_is_refused():
    """It looks as if it had one."""
    with pytest.raises(ValueError, match="NeverVerifyAllowlistedImages only"):
        Verification(VerificationPolicy.NOT_PRELOADED, (REPOSITORY,))


@pytest.mark.parametrize(
    ("mine", "is_let_in"),
    [
        (PodCredential(MINE, "default", "pull", "1"), True),
        (PodCredential(MINE, "other", "copy", "2"), True),
        (PodCredential(Credential("r.example.com", "u", "new"), "default", "pull", "1"), True),
        (PodCredential(Credential("r.example.com", "u", "new"), "default", "pull", "made anew"), False),
        (PodCredential(Credential("r.example.com", "x", "p"), "default", "other", "3"), False),
    ],
)
def test_the_same_credentials_or_the_same_secret_let_in(mine: PodCredential, *, is_let_in: bool):
    """A secret is the same by namespace, name and uid."""
    assert find_secret(_record(SECRET), IMAGE, [mine]) == (mine.as_secret() if is_let_in else None)
    assert find_secret(_record(SECRET), IMAGE, []) is None


def test_a_record_learns_of_every_pull():
    """Secrets are sorted, and one of the same place is replaced; who needed none makes them unnecessary."""
    other = PullSecret("2", "a", "copy", "h2")
    record = with_credentials(
        None, IMAGE, "sha256:1", PullCredentials(kubernetes_secrets=(SECRET,)), now_text=NOW
    )
    assert record == _record(SECRET)
    record = with_credentials(
        record, IMAGE, "sha256:1", PullCredentials(kubernetes_secrets=(other,)), now_text="later"
    )
    assert record.credential_mapping[REPOSITORY].kubernetes_secrets == (other, SECRET)
    assert record.last_updated_time == "later"
    changed = PullSecret("2", "a", "copy", "h3")
    record = with_credentials(
        record, IMAGE, "sha256:1", PullCredentials(kubernetes_secrets=(changed,)), now_text=NOW
    )
    assert record.credential_mapping[REPOSITORY].kubernetes_secrets == (changed, SECRET)
    record = with_credentials(record, IMAGE, "sha256:1", ANYONE, now_text=NOW)
    assert record == _record(anyone=True)
    again = PullCredentials(kubernetes_secrets=(SECRET,))
    assert with_credentials(record, IMAGE, "sha256:1", again, now_text="later") is record


def test_nothing_is_written_for_what_is_known():
    """The record stays the same object, so that nobody writes a file."""
    record = _record(SECRET)
    same = PullCredentials(kubernetes_secrets=(SECRET,))
    assert with_credentials(record, IMAGE, "sha256:1", same, now_text="later") is record
    assert with_credentials(record, IMAGE, "sha256:1", None, now_text="later") is record


def test_a_damaged_record_is_replaced_by_the_next_pull():
    """Under the image's own name."""
    damaged = PulledRecord(last_updated_time="", image_ref="")
    assert with_credentials(damaged, IMAGE, "sha256:1", ANYONE, now_text=NOW) == _record(anyone=True)


def test_a_record_does_not_learn_of_secrets_without_an_end():
    """A hundred of one repository: more pods only use it."""
    secrets = [PullSecret(str(number), "default", f"s{number}", "h") for number in range(100)]
    assert learns_more(_record(*secrets[:99]), IMAGE)
    assert not learns_more(_record(*secrets), IMAGE)


def test_records_of_images_that_are_gone_are_pruned():
    """Those that were written since the images were listed stay, and so do damaged ones."""
    damaged = PulledRecord(last_updated_time="", image_ref="")
    old, here, new = (
        PulledRecord(last_updated_time=moment, image_ref=ref)
        for moment, ref in ((NOW, "old"), (NOW, "here"), ("2026-01-01T00:00:01Z", "new"))
    )
    assert prunable([old, here, new, damaged], ["here"], "2026-01-01T00:00:01Z") == [old]


def test_names_of_one_image_are_known_as_such():
    """The hub may be left out; what cannot be a name is no image's."""
    assert same_image("busybox:1", "docker.io/library/busybox:1")
    assert not same_image("busybox:1", "busybox:2")
    assert not same_image("<none>:<none>", "<none>:<none>")
