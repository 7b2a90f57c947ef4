# routingd. Every target makes the machine ready by itself (tools/setup); `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-long lint bench bench-full bench-instructions lab-clean clean lock
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

VENV := .venv/bin
CARGO := PYO3_PYTHON="$(CURDIR)/$(VENV)/python" cargo
# A root shell made by su may lack the first three; the last is where rustup puts cargo.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin:$(HOME)/.cargo/bin
# Some machines have no locale at all; progress lines and tables are UTF-8.
export PYTHONUTF8 := 1

help: ## this list
	@echo "routingd: one router made of many Linux boxes. Targets:"
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name what; do printf '  make %-18s %s\n' "$$name" "$$what"; done
	@echo
	@echo "demo, test, test-long, bench, bench-full and setup need root (network namespaces) and install the Debian packages that are missing."
	@echo "  make demo PREFIXES=1000000     a table of that many prefixes (default 200000)"
	@echo "  make demo MRT=file             a real table, an MRT dump (RFC 6396), .gz or plain"
	@echo "  make demo KEEP=1               leave the laboratory up and say how to look around"
	@echo "  make test ARGS='-k bird -x'    arguments for pytest"

setup: ## install what is missing on this machine and build; the other targets do it by themselves
	@tools/setup test

demo: ## two boxes, one router: an Internet-like table from BIRD through the controller into two kernels
	@tools/setup demo
	@$(VENV)/python -m tests.lab.demo

lint: ## ruff (rules and format), mypy --strict, import rules, cargo fmt, clippy
	@tools/setup lint
	@$(MAKE) lint-only

.PHONY: lint-only
lint-only:
	@echo "lint: ruff";         $(VENV)/ruff check --quiet . && $(VENV)/ruff format --quiet --check .
	@echo "lint: mypy";         $(VENV)/mypy --no-error-summary
	@echo "lint: import rules"; $(VENV)/python -m pytest -q --no-header --no-summary tests/test_import_rules.py
	@echo "lint: cargo fmt";    cd native && $(CARGO) fmt --all --check
	@echo "lint: clippy";       cd native && $(CARGO) clippy --quiet --locked --workspace --all-targets -- -D warnings
	@echo "lint: fuzz targets"; cd native/fuzz && $(CARGO) fmt --check && $(CARGO) clippy --quiet --locked --no-default-features --target-dir ../target -- -D warnings

test: ## lint, the tests of the core, and every test that is not marked long (needs root)
	@tools/setup test
	@$(MAKE) lint-only
	@echo "test: the Rust core, the neighbours of the benchmark"
	@cd native && $(CARGO) test --quiet --locked -p routing-core -p routing-bench
	@echo "test: Python, the extension, real peers in namespaces"
	@tools/run-tests $(ARGS)

test-long: ## the tests that take minutes: full tables, long random runs (needs root)
	@tools/setup test
	@$(VENV)/python -m pytest -m long --strict-skips --timeout 3600 $(ARGS)

bench: ## measure: routingd, BIRD and the limits on the same work, under 8 minutes (needs root)
	@tools/setup demo
	@$(VENV)/python -m bench $(ARGS)

bench-full: ## every job by every daemon, five runs (churn 3, idle, "10 tables" and GoBGP 1): an hour or two (needs root)
	@tools/setup test
	@$(VENV)/python -m bench --full $(ARGS)

bench-instructions: ## what the pieces of the core cost, in instructions, beside what they did (ARGS=--renew: keep these)
	@tools/setup count
	@$(VENV)/python -m bench.instructions $(ARGS)

lock: ## renew requirements.lock: newest versions, in a clean virtual environment
	@rm -rf build/lock && python3 -m venv build/lock
	@build/lock/bin/pip install -q $$(python3 -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*(d.replace(" ", "") for d in p["dependencies"] + p["optional-dependencies"]["dev"]))')
	@{ sed -n '/^#/p' requirements.lock; build/lock/bin/pip freeze; } >build/lock/requirements.lock
	@mv build/lock/requirements.lock requirements.lock && rm -rf build/lock

lab-clean: ## remove laboratories that were left standing (KEEP=1): their processes and namespaces
	@[ ! -x $(VENV)/python ] || $(VENV)/python -m tests.lab.lab

clean: lab-clean ## remove everything that was built here: the virtual environment, the extension, caches
	@rm -rf .venv build dist native/target native/_native*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
