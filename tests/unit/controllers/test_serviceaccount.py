"""What every namespace has from the start."""

from controllers.core.actions import Create, Patch
from controllers.serviceaccount.plan import ROOT_CA, Seen, plan
from machinery.model.k8s.core_v1 import ServiceAccount
from tests.support import builders
from tests.support.builders import changed, meta
from tests.support.controllers import CREATED, moment, of_type

ACCOUNT = ServiceAccount(metadata=meta("default", "fresh"))


def plan_for(namespace, account, root_ca, certificate):
    return plan(Seen(namespace, account, root_ca, certificate), moment())


def created(made):
    return [(write.resource.kind, write.object.metadata.name) for write in of_type(made, Create)]


def test_a_namespace_gets_its_account_and_the_ca():
    """Somebody may have been faster: that is fine."""
    made = plan_for(builders.namespace("fresh"), None, None, "PEM")
    assert created(made) == [("ServiceAccount", "default"), ("ConfigMap", ROOT_CA)]
    assert all(write.already_exists_is_fine for write in of_type(made, Create))
    assert all(write.object.metadata.namespace == "fresh" for write in of_type(made, Create))


def test_without_a_certificate_none_is_published():
    """Only the account."""
    assert created(plan_for(builders.namespace("fresh"), None, None, "")) == [("ServiceAccount", "default")]


def test_a_changed_certificate_is_mended():
    """Other keys go."""
    published = of_type(plan_for(builders.namespace("fresh"), ACCOUNT, None, "PEM"), Create)[0].object
    assert plan_for(builders.namespace("fresh"), ACCOUNT, published, "PEM").actions == ()
    spoilt = changed(published, data={"ca.crt": "OLD", "extra": "x"})
    [patch] = of_type(plan_for(builders.namespace("fresh"), ACCOUNT, spoilt, "PEM"), Patch)
    assert patch.patch["data"] == {"ca.crt": "PEM", "extra": None}


def test_a_namespace_that_goes_gets_nothing():
    """It would be refused."""
    going = changed(builders.namespace("fresh"), metadata__deletionTimestamp=CREATED)
    assert plan_for(going, None, None, "PEM").actions == ()
