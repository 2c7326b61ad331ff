# Thin wrappers. Each target makes what it needs; `make help` lists them.
PYTHON ?= python3
MINUTES ?=
DB ?=
GRID ?=
START := $(shell date +%s)
REPORT_SECONDS := 20
BIN := .venv/bin
SWEEP := $(BIN)/python -m sweep
SPACES := $$grid/mnist_gan $$grid/mnist_ebgan $$grid/mnist_ebgan_pt
LIMIT = $(if $(MINUTES),--minutes $(MINUTES) --since $$(( $(START) - $(REPORT_SECONDS) )))
# The grid that follows the quick ones.
LARGER := from sweep.planning.machine import this_machine as m; print("paper" if m().gpus else "laptop")
ifneq ($(DB),)
export SWEEP_DB := $(DB)
endif
# A process a core, and no more than 4: a test may take 2 GB of memory. Tests of one file stay in one process.
PYTEST := $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help sweep-mnist report test test-slow test-all chaos lint bench format clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

sweep-mnist: .venv/main  ## run the quick grids, on a GPU then the paper's, and make the report (GRID=laptop, MINUTES=60)
	@larger=$$($(BIN)/python -c '$(LARGER)') || exit; \
	grids="$(or $(GRID),quick $$([ $$larger = paper ] && echo paper))"; \
	for grid in $$grids; do \
	    echo "Running the $$grid grids$(if $(MINUTES), for $(MINUTES) minutes)."; \
	    $(SWEEP) run $(SPACES) $(LIMIT); code=$$?; [ $$code -gt 1 ] && exit $$code; \
	    $(BIN)/python -m reports || exit; [ $$code = 0 ] || exit $$code; \
	    left=$$($(SWEEP) plan $(SPACES) --time) || exit; [ -z "$$left" ] || break; \
	done; \
	if [ -z "$$left" ]; then \
	    case $$grid in quick) grid=$$larger;; laptop) grid=paper;; *) exit 0;; esac; \
	    left=$$($(SWEEP) plan $(SPACES) --time) || exit; \
	fi; \
	[ -z "$$left" ] || echo "Next: make sweep-mnist GRID=$$grid$(if $(DB), DB=$(DB)), $$left."

report: .venv/main  ## make the report again from the database
	@$(BIN)/python -m reports

test: .venv/test  ## run the quick tests, in about 3 minutes on 2 cores
	@$(PYTEST) -m "not slow" --durations 5 --durations-min 10

test-slow: .venv/test  ## run the other tests: real sweeps, faults, load, memory, all of the page
	@$(PYTEST) -m slow

test-all: test test-slow  ## run every test, in about 16 minutes on 2 cores

chaos: .venv/test  ## disturb a sweep with kills, locks and a full disk for 10 minutes (MINUTES=30 for longer)
	@$(BIN)/python tests/sweep/chaos.py $(if $(MINUTES),--minutes $(MINUTES))

lint: .venv/test  ## check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: .venv/main  ## measure the throughput and compare it with baselines, under 15 minutes on 2 cores
	@$(BIN)/python -m benchmarks.throughput

format: .venv/test  ## put the code into the project's style
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean:  ## remove the environment; results stay
	rm -rf .venv

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
	    { echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1), allowed: Python 3.11 to 3.14 (say make PYTHON=python3.12)" >&2; exit 2; }
	@$(PYTHON) -m venv .venv && touch $@

.venv/main: .venv/python setup.cfg constraints.txt
	@echo "Setting up .venv, once: about 90 seconds, longer where packages still have to be downloaded ..."
	@$(PIP) --editable . && touch $@

.venv/test: .venv/main
	@echo "Adding what the tests need ..."
	@$(PIP) --editable '.[test]' && $(PIP) --no-deps torch-fidelity && touch $@
