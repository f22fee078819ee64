# Everything that one does with a checkout. `make` lists it.
# Needs make and Python 3.11 or newer; the environment (.venv) is made on the way, from the lock files, with hashes.

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv/bin
LOCALE := app/language/locale
INSTALL := @$(PYTHON) requirements/install.py

export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help run stop test lint format types architecture check lock openapi graphiql reference monitoring messages bench bench-late bench-stream bench-graphql bench-store bench-metrics bench-changes bench-fairness bench-crashes bench-overhead bench-size bench-subscriptions docs image bad-inputs proof-alerts proof-rolling proof-webhooks fuzz audit clean
.PHONY: env-local env-dev env-bench env-node env-ops

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  Environment: PORT (8000), DATABASE_URL (default: an embedded Postgres), PARTWISE_HOME (.partwise),"
	@echo "  PYTHON (python3)."

run: env-local ## Serve with an embedded Postgres and a demo tenant, on PORT
	@exec $(VENV)/python -m app run

stop: env-local ## Stop the embedded Postgres, if a run left it behind
	@$(VENV)/python -m app stop

test: check env-node env-ops .wheels/made ## Check everything and run all tests
	$(VENV)/python -m pytest -n auto --dist loadgroup $(ARGS)

check: lint types architecture ## Lint, types and architecture

lint: env-dev ## Ruff: rules and format
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .

format: env-dev ## Let ruff rewrite what it can
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

types: env-dev ## Mypy, strict
	$(VENV)/mypy

architecture: env-dev ## Import contracts: dependencies point inward
	$(VENV)/lint-imports

openapi: env-local ## Write openapi/ anew from the code
	$(VENV)/python -m app openapi

graphiql: env-dev ## Put the page at /graphql together anew from graphiql/ (needs the npm registry the first time)
	$(VENV)/python -m tests.node graphiql build.mjs app/graphql/graphiql

reference: env-dev ## Put the page at /docs together anew from reference/ (needs the npm registry the first time)
	$(VENV)/python -m tests.node reference build.mjs app/rest/reference

monitoring: env-dev ## Write monitoring/generated anew: rules, alerts, dashboards
	$(VENV)/python -m monitoring
	@cp monitoring/generated/prometheusrule.yaml k8s/components/monitoring/prometheus-rule.yaml

messages: env-local ## Bring the catalogues of app/language up to date with the texts in the code
	$(VENV)/pybabel -q extract -k N_ -k P_:1,2 --omit-header --no-location --sort-output -o $(LOCALE)/partwise.pot app
	$(VENV)/pybabel -q update -D partwise -i $(LOCALE)/partwise.pot -d $(LOCALE) --no-fuzzy-matching --ignore-pot-creation-date

bench: env-bench ## Measure the speed of ingest and queries
	$(VENV)/python -m benchmarks $(ARGS)

bench-late: env-bench ## Measure the late-payment probability on the receivables, next to other models
	$(VENV)/python -m benchmarks.late $(ARGS)

bench-stream: env-bench ## Send a million events as one stream, kill the server in the middle, send them again
	$(VENV)/python -m benchmarks.stream $(ARGS)

bench-graphql: env-bench ## Measure GraphQL next to PostGraphile, REST and a bare FastAPI, over the same database
	$(VENV)/python -m benchmarks.hostile
	$(VENV)/python -m benchmarks.graphql $(ARGS)

bench-store: env-bench ## Measure the store next to what Postgres itself can do; ARGS names parts
	$(VENV)/python -m benchmarks.store $(ARGS)
	$(VENV)/python -m benchmarks.histories
	$(VENV)/python -m benchmarks.reads
	$(VENV)/python -m benchmarks.together

bench-metrics: env-bench ## Ask for portfolio metrics of a hundred and of a hundred thousand clients; ARGS: clients, rounds
	$(VENV)/python -m benchmarks.metrics $(ARGS)

bench-changes: env-bench ## Measure what noting changes costs those who store assessments, with and without; ARGS: --rounds, --seconds
	$(VENV)/python -m benchmarks.changes $(ARGS)

bench-fairness: env-bench ## Ask for twice the limit of one key for a minute: what the others notice; ARGS: seconds, limit
	$(VENV)/python -m benchmarks.fairness $(ARGS)

bench-crashes: env-bench ## Kill server, worker and Postgres at random moments under load, twenty times
	$(VENV)/python -m benchmarks.crashes $(ARGS)

bench-overhead: env-bench ## Measure what metrics and the access log cost on POST /v1/events, with and without
	$(VENV)/python -m benchmarks.overhead $(ARGS)

bench-size: env-bench ## Measure what a server, a worker and Postgres need for what is asked for; ARGS: seconds
	$(VENV)/python -m benchmarks.size $(ARGS)

bench-subscriptions: env-bench ## Open a thousand subscriptions on one server: memory of each, time of a change; ARGS: subscriptions, changes
	$(VENV)/python -m benchmarks.subscriptions $(ARGS)

proof-rolling: env-bench ## Replace three servers behind HAProxy, one by one, under load: nothing fails, nothing is lost
	$(VENV)/python -m benchmarks.rolling $(ARGS)

proof-webhooks: env-bench ## Deliver 10,000 changes to fifty webhooks, some dead or slow, and kill workers; ARGS=--quick for less
	$(VENV)/python -m benchmarks.webhooks $(ARGS)

image: ## Build the container image, the same from the same commit and BASE (needs Docker, Podman or Buildah)
	@BASE=$(BASE) IMAGE=$(IMAGE) sh requirements/image.sh

docs: env-bench ## Draw the curves of docs/scoring.md, tell docs/stories.md and the settings of docs/operations.md anew
	$(VENV)/python -m docs.plots
	$(VENV)/python -m docs.stories
	$(VENV)/python -m docs.settings

proof-alerts: env-bench ## Fire every alert by a real fault, with a real Prometheus; about ten minutes
	$(VENV)/python -m tests.monitoring.proof

bad-inputs: env-dev ## Send everything that nobody should send to a server; writes docs/bad-inputs.md
	@$(VENV)/python -m tests.bad_inputs.table

fuzz: env-dev ## Fuzz REST, GraphQL and the decoder for FUZZ_SECONDS (600); FUZZ_SEED repeats a run
	@$(VENV)/python -m tests.fuzzing.runs --seconds $(or $(FUZZ_SECONDS),600) $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))

audit: env-dev ## Ask the advisory databases about every dependency in the lock files (needs the network)
	@$(VENV)/python -m tests.audit $(ARGS)

lock: ## Resolve the dependencies anew into requirements/*.lock (needs a package index)
	@test -x .venv-lock/bin/uv || ($(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install -qq uv==$(UV_VERSION))
	$(UV) --extra local --extra traces --group bench --output-file requirements/bench.lock
	$(UV) --extra local --extra traces --group dev --constraint requirements/bench.lock --output-file requirements/dev.lock
	$(UV) --extra local --constraint requirements/bench.lock --output-file requirements/local.lock
	$(UV) --extra traces --constraint requirements/bench.lock --output-file requirements/runtime.lock
	$(subst pyproject.toml,requirements/ops-tools.in,$(UV)) --output-file requirements/ops-tools.lock

# One resolution for every Python from 3.11 on and every platform; the smaller sets take their versions from the
# largest, so that they are subsets of each other. No index is named: each machine uses its own.
UV = .venv-lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links $(LOCKFLAGS)

clean: ## Remove the environment and the data folder
	@if test -x $(VENV)/python && test -d "$${PARTWISE_HOME:-.partwise}/postgres"; then $(VENV)/python -m app stop --force; fi
	rm -rf .wheels .venv .venv-ops .venv-lock .venv.lock .venv-ops.lock .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .partwise-test
	rm -rf "$${PARTWISE_HOME:-.partwise}"
	find . \( -name node_modules -o -name .install.lock \) -prune -exec rm -rf {} +
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

env-local:
	$(INSTALL) local

env-dev:
	$(INSTALL) dev

env-bench:
	$(INSTALL) bench

env-ops:
	$(INSTALL) ops-tools

# What the image installs, for tests that do the same without the network.
.wheels/made: requirements/runtime.lock | env-dev
	@rm -rf .wheels
	@$(VENV)/python -m pip download -qq --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes --dest .wheels --requirement $<
	@touch $@

env-node: env-dev
	@$(VENV)/python -m tests.node tests/front_ends
	@$(VENV)/python -m tests.node tests/api_tools
	@$(VENV)/python -m tests.node tests/issuer
	@$(VENV)/python -m tests.node tests/receivers
	@$(VENV)/python -m tests.node graphiql
	@$(VENV)/python -m tests.node reference
