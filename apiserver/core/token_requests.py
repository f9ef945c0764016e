"""What a request for a ServiceAccount token may ask for, and to what the token is bound.

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from apiserver.core import field_errors
from apiserver.core.authn import (
    DEFAULT_LIFETIME_S,
    ISSUER,
    LEAST_LIFETIME_S,
    MOST_LIFETIME_S,
    Ref,
    TokenSubject,
)
from apiserver.core.values import Json, metadata, spec
from machinery.model.errors import BadRequest, Cause, Conflict

_RESOURCES: Final = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}


@dataclass(frozen=True, slots=True)
class BoundTo:
    """The object that a token lives as long as."""

    kind: str  # Pod, Secret or Node
    name: str
    uid: str  # "" for whichever has the name now

    @property
    def namespaced(self) -> bool:
        """Whether the object is in the account's namespace."""
        return self.kind != "Node"

    @property
    def resource(self) -> str:
        """Return the plural of its kind."""
        return _RESOURCES[self.kind]


def request_causes(request: Json) -> list[Cause]:
    """Find what is wrong with a request."""
    lifetime_s = spec(request).get("expirationSeconds", DEFAULT_LIFETIME_S)
    if lifetime_s < LEAST_LIFETIME_S:
        text = "may not specify a duration less than 10 minutes"
        return [field_errors.invalid("spec.expirationSeconds", lifetime_s, text)]
    if lifetime_s > MOST_LIFETIME_S:
        text = "may not specify a duration larger than 2^32 seconds"
        return [field_errors.invalid("spec.expirationSeconds", lifetime_s, text)]
    return []


def bound_to(request: Json) -> BoundTo | None:
    """Read to what the token shall be bound.

    Raises:
        BadRequest: tokens cannot be bound to this.
    """
    ref = spec(request).get("boundObjectRef")
    if not ref:
        return None
    api_version, kind = ref.get("apiVersion", ""), ref.get("kind", "")
    if api_version != "v1" or kind not in _RESOURCES:
        raise BadRequest(f"cannot bind token for object of type {api_version}, Kind={kind}")
    return BoundTo(kind, ref.get("name", ""), ref.get("uid", ""))


def subject_of(
    account: Json, bound: BoundTo | None, obj: Json | None, node: Json | None, token_id: str
) -> TokenSubject:
    """Return whom the token is for; `obj` is what it is bound to, `node` the node of a pod (None where unknown).

    Raises:
        BadRequest: the pod runs as another account.
        Conflict: the object is another one of the same name.
    """
    refs: dict[str, Ref | None] = {}
    if bound is not None and obj is not None:
        _check_same(bound, obj)
        refs[bound.kind.lower()] = _ref(obj)
        if bound.kind == "Pod":
            _check_account(account, obj)
            refs["node"] = _node_ref(obj, node)
    meta = metadata(account)
    return TokenSubject(meta["namespace"], _ref(account), token_id=token_id, **refs)


def answered(request: Json, account: Json, bound: BoundTo | None, token: str, expires: str) -> Json:
    """Write the token into the request; `expires` is a metav1.Time."""
    asked = spec(request)
    answer: Json = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {
            "name": metadata(account)["name"],
            "namespace": metadata(account)["namespace"],
        },
        "spec": {
            "audiences": audiences(request),
            "expirationSeconds": lifetime_s(request),
            "boundObjectRef": asked.get("boundObjectRef") if bound else None,
        },
        "status": {"token": token, "expirationTimestamp": expires},
    }
    return answer


def audiences(request: Json) -> list[str]:
    """Return the audiences that the token is for."""
    return list(spec(request).get("audiences") or (ISSUER,))


def lifetime_s(request: Json) -> int:
    """Return how long the token lasts, in cluster seconds."""
    return int(spec(request).get("expirationSeconds", DEFAULT_LIFETIME_S))


def _ref(obj: Json) -> Ref:
    meta = metadata(obj)
    return Ref(meta["name"], meta.get("uid", ""))


def _node_ref(pod: Json, node: Mapping[str, object] | None) -> Ref | None:
    name = spec(pod).get("nodeName", "")
    if not name:
        return None
    return Ref(name, metadata(dict(node)).get("uid", "") if node else "")


def _check_same(bound: BoundTo, obj: Json) -> None:
    uid = metadata(obj).get("uid", "")
    if bound.uid and bound.uid != uid:
        raise Conflict(
            f'Operation cannot be fulfilled on {bound.resource} "{bound.name}": the UID in the bound object '
            f"reference ({bound.uid}) does not match the UID in record. "
            "The object might have been deleted and then recreated",
            kind=bound.resource,
            name=bound.name,
        )


def _check_account(account: Json, pod: Json) -> None:
    name = metadata(account)["name"]
    if spec(pod).get("serviceAccountName", "") != name:
        raise BadRequest(
            f'cannot bind token for serviceaccount "{name}" to pod running with different serviceaccount name.'
        )
