# Two commands do everything on a fresh Debian 12: `make run` (the main job) and `make test`.
# What they fetch goes into .venv and .cache; both are ignored by git and may be deleted at any time.

SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup rig test-tools run test check-style types imports unit live schema crms proofs faults bench bench-page bench-history pictures fuzz audit sbom supply clean

PY := .venv/bin/python

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

setup: ## the Python environment in .venv
	@deploy/rig/setup

rig: setup ## the real Asterisk and SIPp, in .cache
	@deploy/rig/get-asterisk
	@deploy/rig/get-tools

test-tools: setup
	@deploy/rig/get-tools postgresql chromium

run: rig ## a real Asterisk with sample calls routed by a sample CRM; ONCE=1 ends after the table
	@exec $(PY) -m deploy.rig.demo $(if $(ONCE),--once)

test: rig test-tools check-style types imports ## everything: style, types, imports, unit and live tests
	@$(PY) -m pytest -q -n 3 --dist loadgroup -m "not long" tests

check-style: setup
	@.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: setup
	@.venv/bin/mypy

imports: setup
	@.venv/bin/lint-imports

unit: test-tools ## the tests that need no Asterisk
	@$(PY) -m pytest -q -n 2 tests --ignore tests/live

live: rig ## the tests on a real Asterisk
	@$(PY) -m pytest -q -m "not long" tests/live

schema: setup ## many requests made of the OpenAPI, each answer held to it; EXAMPLES=500 of each operation
	@SCHEMA_EXAMPLES=$(or $(EXAMPLES),100) $(PY) -m pytest -q --timeout 1800 tests/admin/attacks/test_schema.py

crms: setup ## every connector against its strict local CRM, as a table
	@$(PY) -m tests.crms.table

proofs: rig ## the long forms of the proofs on a real Asterisk (10,000 calls each)
	@$(PY) -m pytest -q tests/live -m long

faults: rig ## the 25 faults in their full form, as a table; FAULTS="1 3" chooses
	@$(PY) -m tests.faults $(FAULTS)

bench: rig ## the benchmark: crmroute beside its peers, every part (about an hour); BENCH="--short" or "--parts rates"
	@$(PY) -m tests.bench $(BENCH)

bench-page: setup ## docs/benchmarks.md and its pictures, of the JSON files in RESULTS
	@$(PY) -m tests.bench --page-from $(RESULTS)

bench-history: test-tools ## the benchmark: 1,000,000 decisions searched on a real PostgreSQL, as JSON
	@$(PY) -m tests.bench.history

fuzz: setup ## hostile input to every decoder of outside data, as a table; MINUTES=10, TARGETS="ami crm" chooses, SEED=1
	@$(PY) -m tests.fuzz --minutes $(or $(MINUTES),10) --seed $(or $(SEED),0) $(TARGETS)

supply: setup
	@deploy/supply/setup

audit: supply ## known vulnerabilities of what is installed; ends with 3 where nobody can be asked
	@.venv-supply/bin/python -m deploy.supply.audit

sbom: supply ## the bill of materials of what crmroute runs with, as CycloneDX in dist/
	@.venv-supply/bin/python -m deploy.supply.bill

pictures: test-tools ## the documentation's pictures of every page, in docs/pages
	@$(PY) -m tests.admin.pages.pictures

clean: ## everything that was fetched or made
	@rm -rf .venv .venv-supply .cache .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
