# One image for every service of docker-compose.yml.
#
# BASE is any Debian or Ubuntu image with, or with access to, Python 3.11 or later; packages that it already has
# are not installed again. Wheels in wheels/ (made by scripts/wheels) are used instead of a package index.
ARG BASE=debian:bookworm-slim
FROM ${BASE}

RUN for program in etcd nft ip conntrack iptables haproxy python3; do command -v $program || PATH=$PATH:/usr/sbin:/sbin command -v $program || missing=1; done >/dev/null; \
    if [ -n "$missing" ] || ! [ -e /usr/lib/cni/bridge ] || ! python3 -c 'import ensurepip'; then \
      apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        ca-certificates conntrack containernetworking-plugins etcd-server haproxy iproute2 iptables nftables python3 python3-venv \
      && rm -rf /var/lib/apt/lists/*; \
    fi

WORKDIR /src
COPY pyproject.toml README.md LICENSE wheels* ./wheels/
RUN python3 -m venv /opt/kubarium \
    && if ls wheels/*.whl >/dev/null 2>&1; then \
         /opt/kubarium/bin/pip install --no-cache-dir --no-index --find-links wheels kubarium; \
       fi
COPY . .
RUN if [ -x /opt/kubarium/bin/kubarium ]; then :; else /opt/kubarium/bin/pip install --no-cache-dir .; fi \
    && find /opt/kubarium -path '*/kubernetes-json-schema/*' -prune ! -path '*/v1.36.0-local*' -name 'v1.*' -exec rm -rf {} +

WORKDIR /
ENTRYPOINT ["/opt/kubarium/bin/python", "-m", "kubarium.machine"]
