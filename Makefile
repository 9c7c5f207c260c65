# Everything that a checkout takes: `make` lists it.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
SOURCES := agent plugins contrib tests
PYTEST ?=
WORKERS ?= 2
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup packages run aws-demo test suite check format bench clean

help:  ## list these
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' | \
		while IFS='|' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

setup: .venv/.done  ## a virtual environment in .venv with skep and what its tests need

.venv/.done: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "skep needs Python 3.11 or later: make setup PYTHON=python3.11")'
	@echo "setting up .venv: a minute or two, once"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

packages: setup  ## what the tests of real Docker Engines need of Debian
	@PYTHON=$(BIN)/python contrib/lab/prepare

run: setup  ## a cluster to play with: on this machine's engine where there is one, else on embedded ones
	$(BIN)/skep demo

aws-demo: setup  ## AWS on loopback with the article's things in it, for skep lookup and custom resources
	@$(BIN)/python -m contrib.aws_demo

test: packages check suite  ## everything that CI runs

suite: setup  ## the tests alone, in WORKERS=2 processes; PYTEST='tests/agent -x' chooses
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(PYTEST)

check: setup  ## style, types, import rules, layout
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python -m contrib.checks.layout

format: setup  ## put style in order where a program can
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: setup  ## the measurements that the README quotes
	$(BIN)/python -m contrib.bench

clean:  ## remove what the above made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
