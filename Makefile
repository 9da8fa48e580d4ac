# `make demo` runs the main job, `make test` passes the tests; both set everything up first.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin

.PHONY: help demo test fast coverage fuzz check format bench docs reference clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

demo: ## package examples/tiny_style for Android, run it on the host and on an emulated arm64 device, write dist/report.html
	@scripts/setup.sh demo
	$(BIN)/python scripts/demo.py

test: ## all checks and tests
	@scripts/setup.sh test
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=20

coverage: ## the tests again, with the statements that none of them reaches; a third slower
	@scripts/setup.sh test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered

fast: ## the tests that start no converter, process or emulator
	@EDGEBUNDLE_WORKERS=plain PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m fast

fuzz: ## random exploration: every drawn test with fresh draws, a thousand each (`make fuzz AT=tests/builder/sources` for some)
	@scripts/setup.sh test
	EDGEBUNDLE_FUZZ=1 $(BIN)/python -m pytest -n 2 -m hypothesis $(AT)

check: ## linters, types, import rules, the form of Kotlin, Swift and C++
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.formatting --check

format: ## Python, Kotlin, Swift and C++ in their one form
	@$(BIN)/ruff format .
	$(BIN)/python -m scripts.formatting

bench: ## the figures of this version, measured on this machine (`make bench TOPIC=spine` for one topic)
	@scripts/setup.sh demo
	$(BIN)/python scripts/bench $(TOPIC)

docs: ## the documentation as a site in build/site; a dead link fails
	@scripts/setup.sh test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

reference: ## docs/reference and the JSON Schemas, from the models, parsers and docstrings
	@$(BIN)/python -m scripts.reference
	$(BIN)/python scripts/schemas.py

clean: ## remove what the commands made here (the cache stays: see `builder doctor`)
	rm -rf dist build .coverage* .mypy_cache .pytest_cache .ruff_cache
