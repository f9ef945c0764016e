# make up    install what is missing, start the cluster, say how to go on
# make quick run what needs no etcd, Docker or cluster, in parallel
# make test  install what is missing, run every check and every test on real parts
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Properties on fewer examples and scenarios on fewer seeds than in `make test`; see tests/support/examples.py. The
# dearest tests come first, so that the workers end together. The rules of the house are part of `make check`.
QUICK := -q -n $(shell nproc) --dist worksteal --hypothesis-profile=quick -m "not deep" \
  tests/scenarios tests/hollow tests/property tests/unit --ignore=tests/unit/house
# Byte code is kept from run to run, whatever the environment says: to compile all of it takes a sixth of the time.
PYTEST := PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest

help:  ## Show the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup:  ## Install what is missing and start the Docker engine where none runs.
	@scripts/setup

up: setup  ## Start the cluster (ARGS="--nodes 5 --profile fast" for other than the defaults).
	@.venv/bin/kubarium up $(ARGS)
	@command -v kubectl >/dev/null && command -v helm >/dev/null || echo '  export PATH=$(CURDIR)/.tools/bin:$$PATH  # kubectl and helm are there'
	@echo '  make down'

down:  ## Stop the clusters that this checkout started, and the Docker engine if make started it and nobody uses it.
	@[ ! -x .venv/bin/kubarium ] || .venv/bin/kubarium down --own
	@scripts/engine stop

image: setup  ## Build the image of docker-compose.yml, also where nothing can be pulled.
	@scripts/image

check: setup  ## Lint, types, import contracts, the house's own rules, freshness of what is generated.
	@scripts/check

quick: .venv/bin/python  ## The tests that need no etcd, Docker or cluster, in parallel (about a minute).
	@$(PYTEST) $(QUICK)

.venv/bin/python:
	@scripts/setup

test:  ## Install what is missing, then every check and every test, on real etcd, Docker, CNI and kubectl.
	@scripts/setup tests
	@scripts/check
	@scripts/test

bench: setup  ## Measure; results go to benchmarks/results as JSON.
	@.venv/bin/python -m benchmarks

.PHONY: help setup up down image check quick test bench
