"""Names and addresses inside a pod: its host name, resolv.conf and /etc/hosts.

https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from machinery.model.k8s.core_v1 import HostAlias, Pod, PodDNSConfig, PodDNSConfigOption

MAX_SERVERS: Final = 3
MAX_SEARCHES: Final = 32
MAX_SEARCH_LENGTH: Final = 2048
CLUSTER_FIRST: Final = "ClusterFirst"
_NDOTS: Final = "ndots:5"
_LONGEST_SEARCH: Final = 253
_HOSTNAME_LENGTH: Final = 63
_KERNEL_HOSTNAME_LENGTH: Final = 64
_ALIASES_TITLE: Final = "\n# Entries added by HostAliases."
_LOCAL_LINES: Final = (
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::0\tip6-localnet",
    "fe00::0\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
)


@dataclass(frozen=True, slots=True)
class Dns:
    """What stands in a resolv.conf."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def read_resolv_conf(text: str) -> Dns:
    """Read a resolv.conf; the last `search` or `domain` line counts."""
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: list[str] = []
    for line in text.splitlines():
        word, *values = line.split("#")[0].split(";")[0].split() or [""]
        if word == "nameserver" and values:
            servers.append(values[0])
        elif word in {"search", "domain"}:
            searches = tuple(value.rstrip(".") or "." for value in values)
        elif word == "options":
            options += values
    return Dns(tuple(servers), searches, tuple(dict.fromkeys(options)))


@dataclass(frozen=True, slots=True)
class ClusterDns:
    """The cluster's DNS: its addresses, none where it has none, and its domain."""

    servers: tuple[str, ...] = ()
    domain: str = ""


@dataclass(frozen=True, slots=True)
class PodDns:
    """A pod's resolver settings, and what is to be said of them: reasons and messages of warnings."""

    settings: Dns
    warnings: tuple[tuple[str, str], ...] = ()


def plan_dns(pod: Pod, host: Dns, cluster: ClusterDns) -> PodDns:
    """Choose a pod's resolver settings by its policy, with its own added, as far as resolvers take them."""
    policy = pod.spec.dnsPolicy or CLUSTER_FIRST
    wants_cluster = policy == "ClusterFirstWithHostNet" or (
        policy == CLUSTER_FIRST and not pod.spec.hostNetwork
    )
    base = Dns() if policy == "None" else host
    warnings: list[tuple[str, str]] = []
    if wants_cluster and cluster.servers:
        base = Dns(cluster.servers, _cluster_searches(pod, host, cluster.domain), (_NDOTS,))
    elif wants_cluster:
        warnings.append(("MissingClusterDNS", _missing_cluster_dns(pod)))
    settings, cut = _limited(_merged(base, pod.spec.dnsConfig))
    return PodDns(settings, (*warnings, *(("DNSConfigForming", text) for text in cut)))


def _cluster_searches(pod: Pod, host: Dns, domain: str) -> tuple[str, ...]:
    if not domain:
        return host.searches
    own = (f"{pod.metadata.namespace}.svc.{domain}", f"svc.{domain}", domain)
    return tuple(dict.fromkeys((*own, *host.searches)))


def _missing_cluster_dns(pod: Pod) -> str:
    meta = pod.metadata
    return (
        f'pod: "{meta.name}_{meta.namespace}({meta.uid})". kubelet does not have ClusterDNS IP configured and cannot '
        f'create Pod using "{CLUSTER_FIRST}" policy. Falling back to "Default" policy.'
    )


def pod_hostname(pod: Pod) -> str:
    """Return the host name inside a pod, at most 63 characters; one that takes its place has as many as a kernel's may have."""
    if pod.spec.hostnameOverride:
        return pod.spec.hostnameOverride
    name = pod.spec.hostname or pod.metadata.name
    return name[:_HOSTNAME_LENGTH].rstrip("-.")


def pod_domain(pod: Pod, cluster_domain: str) -> str:
    """Return the domain of a pod with a subdomain, "" for others."""
    if not pod.spec.subdomain or pod.spec.hostnameOverride:
        return ""
    return f"{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}"


def kernel_hostname(pod: Pod, cluster_domain: str) -> str:
    """Return the host name that the kernel tells: the short one, or the whole one where the pod asks for it.

    Raises:
        ValueError: the whole one is too long for a kernel.
    """
    name, domain = pod_hostname(pod), pod_domain(pod, cluster_domain)
    if not pod.spec.setHostnameAsFQDN or not domain:
        return name
    whole = f"{name}.{domain}"
    if len(whole) > _KERNEL_HOSTNAME_LENGTH:
        raise ValueError(
            f"Failed to construct FQDN from pod hostname and cluster domain, FQDN {whole} is too long"
            f" ({_KERNEL_HOSTNAME_LENGTH} characters is the max, {len(whole)} characters requested)"
        )
    return whole


def hosts_file(pod_ips: Sequence[str], hostname: str, domain: str, aliases: Iterable[HostAlias]) -> str:
    """Write the /etc/hosts of a pod with a network of its own."""
    names = f"{hostname}.{domain}\t{hostname}" if domain else hostname
    lines = [*_LOCAL_LINES, *(f"{ip}\t{names}" for ip in pod_ips), *_alias_lines(aliases)]
    return "\n".join(lines) + "\n"


def host_network_hosts_file(host_text: str, aliases: Iterable[HostAlias]) -> str:
    """Write the /etc/hosts of a pod on the node's network: the node's own, and the aliases."""
    lines = [
        "# Kubernetes-managed hosts file (host network).",
        host_text.rstrip("\n"),
        *_alias_lines(aliases),
    ]
    return "\n".join(lines) + "\n"


def _alias_lines(aliases: Iterable[HostAlias]) -> list[str]:
    lines = ["\t".join((alias.ip, *alias.hostnames)) for alias in aliases]
    return [_ALIASES_TITLE, *lines] if lines else []


def _merged(base: Dns, own: PodDNSConfig | None) -> Dns:
    if own is None:
        return base
    return Dns(
        tuple(dict.fromkeys((*base.servers, *own.nameservers))),
        tuple(dict.fromkeys((*base.searches, *own.searches))),
        _merged_options(base.options, own.options),
    )


def _merged_options(base: Iterable[str], own: Iterable[PodDNSConfigOption]) -> tuple[str, ...]:
    options = {text.partition(":")[0]: text for text in base}
    options |= {item.name: f"{item.name}:{item.value}" if item.value else item.name for item in own}
    return tuple(options.values())


def _limited(dns: Dns) -> tuple[Dns, list[str]]:
    """Return what resolvers take of settings, and what to say where that is not all."""
    cut: list[str] = []
    servers, searches = dns.servers[:MAX_SERVERS], _limited_searches(dns.searches)
    if servers != dns.servers:
        cut.append(
            "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: "
            + " ".join(servers)
        )
    if searches != dns.searches:
        cut.append(
            "Search Line limits were exceeded, some search paths have been omitted, the applied search line is: "
            + " ".join(searches)
        )
    return Dns(servers, searches, dns.options), cut


def _limited_searches(searches: tuple[str, ...]) -> tuple[str, ...]:
    kept: list[str] = []
    for search in searches[:MAX_SEARCHES]:
        if len(search) > _LONGEST_SEARCH:
            continue  # some resolvers abort at it
        if len(" ".join([*kept, search])) > MAX_SEARCH_LENGTH:
            break
        kept.append(search)
    return tuple(kept)
