"""What a cluster's components and its administrator show and trust: made in one place, whoever launches them."""

from __future__ import annotations

import secrets

from kubarium.core.components import ADMIN, components
from kubarium.core.kubeconfig import bootstrap_kubeconfig, kubeconfig
from kubarium.core.places import Places
from kubarium.core.spec import APISERVER
from kubarium.identity.pki import Pki, ensure_certificates


def ensure_credentials(places: Places) -> Pki:
    """Make the authorities, keys and certificates of a cluster; what exists is kept.

    Raises:
        OSError: the folder cannot be written.
    """
    pki = Pki(places.layout.pki)
    pki.ensure_authority()
    pki.ensure_authority("etcd-ca")
    pki.ensure_signing_key()
    pki.ensure(ADMIN)
    ensure_certificates(components(places), pki)
    if places.spec.bootstraps:
        ensure_bootstrap_kubeconfig(places)
    return pki


def kubeconfig_text(places: Places, pki: Pki) -> str:
    """Write the administrator's kubeconfig, with a context for each apiserver.

    Raises:
        OSError: there are no credentials yet.
    """
    import yaml  # which most commands do without

    spec = places.spec
    names = [each.name for each in spec.instances(APISERVER)]
    content = kubeconfig(
        spec.name,
        dict(zip(names, places.addresses.rest_urls, strict=True)),
        authority=pki.certificate("ca").read_bytes(),
        certificate=pki.certificate(ADMIN.name).read_bytes(),
        key=pki.key(ADMIN.name).read_bytes(),
    )
    return yaml.safe_dump(content, sort_keys=False)


def ensure_bootstrap_kubeconfig(places: Places) -> None:
    """Write the kubeconfig of new nodes, with a new token, unless it is there.

    Raises:
        OSError: the folder cannot be written, or there are no credentials yet.
    """
    import yaml  # which most commands do without

    pki = Pki(places.layout.pki)
    file = places.layout.bootstrap_kubeconfig
    if file.exists():
        return
    token = f"{secrets.token_hex(3)}.{secrets.token_hex(8)}"
    content = bootstrap_kubeconfig(
        places.spec.name,
        places.node_rest_url,
        authority=pki.certificate("ca").read_bytes(),
        token=token,
    )
    pki.write_private(file, yaml.safe_dump(content, sort_keys=False).encode())
