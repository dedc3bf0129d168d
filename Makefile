# Two commands on a fresh machine: make demo, make test. Each does its own set-up, once.
.DEFAULT_GOAL := help
CASES ?= tests/kda_sql/cases
FLINK_2 := tests/flink_2 tests/udfs tests/pipeline tests/kda_sql tests/connectors tests/jobs
.PHONY: help setup demo test test-fast check kda-sql-cases bench bench-forest test-flink2 package sbom torture console editor clean
KDA := .venv/bin/kda
# Dozens of processes run the same code: each would compile it anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: ## tools, packages, connector jar: once, from lock files
	@sh infra/setup.sh

demo: setup ## local AWS, the labs end to end, what was found (LAB=trades|ctr|sessions for one)
	@$(KDA) demo $(LAB)

test: setup ## every test, by three workers
	@.venv/bin/pytest -n 3

test-flink2: setup ## what needs no AWS connector, on Flink 2 with Python 3.12
	@sh infra/flink_2.sh
	@build/flink-2/bin/python -m pytest -n 2 -m "flink and not kinesis" $(FLINK_2)

test-fast: setup ## the tests that need neither Java nor the local AWS
	@.venv/bin/pytest -m "not flink and not aws"

check: setup ## format, lint, types, SQL
	@.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/mypy && .venv/bin/sqlfluff lint -q jobs

kda-sql-cases: setup ## KDA SQL programs as real jobs: records in, rows out (CASES=FOLDER for others)
	@.venv/bin/python -m tests.kda_sql.run $(CASES)

package: setup ## the zip for Managed Flink or any Flink cluster
	@$(KDA) package

sbom: setup ## build/sbom: every dependency with version and hashes, for scanners (CycloneDX)
	@.venv/bin/python -m venv --clear build/sbom/tools && build/sbom/tools/bin/pip install -q cyclonedx-bom==7.5.0
	@build/sbom/tools/bin/cyclonedx-py requirements requirements.lock --of JSON --output-reproducible -o build/sbom/python.json
	@mvn -q -B -f flink-conf/pom.xml org.cyclonedx:cyclonedx-maven-plugin:2.9.1:makeBom -DoutputFormat=json \
	  -DoutputDirectory=$(CURDIR)/build/sbom -DoutputName=java >/dev/null

console: setup ## the operator's page, on loopback
	@$(KDA) console

editor: setup ## the console's SQL editor anew, of its npm packages
	@.venv/bin/python console/editor/build.py

torture: setup ## kill every process of a cluster under load; the account must be exact
	@.venv/bin/python -m tests.torture

bench: setup ## forest, generator, whole jobs: ratios, into bench/results.md
	@.venv/bin/python -m bench

bench-forest: setup ## forest and detector against AWS's Java libraries and krcf: ratios
	@.venv/bin/python -m bench.forest
	@.venv/bin/python -m bench.detection

clean: ## undo everything that make and kda made in this clone
	@if [ -x $(KDA) ]; then $(KDA) local down; fi
	@rm -rf .venv .kda build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis bench/*/target
	@find . -name __pycache__ -prune -exec rm -rf {} +
