"""Bootstrap tokens: https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/."""

import base64
import hashlib
import hmac
import json

import pytest

from controllers.bootstrap_signer.plan import Seen, plan, sign
from controllers.token_cleaner import controller as cleaner
from machinery.model.k8s.core_v1 import ConfigMap, Secret
from tests.support import builders
from tests.support.controllers import at, moment

KEY = "0123456789abcdef"
SIGNED = sign("the kubeconfig", "abcdef", KEY)


def token(token_id="abcdef", **data):
    known = {"token-id": token_id, "token-secret": KEY, "usage-bootstrap-signing": "true", **data}
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in known.items() if text}
    return Secret(metadata=builders.meta(f"bootstrap-token-{token_id}", "kube-system"), data=encoded)


def info(**data):
    return ConfigMap(metadata=builders.meta("cluster-info", "kube-public"), data=data)


@pytest.mark.parametrize(
    ("expiration", "goes", "wait_s"),
    [
        ("", False, None),
        (at(60), False, 60),
        (at(0), True, None),
        (at(-60), True, None),
        ("soon", True, None),
        ("2026-01-01T00:00:00", True, None),
    ],
)
def test_a_token_goes_when_its_time_is_over(expiration, goes, wait_s):
    """One that says no end stays; one whose end cannot be read goes."""
    made = cleaner.plan(token(expiration=expiration), moment())
    assert (bool(made.actions), made.requeue_after_s) == (goes, wait_s)


def test_a_signature_is_a_jws_without_its_payload():
    """HS256 with the secret half as key, and the id as its name."""
    header, payload, signature = SIGNED.split(".")
    assert payload == ""
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "kid": "abcdef"}
    text = header + "." + base64.urlsafe_b64encode(b"the kubeconfig").decode().rstrip("=")
    digest = hmac.new(KEY.encode(), text.encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "==") == digest


@pytest.mark.parametrize(
    ("data", "tokens", "changed"),
    [
        ({}, [token()], None),
        ({"kubeconfig": "the kubeconfig"}, [token()], {"jws-kubeconfig-abcdef": SIGNED}),
        ({"kubeconfig": "the kubeconfig", "jws-kubeconfig-abcdef": SIGNED}, [token()], None),
        ({"kubeconfig": "the kubeconfig", "jws-kubeconfig-abcdef": "old"}, [token()], {"jws-kubeconfig-abcdef": SIGNED}),
        ({"kubeconfig": "the kubeconfig", "jws-kubeconfig-fedcba": "x"}, [], {"jws-kubeconfig-fedcba": None}),
        ({"kubeconfig": "x"}, [token(**{"usage-bootstrap-signing": "false"})], None),
        ({"kubeconfig": "x"}, [token(expiration=at(-1))], None),
        ({"kubeconfig": "x"}, [token(**{"token-id": "fedcba"})], None),
        ({"kubeconfig": "x"}, [token(**{"token-secret": ""})], None),
    ],
)  # fmt: skip
def test_cluster_info_has_the_signatures_of_the_tokens_that_there_are(data, tokens, changed):
    """And no others; a token that is not for signing, or has expired, signs nothing."""
    made = plan(Seen(info(**data), tokens), moment())
    assert [write.patch["data"] for write in made.actions] == ([changed] if changed else [])


def test_signatures_are_looked_at_again_when_a_token_expires():
    """The soonest of them."""
    tokens = [token(), token("fedcba", expiration=at(90)), token("000000", expiration=at(30))]
    assert plan(Seen(info(kubeconfig="x"), tokens), moment()).requeue_after_s == 30
